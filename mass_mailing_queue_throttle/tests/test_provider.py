# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from contextlib import contextmanager
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools.misc import file_open

from .. import presets, sql
from ..hooks import post_init_hook, uninstall_hook
from .common import ProviderCase


@tagged("-at_install", "post_install")
class TestProvider(ProviderCase):
    """Which account a server belongs to, and what an account may be told."""

    def _figures(self, provider):
        return {
            (limit.amount, limit.unit, limit.period) for limit in provider.limit_ids
        }

    @contextmanager
    def _refused(self, message):
        """Expect an error that says so; nothing of the block remains."""
        with self.assertRaises(UserError) as caught:
            yield
        self.assertRegex(str(caught.exception), message)

    # ------------------------------------------------------------------
    # Servers and accounts
    # ------------------------------------------------------------------

    def test_new_server_gets_the_account_of_its_host(self):
        """Its preset's figures hold at once, and somebody is to confirm them."""
        provider = self._server("smtp.gmail.com").queue_provider_id
        self.assertEqual(provider.preset, "gmail")
        self.assertFalse(provider.confirmed)
        self.assertEqual(provider.user_id, self.env.ref("base.user_admin"))
        preset = presets.PRESETS["gmail"]
        self.assertEqual(
            self._figures(provider),
            {(figure.amount, figure.unit, figure.period) for figure in preset.limits},
        )
        self.assertEqual(provider.capacity, preset.capacity)
        self.assertEqual(
            provider.messages_per_connection, preset.messages_per_connection
        )
        for limit in provider.limit_ids:
            self.assertTrue(limit.source)
            self.assertIn(limit.origin, ("vendor", "own"))

    def test_unknown_host_starts_carefully(self):
        self.assertEqual(self.provider.preset, "custom")
        self.assertEqual(self._figures(self.provider), {(10, "message", "second")})
        self.assertEqual(self.limit.origin, "own")

    def test_servers_with_one_login_share_the_account(self):
        """And so its limits; another login is another account."""
        host = "email-smtp.eu-west-1.amazonaws.com"
        first = self._server(host, smtp_user="one").queue_provider_id
        self.assertEqual(self._server(host, smtp_user="one").queue_provider_id, first)
        self.assertNotEqual(
            self._server(host, smtp_user="two").queue_provider_id, first
        )

    def test_servers_of_the_installation_are_matched(self):
        """An archived one too: it may come back. A user's own one is not."""
        server = self._server("smtp.sendgrid.net")
        archived = self._server("in.mailjet.com", active=False)
        personal = self._server("smtp.gmail.com", owner_user_id=self.user.id)
        self.env.flush_all()
        self.env.cr.execute("UPDATE ir_mail_server SET queue_provider_id = NULL")
        self.env.invalidate_all()
        post_init_hook(self.env)
        self.assertEqual(server.queue_provider_id.preset, "sendgrid")
        self.assertEqual(archived.queue_provider_id.preset, "mailjet")
        self.assertFalse(personal.queue_provider_id)

    def test_server_without_an_account_gets_it_when_it_is_used(self):
        personal = self._server("smtp.gmail.com", owner_user_id=self.user.id)
        providers = self.env["mailing.provider"]
        self.assertFalse(providers._find(personal))
        self.assertEqual(providers._for_server(personal).preset, "gmail")

    def test_server_of_the_configuration_file_has_an_account(self):
        """One, however often it is asked for."""
        providers = self.env["mailing.provider"]
        providers.search([("config_server", "=", True)]).unlink()
        none = self.env["ir.mail_server"]
        self.assertFalse(providers._find(none))
        provider = providers._for_server(none)
        self.assertTrue(provider.config_server)
        self.assertTrue(provider.limit_ids)
        self.assertEqual(providers._for_server(none), provider)
        self.assertEqual(providers._find(none), provider)

    def test_server_that_moves_leaves_its_account(self):
        """A server is never in two accounts, and senders see the new one at once."""
        providers = self.env["mailing.provider"]
        self.assertEqual(providers._find(self.server), self.provider)
        other = providers.create({"name": "Other"})
        other.server_ids = [fields.Command.link(self.server.id)]
        self.assertEqual(providers._find(self.server), other)
        self.assertFalse(self.provider.server_ids)
        self.server.queue_provider_id = self.provider
        self.assertEqual(providers._find(self.server), self.provider)

    def test_server_that_is_taken_out_is_not_without_limits(self):
        self.provider.server_ids = [fields.Command.clear()]
        provider = self.server.queue_provider_id
        self.assertTrue(provider)
        self.assertNotEqual(provider, self.provider)
        self.assertEqual(self.env["mailing.provider"]._find(self.server), provider)

    def test_server_with_a_new_host_gets_the_account_of_it(self):
        """The limits of the old host do not hold for the new one."""
        self.server.smtp_host = "smtp.office365.com"
        provider = self.server.queue_provider_id
        self.assertEqual(provider.preset, "microsoft365")
        self.assertEqual(self.env["mailing.provider"]._find(self.server), provider)
        self.assertFalse(self.provider.exists(), "nobody confirmed it")
        provider.confirmed = True
        self.server.smtp_host = "smtp.outlook.com"
        self.assertEqual(self.server.queue_provider_id, provider, "the same provider")
        self.server.smtp_host = "smtp.example.org"
        self.assertTrue(provider.exists(), "somebody confirmed it")
        self.assertEqual(self.server.queue_provider_id.preset, "custom")

    def test_account_with_servers_cannot_be_deleted(self):
        with self._refused("move them to another"):
            self.provider.unlink()

    def test_deleted_account_is_found_no_more_and_takes_its_channel(self):
        provider = self._server("smtp.gmail.com").queue_provider_id
        channel = provider.channel_id
        providers = self.env["mailing.provider"]
        self.assertEqual(providers._find(provider.server_ids), provider)
        server = provider.server_ids
        server.queue_provider_id = self.provider
        provider.unlink()
        self.assertFalse(channel.exists())
        self.assertEqual(providers._find(server), self.provider)

    def test_accounts_have_channels_of_their_own(self):
        first = self._server("smtp.sparkpostmail.com").queue_provider_id
        second = self._server("smtp.eu.sparkpostmail.com").queue_provider_id
        self.assertEqual(first.channel_id.complete_name, "root.mail.sparkpost")
        self.assertEqual(
            second.channel_id.complete_name, f"root.mail.sparkpost-{second.id}"
        )

    def test_copied_account_keeps_its_limits_and_no_secret(self):
        self.provider.api_secret = "word"
        copy = self.provider.copy()
        self.assertEqual(copy.name, f"{self.provider.name} (copy)")
        self.assertEqual(self._figures(copy), self._figures(self.provider))
        self.assertNotEqual(copy.channel_id, self.provider.channel_id)
        self.assertFalse(copy.api_secret)
        self.assertFalse(copy.server_ids)

    def test_account_made_by_hand_starts_with_its_preset(self):
        provider = self.env["mailing.provider"].create({"name": "A", "preset": "ovh"})
        self.assertEqual(self._figures(provider), {(3, "message", "minute")})
        unlimited = self.env["mailing.provider"].create({"name": "B", "limit_ids": []})
        self.assertFalse(unlimited.limit_ids, "somebody wants it so")

    def test_form_fills_in_a_new_account(self):
        form = Form(self.env["mailing.provider"])
        form.name = "New"
        form.preset = "microsoft365"
        provider = form.save()
        self.assertEqual(
            self._figures(provider),
            {(30, "message", "minute"), (10_000, "recipient", "day")},
        )
        self.assertEqual(set(provider.limit_ids.mapped("origin")), {"vendor"})
        self.assertEqual(provider.capacity, 3)

    def test_form_notes_whose_figure_it_is(self):
        with Form(self.provider) as form, form.limit_ids.edit(0) as line:
            line.amount = 4
            self.assertEqual(line.origin, "user")
        self.assertEqual(self.limit.amount, 4)
        self.assertEqual(self.limit.origin, "user")
        self.assertFalse(self.limit.source)

    def test_preset_can_be_applied_again(self):
        self.provider.preset = "brevo"
        self.assertEqual(self._figures(self.provider), {(10, "message", "second")})
        self.provider.confirmed = True
        self.provider.action_apply_preset()
        self.assertEqual(self._figures(self.provider), {(5, "message", "second")})
        self.assertFalse(self.provider.confirmed)
        self.provider.action_confirm()
        self.assertTrue(self.provider.confirmed)

    # ------------------------------------------------------------------
    # Bad input
    # ------------------------------------------------------------------

    def test_amount_that_is_no_limit_is_refused(self):
        """Zero, less, absurd, endless and no number at all."""
        for amount in (0, -1, 1e9 + 1, float("inf"), float("-inf"), float("nan")):
            for period in ("second", "day"):
                with (
                    self.subTest(amount=amount, period=period),
                    self._refused("is not a limit"),
                ):
                    self._add_limit(amount, period)
            with (
                self.subTest(amount=amount),
                self._refused("is not a limit"),
            ):
                self.limit.write({"amount": amount})
        self.assertEqual(self.limit.amount, 10)

    def test_two_limits_of_one_kind_are_refused(self):
        """They differ by period, unit, scope, domain, or by warming up."""
        self._add_limit(5, "minute")
        self._add_limit(5, unit="recipient")
        self._add_limit(5, scope="domain")
        self._add_limit(5, scope="domain", domain="a.example.com")
        self._add_limit(50, "day")
        self._add_limit(5, "day", ramp="sparkpost")
        for values in (
            {},
            {"unit": "recipient"},
            {"scope": "domain"},
            {"scope": "domain", "domain": "@A.example.com"},
        ):
            with (
                self.subTest(values=values),
                self._refused("two limits of the same kind"),
            ):
                self._add_limit(7, **values)

    def test_domain_that_is_none_is_refused(self):
        for domain in ("news", "a b.example.com", "me@example.com"):
            with (
                self.subTest(domain=domain),
                self._refused("is not a domain"),
            ):
                self._add_limit(7, scope="domain", domain=domain)

    def test_warm_up_of_another_period_is_refused(self):
        with self._refused("a rolling day"):
            self._add_limit(7, "hour", ramp="sparkpost")
        with self._refused("an hour"):
            self._add_limit(7, "day", ramp="sendgrid")

    def test_percents_that_leave_nothing_are_refused(self):
        for name, values in {
            "share": (0, -5, 101),
            "margin": (-1, 91, 100),
            "reserve": (-1, 91),
        }.items():
            for value in values:
                with (
                    self.subTest(name=name, value=value),
                    self._refused("between"),
                ):
                    self.provider[name] = value
        self.provider.write({"share": 1, "margin": 90, "reserve": 90})
        self.limit.amount = 0.001
        self.assertGreater(self.limit.effective, 0, "0 would be no limit")

    def test_senders_and_seconds_out_of_bounds_are_refused(self):
        for name, value, message in (
            ("capacity", 0, "pause the account"),
            ("capacity", -1, "pause the account"),
            ("capacity", 1000, "Between 1 and 999"),
            ("burst", -0.5, "burst"),
            ("burst", 61, "burst"),
            ("messages_per_connection", -1, "0 or more"),
            ("linger", -1, "0 or more"),
        ):
            with (
                self.subTest(name=name, value=value),
                self._refused(message),
            ):
                self.provider[name] = value
        self.provider.write({"capacity": 999, "burst": 0})

    # ------------------------------------------------------------------
    # What campaigns may use
    # ------------------------------------------------------------------

    def test_campaigns_use_what_share_margin_and_reserve_leave(self):
        self.assertEqual(self.limit.effective, 9.5)
        self.provider.write({"share": 50, "margin": 10, "reserve": 20})
        self.assertAlmostEqual(self.limit.effective, 10 * 0.5 * 0.9 * 0.8)

    def test_counters_count_whole_messages(self):
        """Never more than the limit, and never nothing."""
        self.provider.margin = 0
        self.assertEqual(self._add_limit(1000, "day").effective, 1000)
        self.provider.margin = 5
        self.assertEqual(self._add_limit(11, "hour").effective, 10)
        self.assertEqual(self._add_limit(1, "month").effective, 1)

    def test_warm_up_grows_by_the_day(self):
        today = fields.Date.context_today(self.provider)
        self.provider.margin = 0
        limit = self._add_limit(30_000, "day", ramp="sparkpost", ramp_start=today)
        self.assertEqual(limit.effective, 200)
        for days, amount in ((1, 500), (4, 5_000), (7, 30_000), (40, 30_000)):
            limit.ramp_start = today - timedelta(days=days)
            self.assertEqual(limit.effective, amount, f"{days} days")
        limit.ramp_start = today + timedelta(days=3)
        self.assertEqual(limit.effective, 200, "has not begun")

    def test_warm_up_advances_by_itself(self):
        today = fields.Date.context_today(self.provider)
        limit = self._add_limit(30_000, "day", ramp="sparkpost", ramp_start=today)
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mailing_provider_limit SET ramp_start = %s WHERE id = %s",
            [today - timedelta(days=3), limit.id],
        )
        self.env.invalidate_all()
        self.assertEqual(limit.effective, 190)
        self.env["mailing.provider"]._cron_hourly()
        self.assertEqual(limit.effective, 1900)

    def test_limit_says_what_it_is(self):
        limit = self._add_limit(1500.5, "minute", unit="recipient", scope="domain")
        self.assertEqual(
            limit.display_name, "1,500.5 recipients a minute (each sending domain)"
        )
        limit.domain = "@News.Example.com"
        self.assertEqual(
            limit.display_name, "1,500.5 recipients a minute (news.example.com)"
        )
        self.assertEqual(self.limit.display_name, "10 messages a second")

    # ------------------------------------------------------------------
    # Campaigns
    # ------------------------------------------------------------------

    def test_jobs_run_in_the_channel_of_the_account(self):
        self._contacts("a@example.com")
        mailing = self._mailing()
        self.assertEqual(mailing.queue_provider_id, self.provider)
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        job = self._jobs("_job_send")
        self.assertEqual(job.channel, self.provider.channel_id.complete_name)
        self.assertTrue(job.channel.startswith("root.mail.custom"))

    def test_jobs_are_as_large_as_the_rate_makes_worth_while(self):
        """20 seconds of a worker's part of the rate, unless the settings fix it."""
        mailing = self._mailing()
        mailing.queue_recipients = 1_000_000
        self._configure("root:8,root.mail:8")
        self.provider.capacity = 5
        self.limit.amount = 100
        self.assertEqual(mailing._queue_job_size(), 95 / 5 * 20)
        self._configure("root:2")
        self.assertEqual(mailing._queue_job_size(), 500, "never more than without")
        self.limit.write({"amount": 2, "period": "minute"})
        self.assertEqual(mailing._queue_job_size(), 1, "never empty")
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "7")
        self.assertEqual(mailing._queue_job_size(), 7)

    def test_change_reaches_those_who_send(self):
        """Their version changes and postponed jobs may start, once it is committed."""
        self._contacts("a@example.com")
        self._mailing().action_launch()
        self._perform(self._jobs("_job_plan"))
        job = self._jobs("_job_send")
        self._prepare()
        later = fields.Datetime.now() + timedelta(hours=1)
        changes = [
            lambda: setattr(self.limit, "amount", 20),
            lambda: self._add_limit(100, "minute"),
            lambda: self.provider.limit_ids[-1].unlink(),
            lambda: setattr(self.provider, "capacity", 7),
            lambda: self.provider.action_pause(),
            lambda: self.provider.action_resume(),
        ]
        for number, change in enumerate(changes):
            with self.subTest(number=number):
                self._committed()
                job.eta = later
                version = self._run_sql(sql.watch, self.provider.id)[0]
                change()
                self._committed()
                self.assertFalse(job.eta)
                self.assertGreater(
                    self._run_sql(sql.watch, self.provider.id)[0], version
                )

    def test_name_of_an_account_concerns_nobody_who_sends(self):
        self._prepare()
        self._committed()
        version = self._run_sql(sql.watch, self.provider.id)[0]
        self.provider.name = "Renamed"
        self._committed()
        self.assertEqual(self._run_sql(sql.watch, self.provider.id)[0], version)

    # ------------------------------------------------------------------
    # Rights
    # ------------------------------------------------------------------

    def test_marketer_sees_the_account_and_changes_nothing(self):
        self.provider.api_secret = "word"
        self._configure("root:1")
        provider = self.provider.with_user(self.user)
        self.env.invalidate_all()
        # By itself: what the one reads as superuser, the next finds in the cache.
        self.assertTrue(provider.read(["channel_hint"])[0]["channel_hint"])
        self.env.invalidate_all()
        self.assertTrue(provider.read(["mailing_count", "state"])[0]["state"])
        values = provider.read()[0]
        self.assertEqual(values["state"], "running")
        self.assertTrue(values["effective_rate"])
        self.assertNotIn("api_secret", values)
        self.assertEqual(provider.limit_ids.display_name, "10 messages a second")
        for name in ("api_secret", "api_key_id", "server_ids"):
            with self.subTest(name=name), self.assertRaises(AccessError):
                provider.read([name])
        for change in (
            lambda: provider.write({"capacity": 1}),
            lambda: provider.limit_ids.write({"amount": 1}),
            lambda: provider.limit_ids.unlink(),
            provider.unlink,
            provider.copy,
            provider.action_pause,
            provider.action_resume,
            provider.action_confirm,
            provider.action_apply_preset,
            provider.action_read_quota,
        ):
            with self.assertRaises(AccessError):
                change()
        self.assertEqual(self.limit.amount, 10)

    def test_administrator_needs_no_right_on_mailings_or_jobs(self):
        """Whoever sets up mail servers may be nobody in marketing."""
        admin = new_test_user(self.env, "admin2", groups="base.group_system")
        server = (
            self.env["ir.mail_server"]
            .with_user(admin)
            .create({"name": "New", "smtp_host": "smtp.gmail.com"})
        )
        provider = server.queue_provider_id
        self.assertEqual(provider.user_id, admin)
        self.env.invalidate_all()
        provider.action_pause()
        self.assertEqual(provider.state, "paused")
        provider.action_resume()
        provider.action_confirm()
        self._configure("root:1")
        self.assertTrue(provider.read()[0]["channel_hint"])
        self._committed()
        server.unlink()
        provider.unlink()

    # ------------------------------------------------------------------
    # Copies of the database, and leaving
    # ------------------------------------------------------------------

    def test_neutralized_copy_forgets_credentials_and_pauses(self):
        self.provider.write({"api_key_id": "id", "api_secret": "word"})
        self.env.flush_all()
        with file_open("mass_mailing_queue_throttle/data/neutralize.sql") as stream:
            self.env.cr.execute(stream.read())
        self.env.invalidate_all()
        self.assertFalse(self.provider.api_key_id)
        self.assertFalse(self.provider.api_secret)
        self.assertEqual(self.provider.state, "paused")

    def test_uninstalling_gives_the_jobs_back(self):
        self._contacts("a@example.com")
        self._mailing().action_launch()
        self._perform(self._jobs("_job_plan"))
        job = self._jobs("_job_send")
        job.eta = fields.Datetime.now() + timedelta(hours=1)
        channels = self.env["mailing.provider"].search([]).channel_id
        uninstall_hook(self.env)
        self.assertEqual(job.channel, "root.mail")
        self.assertFalse(job.eta)
        self.assertFalse(channels.exists())
