# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import tagged
from odoo.tools import config, format_datetime

from odoo.addons.mass_mailing_queue.sql_runner import RUNNER_LOCK

from .. import sql_replies
from .common import ProviderCase


@tagged("-at_install", "post_install")
class TestProviderLive(ProviderCase):
    """What a person sees of an account."""

    def setUp(self):
        super().setUp()
        self._prepare()

    def _use(self, limit, messages):
        """Count so many messages against a limit, now."""
        self._prepare()
        self.env.cr.execute(
            """
            UPDATE mailing_provider_bucket SET counts = ARRAY[%s],
                   slot = CASE %s WHEN 'month' THEN EXTRACT(EPOCH FROM
                               date_trunc('month', now() AT TIME ZONE 'utc'))
                          WHEN 'day' THEN floor(EXTRACT(EPOCH FROM now()) / 900)
                          ELSE floor(EXTRACT(EPOCH FROM now()) / 60) END
             WHERE limit_id = %s
            """,
            [messages, limit.period, limit.id],
        )
        self.env.invalidate_all()

    def _hours_until(self, moment):
        return (moment - fields.Datetime.now()).total_seconds() / 3600

    def test_account_runs_at_its_rate(self):
        self.assertEqual(self.provider.state, "running")
        self.assertEqual(self.provider.configured_rate, "9.5 a second")
        self.assertEqual(self.provider.effective_rate, "9.5 a second")
        self.assertEqual(self.provider.binding, "10 messages a second")
        self.assertFalse(self.provider.recovers_at)
        self.assertFalse(self.provider.can_resume)

    def test_tightest_rate_is_shown(self):
        """Of the account's, and of a domain's own only for that domain."""
        self._add_limit(60, "minute")
        self._add_limit(6, "minute", scope="domain", domain="slow.example.com")
        self.assertEqual(self.provider.configured_rate, "57 a minute")
        self.assertEqual(self.provider.binding, "60 messages a minute")
        self.assertAlmostEqual(
            self.provider._effective_rate("slow.example.com"), 6 * 0.95 / 60
        )
        self.assertAlmostEqual(self.provider._effective_rate("fast.example.com"), 0.95)

    def test_account_without_rates_is_unlimited(self):
        self.limit.unlink()
        self.assertEqual(self.provider.effective_rate, "unlimited")
        self.assertFalse(self.provider.binding)
        self.assertFalse(self.provider._seconds_for(100))

    def test_an_account_that_is_gone_has_no_state(self):
        """A process may have its number cached."""
        gone = self.provider.copy()
        gone_id = gone.id
        gone.unlink()
        account = self.provider.browse(gone_id)
        self.assertEqual(account._live(), {})
        self.assertEqual(account._effective_rate(), 0.0)

    def test_slower_account_says_why_and_until_when(self):
        self._run_sql(sql_replies.slow_down, self.provider.id, "454 Throttling failure")
        self.assertEqual(self.provider.state, "reduced")
        self.assertEqual(self.provider.state_reason, "454 Throttling failure")
        self.assertEqual(self.provider.last_reply, "454 Throttling failure")
        self.assertTrue(self.provider.last_reply_at)
        self.assertEqual(self.provider.effective_rate, "4.75 a second")
        self.assertEqual(self.provider.configured_rate, "9.5 a second")
        self.assertEqual(self.provider.binding, "The provider's replies")
        # 1.1 ** 8 > 2: eight steps of a minute.
        self.assertAlmostEqual(
            self._hours_until(self.provider.recovers_at), 8 / 60, delta=0.01
        )
        self.assertEqual(self.provider._describe_wait().count("454"), 1)

    def test_rate_that_recovered_long_ago_is_no_longer_reduced(self):
        """Also where no rate is configured."""
        self._run_sql(sql_replies.slow_down, self.provider.id, "454 Throttling failure")
        self.env.cr.execute(
            "UPDATE mailing_provider_state SET reduced_at = reduced_at - 86400"
        )
        self.env.invalidate_all()
        self.assertEqual(self.provider.state, "running")
        self.limit.unlink()
        self.assertEqual(self.provider.state, "running")
        self.assertEqual(self.provider.effective_rate, "unlimited")

    def test_account_with_fewer_senders_says_so(self):
        self._run_sql(
            sql_replies.fewer_senders, self.provider.id, "421 Too many connections"
        )
        self.assertEqual(self.provider.state, "reduced")
        self.assertEqual(self.provider.capacity_now, self.provider.capacity - 1)
        self.assertAlmostEqual(
            self._hours_until(self.provider.recovers_at), 5 / 60, delta=0.01
        )

    def test_resting_account_says_until_when(self):
        self._run_sql(
            sql_replies.rest, self.provider.id, 3600, "Daily quota", "454 Daily quota"
        )
        self.assertEqual(self.provider.state, "resting")
        self.assertEqual(self.provider.effective_rate, "nothing now")
        self.assertAlmostEqual(
            self._hours_until(self.provider.recovers_at), 1, delta=0.01
        )
        self.assertTrue(self.provider.can_resume)
        self.provider.action_resume()
        self._committed()
        self.assertEqual(self.provider.state, "running")

    def test_stopped_account_needs_a_person(self):
        self._run_sql(sql_replies.stop, self.provider.id, "535 Authentication failed")
        self.assertEqual(self.provider.state, "stopped")
        self.assertEqual(self.provider.state_reason, "535 Authentication failed")
        self.provider._tell_stopped()
        self.provider._tell_stopped()
        activity = self.provider.activity_ids
        self.assertEqual(len(activity), 1, "once a stop")
        self.assertEqual(activity.user_id, self.provider.user_id)
        self.assertIn("535 Authentication failed", activity.note)
        self.provider.action_resume()
        self._committed()
        self.assertEqual(self.provider.state, "running")

    def test_a_stop_is_told_once_in_whatever_languages_it_is_met(self):
        """And a person's own reminder does not stand for it."""
        self.env["res.lang"]._activate_lang("fr_FR")
        self._run_sql(sql_replies.stop, self.provider.id, "535 Authentication failed")
        mine = self.provider.activity_schedule(
            "mail.mail_activity_data_todo", summary="Call them", automated=False
        )
        self.provider._tell_stopped()
        self.provider.with_context(lang="fr_FR")._tell_stopped()
        self.assertEqual(len(self.provider.activity_ids - mine), 1)

    def test_numbers_are_in_the_language_of_the_user(self):
        self.env["res.lang"]._activate_lang("de_DE")
        limit = self._add_limit(2_000_000.5, "minute")
        day = self._add_limit(20_000, "day")
        self._use(day, 1_234)
        german = self.provider.with_context(lang="de_DE")
        self.assertEqual(limit.display_name, "2,000,000.5 messages a minute")
        self.assertTrue(
            limit.with_context(lang="de_DE").display_name.startswith("2.000.000,5 ")
        )
        self.assertTrue(self.provider.quota_label.startswith("1,234 of 19,000 "))
        self.assertRegex(german.quota_label, r"^1\.234 \w+ 19\.000 ")
        self.assertEqual(self.provider.effective_rate, "9.5 a second")
        self.assertTrue(german.effective_rate.startswith("9,5 "))
        self.assertEqual(self.provider._format_rate(100_000), "1e+05 a second")

    def test_quota_that_is_used_up_says_when_it_opens(self):
        limit = self._add_limit(100, "day")
        self._use(limit, 38)
        self.assertEqual(self.provider.state, "running")
        self.assertEqual(self.provider.quota_percent, 40)
        self.assertEqual(self.provider.quota_label, "38 of 95 messages a rolling day")
        self._use(limit, 95)
        self.assertEqual(self.provider.state, "resting")
        self.assertEqual(self.provider.binding, "100 messages a rolling day")
        self.assertAlmostEqual(
            self._hours_until(self.provider.recovers_at), 24.25, delta=0.3
        )
        self.assertFalse(self.provider.can_resume, "only time opens it")

    def test_diagnosis_says_until_when_by_the_users_clock(self):
        self.env.user.tz = "Asia/Tokyo"
        self._use(self._add_limit(100, "day"), 95)
        finding = self.env["mailing.queue.diagnosis"]._describe_account(self.provider)
        opens = format_datetime(self.env, self.provider.recovers_at, tz="Asia/Tokyo")
        self.assertEqual(finding["details"], [f"Until {opens}"])

    def test_month_that_is_used_up_opens_with_the_next(self):
        self._use(self._add_limit(100, "month"), 95)
        self.assertEqual(self.provider.state, "resting")
        opens = fields.Datetime.to_datetime(self.provider.recovers_at)
        self.assertEqual((opens.day, opens.hour, opens.minute), (1, 0, 0))
        self.assertTrue(0 < self._hours_until(opens) <= 31 * 24)

    def test_the_quota_nearest_to_its_end_is_shown(self):
        self._add_limit(1000, "month")
        day = self._add_limit(100, "day")
        self._use(day, 10)
        self.assertIn("10 of 95", self.provider.quota_label)

    def test_paused_account_says_who(self):
        self.provider.action_pause()
        self.assertEqual(self.provider.state, "paused")
        self.assertIn(self.env.user.name, self.provider.state_reason)
        self.assertEqual(self.provider.effective_rate, "nothing now")

    def test_duration_follows_the_tighter_of_rate_and_quota(self):
        mailing = self._mailing()

        def describe(recipients):
            seconds = mailing._queue_expected_seconds(recipients)
            return seconds and mailing._queue_describe_seconds(seconds)

        self.assertEqual(describe(100), "less than a minute")
        self.assertEqual(describe(5700), "10 minutes")
        self.assertEqual(describe(9.5 * 9000), "2 h 30 min")
        self._add_limit(1000, "day")
        self.assertEqual(describe(900), "2 minutes", "within the day")
        self.assertEqual(describe(950 * 5), "4.0 days", "the first part goes at once")
        self.assertFalse(describe(0))

    def test_mailing_says_how_long_it_takes_and_what_it_waits_for(self):
        self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing()
        mailing.action_launch()
        # As a job runner does.
        self.cr.execute("SELECT pg_advisory_xact_lock(%s)", [RUNNER_LOCK])
        self._perform(self._jobs("_job_plan"))
        (row,) = mailing.queue_progress(waits=True)
        self.assertEqual(row["waits_for"], f"{self.provider.name}: 9.5 a second")
        self.assertAlmostEqual(row["seconds_left"], 2 / 9.5)
        self.assertEqual(self.provider.queue_depth, 2)
        self.assertEqual(self.provider.mailing_count, 1)
        self.assertEqual(
            self.env["mailing.mailing"].search(
                self.provider.action_view_mailings()["domain"]
            ),
            mailing,
        )
        self.provider.action_pause()
        marketer = mailing.with_user(self.user)
        # Each look is a request of its own.
        self.env.flush_all()
        self.env.invalidate_all()
        (row,) = marketer.queue_progress(waits=True)
        self.assertEqual(
            row["waits_for"], f"{self.provider.name}: Paused by {self.env.user.name}."
        )
        self.assertEqual(marketer.queue_provider_id.queue_depth, 2)
        with self.assertRaises(AccessError):
            marketer.read(["queue_account"])

    def test_messages_of_the_last_whole_minute_are_shown(self):
        minute = fields.Datetime.now().replace(second=0, microsecond=0)
        for ago, kind, messages in (
            (0, "sent", 1),
            (1, "sent", 20),
            (1, "other", 3),
            (1, "rate", 100),
            (2, "sent", 400),
        ):
            self.env["mailing.provider.stat"].create(
                {
                    "provider_id": self.provider.id,
                    "minute": minute - timedelta(minutes=ago),
                    "kind": kind,
                    "messages": messages,
                }
            )
        self.assertEqual(self.provider.messages_per_minute, 23)
        stats = self.env["mailing.provider.stat"].with_context(tz="Asia/Tokyo")
        groups = stats.with_user(self.user)._read_group(
            [("provider_id", "=", self.provider.id)], ["clock"], ["messages:sum"]
        )
        self.assertEqual([count for _clock, count in sorted(groups)], [400, 123, 1])
        shown = {stat.clock for stat in stats.search([])}
        self.assertLessEqual({clock for clock, _count in groups}, shown)

    def test_statistics_are_kept_for_a_month(self):
        stats = self.env["mailing.provider.stat"]
        old, new = stats.create(
            [
                {
                    "provider_id": self.provider.id,
                    "minute": fields.Datetime.now() - timedelta(days=days),
                    "kind": "sent",
                    "messages": 1,
                }
                for days in (40, 20)
            ]
        )
        stats._gc_old()
        self.assertFalse(old.exists())
        self.assertTrue(new.exists())

    def test_channel_that_does_not_fit_comes_with_the_line_that_does(self):
        name = self.provider.channel_id.complete_name
        self.provider.capacity = 5
        for channels, hint, line in (
            (
                "root:8,root.mail:7",
                "not configured, so 7 of its jobs",
                f"root:8,root.mail:7,{name}:5",
            ),
            ("root:1", "channel root lets only 1", "root:6,root.mail:6,{name}:5"),
            (
                f"root:6,{name}:7,root.other:1",
                f"channel {name} lets 6 jobs run",
                f"root:6,{name}:5,root.other:1",
            ),
            (
                f"root:6,{name}:2",
                f"channel {name} lets only 2",
                f"root:6,{name}:5",
            ),
            (
                f"root:3,{name}:5",
                "channel root lets only 3",
                f"root:6,{name}:5,root.mail:6",
            ),
            (
                f"root:8, mail:3:throttle=1\n{name}:5,root.other:1",
                "channel root.mail lets only 3",
                f"root:8,root.mail:5:throttle=1,{name}:5,root.other:1",
            ),
        ):
            with self.subTest(channels=channels):
                line = line.replace("{name}", name)
                self._configure(channels)
                self.assertIn(hint, self.provider.channel_hint)
                self.assertIn("environment variable", self.provider.channel_advice)
                self.assertEqual(
                    self.provider.channel_lines, f"ODOO_QUEUE_JOB_CHANNELS={line}"
                )
                self._configure(line)
                self.assertFalse(self.provider.channel_hint, "once it is configured")

    def test_channel_that_fits_is_left_alone(self):
        """No more than the workers, the account, or somebody who chose allow."""
        name = self.provider.channel_id.complete_name
        self.provider.capacity = 5
        for channels, workers in (
            ("root:2,root.mail:2", 4),
            (f"root:2,root.mail:2,{name}:5", 4),
            (f"root:2,root.mail:2,{name}:9", 4),
            ("root:5,root.mail:5", 7),
            (f"root:6,root.mail:6,{name}:1:sequential", 8),
            ("root:1", 0),
        ):
            with self.subTest(channels=channels, workers=workers):
                self._configure(channels, workers)
                self.assertFalse(self.provider.channel_hint)
                self.assertFalse(self.provider.channel_lines)

    def test_a_channel_may_be_another_databases_too(self):
        """One that is wider than this account needs is not narrowed then."""
        name = self.provider.channel_id.complete_name
        self.provider.capacity = 3
        self._configure(f"root:6,root.mail:6,{name}:5")
        self.assertTrue(self.provider.channel_hint)
        with patch.dict(config.options, {"db_name": ["one", "two"]}):
            self._configure(f"root:6,root.mail:6,{name}:5")
            self.assertFalse(self.provider.channel_hint)
            self._configure(f"root:6,root.mail:6,{name}:2")
            self.assertTrue(self.provider.channel_hint)

    def test_accounts_are_advised_together(self):
        """What suits one does not take the other's channel away."""
        other = self._server("smtp.other.example.com").queue_provider_id
        self.provider.capacity, other.capacity = 3, 2
        self._configure("root:1")
        self.assertTrue(self.provider.channel_hint and other.channel_hint)
        self.assertEqual(self.provider.channel_lines, other.channel_lines)
        self._configure(self.provider.channel_lines.partition("=")[2])
        self.assertFalse(self.provider.channel_hint or other.channel_hint)

    def test_senders_are_as_many_as_channels_let_through(self):
        self.provider.capacity = 5
        for channels, senders in (
            ("root:8", 5),
            ("root:8,root.mail:3", 3),
            ("root:0", 5),
        ):
            self._configure(channels)
            self.assertEqual(self.provider._parallel_senders(), senders, channels)

    def test_views_that_people_open_load(self):
        for model in ("mailing.provider", "mailing.provider.stat"):
            for action in self.env["ir.actions.act_window"].search(
                [("res_model", "=", model)]
            ):
                for view in action.view_mode.split(","):
                    self.env[model].with_user(self.user).get_view(view_type=view)
        self.assertEqual(
            self.provider.action_view_statistics()["context"][
                "search_default_provider_id"
            ],
            self.provider.id,
        )
