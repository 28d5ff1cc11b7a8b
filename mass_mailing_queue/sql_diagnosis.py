# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What Diagnose asks of traces and jobs. All of it only reads; callers flush."""

from .sql import LOCK_CLAIM
from .sql_outage import OUT_OF_REACH


def left_out(cr, mailing_id):
    """Return why recipients were left out, if all were.

    Index: ``mailing_trace_queue_progress_idx``.

    :return: list of (failure type, number), empty if there is anybody else, or nobody
    """
    cr.execute(
        """
        SELECT failure_type, count(*) FROM mailing_trace
         WHERE mass_mailing_id = %(mailing)s
           AND NOT EXISTS (SELECT 1 FROM mailing_trace
                            WHERE mass_mailing_id = %(mailing)s
                              AND trace_status NOT IN ('cancel', 'pending'))
         GROUP BY 1 ORDER BY 2 DESC
        """,
        {"mailing": mailing_id},
    )
    return cr.fetchall()


def is_durable(cr):
    """Return whether what PostgreSQL has committed survives a crash."""
    cr.execute("SELECT current_setting('synchronous_commit') <> 'off'")
    return cr.fetchone()[0]


def claims_under_way(cr, mailing_ids):
    """Return who is sending: claims that are some seconds old.

    Index: ``mailing_trace_queue_open_idx``.

    :return: list of (node and process, seconds, whether the worker lives), the oldest
        first
    """
    cr.execute(
        """
        SELECT queue_claimed_by,
               EXTRACT(EPOCH FROM now() AT TIME ZONE 'utc' - queue_claimed_at)::float,
               EXISTS (SELECT 1 FROM pg_locks
                        WHERE locktype = 'advisory' AND granted AND objsubid = 2
                          AND classid::bigint = %s
                          AND objid::bigint = queue_claim_token
                          AND database = (SELECT oid FROM pg_database
                                           WHERE datname = current_database()))
          FROM mailing_trace
         WHERE mass_mailing_id = ANY(%s) AND trace_status = 'process'
           AND queue_claimed_at < now() AT TIME ZONE 'utc' - interval '3 seconds'
         ORDER BY queue_claimed_at LIMIT 50
        """,
        [LOCK_CLAIM, mailing_ids],
    )
    return cr.fetchall()


def doubts_by_worker(cr, mailing_ids):
    """Return who left emails in doubt. Index: ``mailing_trace_queue_decide_idx``.

    :return: list of (node and process, time of the last claim, number)
    """
    cr.execute(
        """
        SELECT queue_claimed_by, max(queue_claimed_at), count(*) FROM mailing_trace
         WHERE mass_mailing_id = ANY(%s)
           AND trace_status = 'error' AND failure_type = 'queue_in_doubt'
         GROUP BY 1 ORDER BY 2 DESC LIMIT 50
        """,
        [mailing_ids],
    )
    return cr.fetchall()


def failed_jobs(cr, mailing_ids):
    """Return (exception, number) of failed jobs. Index: that on the job's mailing."""
    cr.execute(
        """
        SELECT COALESCE(exc_name, '?'), count(*) FROM queue_job
         WHERE mailing_id = ANY(%s) AND state = 'failed'
         GROUP BY 1 ORDER BY 2 DESC LIMIT 5
        """,
        [mailing_ids],
    )
    return cr.fetchall()


def outage_replies(cr):
    """Return (server, words, seconds until the next try) of servers out of reach."""
    cr.execute(  # pylint: disable=sql-injection
        f"""
        SELECT server_ref, reply, GREATEST(
               EXTRACT(EPOCH FROM retry_at - (now() AT TIME ZONE 'utc')), 0)::float
          FROM mailing_queue_outage
         WHERE {OUT_OF_REACH}
        """
    )
    return cr.fetchall()
