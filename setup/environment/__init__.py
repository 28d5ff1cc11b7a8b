"""Builds a real Odoo 19, its Python and a PostgreSQL into one ignored folder.

`python3 setup/environment` does it on a fresh Debian machine; the result is described
in `environment.json` in that folder, which is all that the suites read. Everything here
is standard library only, because it runs before anything is installed.
"""
