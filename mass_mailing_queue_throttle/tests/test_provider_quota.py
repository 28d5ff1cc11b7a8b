# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged

from .. import quotas, sql_counts
from .common import ProviderCase


@tagged("-at_install", "post_install")
class TestProviderQuota(ProviderCase):
    """What the provider's interface says becomes the account's limits."""

    def setUp(self):
        super().setUp()
        self.ses = self._server("email-smtp.eu-west-1.amazonaws.com").queue_provider_id
        self.ses.write(
            {
                "api_key_id": " AKIA ",
                "api_secret": "secret-word",
                "api_region": "eu-west-1",
            }
        )
        self.asked = []
        self.answer = quotas.Quota(
            rate=50,
            day=100_000,
            day_used=1_234,
            details={"bounces": 7.0, "standing": "HEALTHY"},
        )
        self.startPatcher(patch.dict(quotas.READERS, {"ses": self._read}))

    def _read(self, credentials):
        self.asked.append(credentials)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def _figures(self):
        return sorted(
            (limit.period, limit.unit, limit.amount, limit.origin)
            for limit in self.ses.limit_ids
        )

    def test_answer_becomes_limits_with_margin(self):
        self.assertEqual(self.ses.quota_api, "ses", "the preset says whom to ask")
        notice = self.ses.action_read_quota()
        self.assertEqual(notice["params"]["type"], "success")
        self.assertEqual(
            self.asked,
            [quotas.Credentials("AKIA", "secret-word", "eu-west-1", "")],
        )
        self.assertEqual(
            self._figures(),
            [("day", "recipient", 100_000, "api"), ("second", "recipient", 50, "api")],
        )
        self.assertEqual(sorted(self.ses.limit_ids.mapped("effective")), [47.5, 95_000])
        self.assertTrue(self.ses.quota_checked_at)
        self.assertFalse(self.ses.quota_error)
        self.assertIn("1,234 / 100,000", self.ses.quota_details)
        self.assertIn("Bounces, last 24 hours: 7", self.ses.quota_details)

    def test_next_answer_replaces_the_one_before(self):
        self.ses.action_read_quota()
        self.answer = quotas.Quota(rate=80.0005, month=5_000)
        self.ses.action_read_quota()
        self.assertEqual(
            self._figures(),
            [("month", "recipient", 5_000, "api"), ("second", "recipient", 80, "api")],
            "what is not told any more holds no more, and nothing is rounded up",
        )
        self.assertFalse(self.ses.quota_details)

    def test_lower_limit_of_a_person_stays(self):
        """It was set on purpose; a higher one is more than the provider takes."""
        rate = self.ses.limit_ids
        rate.amount = 20
        day = self._add_limit(200_000, "day", self.ses, unit="recipient")
        self.ses.action_read_quota()
        self.assertEqual((rate.amount, rate.origin), (20, "user"))
        self.assertEqual((day.amount, day.origin), (100_000, "api"))

    def test_guess_in_another_unit_makes_way(self):
        self.ses.limit_ids.write({"unit": "message", "origin": "own"})
        self.ses.action_read_quota()
        self.assertIn(("second", "recipient", 50, "api"), self._figures())
        self.assertEqual(len(self.ses.limit_ids), 2)

    def test_limits_of_domains_and_warm_ups_stay(self):
        domain = self._add_limit(3, provider=self.ses, unit="recipient", scope="domain")
        ramp = self._add_limit(9, "day", self.ses, unit="recipient", ramp="sparkpost")
        self.ses.action_read_quota()
        self.assertEqual((domain.amount, ramp.amount), (3, 9))
        self.assertEqual(len(self.ses.limit_ids), 4)

    def test_failure_changes_nothing_and_says_so(self):
        self.ses.action_read_quota()
        before = self._figures()
        checked, details = self.ses.quota_checked_at, self.ses.quota_details
        self.answer = quotas.QuotaError("Amazon SES did not answer in time.")
        notice = self.ses.action_read_quota()
        self.assertEqual(notice["params"]["type"], "danger")
        self.assertEqual(notice["params"]["message"], str(self.answer))
        self.assertEqual(self.ses.quota_error, str(self.answer))
        self.assertEqual(self._figures(), before)
        self.assertEqual(self.ses.quota_checked_at, checked)
        self.assertEqual(self.ses.quota_details, details)
        self.assertEqual(self.ses.state, "running")
        self.answer = quotas.Quota(rate=50)
        self.ses.action_read_quota()
        self.assertFalse(self.ses.quota_error)

    def test_reader_that_breaks_gives_no_secret_away(self):
        self.answer = ValueError("secret-word in https://api.example.com")
        with self.assertLogs("odoo.addons.mass_mailing_queue_throttle") as logs:
            self.ses.action_read_quota()
        self.assertEqual(self.ses.quota_error, "The quota could not be read.")
        self.assertNotIn("secret-word", "".join(logs.output))
        self.assertIn("ValueError", "".join(logs.output))

    def test_credentials_are_not_shown_in_the_chatter(self):
        self.ses.with_context(tracking_disable=False).write(
            {"api_secret": "other-word"}
        )
        self.ses.action_read_quota()
        text = "".join(self.ses.message_ids.mapped(lambda one: str(one.body)))
        self.assertNotIn("other-word", text)
        self.assertFalse(self.ses._fields["api_secret"].copy)

    def test_account_that_may_not_send_stops_and_a_person_is_told(self):
        self.ses.action_read_quota()
        before = self._figures()
        self.answer = quotas.Quota(
            rate=0, day=0, sending=False, problem="Amazon has shut the account down."
        )
        self.ses.action_read_quota()
        self._committed()
        self.assertEqual(self.ses.state, "stopped")
        self.assertEqual(self.ses.quota_problem, "Amazon has shut the account down.")
        self.assertIn("shut the account down", self.ses.activity_ids.note)
        self.assertEqual(self._figures(), before, "0 is no limit")

    def test_amount_beyond_belief_is_cut(self):
        self.answer = quotas.Quota(month=9_000_000_000)
        self.ses.action_read_quota()
        self.assertIn(("month", "recipient", 1_000_000_000, "api"), self._figures())

    def test_account_without_an_interface_says_so(self):
        self.assertFalse(self.provider.quota_api)
        with self.assertRaisesRegex(UserError, "Choose first"):
            self.provider.action_read_quota()

    def test_scheduled_action_asks_where_there_are_credentials(self):
        """A failure of one account is not the others' matter."""
        other = self._server("email-smtp.eu-north-1.amazonaws.com").queue_provider_id
        self.env["mailing.provider"]._cron_hourly()
        self.assertEqual(len(self.asked), 1, "the other one has no key")
        other.api_secret = "x"
        self.answer = quotas.QuotaError("No answer.")
        self.env["mailing.provider"]._cron_hourly()
        self.assertEqual(len(self.asked), 3)
        self.assertEqual(self.ses.quota_error, "No answer.")
        self.assertEqual(other.quota_error, "No answer.")

    def test_scheduled_action_counts_other_mail(self):
        """Without a campaign, too."""
        limit = self._add_limit(100, "day")
        self._run_sql(sql_counts.tally, self.provider.id, "example.org", 3, 5)
        self._run_sql(sql_counts.tally, self.provider.id, "example.com", 1, 1)
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self.env.invalidate_all()
        self.assertEqual(self.provider._usage(), [(limit, 4)])
        stat = self.env["mailing.provider.stat"].search(
            [("provider_id", "=", self.provider.id)]
        )
        self.assertEqual((stat.kind, stat.messages), ("other", 4))
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self.env.invalidate_all()
        self.assertEqual(self.provider._usage(), [(limit, 4)], "once")
