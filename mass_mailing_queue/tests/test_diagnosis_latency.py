# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import smtplib
from unittest.mock import patch

from odoo.tests import tagged

from odoo.addons.base.models.ir_mail_server import IrMail_Server

from .common_diagnosis import DiagnosisCase


@tagged("-at_install", "post_install")
class TestDiagnosisLatency(DiagnosisCase):
    """What Diagnose measures of one email: how long each step takes, and its size."""

    def _pass(self, seconds, method):
        """Let so much time pass when a method is called."""

        def take_time(*args, **kwargs):
            self.now += seconds
            return method(*args, **kwargs)

        return take_time

    def _take(self, seconds, method):
        """Let a method of mailings take so long."""
        model = type(self.mailing)
        slow = self._pass(seconds, getattr(model, method))
        self.startPatcher(patch.object(model, method, slow))

    def _connect_really(self):
        self.startPatcher(
            patch.object(IrMail_Server, "_disable_send", return_value=False)
        )

    def test_slow_content(self):
        self._take(3, "_queue_compose_chunk")
        found = self._found("takes 3.00 s; the slowest step is rendering: 3.00 s.", 47)
        self.assertIn("rendering: 3.000 s", found["details"])
        self.assertIn("Simplify the content", found["advice"])

    def test_slow_parts(self):
        self._take(1, "_queue_compose_chunk")
        self._take(2, "_queue_build")
        found = self._found("takes 3.00 s; the slowest step is building: 2.00 s.", 47)
        self.assertIn("rendering: 1.000 s", found["details"])
        self.assertIn("building: 2.000 s", found["details"])
        self.assertIn("Link to attachments", found["advice"])

    def test_slow_encryption(self):
        """It is neither connecting, which is part of opening a session, too."""
        self._connect_really()
        self.server.smtp_encryption = "starttls"
        self.startPatcher(
            patch.object(smtplib.SMTP, "starttls", self._pass(3, lambda *_, **__: None))
        )
        connect = self._pass(1, smtplib.SMTP.connect)
        self.startPatcher(patch.object(smtplib.SMTP, "connect", connect))
        found = self._found("takes 4.00 s; the slowest step is encryption: 3.00 s.", 47)
        self.assertIn("connecting: 1.000 s", found["details"])
        self.assertIn("encryption: 3.000 s", found["details"])
        self.assertIn("agree on encryption", found["advice"])

    def test_slow_delivery(self):
        """To an address that somebody entered."""
        self._connect_really()
        self.replies["me@example.net"] = self._pass(6, lambda _address: None)
        self._assert_absent("slowest step")
        self.assertFalse(self.sent)
        found = self._found(
            "takes 6.00 s; the slowest step is delivery: 6.00 s.",
            66,
            test_email="me@example.net",
        )
        self.assertIn("delivery: 6.000 s", found["details"])
        self.assertIn("accept emails", found["advice"])
        self.assertEqual(self.sent, ["me@example.net"])

    def test_half_a_second_is_not_slow(self):
        self._take(0.5, "_queue_compose_chunk")
        self._assert_absent("slowest step")
        self._found("One email takes 0.50 s.", 11)
        self.env["ir.config_parameter"].set_param(
            "mass_mailing_queue.slow_milliseconds", "400"
        )
        self._found("takes 0.50 s; the slowest step is rendering", 47)

    def _attach(self, size):
        self.mailing.attachment_ids = self.env["ir.attachment"].create(
            {"name": "offer.bin", "raw": b"x" * size}
        )

    def _parts(self, title="One email takes", gravity=11):
        return self._found(title, gravity)["details"][-1]

    def test_attachments_and_inline_images_are_measured(self):
        self.assertRegex(
            self._parts(),
            r"^size: \d kB; inline images: 0 \(0 kB\); attachments: 0 \(0 kB\)$",
        )
        self._attach(30_000)
        # One of those that Odoo does not take out of the content.
        image = f'<img src="data:image/x-icon;base64,{"A" * 8000}"/>'
        self.env.flush_all()
        self.cr.execute(
            "UPDATE mailing_mailing SET body_html = body_html || %s WHERE id = %s",
            [image, self.mailing.id],
        )
        self.assertRegex(
            self._parts(),
            r"^size: \d+ kB; inline images: 1 \(8 kB\); attachments: 1 \(40 kB\)$",
        )

    def test_a_large_email(self):
        self._attach(600_000)
        self._assert_absent("kB large")
        self._attach(900_000)
        self._found("Each email is 12", 43)
        self.assertIn("attachments: 1 (1200 kB)", self._parts("kB large", 43))

    def test_memory_of_a_worker_and_size_of_a_job(self):
        """A hundred emails, each of them four times, in a quarter of the memory."""
        title = "A job that sends 100 emails of 4"
        self._attach(300_000)
        self._assert_absent("A job that sends")
        self._configure_server(limit_memory_soft=0)
        self._assert_absent("A job that sends")
        self._configure_server(limit_memory_soft=600 * 10**6)
        found = self._found(title, 45)
        self.assertRegex(
            found["title"], r"takes about 16\d MB of memory, and a worker has 600 MB"
        )
        self.assertIn("limit_memory_soft raised", found["advice"])

    def test_content_that_cannot_be_rendered(self):
        self._assert_absent("cannot be made")
        self.env.flush_all()
        self.cr.execute(
            "UPDATE mailing_mailing SET body_html = %s WHERE id = %s",
            ['<t t-out="object.nothing"/>', self.mailing.id],
        )
        found = self._found("The email cannot be made: ", 86)
        self.assertIn("Mend the content", found["advice"])
