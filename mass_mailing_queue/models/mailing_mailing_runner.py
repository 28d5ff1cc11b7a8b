# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
import time

from odoo import api, fields, models
from odoo.modules import module
from odoo.tools import config

from odoo.addons.queue_job.controllers.main import RunJobController
from odoo.addons.queue_job.job import Job

from .. import slicing, sql, sql_guard, sql_pace, sql_plan, sql_repair, sql_runner
from ..discretion import discreet
from ..ledger import LOST_CONNECTION, Ledger, transaction
from ..replies import Reply, Verdict

_logger = logging.getLogger(__name__)


class MailingMailing(models.Model):
    """What keeps a mailing going when something died: runner, worker, database.

    The reconciler is a scheduled action that runs every minute and repairs what it
    finds; it is safe at any moment, next to any number of workers. Without a job
    runner, upstream's own scheduled action runs our jobs.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    # ------------------------------------------------------------------
    # Without a runner
    # ------------------------------------------------------------------

    @api.model
    def _queue_runner_is_present(self):
        """Return whether a job runner leads and starts jobs that are due."""
        self.env["queue.job"].flush_model()
        return sql_runner.runner_works(self.env.cr)

    @api.model
    def _queue_wake_cron(self):
        """Let the mailing scheduled action run our jobs soon if nobody else will."""
        if not self._queue_runner_is_present():
            self.env.ref("mass_mailing.ir_cron_mass_mailing_queue").sudo()._trigger()

    @api.model
    def _queue_run_without_runner(self):
        """Run our due jobs here, for as long as this process may.

        They run through queue_job's own controller, with its locks: a runner that
        appears midway finds them taken. Stops at a third of the time limit and lets
        the scheduled action be triggered again.
        """
        if module.current_test or self._queue_runner_is_present():
            return
        limit = config["limit_time_real_cron"]
        limit = config["limit_time_real"] if limit < 0 else limit
        deadline = time.monotonic() + (limit / 3 if limit > 0 else 60)
        sql_repair.requeue_dead_jobs(self.env.cr)
        while time.monotonic() < deadline:
            # Each look needs a snapshot of its own to see what the last job made.
            self.env.cr.commit()  # pylint: disable=invalid-commit
            uuids = sql_runner.next_jobs(self.env.cr, limit=1)
            if not uuids:
                break
            self._queue_run_job(uuids[0])
        eta = sql_runner.next_job_eta(self.env.cr)
        if eta:
            cron = self.env.ref("mass_mailing.ir_cron_mass_mailing_queue").sudo()
            cron._trigger(at=max(eta, fields.Datetime.now()))
        self.env.cr.commit()  # pylint: disable=invalid-commit

    def _queue_run_job(self, uuid):
        """Run one job as queue_job's runner and controller would."""
        with self.env.registry.cursor() as cr:
            env = api.Environment(cr, api.SUPERUSER_ID, {})
            job = Job.load(env, uuid)
            if job.state != "pending":
                return
            job.set_enqueued()
            job.store()
            cr.commit()  # pylint: disable=invalid-commit
            acquired = RunJobController._acquire_job(env, uuid)
            if not acquired:
                return
            try:
                RunJobController._runjob(env, acquired)
            except Exception:
                # The controller has marked the job as failed and logged why.
                cr.rollback()
            cr.commit()  # pylint: disable=invalid-commit

    # ------------------------------------------------------------------
    # The reconciler
    # ------------------------------------------------------------------

    @api.model
    @discreet()
    def _cron_queue_reconcile(self):
        """Find and repair what a crash left behind (scheduled action).

        - claims whose worker is dead: in doubt
        - mails of settled traces: settled
        - waiting recipients without a live job, plans that stopped: the fan-out
          takes them up
        - jobs without anybody to send to: cancelled
        - jobs that were under way when their mailing's priority was changed: changed
        - mailings whose last recipient is settled: finished
        - jobs that failed with their connection: run again
        - dead jobs that were started by a node with a fast clock: dated back
        - a runner that sleeps over dead jobs: woken; no runner: the scheduled action
        """
        with Ledger(self.env) as ledger:
            asleep = ledger.run(sql_guard.guard_check)
            if asleep:
                self._queue_pause_all(asleep)
                return
            ledger.run(sql_guard.guard_heartbeat)
            self._queue_doubt_dead_claims(ledger)
            self._queue_settle_leftovers(ledger)
            ledger.run(sql_repair.idle_jobs)
            ledger.run(sql_pace.prioritize_jobs)
            with transaction(self.env):
                self._queue_revive(ledger)
            ledger.run(sql_repair.requeue_lost_jobs, LOST_CONNECTION)
            ledger.run(sql_repair.date_back_dead_jobs)
            sql_runner.wake_runner(self.env.cr)
            if sql_runner.next_job_eta(self.env.cr):
                self._queue_wake_cron()

    def _queue_doubt_dead_claims(self, ledger):
        """Declare claims in doubt whose worker does not hold its lock any more."""
        reason = self.env._(
            "The worker stopped before it could note the server's answer; this email "
            "may have arrived."
        )
        for token in ledger.run(sql_repair.claims):
            if ledger.run(sql_repair.claim_is_dead, token):
                mailing_ids = ledger.run(sql_repair.doubt, token, reason)
                _logger.warning("In doubt: mailings %s", mailing_ids)

    def _queue_settle_leftovers(self, ledger):
        """Settle mails whose worker died after it recorded the outcome."""
        rows = ledger.run(sql_repair.settled_mails, slicing.SLICE_SIZE)
        with transaction(self.env):
            dead = [
                mail_id
                for mail_id, token in rows
                if not token or sql.try_lock(self.env.cr, sql.LOCK_CLAIM, token)
            ]
            mails = self.env["mail.mail"].sudo().browse(dead).exists()
            outcomes = {
                mail.id: Reply(Verdict.SENT)
                for mail in mails
                if mail.mailing_trace_ids.sent_datetime
            }
            addresses = {mail.id: [] for mail in mails}
            self._queue_settle_mails(mails.ids, outcomes, addresses)

    def _queue_revive(self, ledger):
        """Have stopped plans and orphans taken up, and settled mailings finished."""
        for mailing in self._queue_search_under_way():
            if mailing.queue_cancelled:
                mailing.action_queue_cancel()
            if mailing.queue_paused or mailing.queue_cancelled:
                continue
            if mailing.state == "in_queue":
                if mailing._queue_is_due():
                    mailing._queue_revive_plan()
            elif not mailing.queue_planned or sql_plan.orphans(
                self.env.cr, mailing.id, limit=1
            ):
                mailing._queue_revive_plan()
            else:
                mailing._queue_finish_if_settled(ledger)

    def _queue_revive_plan(self):
        """Enqueue the fan-out unless one is under way."""
        live = self.env["queue.job"].search_count(
            [
                ("mailing_id", "=", self.id),
                ("method_name", "=", "_job_plan"),
                ("state", "in", ("pending", "enqueued", "started")),
            ],
            limit=1,
        )
        if not live:
            self._queue_enqueue_plan()

    def _queue_pause_all(self, kind):
        """Pause everything under way but self: it must not go on by itself.

        After a sleep, what is only scheduled may begin: nobody has it yet.
        """
        states = ("sending",) if kind == "asleep" else ("in_queue", "sending")
        for mailing in self.search(
            [
                ("queue_managed", "=", True),
                ("state", "in", states),
                ("queue_paused", "=", False),
                ("id", "not in", self.ids),
            ]
        ):
            mailing._job_pause(kind)
        if kind == "asleep":
            # Told once; the next run counts as awake.
            sql_guard.guard_heartbeat(self.env.cr)
