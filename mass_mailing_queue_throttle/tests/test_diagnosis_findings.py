# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo.tests import tagged

from odoo.addons.mass_mailing_queue.tests.common_diagnosis import DiagnosisCase

from .. import sql_replies
from .common import ProviderCase


@tagged("-at_install", "post_install")
class TestDiagnosisFindings(DiagnosisCase, ProviderCase):
    """What Diagnose says of the account that a mailing leaves through."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.server.queue_provider_id
        cls.limit = cls.provider.limit_ids
        cls.provider.name = "Account"

    # ------------------------------------------------------------------
    # Limits
    # ------------------------------------------------------------------

    def _use(self, limit, messages):
        """Count so many messages against a limit of a day, now."""
        self._prepare()
        self.cr.execute(
            """
            UPDATE mailing_provider_bucket
               SET counts = ARRAY[%s], slot = floor(EXTRACT(EPOCH FROM now()) / 900)
             WHERE limit_id = %s
            """,
            [messages, limit.id],
        )

    def test_limits_and_how_far_they_are_used(self):
        self._use(self._add_limit(100, "day"), 38)
        found = self._found("Sending account Account: 9.5 a second.", 14)
        self.assertEqual(
            sorted(found["details"]),
            ["10 messages a second", "100 messages a rolling day: 38"],
        )

    def test_limits_that_nobody_confirmed(self):
        title = "Sending account Account: 9.5 a second."
        self.provider.confirmed = False
        self.assertEqual(
            self._found(title, 14)["advice"], "Its limits are not confirmed."
        )
        self.provider.confirmed = True
        self.assertEqual(self._found(title, 14)["advice"], "")

    def test_an_account_without_limits_has_none_to_show(self):
        self._found("Sending account Account", 14)
        self.limit.unlink()
        self._assert_absent("Sending account")

    def test_limits_are_not_what_holds_a_paused_account_back(self):
        """Of it there is one finding."""
        self.provider.action_pause()
        found = self._found("Sending account Account", 91)
        self.assertIn("Paused by", found["title"])

    def test_another_account_is_not_the_mailings(self):
        other = self._server("smtp.other.example.com").queue_provider_id
        other.name = "Other"
        self.assertTrue(other.limit_ids)
        self._assert_absent("Sending account Other")

    # ------------------------------------------------------------------
    # State
    # ------------------------------------------------------------------

    def _answered(self, statement, *args):
        self._prepare()
        self._run_sql(statement, self.provider.id, *args)

    def test_a_stopped_account(self):
        self._answered(sql_replies.stop, "535 Authentication failed")
        found = self._found("535 Authentication failed", 89)
        self.assertTrue(found["title"].startswith("Sending account Account: "))
        self.assertEqual(found["advice"], "Repair the account and resume it.")

    def test_a_resting_account(self):
        self._answered(sql_replies.rest, 3600, "Daily quota", "454 Daily quota")
        found = self._found("Daily quota", 84)
        self.assertIn("goes on by itself", found["advice"])
        self.assertRegex(found["details"][0], "^Until ")

    def test_a_slower_account(self):
        self._answered(sql_replies.slow_down, "454 Throttling failure")
        found = self._found("454 Throttling failure", 60)
        self.assertIn("becomes faster by itself", found["advice"])

    # ------------------------------------------------------------------
    # Channel
    # ------------------------------------------------------------------

    def test_a_channel_that_does_not_fit_comes_with_the_line_that_does(self):
        """It is the account's, and nothing is left to say once it is configured."""
        self.provider.capacity = 2
        name = self.provider.channel_id.complete_name
        self.assertTrue(name)
        self._configure("root:6,root.mail:6")
        title = f"Account: The account's channel {name} is not configured"
        found = self._found(title, 30)
        line = found["details"][0].partition("=")[2]
        self.assertTrue(line.startswith(f"root:6,root.mail:6,{name}:2"))
        self.assertEqual(found["advice"], self.provider.channel_advice)
        self.assertEqual(found["details"], [self.provider.channel_lines])
        self._configure(line)
        self._assert_absent("Account: The")

    def test_channel_and_account_get_the_same_advice(self):
        """Diagnose on what is too narrow for both: one line silences both."""
        self.provider.capacity = 2
        self._configure("root:1")
        first = self._found("Mailings may use only 1", 44)
        second = self._found("Account: The channel root lets only 1", 30)
        self.assertEqual(first["details"], second["details"])
        self._configure(first["details"][0].partition("=")[2])
        self._assert_absent("Mailings may")
        self._assert_absent("Account: The")
