# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Refused recipients, and what their refusals have in common.

All statements run on the ledger. See :mod:`.sql` for the two connections.
"""


def accepted_since(cr, mailing_id, moment):
    """Return whether a server accepted one of the mailing's emails after a moment.

    ``sent_datetime`` has whole seconds and finds the rows; ``write_date`` is when the
    outcome was recorded, to the microsecond.
    Index: ``mailing_trace_queue_progress_idx``.

    :param datetime moment: naive, UTC, by the database's clock
    """
    cr.execute(
        """
        SELECT EXISTS (
               SELECT 1 FROM mailing_trace
                WHERE mass_mailing_id = %(mailing)s
                  AND trace_status IN ('sent', 'open', 'reply', 'bounce')
                  AND sent_datetime >= date_trunc('second', %(moment)s::timestamp)
                  AND write_date > %(moment)s)
        """,
        {"mailing": mailing_id, "moment": moment},
    )
    return cr.fetchone()[0]


def refusals_alike(cr, mailing_id, signature, trace_id, limit):
    """Return when other recipients of the mailing were first refused in the same words.

    Index: ``mailing_trace_queue_refusal_idx``, read from both ends.

    :param str signature: see ``replies.signature``
    :param int trace_id: the recipient that was refused just now
    :param int limit: how many to look at
    :return: the latest moments, latest first; the earliest one, ``None`` without any;
        when somebody last started or resumed the mailing
    """
    cr.execute(
        """
        SELECT ARRAY(SELECT queue_refused_at FROM mailing_trace
                      WHERE mass_mailing_id = mailing.id
                        AND queue_refusal = %(signature)s AND id <> %(trace)s
                      ORDER BY queue_refused_at DESC LIMIT %(limit)s),
               (SELECT min(queue_refused_at) FROM mailing_trace
                 WHERE mass_mailing_id = mailing.id
                   AND queue_refusal = %(signature)s AND id <> %(trace)s),
               queue_resumed_at
          FROM mailing_mailing mailing WHERE id = %(mailing)s
        """,
        {
            "mailing": mailing_id,
            "signature": signature,
            "trace": trace_id,
            "limit": limit,
        },
    )
    return cr.fetchone() or ([], None, None)


def put_back_refused(cr, mailing_id, signature, since):
    """Let recipients who were refused in the same words wait again, attempts unspent.

    Locks their rows. Index: ``mailing_trace_queue_refusal_idx``.

    :param datetime since: those first refused from this moment on
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'outgoing', failure_type = NULL, failure_reason = NULL,
               queue_attempts = 0, queue_next_attempt = NULL,
               write_date = now() AT TIME ZONE 'utc'
         WHERE mass_mailing_id = %s AND queue_refusal = %s AND queue_refused_at >= %s
           AND trace_status IN ('error', 'outgoing') AND queue_planned
           AND failure_type IS DISTINCT FROM 'queue_in_doubt'
        """,
        [mailing_id, signature, since],
    )
    return cr.rowcount


def pass_over(cr, trace_id, seconds):
    """Let others go first: no attempt for this recipient in the next seconds."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET queue_next_attempt = now() AT TIME ZONE 'utc' + %s * interval '1 second'
         WHERE id = %s AND trace_status = 'outgoing'
        """,
        [seconds, trace_id],
    )


def hold(cr, trace_id, reason):
    """Keep a waiting recipient back until somebody resumes the mailing."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET queue_held = true, failure_reason = %s,
               write_date = now() AT TIME ZONE 'utc'
         WHERE id = %s AND trace_status = 'outgoing'
        """,
        [reason, trace_id],
    )
