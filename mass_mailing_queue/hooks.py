# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Give the mailings back to native Odoo when the addon goes."""


def uninstall_hook(env):
    """Leave nobody lost and nobody mailed twice.

    Native Odoo never plans a record again that has a trace, and would send whatever
    outgoing mail it finds. So the waiting recipients lose their unsent mails and
    their traces: native plans those mailings that were sending from the start and
    finds exactly these recipients. What may have left already (claimed, in doubt)
    keeps its trace, as a failure. Recipients that a person kept back, and mailings
    that were paused, stay so. An A/B test would be drawn afresh natively, so it goes
    back to draft for a person to decide.
    """
    cr = env.cr
    # Natively they would go to real servers.
    rehearsals = env["mailing.mailing"].search([("queue_rehearsal", "=", True)])
    rehearsals.write({"state": "done"})
    for mailing in rehearsals:
        mailing._queue_delete_rehearsal()
    env.flush_all()
    env["mail.mail"].search(
        [("queue_managed", "=", True), ("state", "=", "outgoing")]
    ).unlink()
    env.flush_all()
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'error', failure_type = 'unknown',
               failure_reason = 'Under way when the job queue was uninstalled; '
                                'this email may have arrived.'
         WHERE queue_planned AND trace_status = 'process'
        """
    )
    cr.execute(
        """
        UPDATE mailing_trace SET trace_status = 'cancel'
         WHERE queue_planned AND trace_status = 'outgoing' AND queue_held
        """
    )
    cr.execute(
        """
        DELETE FROM mailing_trace trace USING mailing_mailing mailing
         WHERE mailing.id = trace.mass_mailing_id
           AND trace.queue_planned AND trace.trace_status = 'outgoing'
        """
    )
    cr.execute(
        """
        UPDATE mailing_mailing
           SET state = CASE WHEN queue_cancelled THEN 'done'
                            WHEN queue_paused OR ab_testing_enabled THEN 'draft'
                            ELSE 'in_queue' END
         WHERE queue_managed
           AND (state = 'sending' OR (state = 'in_queue' AND queue_paused))
        """
    )
    cr.execute(
        "UPDATE queue_job SET state = 'cancelled', "
        "date_cancelled = now() AT TIME ZONE 'utc' "
        "WHERE mailing_id IS NOT NULL AND state NOT IN ('done', 'cancelled', 'failed')"
    )
    env.invalidate_all(flush=False)
    env.ref("mass_mailing.ir_cron_mass_mailing_queue")._trigger()
