# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import QueueCase


@tagged("-at_install", "post_install")
class TestPriority(QueueCase):
    """Which mailing goes first."""

    def setUp(self):
        super().setUp()
        self._contacts("a@example.com", "b@example.com")

    def _begin(self, **values):
        mailing = self._mailing(**values)
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        return mailing

    def _set(self, mailing, priority):
        mailing.with_user(self.user).queue_priority = priority
        self.env.flush_all()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()

    def test_the_more_urgent_mailing_goes_first(self):
        mailings = [self._begin(queue_priority=number) for number in "1032"]
        normal, low, urgent, high = mailings
        order = [job.mailing_id for job in self._jobs("_job_send")]
        wanted = [mailing.id for mailing in (urgent, high, normal, low)]
        self.assertEqual(order, [one for one in wanted for _recipient in "ab"])

    def test_a_change_moves_the_jobs_that_wait(self):
        first, second = self._begin(), self._begin()
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, first.id)
        self._set(second, "3")
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, second.id)
        self._set(second, "0")
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, first.id)

    def test_jobs_keep_their_place_among_those_of_their_mailing(self):
        mailing = self._begin()
        jobs = self._jobs("_job_send")
        jobs[1].priority += 7
        before = jobs.mapped("priority")
        self._set(mailing, "3")
        self._set(mailing, "1")
        self.assertEqual(jobs.mapped("priority"), before)

    def test_only_waiting_jobs_of_the_mailing_change(self):
        mailing, other = self._begin(), self._begin()
        jobs = self._jobs("_job_send")
        started, by_hand = jobs.filtered(lambda job: job.mailing_id == mailing.id)
        started.state = "started"
        by_hand.priority = 1
        before = jobs.mapped("priority")
        self._set(mailing, "3")
        self.assertEqual(jobs.mapped("priority"), before)
        self.assertEqual(other.queue_priority, "1")

    def test_a_job_that_was_under_way_follows_within_a_minute(self):
        mailing, other = self._begin(), self._begin()
        jobs = self._jobs("_job_send")
        jobs.filtered(lambda job: job.mailing_id == other.id).state = "started"
        self._set(other, "3")
        jobs.state = "pending"
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, mailing.id)
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self.env.invalidate_all()
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, other.id)

    def test_who_may_not_write_mailings_sets_no_priority(self):
        mailing = self._begin()
        nobody = new_test_user(self.env, "nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            mailing.with_user(nobody).queue_priority = "3"
