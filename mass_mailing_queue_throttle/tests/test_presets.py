# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import doctest
import unittest
from dataclasses import FrozenInstanceError
from fnmatch import fnmatchcase

from odoo.tests import BaseCase, tagged

from .. import presets
from ..presets import PRESETS, RAMPS, match

HOSTS = {
    "email-smtp.eu-central-1.amazonaws.com": "ses",
    "email-smtp-fips.us-east-1.amazonaws.com": "ses",
    "smtp.gmail.com": "gmail",
    "smtp.googlemail.com": "gmail",
    "smtp-relay.gmail.com": "workspace_relay",
    "smtp.office365.com": "microsoft365",
    "smtp.outlook.com": "microsoft365",  # what Odoo's Outlook integration sets
    "smtp-mail.outlook.com": "microsoft365",
    "smtp.mailgun.org": "mailgun",
    "smtp.eu.mailgun.org": "mailgun",
    "smtp.sendgrid.net": "sendgrid",
    "smtp.eu.sendgrid.net": "sendgrid",
    "smtp.postmarkapp.com": "postmark",
    "smtp-broadcasts.postmarkapp.com": "postmark",
    "smtp-relay.brevo.com": "brevo",
    "smtp-relay.sendinblue.com": "brevo",
    "in-v3.mailjet.com": "mailjet",
    "smtp.sparkpostmail.com": "sparkpost",
    "smtp.eu.sparkpostmail.com": "sparkpost",
    "smtp.ionos.de": "ionos",
    "smtp.ionos.co.uk": "ionos",
    "smtp.1und1.de": "ionos",
    "ssl0.ovh.net": "ovh",
    "ex4.mail.ovh.net": "ovh",
    "localhost": "postfix",
}

OTHERS = (
    None,
    False,
    "",
    "  ",
    ".",
    "*",
    "[!a]",
    "127.0.0.1",
    "::1",
    "mail.example.com",
    "mail.exämple.org",
    "xn--exmple-cua.org",
    "smtp.gmail.com.example.org",
    "notsmtp.gmail.com",
    "x" * 10_000,
)


