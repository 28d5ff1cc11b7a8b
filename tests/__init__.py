"""Whole-system suites: a real Odoo, a real PostgreSQL, a real SMTP server."""
