# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from markupsafe import Markup

from odoo import api, models
from odoo.fields import Domain

from .. import slicing, sql_people
from ..discretion import discreet
from ..ledger import Ledger, commit_durably
from .mailing_mailing import CONTENT_FIELDS

#: Recipients cancelled by one statement: short row locks, however many there are.
CANCEL_BATCH = 5_000

#: States of a mailing that somebody has sent and that is not done.
UNDER_WAY = ("in_queue", "sending")

#: What says whether a mailing is sent.
DECIDED = {"queue_cancelled", "queue_paused", "state"}


class MailingMailing(models.Model):
    """What people decide: pause, resume, cancel, retry, resolve what is in doubt.

    Buttons check the user's rights, write the mailing and leave the rest to a
    job. Each may be pressed twice, by two people at once: the second finds nothing
    left to do.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    # ------------------------------------------------------------------
    # Buttons
    # ------------------------------------------------------------------

    def action_queue_pause(self):
        """Stop within one message per worker; nobody is lost."""
        self.check_access("write")
        for mailing in self._queue_under_way().filtered(
            lambda mailing: not (mailing.queue_paused or mailing.queue_cancelled)
        ):
            reason = self.env._("Paused by %s.", self.env.user.name)
            mailing.write({"queue_paused": True, "queue_pause_reason": reason})
            mailing._queue_log("stall", "user")
        return True

    def action_queue_resume(self):
        """Continue with everybody who still waits, held recipients included.

        Attempts that a pause has cost are given back.

        What is being cancelled stays so: somebody was told that the rest gets nothing.

        :raises UserError: if its content cannot be sent to anybody
        """
        self.check_access("write")
        for mailing in self._queue_under_way().filtered(
            lambda m: not m.queue_cancelled
        ):
            mailing._queue_check_resume()
            self.env.flush_all()
            sql_people.begin_anew(self.env.cr, mailing.id)
            self.env.invalidate_all(flush=False)
            mailing._queue_unpause()
            if mailing.state == "sending" or mailing._queue_is_due():
                mailing._queue_enqueue_plan()
                mailing._queue_call_jobs()
                mailing._queue_log("start", "resumed")
        return True

    def action_queue_cancel(self):
        """Cancel whoever still waits. The mailing ends as done, with the rest sent."""
        self.check_access("write")
        for mailing in self._queue_under_way():
            mailing.write({"queue_cancelled": True, "queue_paused": False})
            mailing._queue_delayable(
                self.env._("Cancel %s", mailing.subject),
                priority=1,
                identity_key=f"mass_mailing_queue.cancel.{mailing.id}",
            )._job_cancel().delay()
            mailing._queue_wake_cron()
        return True

    def action_cancel(self):
        """Cancel a mailing whose recipients are planned already, instead of hiding it.

        Back in draft it would invite a second Send while its first recipients have
        the email.
        """
        started = self.filtered(
            lambda mailing: mailing.queue_managed
            and (mailing.state == "sending" or mailing._queue_has_open_traces())
        )
        if started:
            started.action_queue_cancel()
        if rest := self - started:
            return super(MailingMailing, rest).action_cancel()
        return True

    def action_retry_failed(self):
        """Put failed recipients of a managed mailing back, on the traces they have.

        Recipients in doubt are left out: they may have the email.
        """
        managed = self.filtered("queue_managed")
        if managed:
            managed.check_access("write")
        for mailing in managed:
            mailing._queue_put_back(in_doubt=False)
        if rest := self - managed:
            return super(MailingMailing, rest).action_retry_failed()
        return True

    def action_queue_count_as_sent(self):
        """Take all recipients in doubt to have the email."""
        self.check_access("write")
        commit_durably(self.env)
        self.env.flush_all()
        for mailing in self:
            sql_people.count_as_sent(self.env.cr, mailing.id)
        self.env.invalidate_all(flush=False)
        return True

    def action_queue_send_again(self):
        """Send to all recipients in doubt (perhaps once more)."""
        self.check_access("write")
        for mailing in self:
            mailing._queue_put_back(in_doubt=True)
        return True

    def action_view_queue_waiting(self):
        """Open the recipients who wait."""
        return self._action_view_queue_traces(
            "waiting", self.env._("Waiting"), self.env._("Nobody waits any more.")
        )

    def action_view_queue_failed(self):
        """Open the recipients whose email failed for certain, with the reasons."""
        return self._action_view_queue_traces(
            "failed", self.env._("Failed"), self.env._("No email has failed.")
        )

    def action_view_queue_in_doubt(self):
        """Open the recipients in doubt, to decide about each."""
        return self._action_view_queue_traces(
            "in_doubt", self.env._("In Doubt"), self.env._("No email is in doubt.")
        )

    def _action_view_traces_filtered(self, view_filter):
        """Have phones show the recipients of a managed mailing as cards."""
        action = super()._action_view_traces_filtered(view_filter)
        if self.queue_managed:
            kanban = self.env.ref("mass_mailing_queue.mailing_trace_view_kanban")
            action["views"].insert(1, (kanban.id, "kanban"))
        return action

    def _action_view_queue_traces(self, kind, name, empty):
        """Return the action on this mailing's recipients of one kind.

        :param str kind: of the filter
        :param str empty: what a list says that has nobody on it
        """
        self.ensure_one()
        action = self._action_view_traces_filtered(f"queue_{kind}")
        message = Markup('<p class="o_view_nocontent_smiling_face">%s</p>')
        return {
            **action,
            "name": name,
            "display_name": name,
            "help": message % empty,
            # A list does not see what is searched for by default.
            "context": {
                **action["context"],
                "mass_mailing_queue_decide": kind == "in_doubt",
            },
        }

    def action_view_queue_jobs(self):
        """Open this mailing's jobs."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "queue_job.action_queue_job"
        )
        action["domain"] = [("mailing_id", "=", self.id)]
        action["context"] = {}
        action["help"] = Markup('<p class="o_view_nocontent_smiling_face">%s</p>') % (
            self.env._("No jobs are left: ended ones are removed after some weeks.")
        )
        return action

    # ------------------------------------------------------------------
    # Helpers
    # ------------------------------------------------------------------

    @api.model
    def _queue_search_under_way(self):
        """Return all managed mailings that are scheduled, due or being sent."""
        return self.search([("queue_managed", "=", True), ("state", "in", UNDER_WAY)])

    def _queue_under_way(self):
        return self.filtered(
            lambda mailing: mailing.queue_managed and mailing.state in UNDER_WAY
        )

    def _queue_put_back(self, in_doubt):
        """Make failed recipients wait again, and go on if there are any."""
        self.ensure_one()
        commit_durably(self.env)
        self.env.flush_all()
        if not in_doubt:
            self._queue_leave_failed()
        count = sql_people.put_back(self.env.cr, self.id, in_doubt)
        self.env.invalidate_all(flush=False)
        if count:
            self._queue_continue()

    def _queue_leave_failed(self):
        """Leave out who failed, and is not among the recipients any more.

        Natively, they are planned anew, from the recipients that there are by then.
        """
        mailing = self._queue_for_jobs()
        model = mailing.env[mailing.mailing_model_real]
        domain = Domain(mailing._get_recipients_domain())
        rows = sql_people.failed(self.env.cr, self.id)
        for batch in slicing.batches(rows, CANCEL_BATCH):
            ids = [res_id for _id, name, res_id in batch if name == model._name]
            known = set(model.search(domain & Domain("id", "in", ids)).ids)
            left = [
                trace_id
                for trace_id, name, res_id in batch
                if name != model._name or res_id not in known
            ]
            sql_people.leave_former(self.env.cr, left)

    def _queue_continue(self):
        """Send again what was put back, also on a mailing that was done.

        A mailing under way that is paused or being cancelled stays so: who decides
        about a few recipients does not decide about all that wait.
        """
        for mailing in self:
            if mailing.state in ("done", "draft"):
                mailing.write({"state": "sending"})
                mailing._queue_unpause()
            else:
                # Whoever finishes it at this moment does not see whom we put back.
                sql_people.touch(self.env.cr, mailing.id)
            mailing._queue_enqueue_plan()

    def write(self, vals):
        """Say so when people would receive different versions of one mailing.

        And keep upstream's composing from declaring the mailing done: that is the
        finalizer's to say, and no worker writes the mailing. Nor does the scheduled
        action: it would collide with the fan-out, which runs at the same moment, and
        with the finalizer.
        """
        if self.env.context.get("mass_mailing_queue_cron") and vals == {
            "state": "sending"
        }:
            self = self.filtered(lambda mailing: not mailing.queue_managed)
        if "mass_mailing_queue_traces" in self.env.context or (
            self.env.context.get("mass_mailing_queue_explicit")
            and vals.get("state") == "done"
            and self._queue_is_under_way()
        ):
            vals = {
                name: value
                for name, value in vals.items()
                if name not in ("state", "sent_date", "kpi_mail_required")
            }
            if not vals:
                return True
        if DECIDED.intersection(vals):
            commit_durably(self.env)
        changed = set(CONTENT_FIELDS).intersection(vals)
        begun = self.browse()
        if changed:
            begun = self.filtered(
                lambda mailing: mailing.queue_managed
                and mailing.state != "done"
                and mailing._queue_has_open_traces()
            )
            before = {mailing: self._queue_content(mailing) for mailing in begun}
        result = super().write(vals)
        for mailing in begun:
            if self._queue_content(mailing) != before[mailing]:
                # By itself: a content field would bring us here again.
                mailing.sudo().queue_earlier_version = mailing.sent
                mailing.message_post(
                    body=" ".join(
                        filter(
                            None,
                            [
                                self.env._("The content was changed during sending."),
                                mailing.queue_earlier_version_words,
                            ],
                        )
                    )
                )
        return result

    def _queue_is_under_way(self):
        """Return whether a recipient of a managed mailing of self still waits."""
        return any(
            mailing.queue_managed and mailing._queue_has_open_traces()
            for mailing in self
        )

    def _queue_content(self, mailing):
        return [mailing[name] for name in CONTENT_FIELDS]

    # ------------------------------------------------------------------
    # Control jobs
    # ------------------------------------------------------------------

    @discreet()
    def _job_cancel(self):
        """Cancel whoever still waits, then finish the mailing (job body)."""
        mailing = self.exists()
        if not mailing or not mailing.queue_cancelled:
            return None
        with Ledger(self.env) as ledger:
            mailing._queue_cancel_rest(ledger)
            if mailing.state == "in_queue":
                mailing.state = "sending"
                mailing.flush_recordset()
            mailing._queue_finish_if_settled(ledger)
        return self.env._("Cancelled.")

    def _queue_cancel_rest(self, ledger):
        """Cancel whoever waits if the mailing is cancelled.

        The job that cancels passes over the recipients that a worker is composing for:
        the worker calls this when it is stopped.
        """
        while ledger.run(sql_people.cancel_outgoing, self.id, CANCEL_BATCH):
            continue
