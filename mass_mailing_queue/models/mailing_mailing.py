# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError

from odoo.addons.queue_job.utils import must_run_without_delay

from .. import sql_guard
from ..ledger import Ledger, in_foreign_test

# What a recipient reads. A change of one of these between two recipients means that
# they get different emails.
CONTENT_FIELDS = (
    "subject",
    "preview",
    "body_html",
    "email_from",
    "reply_to",
    "attachment_ids",
)


class MailingMailing(models.Model):
    """A mailing that the job queue sends: the ways in, and what it shows.

    A mailing is *managed* from the moment it is put in the queue with the switch
    on. Every way in (Send, Schedule, the scheduled action, ``action_send_mail``, the
    A/B winner) ends in :meth:`_queue_start`. Mailings that are not managed behave as
    if this addon were not installed.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    queue_managed = fields.Boolean("Sent by the Job Queue", readonly=True, copy=False)
    queue_planned = fields.Boolean(
        readonly=True,
        copy=False,
        help="Every recipient has a trace.",
    )
    queue_cursor = fields.Integer(
        readonly=True, copy=False, help="Highest record id that is planned."
    )
    queue_slices = fields.Integer(
        readonly=True, copy=False, help="Slices planned, orders the jobs."
    )
    queue_paused = fields.Boolean("Paused", readonly=True, copy=False, tracking=True)
    queue_pause_reason = fields.Text("Why it is Paused", readonly=True, copy=False)
    queue_cancelled = fields.Boolean(readonly=True, copy=False)
    queue_sampled = fields.Boolean(
        readonly=True,
        copy=False,
        help="The recipients of this A/B test are drawn.",
    )
    queue_audience_changed = fields.Boolean(
        readonly=True,
        copy=False,
        help="Waiting recipients must be checked again before anything is sent.",
    )
    queue_recipients = fields.Integer(
        "Audience when Sent",
        readonly=True,
        copy=False,
        help="Recipients found when planning began; decides the size of jobs.",
    )
    queue_earlier_version = fields.Integer(
        readonly=True,
        copy=False,
        help="How many people had the email when its content was changed.",
    )
    queue_enabled = fields.Boolean(compute="_compute_queue_enabled")
    queue_in_doubt = fields.Integer("In Doubt", compute="_compute_queue_counts")
    queue_held = fields.Integer("Held", compute="_compute_queue_counts")
    queue_failed = fields.Integer(
        "Failed, not in Doubt",
        compute="_compute_queue_counts",
        help="Not those in doubt.",
    )
    queue_job_count = fields.Integer("Jobs", compute="_compute_queue_job_count")
    queue_no_runner = fields.Boolean(compute="_compute_queue_no_runner")

    def _compute_queue_enabled(self):
        self.queue_enabled = self._queue_is_enabled()

    def _compute_queue_counts(self):
        rows = {row["id"]: row for row in self._origin._queue_progress_rows()}
        for mailing in self:
            row = rows.get(mailing._origin.id, {})
            mailing.queue_in_doubt = row.get("in_doubt", 0)
            mailing.queue_held = row.get("held", 0)
            mailing.queue_failed = row.get("failed", 0)

    def _compute_queue_job_count(self):
        counts = dict(
            self.env["queue.job"]
            .sudo()
            ._read_group([("mailing_id", "in", self.ids)], ["mailing_id"], ["__count"])
        )
        for mailing in self:
            mailing.queue_job_count = counts.get(mailing.id, 0)

    @api.depends("state")
    def _compute_queue_no_runner(self):
        waiting = self._queue_under_way()
        self.queue_no_runner = False
        if waiting:
            waiting.queue_no_runner = not self._queue_runner_is_present()

    # ------------------------------------------------------------------
    # Whose mailing it is
    # ------------------------------------------------------------------

    @api.model
    def _queue_is_enabled(self):
        """Return whether the switch in the settings is on.

        It is off in other addons' tests, which expect an email to be there when they
        have pressed Send.
        """
        if in_foreign_test():
            return False
        value = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param("mass_mailing_queue.enabled", "True")
        )
        return value.strip().lower() not in ("false", "0", "")

    def _queue_adopt(self):
        """Decide for mailings that are about to be sent who sends them.

        Extension point: keep SMS and other types out. What the queue has begun it
        also finishes, whatever the switch says by then.

        :return: the managed ones of self
        """
        enabled = self._queue_is_enabled()
        for mailing in self.filtered(lambda mailing: mailing.mailing_type == "mail"):
            managed = enabled or (
                mailing.queue_managed and mailing._queue_has_open_traces()
            )
            if mailing.queue_managed != managed:
                mailing.sudo().queue_managed = managed
        return self.filtered(
            lambda mailing: mailing.queue_managed and mailing.mailing_type == "mail"
        )

    def _queue_has_open_traces(self):
        self.ensure_one()
        return bool(
            self.env["mailing.trace"]
            .sudo()
            .search_count(
                [
                    ("mass_mailing_id", "=", self.id),
                    ("trace_status", "in", ("outgoing", "process")),
                    ("queue_planned", "=", True),
                ],
                limit=1,
            )
        )

    # ------------------------------------------------------------------
    # Ways in
    # ------------------------------------------------------------------

    def action_launch(self):
        """Refuse what cannot be sent while the user is still looking at it.

        The form's button asks first: it says whom the mailing would reach.
        """
        self.check_access("write")
        if self._queue_is_enabled():
            if self.env.context.get("mass_mailing_queue_ask"):
                return self._queue_ask_to_send()
            for mailing in self.filtered(lambda m: m.mailing_type == "mail"):
                mailing._queue_check_content()
        return super().action_launch()

    def action_put_in_queue(self):
        """Plan at once what is due; upstream's trigger starts what is scheduled."""
        self._queue_check_cancelled()
        result = super().action_put_in_queue()
        now = fields.Datetime.now()
        for mailing in self._queue_adopt():
            mailing._queue_check_server()
            mailing._queue_unpause()
            mailing._queue_plan_again()
            if not mailing.schedule_date or mailing.schedule_date <= now:
                mailing._queue_enqueue_plan()
        return result

    @api.model
    def _process_mass_mailing_queue(self):
        """Let upstream's loop start managed mailings too, then stand in for a runner.

        The loop asks each due mailing for its remaining recipients and sends; see
        :meth:`_get_remaining_recipients` and :meth:`_action_send_mail` for where the
        managed ones leave it.
        """
        self.search(
            [
                ("state", "=", "in_queue"),
                ("queue_managed", "=", False),
                ("mailing_type", "=", "mail"),
                "|",
                ("schedule_date", "<", fields.Datetime.now()),
                ("schedule_date", "=", False),
            ]
        )._queue_adopt()
        result = super(
            MailingMailing, self.with_context(mass_mailing_queue_cron=True)
        )._process_mass_mailing_queue()
        self._queue_run_without_runner()
        return result

    def _get_remaining_recipients(self):
        """Do not load the audience of a managed mailing just to see if it is empty.

        In upstream's scheduled action only: the answer decides whether the mailing
        is sent (:meth:`_action_send_mail`, which diverts it) or declared done, and
        for managed ones that is the finalizer's to say.
        """
        if self.env.context.get("mass_mailing_queue_cron") and self.queue_managed:
            return [0]
        return super()._get_remaining_recipients()

    def _action_send_mail(self, res_ids=None):
        """Divert the managed mailings to their fan-out.

        Calls for explicit records by other addons stay native, but do not declare a
        mailing done that is under way. An empty list means nobody, where upstream would
        send to everybody.
        """
        if "mass_mailing_queue_traces" in self.env.context:
            return super()._action_send_mail(res_ids=res_ids)
        if res_ids:
            under_way = self.with_context(mass_mailing_queue_explicit=True)
            return super(MailingMailing, under_way)._action_send_mail(res_ids=res_ids)
        in_cron = self.env.context.get("mass_mailing_queue_cron")
        # What the scheduled action finds under way natively is finished natively.
        managed = self.filtered("queue_managed") if in_cron else self._queue_adopt()
        for mailing in managed:
            if res_ids is None:
                mailing._queue_start()
        if native := self - managed:
            return super(MailingMailing, native)._action_send_mail(res_ids=res_ids)
        return True

    def action_send_mail_async(self):
        """Start, or go on with, sending in the background and return at once."""
        return self.action_send_mail()

    def _send(self, res_ids):
        """Send to these records now, in this process; plan those that are not yet.

        Commits the current transaction.

        :param list res_ids: ids of ``mailing_model_real``
        :return: number of these recipients that are sent after the call
        """
        self.ensure_one()
        with Ledger(self.env) as ledger:
            self._queue_plan_records(ledger, res_ids)
        return (
            self.env["mailing.trace"]
            .search(
                [
                    ("mass_mailing_id", "=", self.id),
                    ("model", "=", self.mailing_model_real),
                    ("res_id", "in", list(res_ids)),
                ]
            )
            ._send()
        )

    def _send_one(self, trace_id):
        """Send to one recipient now, in this process. See ``mailing.trace._send``.

        :param int trace_id: a trace of this mailing
        :return: 1 if it is sent after the call, else 0
        """
        return self.env["mailing.trace"].browse(trace_id).exists()._send()

    def _queue_start(self):
        """Begin, or go on with, a managed mailing. Pressing twice does no harm.

        :raises UserError: if nobody is left to send to
        """
        self.ensure_one()
        self.check_access("write")
        if self.env.context.get("mass_mailing_queue_cron"):
            # The state is the fan-out's to write: the two run at the same moment.
            if not self.queue_paused:
                self._queue_enqueue_plan()
            return
        self._queue_check_cancelled()
        if not self._queue_has_open_traces() and not self._queue_next_records():
            raise UserError(self.env._("There are no recipients selected."))
        self._queue_unpause()
        if self.state != "sending":
            self.write({"state": "sending"})
            self._queue_plan_again()
        self._queue_enqueue_plan()

    def _queue_check_cancelled(self):
        """:raises UserError: if the rest of a mailing is just being cancelled"""
        for mailing in self._queue_under_way().filtered("queue_cancelled"):
            raise UserError(
                self.env._(
                    "The rest of %s is being cancelled. To send it to more people, "
                    "wait until it is done, or duplicate it.",
                    mailing.subject,
                )
            )

    def _queue_plan_again(self):
        """Look for recipients from the first record on; known ones are left out."""
        self.sudo().write(
            {"queue_cursor": 0, "queue_planned": False, "queue_earlier_version": 0}
        )

    def _queue_unpause(self):
        """A person wants it sent, from this database.

        If this database may be a copy, that decision is for this mailing only: the
        others pause first, and ask.
        """
        kind = sql_guard.guard_check(self.env.cr)
        if kind:
            self.sudo()._queue_pause_all(kind)
        self.sudo().write(
            {
                "queue_paused": False,
                "queue_pause_reason": False,
                "queue_cancelled": False,
                # As claims are dated: by the database, in whole seconds.
                "queue_resumed_at": self.env.cr.now().replace(microsecond=0),
                "queue_resumes": self.queue_resumes + 1,
            }
        )
        self.env["mailing.queue.guard"].sudo()._accept()

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    def _queue_for_jobs(self):
        """Return self as jobs run it: superuser, for the mailing's responsible.

        Jobs run as the user who enqueued them, native's scheduled action as the
        system. Rights were checked when the user pressed the button; language, time
        zone and company are the responsible's, as in upstream. Nothing else of the
        context comes along: whoever presses the button over RPC chooses it, and as
        superuser a default would be a value and ``active_test`` an audience.
        """
        self.ensure_one()
        user = self.user_id or self.write_uid or self.env.user
        mailing = self.with_user(SUPERUSER_ID)
        mailing = mailing.with_context(  # pylint: disable=context-overridden
            {"lang": user.lang, "tz": user.tz}
        )
        return mailing.with_company(user.company_id)

    def _queue_delayable(
        self, description, priority=10, identity_key=None, channel=None, eta=None
    ):
        """Return a delayable of this mailing with the properties all our jobs share.

        ``max_retries=0``: a job whose worker died is taken up again however often;
        recipients have their own count of attempts.
        """
        if must_run_without_delay(self.env):
            raise UserError(
                self.env._(
                    "Mailings need real jobs: they cannot be sent with "
                    "queue_job__no_delay or QUEUE_JOB__NO_DELAY."
                )
            )
        return self._queue_for_jobs().delayable(
            description=description,
            priority=priority,
            identity_key=identity_key,
            channel=channel or None,
            eta=eta,
            max_retries=0,
        )

    def _job_store_values(self, job):
        """Let the jobs of this mailing be found (called by queue_job)."""
        return {"mailing_id": self.id}
