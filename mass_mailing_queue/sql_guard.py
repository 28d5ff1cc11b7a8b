# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Whether this database is the one that began its mailings, or a copy of it."""


def identity(cr):
    """Return what tells this database from its copies, however they were made.

    Odoo's ``database.uuid`` changes when Odoo duplicates or restores one, the number
    of the database in its cluster when anybody does, and the cluster's identifier when
    the files are moved to another.
    """
    cr.execute(
        """
        SELECT (SELECT value FROM ir_config_parameter WHERE key = 'database.uuid')
               || ':' || (SELECT oid FROM pg_database
                           WHERE datname = current_database())
               || ':' || (SELECT system_identifier FROM pg_control_system())
        """
    )
    return cr.fetchone()[0]


def guard_check(cr):
    """*ledger* Return why this database must not send, or ``None``.

    :return: ``copy`` if it is not the database that last sent, ``asleep`` if its
        scheduled actions had not run for a day
    """
    cr.execute(
        """
        SELECT CASE WHEN identity <> %s THEN 'copy'
                    WHEN last_seen < now() AT TIME ZONE 'utc' - interval '1 day'
                    THEN 'asleep' END
          FROM mailing_queue_guard LIMIT 1
        """,
        [identity(cr)],
    )
    row = cr.fetchone()
    return row[0] if row else None


def guard_accept(cr):
    """Write that this database is the one that sends, and awake."""
    cr.execute(
        """
        INSERT INTO mailing_queue_guard (id, identity, last_seen)
             VALUES (1, %s, now() AT TIME ZONE 'utc')
        ON CONFLICT (id) DO UPDATE
                SET identity = EXCLUDED.identity, last_seen = EXCLUDED.last_seen
        """,
        [identity(cr)],
    )


def guard_heartbeat(cr):
    """*ledger* Note that the scheduled actions run."""
    cr.execute("UPDATE mailing_queue_guard SET last_seen = now() AT TIME ZONE 'utc'")
