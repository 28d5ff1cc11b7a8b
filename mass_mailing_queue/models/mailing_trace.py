# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models
from odoo.exceptions import UserError

from ..ledger import commit_durably

#: What became of a recipient, and why.
OUTCOME = ("trace_status", "sent_datetime", "failure_type", "failure_reason")


class MailingTrace(models.Model):
    """The state of one recipient.

    ============  ============  ===========================================    )
    from          to            by
    ============  ============  ===========================================    )
    (none)        outgoing      the planner, with the job that will send it
    (none)        cancel        the planner: excluded, duplicate or no address
    outgoing      process       a worker's claim, committed before a byte leaves
    outgoing      cancel        a claim or the composer (late opt-out, or an address
                                that was changed to one that has the mail), Cancel,
                                or the planner (the mailing's audience was changed)
    cancel        (none)        the planner, if the audience is changed back
    cancel        outgoing      the composer (whose duplicate it was is deleted)
    outgoing      error         the composer: its message cannot be made
    outgoing      cancel,       the job: another addon left it out of composing,
                  error, sent   or has failed or sent its email
    process       sent          the claim's worker: the server accepted it
    process       error         the claim's worker: the server refused it for good
    process       outgoing      the claim's worker: not accepted, to be tried again
    process       error         the worker or the reconciler: *in doubt*
    error         outgoing      *Retry failed*, *Send again* (in doubt)
    error         cancel        *Retry failed*, if it is no recipient any more
    error         sent          *Count as sent* (in doubt)
    sent          open, reply,  upstream, when it hears from the recipient
                  bounce
    ============  ============  ===========================================    )

    Only ``outgoing`` traces may be sent, and those in ``process`` belong to one
    worker. Between claim and settling, traces are written on the ledger only.
    """

    _inherit = "mailing.trace"

    failure_type = fields.Selection(
        selection_add=[
            ("queue_in_doubt", "In doubt: may have arrived"),
            ("queue_audience", "Not among the recipients any more"),
        ],
        ondelete={
            "queue_in_doubt": lambda traces: traces._queue_forget_doubt(),
            "queue_audience": lambda traces: traces._queue_forget_doubt(),
        },
    )
    queue_planned = fields.Boolean(
        readonly=True, help="Planned by the job queue: nobody else may plan it."
    )
    queue_emails = fields.Text(
        "Addresses",
        readonly=True,
        help="The addresses that this email goes to, where the recipient has several: "
        "those that no other email of the mailing goes to.",
    )
    queue_job_uuid = fields.Char("Job", readonly=True)
    queue_held = fields.Boolean(
        "Held",
        readonly=True,
        help="Somebody cancelled this recipient's job or set it to done, or the mail "
        "server refused its sender. Resume the mailing to send it after all.",
    )
    queue_attempts = fields.Integer(
        "Attempts",
        readonly=True,
        help="How often a server has accepted or refused this email.",
    )
    queue_next_attempt = fields.Datetime(
        "Next Attempt",
        readonly=True,
        help="The server asked to come later: nothing is sent to this recipient before "
        "then.",
    )
    queue_smtp_code = fields.Integer(
        "Reply Code",
        readonly=True,
        help="What the server answered last: its code, and the enhanced code if it "
        "gives one. 4 at the beginning means later, 5 means never.",
    )
    queue_smtp_status = fields.Char(
        "Enhanced Reply Code",
        readonly=True,
        help="Says more exactly what was wrong: 5.1.1 is an address that does not "
        "exist, 4.2.2 a full mailbox.",
    )
    queue_refusal = fields.Char(
        readonly=True,
        help="What the server refused this email with, without anything that differs "
        "by recipient: the same for the same words.",
    )
    queue_refused_at = fields.Datetime(
        readonly=True, help="When it was first refused in these words."
    )
    queue_passed_over = fields.Integer(
        readonly=True,
        help="How often this email was neither accepted nor refused for good, although "
        "others were accepted since its last try. Beyond a bound that counts as an "
        "attempt, so that it holds nobody up.",
    )
    queue_claim_token = fields.Integer(readonly=True, groups="base.group_system")
    queue_claimed_by = fields.Char(
        "Claimed By",
        readonly=True,
        help="The machine and the process that were sending this email last.",
    )
    queue_claimed_at = fields.Datetime(
        "Claimed At",
        readonly=True,
        help="When they began. If they end before the server has answered, the "
        "recipient becomes in doubt.",
    )

    # Forbids a second plan of a recipient, and finds where planning stopped.
    _queue_plan_uniq = models.UniqueIndex(
        "(mass_mailing_id, model, res_id) WHERE queue_planned"
    )
    # Who still waits: orphans, the finalizer.
    _queue_open_idx = models.Index(
        "(mass_mailing_id, trace_status) WHERE trace_status IN ('outgoing', 'process')"
    )
    # Progress of any number of mailings, the rate and the chart, without the rows.
    _queue_progress_idx = models.Index("(mass_mailing_id, trace_status, sent_datetime)")
    # What waits for a person's decision: few, among a million.
    _queue_decide_idx = models.Index(
        "(mass_mailing_id) WHERE queue_held OR failure_type = 'queue_in_doubt'"
    )
    # Whether too many of the last emails failed, and why.
    _queue_failed_idx = models.Index(
        "(mass_mailing_id, queue_claimed_at) WHERE trace_status IN ('error', 'bounce')"
    )
    # Who was refused in the same words, and since when.
    _queue_refusal_idx = models.Index(
        "(mass_mailing_id, queue_refusal, queue_refused_at) "
        "WHERE queue_refusal IS NOT NULL"
    )
    _queue_res_idx = models.Index("(res_id, mass_mailing_id)")
    _queue_email_idx = models.Index("(email) WHERE email IS NOT NULL")
    # Recipients with several addresses, by each of them.
    _queue_emails_idx = models.Index(
        "USING gin (string_to_array(queue_emails, E'\\n')) "
        "WHERE queue_emails IS NOT NULL"
    )
    # Opens, replies and bounces are found by it, and upstream has no index.
    _queue_message_idx = models.Index("(message_id) WHERE message_id IS NOT NULL")

    def set_sent(self, domain=None):
        """Do nothing while the engine settles mails: it has recorded the outcome.

        Upstream's hook after sending would overwrite an open or a bounce that came
        in meanwhile.
        """
        if self.env.context.get("mass_mailing_queue_settling"):
            return self
        return super().set_sent(domain=domain)

    def set_failed(self, domain=None, failure_type=False):
        """Do nothing while the engine settles mails, see :meth:`set_sent`."""
        if self.env.context.get("mass_mailing_queue_settling"):
            return self
        return super().set_failed(domain=domain, failure_type=failure_type)

    def write(self, values):
        """Keep the outcome while the engine settles mails, see :meth:`set_sent`.

        An addon that noted the attempt as an error would make a doubt a failure, which
        *Retry* sends again.
        """
        if self.env.context.get("mass_mailing_queue_settling"):
            values = {
                name: value for name, value in values.items() if name not in OUTCOME
            }
            if not values:
                return True
        return super().write(values)

    def _queue_forget_doubt(self):
        """Keep failures readable when this addon's own failure types go."""
        self.write({"failure_type": "unknown"})

    def _queue_is_in_doubt(self):
        self.ensure_one()
        return self.trace_status == "error" and self.failure_type == "queue_in_doubt"

    # ------------------------------------------------------------------
    # What a person decides
    # ------------------------------------------------------------------

    def action_queue_count_as_sent(self):
        """Resolve recipients in doubt: their email is taken to have arrived."""
        self.mass_mailing_id.check_access("write")
        commit_durably(self.env)
        for trace in self._queue_check_in_doubt():
            trace.write(
                {
                    "trace_status": "sent",
                    "sent_datetime": trace.queue_claimed_at or fields.Datetime.now(),
                    "failure_type": False,
                    "failure_reason": False,
                }
            )
        return True

    def action_queue_send_again(self):
        """Resolve recipients in doubt: send them the email (perhaps once more)."""
        self.mass_mailing_id.check_access("write")
        traces = self._queue_check_in_doubt()
        if traces:
            traces._queue_put_back()
            traces.mass_mailing_id.sudo(False)._queue_continue()
        return True

    def action_view_queue_job(self):
        """Open the job that carries this recipient, for those who may read jobs."""
        self.ensure_one()
        self.check_access("read")
        job = self.env["queue.job"].search([("uuid", "=", self.queue_job_uuid)])
        if not job:
            raise UserError(self.env._("This job has ended and was removed since."))
        return job.get_formview_action()

    def _queue_check_in_doubt(self):
        """Return those still in doubt as superuser, so that pressing twice is safe.

        :raises UserError: if somebody picked recipients that never were
        """
        if any(not trace.queue_planned for trace in self):
            raise UserError(
                self.env._("Only recipients of a queued mailing can be in doubt.")
            )
        return self.sudo().filtered(lambda trace: trace._queue_is_in_doubt())

    def _queue_only_waiting(self):
        """Return those that wait: another worker may have sent the others by now."""
        return self.filtered(lambda trace: trace.trace_status == "outgoing")

    def _queue_give_back(self):
        """Let somebody else have the addresses of those who get nothing.

        One who was cancelled as their duplicate; the reconciler finds them a job. Not
        if there was a claim: who was in doubt may have the email.
        """
        for trace in self.filtered(lambda trace: not trace.queue_claimed_at):
            for email in (trace.queue_emails or trace.email or "").splitlines():
                self.search(
                    [
                        ("mass_mailing_id", "=", trace.mass_mailing_id.id),
                        ("email", "=", email),
                        ("trace_status", "=", "cancel"),
                        ("failure_type", "=", "mail_dup"),
                        ("queue_planned", "=", True),
                    ],
                    order="id",
                    limit=1,
                ).write(
                    {
                        "trace_status": "outgoing",
                        "failure_type": False,
                        "failure_reason": False,
                        "queue_emails": False,
                        "queue_job_uuid": False,
                    }
                )

    def _queue_put_back(self):
        """Make these traces wait to be sent again, by a job of their own."""
        commit_durably(self.env)
        self.write(
            {
                "trace_status": "outgoing",
                "failure_type": False,
                "failure_reason": False,
                "queue_attempts": 0,
                "queue_passed_over": 0,
                "queue_next_attempt": False,
                "queue_held": False,
                "queue_job_uuid": False,
                "queue_claim_token": False,
            }
        )

    # ------------------------------------------------------------------
    # Ways in for other code
    # ------------------------------------------------------------------

    def _send(self):
        """Send these recipients now, in this process, through the same claim.

        Commits the current transaction. Recipients that are not waiting, or whose
        mailing is not sending, are left alone.

        :return: number of recipients that are sent after the call
        """
        for mailing, traces in self.grouped("mass_mailing_id").items():
            mailing._queue_send_now(traces.ids)
        return len(self.exists().filtered(lambda trace: trace.trace_status == "sent"))
