# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from types import SimpleNamespace
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.mass_mailing_queue.models import mailing_mailing_rehearsal as engine

from .. import sql_replies, sql_screens
from .common import ProviderCase

#: What an account has, and what is counted of it.
TABLES = (
    "mailing_provider",
    "mailing_provider_limit",
    "mailing_provider_state",
    "mailing_provider_bucket",
    "mailing_provider_stat",
    "mailing_provider_tally",
    "queue_job_channel",
)


@tagged("-at_install", "post_install")
class TestRehearsalLimits(ProviderCase):
    """A rehearsal keeps to the account's limits, and uses nothing up."""

    def setUp(self):
        super().setUp()
        self.env["ir.config_parameter"].set_param(
            "mass_mailing_queue.rehearsal_server", "sink.example.com:1025"
        )
        connection = SimpleNamespace(quit=lambda: None, noop=lambda: (250, b""))
        smtplib = SimpleNamespace(SMTP=lambda *_args, **_kwargs: connection)
        self.startPatcher(patch.object(engine, "smtplib", smtplib))
        self._contacts("a@example.com", "b@example.com", "c@example.com")
        self._prepare()

    def _rehearse(self):
        action = self._mailing().with_user(self.user).action_queue_rehearse()
        self.rehearsal = self.env["mailing.queue.rehearsal"].browse(action["res_id"])
        self._perform(self._jobs("_job_plan"))
        return self.rehearsal.copy_id.queue_rehearsal_provider_id

    def _tables(self):
        self.env.flush_all()
        rows = {}
        for table in TABLES:
            self.env.cr.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows[table] = self.env.cr.fetchall()
        return rows

    def test_it_uses_nothing_of_the_account_up(self):
        self._add_limit(3, "day")
        self._committed()
        self._prepare()
        before = self._tables()
        account = self._rehearse()
        self._committed()
        first, second, third = self._jobs("_job_send")
        self._perform(first)
        self._perform(second)
        self._postponed(third)
        self.assertEqual(
            [
                used
                for _limit, _domain, used in self._run_sql(
                    sql_screens.usage, account.id
                )
            ],
            [0, 2],
        )
        self.assertEqual(
            [row[2] for row in self._run_sql(sql_screens.usage, self.provider.id)],
            [0, 0],
        )
        self.rehearsal.action_stop()
        self._perform(self._jobs("_job_cancel"))
        self._perform(self._jobs("_job_finish"))
        self._perform(self._jobs("_job_clean_rehearsal"))
        self.assertEqual(self._tables(), before)
        self.assertEqual(self.rehearsal.sent, 2)

    def test_what_it_postpones_are_its_own_jobs(self):
        self._add_limit(1, "day")
        mailing = self._mailing()
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        real = self._jobs("_job_send")
        self._rehearse()
        self._committed()
        rehearsed = self._jobs("_job_send") - real
        self._perform(rehearsed[0])
        self._postponed(rehearsed[1])
        self.assertFalse(any(real.mapped("eta")))
        self.assertTrue(rehearsed[2].eta)

    def test_an_account_that_rests_lets_it_go_on(self):
        """It begins with what the account has when nothing is used."""
        self._run_sql(sql_replies.rest, self.provider.id, 3600, "Enough", "Enough")
        self._rehearse()
        self._perform(self._jobs("_job_send")[0])
        self.assertEqual(len(self.sent), 1)

    def test_nobody_sees_the_copy_of_the_account(self):
        account = self._rehearse()
        for user in (self.user, self.env.ref("base.user_admin")):
            seen = self.env["mailing.provider"].with_user(user).search([])
            self.assertIn(self.provider, seen)
            self.assertNotIn(account, seen)
