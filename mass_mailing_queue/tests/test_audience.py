# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .. import sql_screens
from ..models import mailing_mailing_audience
from .common import QueueCase

LEFT_OUT = ("reached", "blacklisted", "opted_out", "duplicates", "invalid")


@tagged("-at_install", "post_install")
class TestAudience(QueueCase):
    """Before Send: whom it reaches, through what, and how long that takes."""

    def _audience(self):
        """Contacts of each kind; returns the mailing."""
        self._contacts(
            "a@example.com",
            "b@example.com",
            "B@example.com",
            "blocked@example.com",
            "gone@example.com",
            "gone@example.com",
            "not an address",
            "",
            False,
        )
        contacts = self.list.contact_ids
        contacts.filtered(
            lambda c: c.email == "gone@example.com"
        ).subscription_ids.write({"opt_out": True})
        # Not who stays on another of its lists.
        other = self.env["mailing.list"].create({"name": "Others"})
        stays = contacts.filtered(lambda c: c.email == "a@example.com")
        stays.subscription_ids.opt_out = True
        stays.list_ids += other
        self.env["mail.blacklist"]._add("blocked@example.com")
        return self._mailing(
            contact_list_ids=[(6, 0, (self.list | other).ids)]
        ).with_user(self.user)

    def _left_out(self, counts):
        return {name: counts[name] for name in LEFT_OUT if counts[name]}

    def test_it_counts_as_the_planner_decides(self):
        mailing = self._audience()
        counts = mailing._queue_count_audience()
        self.assertEqual(counts["audience"], 9)
        self.assertEqual(counts["recipients"], 2)
        self.assertEqual(
            self._left_out(counts),
            {"blacklisted": 1, "opted_out": 2, "duplicates": 1, "invalid": 3},
        )
        self.assertTrue(counts["judged"])
        self.assertFalse(counts["estimated"])
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        planned = self._traces(mailing).mapped(
            lambda trace: trace.failure_type or trace.trace_status
        )
        self.assertEqual(planned.count("outgoing"), counts["recipients"])
        self.assertEqual(planned.count("mail_bl"), counts["blacklisted"])
        self.assertEqual(planned.count("mail_optout"), counts["opted_out"])
        self.assertEqual(planned.count("mail_dup"), counts["duplicates"])
        self.assertEqual(
            planned.count("mail_email_missing") + planned.count("mail_email_invalid"),
            counts["invalid"],
        )

    def test_who_is_a_recipient_already_is_not_counted_again(self):
        self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing()
        mailing.action_launch()
        self._run_jobs()
        self._contacts("c@example.com")
        counts = mailing._queue_count_audience()
        self.assertEqual((counts["recipients"], counts["reached"]), (1, 2))

    def test_other_models_count_as_well(self):
        self.env["res.partner"].create(
            [{"name": "One", "email": "one@queue.example", "function": "tester"}] * 2
        )
        mailing = self._mailing(
            mailing_model_id=self.env["ir.model"]._get("res.partner").id,
            mailing_domain="[('function', '=', 'tester')]",
        )
        counts = mailing._queue_count_audience()
        self.assertEqual((counts["recipients"], counts["duplicates"]), (1, 1))

    def test_a_large_audience_is_estimated_and_says_so(self):
        self._contacts(*[f"c{number // 2}@example.com" for number in range(2_000)])
        mailing = self._mailing()
        with (
            patch.object(mailing_mailing_audience, "EXACT_UP_TO", 1_000),
            patch.object(mailing_mailing_audience, "SAMPLE", 500),
        ):
            counts = mailing._queue_count_audience()
        self.assertTrue(counts["estimated"])
        self.assertEqual(counts["audience"], 2_000)
        # Each address is there twice: drawing records would find few of these.
        self.assertEqual(counts["recipients"], counts["duplicates"])
        self.assertAlmostEqual(counts["recipients"], 1_000, delta=200)

    def test_a_test_reaches_its_share(self):
        self._contacts(*[f"c{number}@example.com" for number in range(20)])
        mailing = self._mailing(ab_testing_enabled=True, ab_testing_pc=10)
        counts = mailing._queue_count_audience()
        self.assertEqual((counts["recipients"], counts["estimated"]), (2, True))

    def test_nobody_is_loaded(self):
        """As many statements, and as few rows, for any audience."""
        self._contacts(*[f"c{number}@example.com" for number in range(3)])
        mailing = self._mailing()
        mailing._queue_count_audience()
        costs = []
        for more in (0, 50):
            self._contacts(*[f"m{number}@example.com" for number in range(more)])
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            mailing._queue_count_audience()
            costs.append(self.cr.sql_log_count - before)
            self.assertFalse(
                list(self.env["mailing.contact"]._fields["email"]._get_cache(self.env))
            )
        self.assertEqual(costs[0], costs[1])

    def test_send_asks_first_and_then_sends_once(self):
        self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing().with_user(self.user)
        action = mailing.with_context(mass_mailing_queue_ask=True).action_launch()
        self.assertEqual(mailing.state, "draft")
        wizard = self.env[action["res_model"]].with_user(self.user)
        wizard = wizard.browse(action["res_id"])
        self.assertEqual((wizard.recipients, wizard.left_out), (2, 0))
        self.assertEqual(wizard.server, "Server")
        for _press in range(2):
            wizard.with_context(mass_mailing_queue_ask=True).action_send()
        self._run_jobs()
        self.assertEqual(sorted(self.sent), ["a@example.com", "b@example.com"])

    def test_what_nobody_could_get_is_refused_before_it_asks(self):
        mailing = self._mailing().with_context(mass_mailing_queue_ask=True)
        with self.assertRaises(UserError):
            mailing.action_launch()

    def test_a_caller_cannot_make_the_dialog_say_something_else(self):
        self._contacts("a@example.com")
        mailing = self._mailing()
        wizard = self.env["mailing.queue.send"].create(
            {"mailing_id": mailing.id, "recipients": 99, "server": "Other"}
        )
        self.assertEqual((wizard.recipients, wizard.server), (1, "Server"))

    def test_it_is_for_those_who_may_send(self):
        self._contacts("a@example.com")
        mailing = self._mailing()
        other = new_test_user(self.env, "nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            self.env["mailing.queue.send"].with_user(other).create(
                {"mailing_id": mailing.id}
            )

    def test_the_dialog_is_for_a_mailing_and_for_who_opened_it(self):
        """Another marketer, who may send the same mailing, opens their own."""
        self._contacts("a@example.com")
        mailing = self._mailing()
        wizards = self.env["mailing.queue.send"].with_user(self.user)
        with self.assertRaises(UserError):
            wizards.create({})
        dialog = wizards.create({"mailing_id": mailing.id})
        self.assertEqual(dialog.read(["recipients"])[0]["recipients"], 1)
        other = new_test_user(
            self.env, "colleague", groups="mass_mailing.group_mass_mailing_user"
        )
        with self.assertRaises(AccessError):
            dialog.with_user(other).read(["recipients"])

    def test_the_last_large_campaign_tells_how_long_it_takes(self):
        self._contacts(*[f"c{number}@example.com" for number in range(4)])
        mailing = self._mailing()
        self.assertIsNone(sql_screens.usual_rate(self.cr, 4))
        mailing.action_launch()
        self._run_jobs()
        now = fields.Datetime.now().replace(second=0)
        # Two minutes at work, with a pause of an hour between them.
        for trace, minutes in zip(self._traces(mailing), (0, 0, 60, 60), strict=True):
            trace.sent_datetime = fields.Datetime.subtract(now, minutes=minutes)
        self.env.flush_all()
        self.assertAlmostEqual(sql_screens.usual_rate(self.cr, 4), 2 / 60)
        self.assertIsNone(sql_screens.usual_rate(self.cr, 5), "too small to tell")
        with patch.object(mailing_mailing_audience, "TELLING_SIZE", 4):
            self.assertGreaterEqual(mailing._queue_expected_seconds(100), 3_000)
            dialog = self.env["mailing.queue.send"].create(
                {"mailing_id": self._mailing().id}
            )
        self.assertEqual(dialog.duration, "2 minutes")
        self.assertAlmostEqual(
            (dialog.ends_at - fields.Datetime.now()).total_seconds(), 120, delta=30
        )
