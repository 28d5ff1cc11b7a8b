# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from contextlib import contextmanager

from odoo import fields, models, tools

from odoo.addons.mass_mailing_queue.replies import Verdict

from .. import sql_replies, sql_screens
from ..limiter import Limiter
from .ir_mail_server import PERMITTED

#: A job under a limit carries what its worker may send in this time (seconds). Below
#: the time after which a job starts no message, so that it seldom has to be
#: started twice.
JOB_SECONDS = 20


class MailingMailing(models.Model):
    """Campaigns ask the sending account before they send.

    Only the extension points of ``mass_mailing_queue`` are used: admission, permit,
    session, reply, channel and size of jobs.
    """

    _inherit = "mailing.mailing"

    queue_provider_id = fields.Many2one(
        "mailing.provider", "Sending Account", compute="_compute_queue_provider"
    )

    queue_account = fields.Json(
        "Account", compute="_compute_queue_account", groups="base.group_system"
    )

    def _compute_queue_provider(self):
        for mailing in self:
            mailing.queue_provider_id = (
                mailing.mailing_type == "mail"
                and mailing.state != "done"
                and mailing._queue_find_provider()
            )

    def _queue_count_waiting(self):
        return (
            self.env["mailing.trace"]
            .sudo()
            .search_count(
                [
                    ("mass_mailing_id", "in", self.ids),
                    ("trace_status", "=", "outgoing"),
                ]
            )
        )

    def _compute_queue_account(self):
        for model in ("mailing.provider", "mailing.provider.limit", "queue.job"):
            self.env[model].flush_model()
        for mailing in self:
            mailing.queue_account = mailing.id and sql_screens.account_of_jobs(
                self.env.cr, mailing.id
            )

    def _queue_find_account(self):
        """Return the sending account for the screen of a mailing under way.

        That of its jobs is read by one statement, once.
        """
        if values := self.sudo().queue_account:
            return self.env["mailing.provider"]._in_memory(values)
        return self._queue_find_provider()

    def _queue_find_provider(self):
        """Return the sending account of the mailing, empty if it is not known yet."""
        return self.env["mailing.provider"]._find(self._queue_find_server())

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    def _queue_channel(self):
        provider = self.env["mailing.provider"]._for_server(self._queue_find_server())
        return provider.channel_id.complete_name or super()._queue_channel()

    def _queue_job_size(self):
        size = super()._queue_job_size()
        if self._queue_setting("job_size", 0):
            return size
        provider = self._queue_find_provider()
        rate = provider._effective_rate(self._queue_domain())
        if not rate:
            return size
        share = rate / provider._parallel_senders()
        return max(min(size, int(share * JOB_SECONDS)), 1)

    # ------------------------------------------------------------------
    # Delivery
    # ------------------------------------------------------------------

    @contextmanager
    def _queue_admission(self, ledger):
        """Take a seat among the account's senders for as long as this job works."""
        ledger.limiter = Limiter(self.env, ledger, self.id)
        provider = self._queue_find_provider()
        try:
            if provider:
                ledger.limiter.enter(provider.id, provider.channel_id.complete_name)
            with super()._queue_admission(ledger):
                yield
        finally:
            ledger.limiter.close()

    def _queue_permit(self, ledger, route, parcel):
        """Wait for the account's turn."""
        result = super()._queue_permit(ledger, route, parcel)
        provider = self._queue_route_provider(route)
        if provider:
            if not ledger.limiter.has_entered(provider.id):
                # Another account than the mailing's own: the email's sender differs.
                ledger.limiter.enter(provider.id, provider.channel_id.complete_name)
            ledger.limiter.wait_turn(
                provider.id,
                tools.mail.email_domain_extract(parcel.email_from) or "",
                len(parcel.emails),
                sum(
                    len(email["email_to"]) + len(email["email_cc"] or [])
                    for email in parcel.emails
                ),
                route.until,
            )
        return result

    def _queue_open_session(self, ledger, route):
        """Bound what one connection is used for."""
        session = super()._queue_open_session(ledger, route)
        provider = self._queue_route_provider(route)
        if provider:
            session.max_messages = provider.messages_per_connection
            session.linger = min(provider.linger, session.linger)
        return session

    def _queue_take_session(self, ledger, route):
        """Go on with a connection that this job has a seat for."""
        provider = self._queue_route_provider(route)
        if not provider:
            return super()._queue_take_session(ledger, route)
        return ledger.limiter.take_session(provider.id, route.session_key)

    def _queue_keep_session(self, ledger, route, session):
        """Keep a connection for as long as it has a seat, and nobody lacks that."""
        provider = self._queue_route_provider(route)
        if not provider:
            return super()._queue_keep_session(ledger, route, session)
        return ledger.limiter.keep_session(provider.id, route.session_key, session)

    def _queue_mail_server_model(self, route, email):
        """Tell :meth:`ir.mail_server.send_email` that this one has a permit."""
        server = super()._queue_mail_server_model(route, email)
        return server.with_context(mass_mailing_queue_permitted=PERMITTED)

    def _queue_heed(self, ledger, route, reply):
        """Send slower, rest or stop when the account's replies say so."""
        provider = self._queue_route_provider(route)
        if provider:
            ledger.limiter.note_reply(provider.id, reply)
            if reply.verdict is Verdict.SLOW_DOWN:
                return ledger.limiter.heed(provider.id, reply)
            if reply.verdict is Verdict.BROKEN and reply.account:
                ledger.run(sql_replies.stop, provider.id, reply.text[:200])
        return super()._queue_heed(ledger, route, reply)

    def _queue_route_provider(self, route):
        server = self.env["ir.mail_server"].browse(route.mail_server_id or [])
        return self.env["mailing.provider"]._find(server)

    def _cron_queue_reconcile(self):
        result = super()._cron_queue_reconcile()
        self.env["mailing.provider"]._fold_other_mail()
        return result

    def _queue_may_stall(self):
        """Leave out whose account is paused or rests: they wait, and do not stall."""
        return (
            super()
            ._queue_may_stall()
            .filtered(
                lambda mailing: mailing._queue_find_provider().state
                not in ("paused", "resting")
            )
        )

    # ------------------------------------------------------------------
    # People
    # ------------------------------------------------------------------

    def _queue_waits_for(self, standstill):
        """Say what the account does, or how fast it lets campaigns go."""
        words = super()._queue_waits_for(standstill)
        if words or not self._queue_may_plan():
            return words
        return self._queue_find_account()._describe_pace(self._queue_domain())

    def _queue_seconds_left(self, waiting, rate):
        """Wait for the account's quotas, too."""
        return max(
            super()._queue_seconds_left(waiting, rate) or 0,
            self._queue_find_account()._seconds_for(waiting),
        )

    def _queue_expected_seconds(self, recipients):
        """As fast as the account allows at best."""
        return max(
            super()._queue_expected_seconds(recipients) or 0,
            self._queue_find_provider()._seconds_for(recipients),
        )

    def _queue_describe_server(self):
        return self._queue_find_provider().name or super()._queue_describe_server()

    def _queue_obstacle(self):
        """Say so before *Send* when the account sends nothing now, or slower."""
        provider = self._queue_find_provider()
        return super()._queue_obstacle() or provider._describe_wait()

    def _queue_domain(self):
        return tools.mail.email_domain_extract(self.email_from or "")

    def action_queue_resume(self):
        """Who resumes a mailing says that its account is not refused any more.

        Rests and reductions stay: they end by themselves.
        """
        result = super().action_queue_resume()
        for mailing in self._queue_under_way():
            mailing._queue_find_provider()._queue_try_again()
        return result

    def _job_pause(self, kind, detail="", resumes=None):
        """Tell the account's responsible too, once a stop."""
        result = super()._job_pause(kind, detail=detail, resumes=resumes)
        mailing = self.exists()
        if result and kind == "account" and mailing:
            mailing._queue_find_provider()._tell_stopped()
        return result