@tagged("-at_install", "post_install")
class TestPresets(BaseCase):
    """Nobody sends without a limit, and every figure says where it comes from."""

    def test_doctests(self):
        suite = unittest.TestSuite([doctest.DocTestSuite(presets)])
        result = unittest.TextTestRunner(verbosity=0).run(suite)
        self.assertGreater(result.testsRun, 1)
        self.assertFalse(result.failures + result.errors)

    def test_host_finds_its_preset(self):
        for host, key in HOSTS.items():
            for written in (host, host.upper(), f" {host}. "):
                with self.subTest(host=written):
                    self.assertEqual(match(written).key, key)

    def test_unknown_host_is_custom(self):
        for host in OTHERS:
            with self.subTest(host=host):
                self.assertEqual(match(host).key, "custom")

    def test_every_preset_has_a_host_in_the_table(self):
        self.assertEqual(set(HOSTS.values()) | {"custom"}, set(PRESETS))

    def test_hosts_belong_to_one_preset(self):
        """No host of one preset matches another's patterns."""
        samples = dict(HOSTS)
        for preset in PRESETS.values():
            samples.update(
                (host.replace("*", "x"), preset.key) for host in preset.hosts
            )
        for host, key in samples.items():
            found = {
                preset.key
                for preset in PRESETS.values()
                if any(fnmatchcase(host, pattern) for pattern in preset.hosts)
            }
            with self.subTest(host=host):
                self.assertEqual(found, {key})

    def test_preset_is_complete(self):
        for key, preset in PRESETS.items():
            with self.subTest(preset=key):
                self.assertEqual(key, preset.key)
                self.assertTrue(preset.name and preset.note)
                self.assertTrue(preset.capacity_source and preset.connection_source)
                self.assertGreater(preset.capacity, 0)
                self.assertGreaterEqual(preset.messages_per_connection, 0)
                limited = key in ("microsoft365", "sparkpost")
                self.assertEqual(preset.linger, 0 if limited else 60)
                self.assertIn(preset.quota_api, ("", "ses", "sendgrid"))
                self.assertEqual(
                    [host.lower() for host in preset.hosts], [*preset.hosts]
                )
        names = [preset.name for preset in PRESETS.values()]
        self.assertEqual(len(names), len(set(names)))

    def test_figure_is_complete(self):
        for preset in PRESETS.values():
            for figure in preset.limits:
                with self.subTest(preset=preset.key, figure=figure):
                    self.assertGreater(figure.amount, 0)
                    self.assertIn(
                        figure.period, ("second", "minute", "hour", "day", "month")
                    )
                    self.assertIn(figure.unit, ("message", "recipient"))
                    self.assertTrue(figure.source)
                    self.assertEqual(figure.own, figure.source.startswith("Our own"))

    def test_every_preset_limits_its_rate(self):
        """Whatever is known of a provider, it is not sent to at full speed."""
        for preset in PRESETS.values():
            periods = {figure.period for figure in preset.limits}
            with self.subTest(preset=preset.key):
                self.assertTrue(periods & {"second", "minute"})

    def test_limits_of_a_preset_differ(self):
        """Two limits of the same kind would leave open which of them counts."""
        for preset in PRESETS.values():
            kinds = [(figure.period, figure.unit) for figure in preset.limits]
            with self.subTest(preset=preset.key):
                self.assertEqual(len(kinds), len(set(kinds)))

    def test_published_figures(self):
        """What vendors publish for everybody is what we start with."""
        for key, *expected in (
            ("microsoft365", 30, "minute", "message"),
            ("microsoft365", 10_000, "day", "recipient"),
            ("gmail", 2_000, "day", "message"),
            ("workspace_relay", 4_600_000, "day", "recipient"),
            ("ionos", 50, "hour", "recipient"),
        ):
            figures = [
                [figure.amount, figure.period, figure.unit]
                for figure in PRESETS[key].limits
                if not figure.own
            ]
            with self.subTest(preset=key):
                self.assertIn(expected, figures)
        self.assertEqual(PRESETS["microsoft365"].capacity, 3)

    def test_free_plans_do_not_bind_everybody(self):
        for key in ("sendgrid", "postmark", "brevo", "mailjet"):
            preset = PRESETS[key]
            with self.subTest(preset=key):
                self.assertTrue(all(figure.own for figure in preset.limits))
                self.assertIn("free plan", preset.note)

    def test_nobody_changes_a_preset(self):
        with self.assertRaises(FrozenInstanceError):
            PRESETS["ses"].capacity = 100
        with self.assertRaises(FrozenInstanceError):
            PRESETS["ses"].limits[0].amount = 100

    def test_ramps_rise(self):
        for key, ramp in RAMPS.items():
            days = [day for day, _amount in ramp.steps]
            amounts = [amount for _day, amount in ramp.steps]
            with self.subTest(ramp=key):
                self.assertEqual(key, ramp.key)
                self.assertEqual(days[0], 0)
                self.assertEqual(days, sorted(set(days)))
                self.assertEqual(amounts, sorted(set(amounts)))
                self.assertTrue(ramp.name and ramp.source)
                self.assertIn(ramp.period, ("hour", "day"))

    def test_ramp_of_a_day(self):
        """A day between two steps has the earlier one's amount, the end sets free."""
        for key, day, amount in (
            ("sendgrid", -3, 20),
            ("sendgrid", 0, 20),
            ("sendgrid", 5, 108),
            ("sendgrid", 12, 1_000),
            ("sendgrid", 20, 16_734),
            ("sendgrid", 30, 484_029),
            ("sendgrid", 31, None),
            ("sparkpost", 0, 200),
            ("sparkpost", 10, 100_000),
            ("sparkpost", 15, 100_000),
            ("sparkpost", 19, 1_000_000),
            ("sparkpost", 20, None),
        ):
            with self.subTest(ramp=key, day=day):
                self.assertEqual(RAMPS[key].amount(day), amount)
