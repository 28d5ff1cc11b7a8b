# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo.tests import tagged

from .common import QueueCase


@tagged("-at_install", "post_install")
class TestQueueJob(QueueCase):
    """queue_job's own screens are where an operator retries."""

    def setUp(self):
        super().setUp()
        self._contacts("a@example.com", "b@example.com")
        self.mailing = self._mailing()
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        self.first, self.second = self._traces(self.mailing)
        self.job = self._jobs("_job_send")[0]

    def test_job_names_and_opens_its_recipients(self):
        self.assertIn("News for", self.job.name)
        action = self.job.open_related_action()
        self.assertEqual(action["res_model"], "mailing.trace")
        self.assertEqual(action["domain"], [("id", "in", self.first.ids)])
        self.assertEqual(
            self.mailing.action_view_queue_jobs()["domain"],
            [("mailing_id", "=", self.mailing.id)],
        )

    def test_cancelled_job_holds_its_recipients(self):
        self.job.button_cancelled()
        self.assertTrue(self.first.queue_held)
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self._run_jobs()
        self.assertEqual(self.sent, ["b@example.com"])
        self.assertEqual(self.mailing.queue_held, 1)
        self.assertEqual(self.mailing.state, "sending")
        self.mailing.action_queue_resume()
        self._run_jobs()
        self.assertEqual(self.sent, ["b@example.com", "a@example.com"])
        self.assertEqual(self.mailing.state, "done")

    def test_tidying_an_old_job_holds_nobody(self):
        """Its recipients have another job by now."""
        self.job.state = "failed"
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self._perform(self._jobs("_job_plan"))
        self.assertNotEqual(self.first.queue_job_uuid, self.job.uuid)
        self.job.button_cancelled()
        self.assertFalse(self.first.queue_held)
        self._run_jobs()
        self.assertEqual(len(self.sent), 2)

    def test_job_set_to_done_holds_and_requeue_releases(self):
        self.job.button_done()
        self._run_jobs()
        self.assertEqual(self.sent, ["b@example.com"])
        self.job.requeue()
        self._run_jobs()
        self.assertEqual(self.sent, ["b@example.com", "a@example.com"])

    def test_h18_the_end_waits_for_no_job(self):
        """H18: a failed job is nobody's prerequisite, and others do its work."""
        self.job.state = "failed"
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self._run_jobs()
        self.assertEqual(len(self.sent), 2)
        self.assertEqual(self.mailing.state, "done")
        jobs = self._jobs(states=("done", "failed"))
        self.assertIn("_job_finish", jobs.mapped("method_name"))
        self.assertFalse(any(jobs.mapped("graph_uuid")))

    def test_requeueing_a_done_job_sends_nothing_again(self):
        self._run_jobs()
        self.job.requeue()
        self._run_jobs()
        self.assertEqual(len(self.sent), 2)

    def test_h16_workers_do_not_write_the_mailing(self):
        """H16: a job that delivers leaves the mailing's row alone."""
        self.env.flush_all()
        self.cr.execute(
            "SELECT xmin FROM mailing_mailing WHERE id = %s", self.mailing.ids
        )
        before = self.cr.fetchone()
        self.cr.execute(
            "SELECT ctid FROM mailing_mailing WHERE id = %s", self.mailing.ids
        )
        place = self.cr.fetchone()
        self._perform(self.job)
        self.cr.execute(
            "SELECT xmin, ctid FROM mailing_mailing WHERE id = %s", self.mailing.ids
        )
        self.assertEqual(self.cr.fetchone(), before + place)
