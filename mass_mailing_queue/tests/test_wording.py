# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from datetime import timedelta

from odoo.tests import tagged

from .. import sql_outage
from ..wording import plural
from .common_diagnosis import DiagnosisCase

#: Numbers of people, emails, seconds; what is said of them must not be said of others.
NUMBERS = (0, 1, 2)
NOUNS = "second|minute|recipient|email|message"
WRONG = rf"\b(1 ({NOUNS})s|1 people|[02] ({NOUNS}|person))\b"


@tagged("-at_install", "post_install")
class TestWording(DiagnosisCase):
    """What is counted is said in the singular of one, in each text with a number."""

    def _assert_counted(self, text, count):
        self.assertIn(str(count), text)
        self.assertNotRegex(text, WRONG)
        self.assertNotIn("%", text)

    def test_the_form_follows_the_language(self):
        """As the language has it: 0 is like 1 in French."""
        terms = "%(count)s email for %(who)s", "%(count)s emails for %(who)s"
        self.env["res.lang"]._activate_lang("fr_FR")
        for lang, forms in (
            ("en_US", ("0 emails", "1 email", "2 emails")),
            ("fr_FR", ("0 email", "1 email", "2 emails")),
            (False, ("0 emails", "1 email", "2 emails")),
        ):
            env = self.env(context={"lang": lang})
            self.assertEqual(
                tuple(plural(env, count, *terms, who="us") for count in NUMBERS),
                tuple(f"{form} for us" for form in forms),
            )
        self.assertEqual(
            plural(self.env, 1234.5, *terms, form="%.10g", who="us"),
            "1,234.5 emails for us",
        )

    def test_warnings_of_the_form(self):
        traces = self._planned()
        for count in NUMBERS:
            traces.write({"trace_status": "outgoing", "queue_held": False})
            traces[:count].queue_held = True
            traces[count : 2 * count].write(
                {"trace_status": "error", "failure_type": "queue_in_doubt"}
            )
            self.mailing.sudo().queue_earlier_version = count
            self.env.flush_all()
            self.env.invalidate_all()
            for name in ("earlier_version", "held", "in_doubt"):
                text = self.mailing[f"queue_{name}_words"]
                if count:
                    self._assert_counted(text, count)
                else:
                    self.assertFalse(text)

    def test_before_send(self):
        for count in NUMBERS:
            for estimated in (True, False):
                wizard = self.env["mailing.queue.send"].new(
                    {"recipients": count, "estimated": estimated}
                )
                self._assert_counted(wizard.headline, count)
                self.assertEqual("About" in wizard.headline, estimated)

    def test_lengths_of_time(self):
        rehearsal = self.env["mailing.queue.rehearsal"].new(
            {"mailing_id": self.mailing.id}
        )
        for seconds in (*NUMBERS, 0.4, 59, 60, 89, 90, 3_600, 7_260, 10**6):
            self.assertNotRegex(rehearsal._describe(seconds), WRONG)
            words = self.mailing._queue_describe_seconds(seconds)
            self.assertNotRegex(words, r"\b1 (second|minute|day)s")

    def test_findings(self):
        """The state, claims, outages and a time limit, of none, one and two."""
        traces = self._planned()
        for count in NUMBERS:
            traces[count:].write({"trace_status": "cancel"})
            traces[:count].write(
                {
                    "trace_status": "process",
                    "queue_claimed_by": "mail-2:4711",
                    "queue_claimed_at": self.cr.now() - timedelta(seconds=count),
                    "queue_claim_token": 424_242,
                }
            )
            sql_outage.outage_begin(self.cr, self.server.id, "no route")
            sql_outage.outage_retry_in(self.cr, self.server.id, count)
            self._configure_server(limit_time_real=count)
            texts = [
                text
                for found in self._diagnose()
                for text in (found["title"], found["advice"], *found["details"])
            ]
            self.assertGreater(len(texts), 4)
            for text in texts:
                self.assertNotRegex(text, WRONG)

    def test_alerts(self):
        self._planned()
        alerts = self.env["mailing.queue.alert"]
        self.cr.execute(
            """
            UPDATE mailing_mailing SET queue_resumed_at = now() - interval '1 hour'
             WHERE id = %s
            """,
            [self.mailing.id],
        )
        self.env.invalidate_all()
        for minutes in (1, 2):
            self.env["ir.config_parameter"].set_param(
                "mass_mailing_queue.alert_minutes", str(minutes)
            )
            alerts._check_stalled()
            alert = alerts.search([("mailing_id", "=", self.mailing.id)])
            self._assert_counted(alert.message, minutes)

    def test_who_got_the_earlier_version(self):
        traces = self._planned()
        for count in NUMBERS:
            traces[:count].write(
                {"trace_status": "sent", "sent_datetime": self.cr.now()}
            )
            self.env.flush_all()
            self.env.invalidate_all()
            self.mailing.subject = f"News number {count + 10}"
            body = self.mailing.message_ids[0].body
            self.assertIn("changed during sending", body)
            self.assertNotRegex(body, WRONG)
            if count:
                self.assertRegex(body, rf"sending\. {count} pe(rson|ople) got")
