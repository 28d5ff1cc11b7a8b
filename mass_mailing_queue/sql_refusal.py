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


def accepted_by_server_since(cr, mailing_id, moment):
    """Return whether a mailing under way got an email accepted, over the same server.

    Without a server of its own, which one a mailing gets depends on its sender.
    Indexes: ``mailing_mailing_queue_under_way_idx``,
    ``mailing_trace_queue_progress_idx``.

    :param datetime moment: see :func:`accepted_since`
    """
    cr.execute(
        """
        SELECT other.id
          FROM mailing_mailing mailing
          JOIN mailing_mailing other
            ON other.mail_server_id = mailing.mail_server_id
            OR mailing.mail_server_id IS NULL AND other.mail_server_id IS NULL
               AND other.email_from = mailing.email_from
         WHERE mailing.id = %(mailing)s AND other.id <> mailing.id
           AND other.queue_managed AND other.state IN ('in_queue', 'sending')
        """,
        {"mailing": mailing_id},
    )
    others = [row[0] for row in cr.fetchall()]
    return any(accepted_since(cr, one, moment) for one in (mailing_id, *others))


def was_refused_before(cr, trace_id, signature, last_end):
    """Return whether a recipient got the same answer before its mailing was resumed.

    :param datetime last_end: of its last claim, see ``sql.claim``
    """
    cr.execute(
        """
        SELECT trace.queue_refusal = %s
               AND mailing.queue_resumed_at >= %s - interval '1 second'
          FROM mailing_trace trace
          JOIN mailing_mailing mailing ON mailing.id = trace.mass_mailing_id
         WHERE trace.id = %s
        """,
        [signature, last_end, trace_id],
    )
    row = cr.fetchone()
    return bool(row and row[0])


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


def is_shared(cr, mailing_id, signature, trace_id, moment):
    """Return whether another recipient was first refused alike after a moment.

    Index: ``mailing_trace_queue_refusal_idx``.

    :param datetime moment: see :func:`accepted_since`
    """
    cr.execute(
        """
        SELECT EXISTS (
               SELECT 1 FROM mailing_trace
                WHERE mass_mailing_id = %s AND queue_refusal = %s
                  AND queue_refused_at > %s AND id <> %s)
        """,
        [mailing_id, signature, moment, trace_id],
    )
    return cr.fetchone()[0]


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
