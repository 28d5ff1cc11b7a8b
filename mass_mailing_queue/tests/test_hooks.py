# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo.tests import tagged
from odoo.tools import file_open

from ..hooks import uninstall_hook
from .common import QueueCase


@tagged("-at_install", "post_install")
class TestHooks(QueueCase):
    """Leaving, and copying, lose nobody and mail nobody twice."""

    def setUp(self):
        super().setUp()
        self._contacts("a@example.com", "b@example.com", "c@example.com")
        self.mailing = self._mailing()
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))

    def test_uninstall_gives_the_rest_to_native(self):
        self._perform(self._jobs("_job_send")[0])
        second, third = self._traces(self.mailing)[1:]
        second.write({"trace_status": "process"})
        self.mailing._queue_compose_chunk(third.ids)
        mail, waiting = third.mail_mail_id, third.res_id
        uninstall_hook(self.env)
        self.assertFalse(mail.exists())
        self.assertEqual(self.mailing.state, "in_queue")
        self.assertEqual(
            [status for _email, status, _type in self._statuses(self.mailing)],
            ["sent", "error"],
        )
        self.assertEqual(self.mailing._get_remaining_recipients(), [waiting])
        self.assertFalse(self._jobs())

    def test_uninstall_sends_nothing_that_was_paused(self):
        mailing = self._mailing(schedule_date="2099-01-01")
        mailing.action_put_in_queue()
        mailing.action_queue_pause()
        uninstall_hook(self.env)
        self.assertEqual(mailing.state, "draft")

    def test_neutralized_copy_sends_nothing(self):
        self.env.flush_all()
        with file_open("mass_mailing_queue/data/neutralize.sql") as script:
            self.cr.execute(script.read())
        self.env.invalidate_all()
        self.assertFalse(self._jobs())
        self.assertTrue(self.mailing.queue_paused)
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self._run_jobs()
        self.assertFalse(self.sent)
