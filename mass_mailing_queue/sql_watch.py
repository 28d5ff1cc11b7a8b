# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What alerts, metrics, diagnosis and self-pause ask: statements that only read.

Apart from those marked *ledger* they run on the ORM's cursor; callers flush.
"""

from .sql import LOCK_CLAIM

#: Of a recipient whom the server accepted, whatever was heard of them since.
ARRIVED = ("sent", "open", "reply")


def fails_too_often(cr, mailing_id, failures, window):
    """*ledger* Return whether more than ``failures`` of the last emails failed.

    That is so if the last but ``failures`` is among the last ``window`` emails. What
    failed before somebody started or resumed the mailing does not count.
    Indexes: ``mailing_trace_queue_failed_idx``, ``mailing_trace_queue_progress_idx``.

    :param int failures: so many are allowed
    :param int window: among so many emails
    """
    cr.execute(
        """
        SELECT (SELECT count(*) FROM (
                SELECT 1 FROM mailing_trace
                 WHERE mass_mailing_id = %(mailing)s AND trace_status = ANY(%(sent)s)
                   AND sent_datetime >= failed.at LIMIT %(window)s) arrived
               ) + %(failures)s < %(window)s
          FROM (SELECT queue_claimed_at AS at FROM mailing_trace
                 WHERE mass_mailing_id = %(mailing)s
                   AND trace_status IN ('error', 'bounce')
                   AND queue_claimed_at >= COALESCE(
                       (SELECT queue_resumed_at FROM mailing_mailing
                         WHERE id = %(mailing)s), '-infinity')
                 ORDER BY queue_claimed_at DESC OFFSET %(failures)s LIMIT 1) failed
        """,
        {
            "mailing": mailing_id,
            "failures": failures,
            "window": window,
            "sent": list(ARRIVED),
        },
    )
    row = cr.fetchone()
    return bool(row and row[0])


def failure_reasons(cr, mailing_ids, limit):
    """Return why emails failed, the most frequent reason first.

    Replies of one code differ in what they quote: one of them stands for all. Where
    there is no code, texts are alike if they differ in addresses only.
    Index: ``mailing_trace_queue_failed_idx``.

    :return: list of (failure type, reply's code, words of one, number of recipients)
    """
    cr.execute(
        """
        SELECT failure_type, queue_smtp_code, max(failure_reason), count(*)
          FROM mailing_trace
         WHERE mass_mailing_id = ANY(%s) AND trace_status IN ('error', 'bounce')
         GROUP BY failure_type, queue_smtp_code, queue_smtp_status,
                  CASE WHEN queue_smtp_code IS NULL
                       THEN regexp_replace(left(failure_reason, 200),
                                           '[^[:space:]<>]+@[^[:space:]<>]+', '@', 'g')
                  END
         ORDER BY count(*) DESC, max(failure_reason) LIMIT %s
        """,
        [list(mailing_ids), limit],
    )
    return cr.fetchall()


def totals(cr, mailing_id):
    """Return how many recipients are planned, sent, failed and waiting.

    Index: ``mailing_trace_queue_progress_idx``.
    """
    cr.execute(
        """
        SELECT count(*),
               count(*) FILTER (
                   WHERE trace_status IN ('sent', 'open', 'reply', 'bounce')),
               count(*) FILTER (WHERE trace_status = 'error'),
               count(*) FILTER (WHERE trace_status IN ('outgoing', 'process'))
          FROM mailing_trace WHERE mass_mailing_id = %s
        """,
        [mailing_id],
    )
    return cr.fetchone()


# ---------------------------------------------------------------------------
# Alerts
# ---------------------------------------------------------------------------


def depth(cr, planned_only=False):
    """Return how many recipients wait, of mailings that nobody has paused.

    Indexes: upstream's on the mailing's state, ``mailing_trace_queue_open_idx``.

    :param bool planned_only: leave out mailings that are being planned: they grow
    """
    cr.execute(
        """
        SELECT count(*)
          FROM mailing_mailing mailing
          JOIN mailing_trace trace ON trace.mass_mailing_id = mailing.id
         WHERE mailing.queue_managed AND mailing.state = 'sending'
           AND NOT COALESCE(mailing.queue_paused, false)
           AND (mailing.queue_planned OR NOT %s)
           AND trace.trace_status IN ('outgoing', 'process')
        """,
        [planned_only],
    )
    return cr.fetchone()[0]


def stalled(cr, minutes):
    """Return mailings of which nothing became in so many minutes.

    Somebody must be there to be sent to; who waits for a next attempt, or is held, is
    not. Paused mailings do not stall.
    Indexes: ``mailing_trace_queue_open_idx``, ``mailing_trace_queue_progress_idx``,
    ``mailing_trace_queue_failed_idx``.

    :return: list of ids
    """
    cr.execute(
        """
        SELECT mailing.id
          FROM mailing_mailing mailing
         CROSS JOIN (SELECT now() AT TIME ZONE 'utc'
                            - %(minutes)s * interval '1 minute' AS at) since
         WHERE mailing.queue_managed AND mailing.mailing_type = 'mail'
           AND (mailing.state = 'sending'
                OR mailing.state = 'in_queue'
                   AND COALESCE(mailing.schedule_date, '-infinity') < since.at)
           AND NOT COALESCE(mailing.queue_paused, false)
           AND COALESCE(mailing.queue_resumed_at, '-infinity') < since.at
           AND (NOT COALESCE(mailing.queue_planned, false) OR EXISTS (
                SELECT 1 FROM mailing_trace
                 WHERE mass_mailing_id = mailing.id
                   AND (trace_status = 'process'
                        OR trace_status = 'outgoing'
                           AND NOT COALESCE(queue_held, false)
                           AND COALESCE(queue_next_attempt, '-infinity') < since.at)))
           AND NOT EXISTS (
               SELECT 1 FROM mailing_trace
                WHERE mass_mailing_id = mailing.id AND trace_status = ANY(%(sent)s)
                  AND sent_datetime >= since.at)
           AND NOT EXISTS (
               SELECT 1 FROM mailing_trace
                WHERE mass_mailing_id = mailing.id
                  AND trace_status IN ('error', 'bounce')
                  AND queue_claimed_at >= since.at)
         ORDER BY mailing.id
        """,
        {"minutes": minutes, "sent": list(ARRIVED)},
    )
    return [row[0] for row in cr.fetchall()]


# ---------------------------------------------------------------------------
# Metrics: lists of (values of labels, number)
# ---------------------------------------------------------------------------


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
          FROM unnest(%s) AS mailing(id)
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
           AND state IN ('wait_dependencies', 'pending', 'enqueued', 'started', 'failed')
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
    cr.execute(
        """
        SELECT server_ref, GREATEST(
               EXTRACT(EPOCH FROM retry_at - (now() AT TIME ZONE 'utc')), 0)
          FROM mailing_queue_outage
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


# ---------------------------------------------------------------------------
# Diagnosis
# ---------------------------------------------------------------------------


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
                              AND trace_status IN ('outgoing', 'process', 'sent', 'open',
                                                   'reply', 'bounce', 'error'))
         GROUP BY 1 ORDER BY 2 DESC
        """,
        {"mailing": mailing_id},
    )
    return cr.fetchall()


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
    """Return (server, its words, seconds until the next try) of servers out of reach."""
    cr.execute(
        """
        SELECT server_ref, reply, GREATEST(
               EXTRACT(EPOCH FROM retry_at - (now() AT TIME ZONE 'utc')), 0)::float
          FROM mailing_queue_outage
        """
    )
    return cr.fetchall()
