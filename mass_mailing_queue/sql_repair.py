# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What the reconciler looks for and mends. See :mod:`.sql` for the connections."""

from .sql import LOCK_CLAIM, try_lock


def claims(cr):
    """*ledger* Return the tokens of claims that are a few seconds old."""
    cr.execute(
        """
        SELECT DISTINCT queue_claim_token FROM mailing_trace
         WHERE trace_status = 'process' AND queue_claim_token IS NOT NULL
           AND queue_claimed_at < now() AT TIME ZONE 'utc' - interval '3 seconds'
        """
    )
    return [row[0] for row in cr.fetchall()]


def claim_is_dead(cr, token):
    """*ledger* Return whether the claim's worker is gone: its lock can be taken."""
    return try_lock(cr, LOCK_CLAIM, token)


def doubt(cr, token, reason):
    """*ledger* Declare a dead worker's claims in doubt, return the mailings' ids."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'error', failure_type = 'queue_in_doubt',
               failure_reason = %s, write_date = now() AT TIME ZONE 'utc'
         WHERE trace_status = 'process' AND queue_claim_token = %s
     RETURNING mass_mailing_id
        """,
        [reason, token],
    )
    return [row[0] for row in cr.fetchall()]


def idle_jobs(cr):
    """*ledger* Cancel waiting send jobs that have nobody left to send to.

    A job whose recipients were all settled otherwise would only start to find that
    out, possibly hours later.
    """
    cr.execute(
        """
        UPDATE queue_job SET state = 'cancelled',
               date_cancelled = now() AT TIME ZONE 'utc',
               result = 'Nobody left to send to'
         WHERE id IN (
               SELECT job.id FROM queue_job job
                WHERE job.state = 'pending' AND job.mailing_id IS NOT NULL
                  AND job.method_name = '_job_send'
                  AND job.eta > now() AT TIME ZONE 'utc' + interval '1 minute'
                  AND NOT EXISTS (
                      SELECT 1 FROM mailing_trace trace
                       WHERE trace.mass_mailing_id = job.mailing_id
                         AND trace.trace_status IN ('outgoing', 'process')
                         AND trace.queue_job_uuid = job.uuid)
                  FOR UPDATE SKIP LOCKED)
        """
    )
    return cr.rowcount


def settled_mails(cr, limit):
    """*ledger* Return (mail id, token) of our mails that nobody will settle any more.

    Index: ``mail_mail_queue_idx``.
    """
    cr.execute(
        """
        SELECT mail.id, trace.queue_claim_token
          FROM mail_mail mail
          JOIN mail_message message ON message.id = mail.mail_message_id
     LEFT JOIN mailing_trace trace ON trace.mail_mail_id = mail.id
         WHERE mail.queue_managed AND mail.state = 'outgoing'
           AND message.create_date < now() AT TIME ZONE 'utc' - interval '1 minute'
           AND (trace.id IS NULL OR trace.trace_status NOT IN ('outgoing', 'process'))
         ORDER BY mail.id LIMIT %s
        """,
        [limit],
    )
    return cr.fetchall()


def requeue_lost_jobs(cr, errors):
    """*ledger* Have jobs of ours run again that failed with one of these errors."""
    cr.execute(
        """
        UPDATE queue_job SET state = 'pending', eta = NULL, date_enqueued = NULL
         WHERE id IN (SELECT id FROM queue_job
                       WHERE mailing_id IS NOT NULL AND state = 'failed'
                         AND exc_name = ANY(%s) FOR UPDATE SKIP LOCKED)
        """,
        [list(errors)],
    )


#: A job that runs holds the lock of its row in ``queue_job_lock``.
_NOBODY_RUNS_IT = """AND (EXISTS (SELECT 1 FROM queue_job_lock
                         WHERE queue_job_id = queue_job.id
                           FOR NO KEY UPDATE SKIP LOCKED)
                OR NOT EXISTS (SELECT 1 FROM queue_job_lock
                                WHERE queue_job_id = queue_job.id))"""


def date_back_dead_jobs(cr):
    """Let jobs that a node with a fast clock started, and that died, be seen as dead.

    Nobody takes a job for dead that is said to have started less than ten seconds ago,
    let alone in the future.
    """
    cr.execute(  # pylint: disable=sql-injection
        f"""
        UPDATE queue_job SET date_enqueued = now() AT TIME ZONE 'utc'
         WHERE mailing_id IS NOT NULL AND state IN ('enqueued', 'started')
           AND date_enqueued > now() AT TIME ZONE 'utc' + interval '10 seconds'
           {_NOBODY_RUNS_IT}
        """
    )


def requeue_dead_jobs(cr):
    """Put back jobs of ours that a killed process left started.

    queue_job's runner does this where there is one.
    """
    cr.execute(  # pylint: disable=sql-injection
        f"""
        UPDATE queue_job SET state = 'pending'
         WHERE mailing_id IS NOT NULL AND state IN ('enqueued', 'started')
           AND date_enqueued < now() AT TIME ZONE 'utc' - interval '10 seconds'
           {_NOBODY_RUNS_IT}
        """
    )
