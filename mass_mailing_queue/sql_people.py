# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What people decide about recipients. See :mod:`.sql` for the two connections."""


def cancel_outgoing(cr, mailing_id, limit):
    """*ledger* Cancel up to ``limit`` waiting recipients, return how many.

    Those of a mailing that somebody cancelled, and of no other. Rows that a worker is
    composing or claiming at this moment are left for that worker to cancel.
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'cancel', queue_held = false,
               write_date = now() AT TIME ZONE 'utc'
         WHERE id IN (SELECT id FROM mailing_trace
                       WHERE mass_mailing_id = %s AND trace_status = 'outgoing'
                         AND queue_planned
                         AND EXISTS (SELECT 1 FROM mailing_mailing
                                      WHERE id = %s AND queue_cancelled)
                       LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        [mailing_id, mailing_id, limit],
    )
    return cr.rowcount


def cancel_former(cr, mailing_id, limit, reason):
    """*ledger* Cancel up to ``limit`` who wait of an audience that was changed.

    And note of duplicates, and of those who had opted out, that they are to be looked
    at anew: in another audience they may be neither. Waits for the rows that a worker
    is composing for.
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'cancel', failure_type = 'queue_audience',
               failure_reason = %s, queue_held = false,
               write_date = now() AT TIME ZONE 'utc'
         WHERE id IN (SELECT id FROM mailing_trace
                       WHERE mass_mailing_id = %s AND queue_planned
                         AND (trace_status = 'outgoing'
                              OR trace_status = 'cancel'
                                 AND failure_type IN ('mail_dup', 'mail_optout'))
                         AND EXISTS (SELECT 1 FROM mailing_mailing
                                      WHERE id = %s AND queue_audience_changed)
                       ORDER BY id LIMIT %s FOR UPDATE)
        """,
        [reason, mailing_id, mailing_id, limit],
    )
    return cr.rowcount


def begin_anew(cr, mailing_id):
    """Let held recipients be sent after all, and give back the attempts spent so far.

    What the server stated about when to come back is kept.
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET queue_held = false, queue_attempts = 0, queue_passed_over = 0
         WHERE mass_mailing_id = %s AND trace_status = 'outgoing'
           AND (queue_held OR queue_attempts > 0 OR queue_passed_over > 0)
        """,
        [mailing_id],
    )
    return cr.rowcount


def failed(cr, mailing_id):
    """Return trace's id, model and record's id of who failed for certain."""
    cr.execute(
        """
        SELECT id, model, res_id FROM mailing_trace
         WHERE mass_mailing_id = %s AND trace_status = 'error' AND queue_planned
           AND failure_type IS DISTINCT FROM 'queue_in_doubt' ORDER BY id
        """,
        [mailing_id],
    )
    return cr.fetchall()


def leave_former(cr, trace_ids):
    """Cancel failed recipients who are not in the audience any more."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'cancel', failure_type = 'queue_audience',
               write_date = now() AT TIME ZONE 'utc'
         WHERE id = ANY(%s) AND trace_status = 'error' AND queue_planned
        """,
        [list(trace_ids)],
    )


def put_back(cr, mailing_id, in_doubt):
    """Make failed recipients wait to be sent again, return how many.

    They wait for a job of their own.

    :param bool in_doubt: those in doubt, or those that failed for certain
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'outgoing', failure_type = NULL, failure_reason = NULL,
               queue_attempts = 0, queue_passed_over = 0, queue_next_attempt = NULL,
               queue_held = false, queue_job_uuid = NULL, queue_claim_token = NULL,
               write_date = now() AT TIME ZONE 'utc'
         WHERE mass_mailing_id = %s AND trace_status = 'error' AND queue_planned
           AND (COALESCE(failure_type, '') = 'queue_in_doubt') = %s
        """,
        [mailing_id, in_doubt],
    )
    return cr.rowcount


def count_as_sent(cr, mailing_id):
    """Take a mailing's recipients in doubt to have the email."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'sent', failure_type = NULL, failure_reason = NULL,
               sent_datetime = COALESCE(
                   queue_claimed_at, date_trunc('second', now() AT TIME ZONE 'utc')),
               write_date = now() AT TIME ZONE 'utc'
         WHERE mass_mailing_id = %s AND trace_status = 'error' AND queue_planned
           AND failure_type = 'queue_in_doubt'
        """,
        [mailing_id],
    )
    return cr.rowcount


def touch(cr, mailing_id):
    """Collide with whoever changes the mailing at the same time: one looks again."""
    cr.execute(
        """
        UPDATE mailing_mailing SET write_date = now() AT TIME ZONE 'utc'
         WHERE id = %s
        """,
        [mailing_id],
    )
