# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import time

from odoo import fields, models
from odoo.fields import Domain
from odoo.tools import config

from odoo.addons.queue_job.exception import RetryableJobError

from .. import slicing, sql, sql_guard, sql_plan
from ..discretion import discreet
from ..faults import is_conflict, is_trouble, retry_trouble
from ..ledger import Ledger, transaction


class MailingMailing(models.Model):
    """The fan-out: recipients → traces → jobs, slice by slice.

    A slice is the next few hundred records by id, put through upstream's own
    recipients methods. Its traces and the jobs that will send them are committed
    together, and with the id where the next slice begins, so there is no moment at
    which a recipient is planned and forgotten. A unique index forbids planning twice.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_enqueue_plan(self):
        """Enqueue the fan-out, unless it waits already."""
        self.ensure_one()
        self._queue_delayable(
            self.env._("Plan %s", self.subject),
            priority=5,
            identity_key=f"mass_mailing_queue.plan.{self.id}",
        )._job_plan().delay()
        self._queue_wake_cron()

    @discreet()
    def _job_plan(self):
        """Plan a mailing's recipients, slice by slice (job body)."""
        mailing = self.exists()
        if not mailing:
            return self.env._("The mailing was deleted.")
        deadline = time.monotonic() + slicing.time_budget(config["limit_time_real"])
        with retry_trouble(), Ledger(self.env) as ledger:
            if reason := ledger.run(sql_guard.guard_check):
                mailing._queue_request_pause(reason)
                return self.env._("Paused: this database may be a copy.")
            while True:
                with transaction(self.env):
                    more = mailing._queue_plan_slice(ledger)
                if not more:
                    break
                if time.monotonic() > deadline:
                    raise RetryableJobError(
                        self.env._("Planning goes on."), seconds=0.1, ignore_retry=True
                    )
            mailing._queue_finish_if_settled(ledger)
        return self.env._("Every recipient has a job.")

    def _queue_plan_slice(self, ledger):
        """Plan one slice, in one transaction. Step 0 of a recipient's way.

        When everybody is planned, whoever lost their job gets another one.

        :return: whether there is more to plan
        """
        if not sql.try_lock(self.env.cr, sql.LOCK_PLAN, self.id):
            # Another fan-out of this mailing runs; it goes on to the end.
            return False
        self.invalidate_recordset()
        if not self._queue_may_plan():
            return False
        if not self._queue_lock_addresses(ledger):
            # Others planned between our snapshot and our lock, or do so now: the next
            # transaction sees what they planned.
            return True
        if self.state == "in_queue" or not self.queue_slices:
            self._queue_open()
        if self.queue_audience_changed:
            self._queue_leave_former(ledger)
            return True
        if self.queue_planned:
            orphans = sql_plan.orphans(self.env.cr, self.id, slicing.SLICE_SIZE)
            if orphans:
                self._queue_create_jobs(self.env["mailing.trace"].browse(orphans))
                self.queue_slices += 1
            return bool(orphans)
        self._queue_draw_sample()
        found, last = self._queue_take_range()
        if res_ids := self._queue_without_trace(self._queue_take_records(found)):
            self._queue_plan_traces(res_ids)
        self.write(
            {
                "queue_cursor": found[-1] if found else self.queue_cursor,
                "queue_slices": self.queue_slices + 1,
                "queue_planned": last,
            }
        )
        return True

    def _queue_may_plan(self):
        return (
            self.queue_managed
            and (self.state == "sending" or self._queue_is_due())
            and not (self.queue_paused or self.queue_cancelled)
        )

    def _queue_is_due(self):
        """Return whether the mailing waits in the queue and its time has come."""
        return self.state == "in_queue" and (
            not self.schedule_date or self.schedule_date <= fields.Datetime.now()
        )

    def _queue_open(self):
        """Begin: from here on the mailing is sending."""
        if self.state != "sending":
            self.write({"state": "sending"})
        self._queue_prepare_links()

    def _queue_prepare_links(self):
        """Create the link trackers once, before many workers need them at a time.

        Parallel composers would each create their own, since uniqueness is checked
        in Python only. The first recipient's content stands for all; a link that
        differs by recipient cannot be shared anyway.
        """
        first = self._queue_next_records()
        if not (first and self.body_html):
            return
        composer = (
            self.env["mail.compose.message"]
            .with_context(
                **self._get_mass_mailing_context(),
                mass_mailing_queue_links=self._queue_links(make=True),
            )
            .new(
                {
                    "composition_mode": "mass_mail",
                    "model": self.mailing_model_real,
                    # With the preview, as the composer has it: an expression there has
                    # the body rendered by QWeb, which writes some links another way.
                    "body": self._prepend_preview(self.body_html, self.preview),
                }
            )
        )
        try:
            with self.env.cr.savepoint():
                composer._render_field("body", first, compute_lang=True)
        except Exception as error:
            # Whether the content is at fault shows when it is composed.
            if is_trouble(error) or is_conflict(error):
                raise

    # ------------------------------------------------------------------
    # Slices
    # ------------------------------------------------------------------

    def _queue_next_records(self, after=0, limit=1):
        """Return ids of the next records to plan, by id. Extension point.

        :param int after: only larger ids
        :param int limit: how many at most
        """
        if self.queue_sampled:
            return sql_plan.sample_slice(self.env.cr, self.id, after, limit)
        domain = Domain(self._get_recipients_domain()) & Domain("id", ">", after)
        return (
            self.env[self.mailing_model_real]
            .search(domain, order="id", limit=limit)
            .ids
        )

    def _queue_take_range(self):
        """Return the ids of the next slice, and whether it is the last."""
        found = self._queue_next_records(self.queue_cursor, slicing.SLICE_SIZE)
        if found and not self.queue_recipients:
            self.queue_recipients = self._queue_count_recipients()
            self._queue_log("start")
        return found, len(found) < slicing.SLICE_SIZE

    def _queue_take_records(self, found):
        """Return those of a slice who are recipients.

        The slice comes from the domain, its recipients from ``_get_recipients``, which
        other addons override: it may leave out any of them, or all.
        """
        if not found or self.queue_sampled:
            return found
        bounds = found[0], found[-1]
        return sorted(
            self.with_context(mass_mailing_queue_range=bounds)._get_recipients()
        )

    def _queue_draw_sample(self):
        """Draw the recipients of an A/B test whole, once.

        Versions of one campaign draw one after the other, from those that are left: the
        lock of its addresses is held until the draw is committed.
        """
        if not self._queue_is_sampled() or self.queue_sampled:
            return
        drawn = sql_plan.drawn_records(
            self.env.cr, self.campaign_id.id, self.mailing_model_real
        )
        sample = self.with_context(
            mass_mailing_queue_drawn=(self.mailing_model_real, drawn)
        )._get_recipients()
        sql_plan.keep_sample(self.env.cr, self.id, sample)
        self.queue_sampled = True

    def _queue_is_sampled(self):
        return self.ab_testing_enabled and not self.ab_testing_is_winner_mailing

    def _queue_count_recipients(self):
        if self.queue_sampled:
            return sql_plan.sample_size(self.env.cr, self.id)
        return self.env[self.mailing_model_real].search_count(
            self._get_recipients_domain()
        )

    def _get_recipients_domain(self):
        """Narrow the recipients to a slice's range of ids while one is planned."""
        domain = super()._get_recipients_domain()
        if bounds := self.env.context.get("mass_mailing_queue_range"):
            lower, upper = bounds
            domain = Domain(domain) & Domain([("id", ">=", lower), ("id", "<=", upper)])
        return domain

    def _queue_without_trace(self, res_ids):
        """Leave out who was reached before: natively, or by the test a winner won.

        Also those who are drawn for a version that has not come to them yet.
        """
        mailings, known = self, set()
        if self.ab_testing_enabled and self.ab_testing_is_winner_mailing:
            mailings |= self._get_ab_testing_siblings_mailings()
            known = sql_plan.drawn_records(
                self.env.cr, self.campaign_id.id, self.mailing_model_real, True
            )
        known |= sql_plan.traced_records(
            self.env.cr, mailings.ids, self.mailing_model_real, res_ids
        )
        return [res_id for res_id in res_ids if res_id not in known]

    # ------------------------------------------------------------------
    # Jobs
    # ------------------------------------------------------------------

    def _queue_create_jobs(self, traces):
        """Enqueue the jobs that will send these traces. Extension point.

        The priority grows with the number of the slice, so that the slices of
        concurrent mailings interleave, unless one is more urgent.
        """
        size = self._queue_job_size()
        priority = slicing.job_priority(self._queue_urgency(), self.queue_slices)
        channel, eta = self._queue_channel(), self._queue_next_eta()
        uuid_by_trace = {}
        for trace_ids in slicing.batches(traces.ids, size):
            delayable = self._queue_delayable(
                self._queue_describe_job(trace_ids),
                priority=priority,
                channel=channel,
                eta=eta,
            )._job_send(trace_ids)
            delayable.delay()
            uuid = delayable._generated_job.uuid
            uuid_by_trace.update(dict.fromkeys(trace_ids, uuid))
        if uuid_by_trace:
            traces.flush_recordset()
            sql_plan.assign_jobs(self.env.cr, uuid_by_trace)
            traces.invalidate_recordset(["queue_job_uuid"])

    def _queue_next_eta(self):
        """Return in how many seconds new send jobs may start. Extension point.

        :return: ``None`` for at once
        """
        return None

    def _queue_channel(self):
        """Return the channel of this mailing's send jobs. Extension point.

        :return: a complete name, empty for the one of the job function
        """
        return ""

    def _queue_job_size(self):
        """Return how many recipients one send job carries. Extension point."""
        # What is no size, as 0 is none, is automatic.
        fixed = self._queue_setting("job_size", 0)
        return slicing.job_size(self.queue_recipients, fixed)

    def _queue_describe_job(self, trace_ids):
        if len(trace_ids) == 1:
            return self.env._(
                "%(mailing)s: recipient %(trace)s",
                mailing=self.subject,
                trace=trace_ids[0],
            )
        return self.env._(
            "%(mailing)s: %(count)s recipients, %(first)s to %(last)s",
            mailing=self.subject,
            count=len(trace_ids),
            first=trace_ids[0],
            last=trace_ids[-1],
        )

    # ------------------------------------------------------------------
    # The end
    # ------------------------------------------------------------------

    def _queue_finish_if_settled(self, ledger):
        """Have the mailing finished if nobody waits any more. Writes no mailing."""
        if not ledger.run(sql.is_open, self.id):
            self._queue_delayable(
                self.env._("Finish %s", self.subject),
                priority=1,
                identity_key=f"mass_mailing_queue.finish.{self.id}",
            )._job_finish().delay()

    @discreet()
    def _job_finish(self):
        """Declare a mailing done when its last recipient is settled (job body)."""
        mailing = self.exists()
        if not mailing or not sql.try_lock(self.env.cr, sql.LOCK_FINISH, self.id):
            return None
        cancelled = mailing.queue_cancelled
        if (
            mailing.state != "sending"
            or not (mailing.queue_planned or cancelled)
            or mailing._queue_has_open_traces()
        ):
            return self.env._("Not finished yet.")
        mailing.write(
            {
                "state": "done",
                "sent_date": fields.Datetime.now(),
                "kpi_mail_required": not mailing.sent_date,
                "queue_paused": False,
                "queue_pause_reason": False,
                "queue_cancelled": False,
                # Whom a cancelled mailing had not come to is not planned later either.
                "queue_planned": True,
                "queue_audience_changed": False,
            }
        )
        mailing._queue_log("end", "cancelled" if cancelled else "done")
        return self.env._("Done.")
