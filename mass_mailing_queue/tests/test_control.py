# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .. import sql
from .common import QueueCase


@tagged("-at_install", "post_install")
class TestControl(QueueCase):
    """What people decide, and what the reconciler repairs."""

    def setUp(self):
        super().setUp()
        self.contacts = self._contacts("a@example.com", "b@example.com")
        self.mailing = self._mailing()
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        self.first, self.second = self._traces(self.mailing)

    def _reconcile(self):
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self.env.invalidate_all()

    def test_pause_and_resume_as_a_marketer(self):
        mailing = self.mailing.with_user(self.user)
        mailing.action_queue_pause()
        mailing.action_queue_pause()
        self._run_jobs()
        self.assertFalse(self.sent)
        self.assertEqual(mailing.state, "sending")
        mailing.action_queue_resume()
        mailing.action_queue_resume()
        self._run_jobs()
        self.assertEqual(sorted(self.sent), ["a@example.com", "b@example.com"])
        self.assertEqual(mailing.state, "done")

    def test_h14_cancel_stops_what_waits_and_ends_done(self):
        """H14: natively Cancel hides the mailing and its mails still leave."""
        self._perform(self._jobs("_job_send")[0])
        self.mailing.action_cancel()
        self.mailing.action_queue_cancel()
        self._run_jobs()
        self.assertEqual(self.sent, ["a@example.com"])
        self.assertEqual(self.second.trace_status, "cancel")
        self.assertEqual(self.mailing.state, "done")

    def test_what_is_being_cancelled_stays_so(self):
        """Whatever a window that is out of date still offers."""
        (self.first + self.second).write({"queue_held": True})
        self.mailing.action_queue_cancel()
        self.mailing.action_queue_resume()
        self.mailing.action_queue_pause()
        self.assertFalse(self.mailing.queue_paused, "or nobody would cancel the rest")
        self.mailing.action_retry_failed()
        for send in ("action_launch", "action_send_mail"):
            with self.assertRaises(UserError):
                getattr(self.mailing, send)()
        self._run_jobs()
        self.assertFalse(self.sent)
        self.assertEqual(self.mailing.state, "done")
        traces = self.first + self.second
        self.assertEqual(set(traces.mapped("trace_status")), {"cancel"})

    def test_cancel_before_planning_returns_to_draft(self):
        mailing = self._mailing()
        mailing.action_launch()
        mailing.action_cancel()
        self.assertEqual(mailing.state, "draft")
        self._perform(
            self._jobs("_job_plan").filtered(lambda job: job.mailing_id == mailing.id)
        )
        self.assertFalse(self._traces(mailing))

    def test_retry_failed_reuses_the_trace(self):
        self.replies["a@example.com"] = ValueError("cannot be encoded")
        self._run_jobs()
        self.assertEqual(self.first.trace_status, "error")
        self.replies.clear()
        self.mailing.with_user(self.user).action_retry_failed()
        self.mailing.with_user(self.user).action_retry_failed()
        self._run_jobs()
        self.assertEqual(sorted(self.sent), ["a@example.com", "b@example.com"])
        self.assertEqual(len(self._traces(self.mailing)), 2)
        self.assertEqual(self.mailing.state, "done")

    def test_draft_then_send_again_resumes(self):
        """The documented way: state back to draft, then action_send_mail()."""
        self._perform(self._jobs("_job_send")[0])
        self.mailing.write({"state": "draft"})
        self._run_jobs()
        self.assertEqual(self.sent, ["a@example.com"])
        self.mailing.action_send_mail_async()
        self._run_jobs()
        self.assertEqual(self.sent, ["a@example.com", "b@example.com"])
        self.assertEqual(self.mailing.state, "done")

    def test_single_sends_go_through_the_claim(self):
        """trace._send(), mailing._send_one() and mailing._send() send once."""
        self.assertEqual(self.first._send(), 1)
        self.assertEqual(self.mailing._send_one(self.first.id), 1)
        self.assertEqual(self.mailing._send(self.contacts.ids), 2)
        late = self._contacts("c@example.com")
        self.assertEqual(self.mailing._send(late.ids), 1)
        self._run_jobs()
        self.assertEqual(self.sent, ["a@example.com", "b@example.com", "c@example.com"])

    def test_in_doubt_is_resolved_by_a_person(self):
        (self.first + self.second).write(
            {
                "trace_status": "error",
                "failure_type": "queue_in_doubt",
                "queue_claim_token": 5,
            }
        )
        traces = (self.first + self.second).with_user(self.user)
        traces[0].action_queue_count_as_sent()
        traces[0].action_queue_count_as_sent()
        self.assertEqual(self.first.trace_status, "sent")
        traces[1].action_queue_send_again()
        traces[1].action_queue_send_again()
        self._run_jobs()
        self.assertEqual(self.sent, ["b@example.com"])
        self.assertEqual(self.mailing.state, "done")

    def test_others_may_not(self):
        """Not even people who may read mailings, if they may not write them."""
        stranger = new_test_user(self.env, "stranger", groups="base.group_user")
        self.env["ir.model.access"].create(
            [
                {
                    "name": model,
                    "model_id": self.env["ir.model"]._get_id(model),
                    "group_id": self.env.ref("base.group_user").id,
                    "perm_read": True,
                }
                for model in ("mailing.mailing", "mailing.trace")
            ]
        )
        (self.first + self.second).write(
            {"trace_status": "error", "failure_type": "unknown"}
        )
        self.first.failure_type = "queue_in_doubt"
        self.assertEqual(self.mailing.with_user(stranger).state, "sending")
        mailing = self.mailing.with_user(stranger)
        for action in (
            "action_queue_pause",
            "action_queue_resume",
            "action_queue_cancel",
            "action_retry_failed",
            "action_queue_count_as_sent",
            "action_queue_send_again",
        ):
            with self.subTest(action=action), self.assertRaises(AccessError):
                getattr(mailing, action)()
        for action in ("action_queue_count_as_sent", "action_queue_send_again"):
            with self.subTest(action=action), self.assertRaises(AccessError):
                getattr(self.first.with_user(stranger), action)()

    def test_deciding_about_one_decides_about_no_other(self):
        """Send Again or Retry on a paused or cancelled mailing leaves it so."""
        self.first.write({"trace_status": "error", "failure_type": "queue_in_doubt"})
        self.mailing.action_queue_pause()
        self.first.action_queue_send_again()
        self._run_jobs()
        self.assertTrue(self.mailing.queue_paused)
        self.assertFalse(self.sent)
        self.first.write({"trace_status": "error", "failure_type": "unknown"})
        self.mailing.action_queue_cancel()
        self.mailing.action_retry_failed()
        self._run_jobs()
        self.assertFalse(self.sent)
        self.assertEqual(self.mailing.state, "done")

    def test_whom_a_cancelled_mailing_had_not_come_to_stays_unplanned(self):
        """Retry Failed is about those who failed, and about nobody else."""
        self._contacts("late@example.com")
        self.mailing.write({"queue_planned": False, "queue_paused": True})
        self.first.write({"trace_status": "error", "failure_type": "unknown"})
        self.mailing.action_queue_cancel()
        self._run_jobs()
        self.assertEqual(self.mailing.state, "done")
        self.mailing.action_retry_failed()
        self._run_jobs()
        self.assertEqual(self.mailing.state, "done")
        self.assertEqual(self.sent, [self.first.email])

    def test_a_resolved_doubt_leaves_the_banner(self):
        """An email in doubt that is opened has arrived."""
        self.first.write({"trace_status": "error", "failure_type": "queue_in_doubt"})
        self.assertEqual(self.mailing.queue_in_doubt, 1)
        self.first.set_opened()
        self.mailing.invalidate_recordset()
        self.assertEqual(self.mailing.queue_in_doubt, 0)

    def test_a_copy_sends_what_its_people_send_only(self):
        """Accepting it for one mailing pauses the others, scheduled ones too."""
        scheduled = self._mailing(
            state="in_queue", schedule_date="2099-01-01", queue_managed=True
        )
        mine = self._mailing(state="draft")
        self.env["mailing.queue.guard"].search([]).identity = "another database"
        self.env.flush_all()
        mine.action_launch()
        self._run_jobs()
        self.assertEqual(sorted(self.sent), ["a@example.com", "b@example.com"])
        self.assertEqual(mine.state, "done")
        self.assertTrue(scheduled.queue_paused)
        self.assertTrue(self.mailing.queue_paused)

    def test_explicit_records_leave_the_rest_waiting(self):
        """A native call for some records does not declare the mailing done."""
        late = self._contacts("c@example.com")
        self.mailing.action_send_mail(res_ids=late.ids)
        self.assertEqual(self.mailing.state, "sending")
        self._run_jobs()
        self.assertEqual(self.sent, ["a@example.com", "b@example.com"])
        self._traces(self.mailing)[-1].set_sent()
        self._reconcile()
        self._run_jobs()
        self.assertEqual(self.mailing.state, "done")

    def test_send_again_after_draft_finds_who_waits(self):
        """The form's Send on a mailing that is planned already."""
        self.mailing.write({"state": "draft"})
        self.mailing.action_launch()
        self._run_jobs()
        self.assertEqual(len(self.sent), 2)
        self.mailing.write({"state": "draft"})
        late = self._contacts("c@example.com")
        self.mailing.queue_cursor = late.id + 1
        self.mailing.action_send_mail()
        self._run_jobs()
        self.assertEqual(len(self.sent), 3)

    def test_changed_content_is_said(self):
        self._perform(self._jobs("_job_send")[0])
        self.mailing.subject = "Other news"
        self.assertIn(
            "The content was changed during sending. 1 person got the earlier version.",
            self.mailing.message_ids[0].body,
        )

    def test_reconciler_gives_orphans_a_job(self):
        self._jobs("_job_send").unlink()
        self._reconcile()
        self._run_jobs()
        self.assertEqual(len(self.sent), 2)
        self.assertEqual(self.mailing.state, "done")

    def test_reconciler_doubts_dead_claims_only(self):
        self.env.flush_all()
        sql.claim(self.cr, self.first.id, 11, "node:1", "<id>", 1, [])
        self.env.invalidate_all()
        self._reconcile()
        self.assertEqual(self.first.trace_status, "process", "too young to judge")
        self.first.queue_claimed_at = "2020-01-01"
        self._reconcile()
        self.assertEqual(self.first.trace_status, "error")
        self.assertEqual(self.first.failure_type, "queue_in_doubt")

    def test_reconciler_settles_mails_and_finishes(self):
        self.mailing._queue_compose_chunk((self.first + self.second).ids)
        mails = (self.first + self.second).mail_mail_id
        (self.first + self.second).write(
            {"trace_status": "sent", "sent_datetime": "2020-01-01"}
        )
        self.env.flush_all()
        self.cr.execute(
            "UPDATE mail_message SET create_date = '2020-01-01' WHERE id = ANY(%s)",
            [mails.mail_message_id.ids],
        )
        self._jobs().unlink()
        self._reconcile()
        self.assertFalse(mails.exists())
        self._run_jobs()
        self.assertEqual(self.mailing.state, "done")
        self.assertFalse(self.sent)

    def test_reconciler_takes_up_a_stopped_plan(self):
        mailing = self._mailing()
        mailing.action_launch()
        self._jobs("_job_plan").unlink()
        self._reconcile()
        self.assertEqual(self._jobs("_job_plan").mapped("mailing_id"), mailing.ids)

    def test_reconciler_cancels_idle_jobs(self):
        jobs = self._jobs("_job_send")
        jobs.eta = "2099-01-01"
        (self.first + self.second).write({"trace_status": "cancel"})
        self._reconcile()
        self.assertEqual(set(jobs.mapped("state")), {"cancelled"})

    def test_a_lost_connection_to_postgresql_is_no_bug(self):
        job = self._jobs("_job_send")[0]
        job.write({"state": "failed", "exc_name": "psycopg2.OperationalError"})
        self.mailing._job_on_fail(exc_name="psycopg2.OperationalError")
        self._run_jobs()
        self.assertFalse(self.mailing.queue_paused)
        self._reconcile()
        self.assertEqual(job.state, "pending")
        job.write({"state": "failed", "exc_name": "builtins.KeyError"})
        self._reconcile()
        self.assertEqual(job.state, "failed", "for a person to look at")

    def test_nobody_is_planned_while_paused_or_cancelled(self):
        """A fan-out that was enqueued before finds the mailing stopped."""
        late = self._contacts("c@example.com")
        self.mailing.write({"queue_cursor": 0, "queue_planned": False})
        for stop in ("action_queue_pause", "action_queue_cancel"):
            getattr(self.mailing, stop)()
            self.mailing._job_plan()
            self.env.invalidate_all()
            self.assertNotIn(late.id, self._traces(self.mailing).mapped("res_id"))

    def test_a_finish_that_comes_too_early_finishes_nothing(self):
        """Somebody waits, or is not planned yet: the job ends and leaves it."""
        self.mailing._job_finish()
        self.assertEqual(self.mailing.state, "sending", "two wait")
        (self.first + self.second).write({"trace_status": "sent"})
        self.mailing.queue_planned = False
        self.mailing._job_finish()
        self.assertEqual(self.mailing.state, "sending", "others may follow")
        self.mailing.queue_planned = True
        self.mailing._job_finish()
        self.assertEqual(self.mailing.state, "done")

    def test_what_was_asked_for_before_a_resume_does_not_pause(self):
        """Somebody has decided meanwhile; what is asked for later does pause it."""
        self.mailing._queue_request_pause("account", "535 before")
        self.mailing.action_queue_pause()
        self.mailing.action_queue_resume()
        self.mailing._queue_request_pause("account", "535 after")
        before, after = self._jobs("_job_pause")
        self._perform(before)
        self.assertFalse(self.mailing.queue_paused)
        self._perform(after)
        self.assertIn("535 after", self.mailing.queue_pause_reason)

    def test_failed_job_pauses_the_mailing(self):
        self.mailing._job_on_fail(exc_name="builtins.KeyError")
        self._perform(self._jobs("_job_pause"))
        self.assertTrue(self.mailing.queue_paused)
        self.assertIn("KeyError", self.mailing.queue_pause_reason)
