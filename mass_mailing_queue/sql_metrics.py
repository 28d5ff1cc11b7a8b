# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What a monitoring system reads: lists of (values of labels, number).

Callers flush.
"""

from .sql_outage import OUT_OF_REACH
from .sql_watch import ARRIVED


def _samples(cr):
    return [(row[:-1], float(row[-1])) for row in cr.fetchall()]


def depth_by_state(cr, mailing_ids):
    """Count who waits. Index: ``mailing_trace_queue_open_idx``."""
    cr.execute(
        """
        SELECT trace.mass_mailing_id,
               CASE WHEN trace.trace_status = 'process' THEN 'process'
                    WHEN trace.queue_held THEN 'held'
                    WHEN mailing.queue_paused THEN 'paused'
                    WHEN trace.queue_next_attempt > now() AT TIME ZONE 'utc'
                    THEN 'deferred' ELSE 'waiting' END,
               count(*)
          FROM mailing_trace trace
          JOIN mailing_mailing mailing ON mailing.id = trace.mass_mailing_id
         WHERE trace.mass_mailing_id = ANY(%s)
           AND trace.trace_status IN ('outgoing', 'process')
         GROUP BY 1, 2
        """,
        [mailing_ids],
    )
    return _samples(cr)


def rates(cr, mailing_ids):
    """Return emails/second of the last minute, of each mailing.

    Index: ``mailing_trace_queue_progress_idx``.
    """
    cr.execute(
        """
        SELECT mailing.id, (
               SELECT count(*) FROM mailing_trace
                WHERE mass_mailing_id = mailing.id AND trace_status = ANY(%s)
                  AND sent_datetime > now() AT TIME ZONE 'utc' - interval '1 minute'
               ) / 60.0
          FROM unnest(%s::int[]) AS mailing(id)
        """,
        [list(ARRIVED), mailing_ids],
    )
    return _samples(cr)


def failures_by_class(cr, mailing_ids):
    """Count failures but those in doubt. Index: ``mailing_trace_queue_failed_idx``."""
    cr.execute(
        """
        SELECT mass_mailing_id, COALESCE(failure_type, 'unknown'), count(*)
          FROM mailing_trace
         WHERE mass_mailing_id = ANY(%s) AND trace_status IN ('error', 'bounce')
           AND failure_type IS DISTINCT FROM 'queue_in_doubt'
         GROUP BY 1, 2
        """,
        [mailing_ids],
    )
    return _samples(cr)


def doubts(cr):
    """Count who is in doubt, of all mailings: it does not end with them.

    Index: ``mailing_trace_queue_decide_idx``.
    """
    cr.execute(
        """
        SELECT mass_mailing_id, count(*) FROM mailing_trace
         WHERE trace_status = 'error' AND failure_type = 'queue_in_doubt'
         GROUP BY 1
        """
    )
    return _samples(cr)


def jobs_by_state(cr):
    """Count our jobs that have not ended well. Index: queue_job's on the state."""
    cr.execute(
        """
        SELECT state, count(*) FROM queue_job
         WHERE mailing_id IS NOT NULL
           AND state IN ('wait_dependencies', 'pending', 'enqueued', 'started',
                         'failed')
         GROUP BY 1
        """
    )
    return _samples(cr)


def heartbeat(cr):
    """Return the seconds since the scheduled action was here."""
    cr.execute(
        "SELECT EXTRACT(EPOCH FROM now() AT TIME ZONE 'utc' - last_seen) "
        "FROM mailing_queue_guard"
    )
    return _samples(cr)


def outages(cr):
    """Return the seconds until each server out of reach is tried again."""
    cr.execute(  # pylint: disable=sql-injection
        f"""
        SELECT server_ref, GREATEST(
               EXTRACT(EPOCH FROM retry_at - (now() AT TIME ZONE 'utc')), 0)
          FROM mailing_queue_outage WHERE {OUT_OF_REACH}
        """
    )
    return _samples(cr)


def alerts(cr):
    """Count the alerts that are raised."""
    cr.execute(
        "SELECT kind, count(*) FROM mailing_queue_alert WHERE state = 'raised' "
        "GROUP BY 1"
    )
    return _samples(cr)
