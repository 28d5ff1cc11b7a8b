"""Campaigns under fire: seeded faults, real processes, and one judge.

A run sends one campaign while workers are killed, PostgreSQL restarts, the SMTP server
lies and people press buttons. What the server accepted is the only evidence.
"""
