# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import smtplib
import time
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.mass_mailing_queue import sql as queue_sql
from odoo.addons.mass_mailing_queue.exceptions import DeliveryPostponed
from odoo.addons.mass_mailing_queue.ledger import Ledger
from odoo.addons.mass_mailing_queue.tests.common import refused, wrapped

from .. import limiter, sql, sql_counts, sql_screens
from .common import ProviderCase


@tagged("-at_install", "post_install")
class TestLimiter(ProviderCase):
    """What limits and replies do to a campaign under way."""

    def setUp(self):
        super().setUp()
        self._contacts(*[f"c{number}@example.com" for number in range(4)])
        self.mailing = self._mailing()
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        self.traces = self._traces(self.mailing)
        self.jobs = self._jobs("_job_send")

    def _live(self):
        return self._run_sql(sql_screens.account, self.provider.id)["live"]

    def _refuse(self, code, text):
        for trace in self.traces:
            self.replies[trace.email] = refused(trace.email, code, text)

    def _nobody_pays(self):
        self.assertEqual(set(self.traces.mapped("trace_status")), {"outgoing"})
        self.assertEqual(set(self.traces.mapped("queue_attempts")), {0})

    def test_locks_are_nobody_elses(self):
        """Who waits for a seat does not keep an A/B test from being planned."""
        locks = [
            number
            for module in (queue_sql, sql)
            for name, number in vars(module).items()
            if name.startswith("LOCK_")
        ]
        self.assertEqual(len(locks), len(set(locks)), locks)

    def test_jobs_run_in_the_accounts_channel(self):
        channel = self.provider.channel_id.complete_name
        self.assertEqual(set(self.jobs.mapped("channel")), {channel})

    def test_each_message_takes_a_turn(self):
        self._run_jobs()
        self.cr.execute(
            "SELECT taken FROM mailing_provider_state WHERE provider_id = %s",
            self.provider.ids,
        )
        self.assertEqual(self.cr.fetchone(), (4,))
        self.assertEqual(len(self.sent), 4)
        self.assertFalse(self.env["mailing.provider.tally"].search_count([]))

    def test_a_turn_that_comes_too_late_is_left_to_others(self):
        """A job whose time is over takes none, which it could not use."""
        until, postponed = time.monotonic() - 0.01, None
        with Ledger(self.env) as ledger:
            turns = limiter.Limiter(self.env, ledger, self.mailing.id)
            try:
                turns.wait_turn(self.provider.id, "example.com", 1, 1, until)
            except DeliveryPostponed as why:
                # ``assertRaises`` would roll back what was taken.
                postponed = why
            turns.close()
        self.assertTrue(postponed)
        self.cr.execute(
            "SELECT taken FROM mailing_provider_state WHERE provider_id = %s",
            self.provider.ids,
        )
        self.assertEqual(self.cr.fetchone(), (0,))

    def test_a_limit_that_is_reached_postpones_all_jobs(self):
        self.provider.margin = 0
        self._add_limit(2, "day")
        for job in self.jobs[:2]:
            self._perform(job)
        # However far it is, they look again from time to time.
        seconds = self._postponed(self.jobs[2]).seconds
        self.assertEqual(seconds, limiter.LOOK_AGAIN)
        self.assertGreater(
            self.jobs[3].eta, fields.Datetime.now() + timedelta(seconds=seconds - 60)
        )
        self.assertEqual(self.provider.state, "resting")
        self.assertEqual(len(self.sent), 2)
        self.assertEqual(self.traces[2:].mapped("queue_attempts"), [0, 0])

    def test_a_domains_limit_keeps_only_its_own_mailings(self):
        self._add_limit(1, "day", scope="domain", domain="example.org")
        other = self._mailing(email_from="news@example.net")
        other.action_launch()
        self._perform(self._jobs("_job_plan"))
        elsewhere = self._jobs("_job_send").filtered(
            lambda job: job.mailing_id == other.id
        )
        self._perform(self.jobs[0])
        self._postponed(self.jobs[1])
        self.assertTrue(self.jobs[2].eta)
        self.assertFalse(any(elsewhere.mapped("eta")))
        self._perform(elsewhere[0])
        self.assertEqual(len(self.sent), 2)

    def test_jobs_follow_a_server_to_another_account(self):
        provider = self.env["mailing.provider"].create({"name": "Another"})
        self.jobs.eta = "2099-01-01"
        self.server.queue_provider_id = provider
        self._committed()
        self.assertEqual(
            set(self.jobs.mapped("channel")), {provider.channel_id.complete_name}
        )
        self.assertFalse(any(self.jobs.mapped("eta")))

    def test_a_server_that_is_archived_is_not_its_accounts_fault(self):
        self.patch(
            type(self.server),
            "_connect__",
            lambda *_args, **_kwargs: (_ for _ in ()).throw(UserError("archived")),
        )
        self._perform(self.jobs[0])
        self._perform(self._jobs("_job_pause"))
        self.assertIn("archived", self.mailing.queue_pause_reason)
        self.assertEqual(self.provider.state, "running")

    def test_an_account_that_is_gone_is_not_free(self):
        self.cr.execute("DELETE FROM mailing_provider_state")
        with patch.object(sql, "ensure"):
            self.assertEqual(self._postponed(self.jobs[0]).seconds, 60)
        self.assertFalse(self.sent)

    def test_a_person_who_changes_a_limit_calls_the_jobs_back(self):
        self.provider.margin = 0
        self._add_limit(2, "day")
        for job in self.jobs[:2]:
            self._perform(job)
        self._postponed(self.jobs[2])
        self.provider.limit_ids.filtered(lambda one: one.period == "day").unlink()
        self._committed()
        self.assertFalse(self.jobs[3].eta)
        self._perform(self.jobs[2])
        self.assertEqual(len(self.sent), 3)

    def test_a_paused_account_sends_nothing(self):
        self.provider.action_pause()
        self._postponed(self.jobs[0])
        self.assertTrue(self.jobs[1].eta)
        self._nobody_pays()
        self.provider.action_resume()
        self._committed()
        self._perform(self.jobs[0])
        self.assertEqual(len(self.sent), 1)

    def test_slow_down_lowers_the_rate_and_costs_nobody(self):
        self._refuse(454, b"Throttling failure: Maximum sending rate exceeded")
        self._postponed(self.jobs[0])
        self._nobody_pays()
        self.assertLess(self._live()["rate"], 10)
        self.assertEqual(self.provider.state, "reduced")
        self.assertIn("Throttling", self.provider.last_reply)

    def test_a_used_up_quota_rests_until_the_stated_time(self):
        until = fields.Datetime.now() + timedelta(hours=5)
        stamp = until.strftime("%a, %d %b %Y %H:%M:%S UTC").encode()
        self._refuse(
            421,
            b"Domain example.org is not allowed to send: recipient limit exceeded, "
            b"try again after " + stamp,
        )
        self._postponed(self.jobs[0])
        self.assertAlmostEqual(self._live()["rest"], 5 * 3_600, delta=60)
        self._nobody_pays()
        self.assertEqual(self.provider.state, "resting")
        self.assertAlmostEqual(
            self.provider.recovers_at, until, delta=timedelta(minutes=2)
        )
        self.assertTrue(self.jobs[1].eta)

    def test_a_daily_quota_rests_for_hours_though_it_looks_permanent(self):
        self._refuse(550, b"5.4.5 Daily user sending limit exceeded")
        self._postponed(self.jobs[0])
        self.assertGreaterEqual(self._live()["rest"], 3_599)
        self._nobody_pays()

    def test_a_short_stated_wait_is_waited_in_place(self):
        """It lowers the rate, and sends nobody's job away for a minute."""
        self._refuse(451, b"4.7.1 Rate limit exceeded, retry-after: 20")
        self.assertLess(self._postponed(self.jobs[0]).seconds, 1)
        self.assertFalse(self.jobs[1].eta)
        live = self._live()
        self.assertTrue(15 < live["rest"] <= 20, live["rest"])
        self.assertLess(live["rate"], 10)
        self._nobody_pays()

    def test_a_stated_wait_below_a_minute_costs_no_minute(self):
        self._refuse(451, b"4.7.1 Rate limit exceeded, try again in 45 seconds")
        seconds = self._postponed(self.jobs[0]).seconds
        self.assertTrue(40 < seconds <= 45, seconds)
        self.assertTrue(self.jobs[1].eta)
        self.assertLessEqual(self._live()["rest"], 45)

    def test_a_quota_that_says_seconds_rests_for_seconds(self):
        self._refuse(451, b"4.7.1 Hourly limit reached. Retry-After: 1")
        self._postponed(self.jobs[0])
        self.assertLessEqual(self._live()["rest"], 1)

    def test_too_many_connections_wait_as_long_as_stated(self):
        self._refuse(421, b"Too many connections, try again in 25 seconds")
        seconds = self._postponed(self.jobs[0]).seconds
        self.assertTrue(20 < seconds <= 25, seconds)
        self.assertEqual(self._live()["capacity"], self.provider.capacity - 1)
        self.assertEqual(self._live()["rest"], 0, "the other connections go on")

    def test_too_many_connections_means_fewer_senders(self):
        self._refuse(421, b"Too many concurrent SMTP connections")
        self.assertLess(self._postponed(self.jobs[0]).seconds, 60)
        self.assertEqual(self._live()["capacity"], self.provider.capacity - 1)
        self._nobody_pays()

    def _break(self):
        """Have the provider refuse the account, and the mailing paused for it."""
        broken = wrapped(
            smtplib.SMTPSenderRefused(
                554, b"Sending paused for this account. <ours>", "me"
            )
        )
        for trace in self.traces:
            self.replies[trace.email] = broken
        self._perform(self.jobs[0])
        self._perform(self._jobs("_job_pause")[-1])

    def test_a_refused_account_stops_and_a_person_is_told_once(self):
        self._break()
        self.assertEqual(self.provider.state, "stopped")
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(len(self.provider.activity_ids), 1)
        self.assertIn("&lt;ours&gt;", self.provider.activity_ids.note)
        other = self._mailing()
        other.action_launch()
        self._perform(self._jobs("_job_plan"))
        self.replies.clear()
        self._perform(self._jobs("_job_send")[-1])
        self._perform(self._jobs("_job_pause")[-1])
        self.assertTrue(other.queue_paused, "the same account")
        self.assertEqual(len(self.provider.activity_ids), 1)
        self.assertFalse(self.sent)

    def test_a_refused_sender_stops_its_mailing_only(self):
        self.replies[self.traces[0].email] = wrapped(
            smtplib.SMTPSenderRefused(553, b"5.7.1 not owned by user", "me")
        )
        self._perform(self.jobs[0])
        self._perform(self._jobs("_job_pause"))
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(self.provider.state, "running")

    def test_resuming_a_mailing_lets_its_account_try(self):
        self._break()
        self.replies.clear()
        self.mailing.with_user(self.user).action_queue_resume()
        self._committed()
        self._run_jobs()
        self.assertEqual(len(self.sent), 4)
        self.assertEqual(self.provider.state, "running")

    def test_another_campaign_does_not_end_a_rest(self):
        self._refuse(550, b"5.4.5 Daily user sending limit exceeded")
        self._postponed(self.jobs[0])
        other = self._mailing()
        other.action_launch()
        other.action_queue_pause()
        other.action_queue_resume()
        self._committed()
        self.assertEqual(self.provider.state, "resting")

    def test_a_connection_is_used_for_so_many_messages(self):
        self.provider.messages_per_connection = 2
        connects = []
        connect = type(self.server)._connect__
        self.patch(
            type(self.server),
            "_connect__",
            lambda *args, **kwargs: connects.append(1) or connect(*args, **kwargs),
        )
        self._run_jobs()
        self.assertEqual((len(self.sent), len(connects)), (4, 2))

    def test_jobs_under_a_limit_carry_what_they_can_send(self):
        self._configure("root:9,root.mail:8")
        self.mailing.queue_recipients = 50_000
        self.provider.capacity = 4
        self.limit.amount = 2
        self.assertEqual(self.mailing._queue_job_size(), int(2 * 0.95 / 4 * 20))
        self.limit.amount = 0.01
        self.assertEqual(self.mailing._queue_job_size(), 1)
        self.limit.unlink()
        self.assertEqual(self.mailing._queue_job_size(), 100)

    def _send_order(self, **context):
        """Send what no campaign sent, as any code of Odoo does."""
        servers = self.env["ir.mail_server"].with_context(**context)
        message = servers._build_email__(
            email_from="Shop <shop@example.org>",
            email_to=["Ann <a@example.com>"],
            email_cc=["b@example.com"],
            subject="Your order",
            body="Thank you",
        )
        servers.send_email(message)

    def test_other_mail_is_counted_where_it_leaves(self):
        self._send_order()
        tally = self.env["mailing.provider.tally"].search([])
        self.assertEqual(tally.provider_id, self.provider)
        self.assertEqual(tally.domain, "example.org")
        self.assertEqual((tally.messages, tally.recipients), (1, 2))

    def test_who_chooses_the_context_cannot_have_mail_not_counted(self):
        for value in (True, "True", {}, [1]):
            self._send_order(mass_mailing_queue_permitted=value)
        tally = self.env["mailing.provider.tally"].search([])
        self.assertEqual(sum(tally.mapped("messages")), 4)

    def test_mail_leaves_even_if_it_cannot_be_counted(self):
        self.patch(sql_counts, "tally", lambda *_args: 1 / 0)
        with self.assertLogs(
            "odoo.addons.mass_mailing_queue_throttle.models.ir_mail_server", "WARNING"
        ):
            self._send_order()
        self.assertEqual(self.sent, ["a@example.com"])
