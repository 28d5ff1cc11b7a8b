# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What self-pause, alerts and the log ask: statements that only read.

Apart from those marked *ledger* they run on the ORM's cursor; callers flush.
"""

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


def failure_reasons(cr, mailing_ids, in_doubt, limit):
    """Return why emails failed, the most frequent reason first.

    Replies of one code differ in what they quote: one of them stands for all. Where
    there is no code, texts are alike if they differ in addresses only.
    Index: ``mailing_trace_queue_failed_idx``.

    :param bool in_doubt: whether those in doubt count, too
    :return: list of (failure type, reply's code, words of one, number of recipients)
    """
    cr.execute(
        """
        SELECT failure_type, queue_smtp_code, max(failure_reason), count(*)
          FROM mailing_trace
         WHERE mass_mailing_id = ANY(%s) AND trace_status IN ('error', 'bounce')
           AND (%s OR failure_type IS DISTINCT FROM 'queue_in_doubt')
         GROUP BY failure_type, queue_smtp_code, queue_smtp_status,
                  CASE WHEN queue_smtp_code IS NULL
                       THEN regexp_replace(left(failure_reason, 200),
                                           '[^[:space:]<>]+@[^[:space:]<>]+', '@', 'g')
                  END
         ORDER BY count(*) DESC, max(failure_reason) LIMIT %s
        """,
        [list(mailing_ids), in_doubt, limit],
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
