# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from types import SimpleNamespace
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged

from .. import sql_outage
from ..hooks import uninstall_hook
from ..models import mailing_mailing_rehearsal as engine
from .common import QueueCase, refused

#: All that a rehearsal writes while it is under way.
TABLES = (
    "mailing_mailing",
    "mailing_trace",
    "mailing_contact",
    "mailing_subscription",
    "mail_blacklist",
    "link_tracker",
    "link_tracker_click",
    "link_tracker_code",
    "utm_source",
    "utm_campaign",
    "mail_mail",
    "mail_message",
    "ir_attachment",
    "mailing_queue_outage",
)


@tagged("-at_install", "post_install")
class TestRehearsal(QueueCase):
    """A rehearsal is a real campaign, and leaves nothing but a report."""

    def setUp(self):
        super().setUp()
        self.env["ir.config_parameter"].set_param(
            "mass_mailing_queue.rehearsal_server", "sink.example.com:1025"
        )
        self.connected = []
        self.over_sink = []
        self.startPatcher(
            patch.object(engine, "smtplib", SimpleNamespace(SMTP=self._connect_sink))
        )
        self._contacts("a@example.com", "b@example.com", "c@example.com")
        self.env["mail.blacklist"]._add("c@example.com")
        self.mailing = self._mailing()

    def _connect_sink(self, host, port, timeout):
        self.connected.append((host, port))
        return SimpleNamespace(quit=lambda: None, noop=lambda: (250, b""))

    def _send_email(self, server, message, smtp_session=None, **kwargs):
        if getattr(smtp_session, "queue_rehearsal", False):
            self.over_sink.append(str(message["To"]))
        return super()._send_email(server, message, **kwargs)

    def _rehearse(self, mailing=None):
        mailing = mailing or self.mailing
        action = mailing.with_user(self.user).action_queue_rehearse()
        return self.env["mailing.queue.rehearsal"].browse(action["res_id"])

    def _finish(self, rehearsal=None):
        rehearsal = rehearsal or self._rehearse()
        self._run_jobs()
        return rehearsal.with_user(self.user)

    def _tables(self):
        """Return the rows of all tables that matter, as text."""
        self.env.flush_all()
        rows = {}
        for table in TABLES:
            self.env.cr.execute(f"SELECT t::text FROM {table} t ORDER BY 1")
            rows[table] = self.env.cr.fetchall()
        return rows

    def test_everybody_is_sent_to_over_the_rehearsal_server(self):
        rehearsal = self._finish()
        self.assertEqual(sorted(self.sent), ["a@example.com", "b@example.com"])
        self.assertEqual(len(self.over_sink), 2)
        self.assertEqual(self.connected, [("sink.example.com", 1025)])
        self.assertEqual(rehearsal.state, "done")
        figures = rehearsal.read(["total", "sent", "failed", "left_out", "waiting"])[0]
        figures.pop("id")
        self.assertEqual(
            figures, {"total": 3, "sent": 2, "failed": 0, "left_out": 1, "waiting": 0}
        )

    def test_it_leaves_everything_as_it_was(self):
        attachment = self.env["ir.attachment"].create({"name": "a.txt", "raw": b"a"})
        self.mailing.attachment_ids = attachment
        self.replies["a@example.com"] = refused("a@example.com", 550, b"5.1.1 Unknown")
        before = self._tables()
        rehearsal = self._finish()
        self.assertEqual(self._tables(), before)
        self.assertEqual((rehearsal.sent, rehearsal.failed), (1, 1))
        self.assertRegex(rehearsal.failures, "^1 × 550.*Unknown")
        self.assertEqual(self.mailing.state, "draft")
        self._perform_real()

    def _perform_real(self):
        """Send the mailing itself: nobody counts as reached."""
        self.replies.clear()
        self.sent.clear()
        self.mailing.with_user(self.user).action_launch()
        self._run_jobs()
        self.assertEqual(sorted(self.sent), ["a@example.com", "b@example.com"])

    def test_pressed_twice_there_is_one(self):
        self.assertEqual(self._rehearse(), self._rehearse())
        self._finish()
        self.assertEqual(len(self.sent), 2)

    # ------------------------------------------------------------------
    # The guards
    # ------------------------------------------------------------------

    def test_nothing_is_delivered_over_a_connection_to_a_real_server(self):
        rehearsal = self._rehearse()
        with patch.object(type(self.mailing), "_queue_connect", lambda *_args: None):
            self._finish(rehearsal)
        self.assertFalse(self.sent)
        self.assertEqual(rehearsal.state, "stopped")
        self.assertIn("nothing was sent", rehearsal.reason)

    def test_a_mailing_is_not_delivered_over_the_rehearsal_server(self):
        """Its recipients would count as sent and have nothing."""
        sink = self._connect_sink("sink.example.com", 1025, 60)
        sink.queue_rehearsal = True
        self.mailing.action_launch()
        with patch.object(type(self.mailing), "_queue_connect", lambda *_args: sink):
            self._run_jobs()
        self.assertFalse(self.sent)
        self.assertTrue(self.mailing.queue_paused)

    def test_sessions_of_the_two_are_kept_apart(self):
        self.mailing.action_launch()
        self._run_jobs()
        self.assertFalse(self.connected)
        self._finish(self._rehearse(self._mailing()))
        self.assertEqual(len(self.connected), 1)
        self.assertEqual(len(self.over_sink), 2)

    def test_outages_of_the_two_are_kept_apart(self):
        """A server that is down does not hold it up, and is not said to be back."""
        self.mailing.mail_server_id = self.server
        sql_outage.outage_begin(self.env.cr, self.server.id, "down")
        sql_outage.outage_retry_in(self.env.cr, self.server.id, 600)
        before = self._tables()
        self._finish()
        self.assertEqual(len(self.sent), 2)
        self.assertEqual(self._tables(), before)

    def test_odoos_own_senders_send_nothing_of_it(self):
        self._let_native_send()
        copy = self._rehearse().copy_id
        with self.assertRaises(UserError):
            copy._action_send_mail(res_ids=self.list.contact_ids.ids)
        mail = self.env["mail.mail"].create(
            {"mailing_id": copy.id, "email_to": "a@example.com", "state": "outgoing"}
        )
        mail.send()
        mail._send()
        self.assertFalse(self.sent)

    def test_the_switch_does_not_make_it_native(self):
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.enabled", "False")
        rehearsal = self._rehearse()
        rehearsal.copy_id._action_send_mail()
        self._finish(rehearsal)
        self.assertEqual(len(self.over_sink), len(self.sent))
        self.assertEqual(len(self.sent), 2)

    def test_a_real_server_is_no_rehearsal_server(self):
        self._server_at("127.0.0.1", 1025)
        for address in (
            "smtp.example.com:25",
            "127.0.0.1:1025",
            "localhost:1025",
            "",
            "sink.example.com",
            "sink:0",
        ):
            self.env["ir.config_parameter"].set_param(
                "mass_mailing_queue.rehearsal_server", address
            )
            with self.subTest(address), self.assertRaises(UserError):
                self._rehearse()

    def _server_at(self, host, port):
        values = {"name": host, "smtp_host": host, "smtp_port": port, "active": False}
        return self.env["ir.mail_server"].create(values)

    def test_one_that_becomes_real_meanwhile_ends_it(self):
        rehearsal = self._rehearse()
        self.server.write({"smtp_host": "sink.example.com", "smtp_port": 1025})
        self._finish(rehearsal)
        self.assertFalse(self.sent)
        self.assertEqual(rehearsal.state, "stopped")
        self.assertIn("outgoing mail server of Odoo", rehearsal.reason)

    def test_links_in_its_emails_open_nothing(self):
        copy = self._rehearse().copy_id
        tokens = {
            copy._generate_mailing_recipient_token(1, "a@example.com")
            for _number in range(3)
        }
        self.assertEqual(len(tokens), 3)
        real = self.mailing._generate_mailing_recipient_token(1, "a@example.com")
        self.assertEqual({len(token) for token in tokens}, {len(real)})

    def test_uninstalled_in_the_middle_it_is_gone(self):
        copy = self._rehearse().copy_id
        self._perform(self._jobs("_job_plan"))
        uninstall_hook(self.env)
        self.assertFalse(copy.exists())

    # ------------------------------------------------------------------
    # People
    # ------------------------------------------------------------------

    def test_its_copy_is_seen_by_nobody(self):
        rehearsal = self._rehearse()
        self._perform(self._jobs("_job_plan"))
        self._perform(self._jobs("_job_send")[0])
        self.env.flush_all()
        self.env.invalidate_all()
        everything = self.env(user=self.env.ref("base.user_admin"))
        for model in ("mailing.mailing", "link.tracker", "mailing.trace.report"):
            with self.subTest(model):
                seen = everything[model].search([]).ids
                hidden = set(self.env[model].sudo().search([]).ids) - set(seen)
                self.assertTrue(hidden)
                self.assertEqual(everything[model].search_count([]), len(seen))
        self.assertNotIn(
            rehearsal.copy_id.id, everything["mailing.mailing"].search([]).ids
        )
        self.assertEqual(self.list.with_user(self.user).mailing_count, 1)

    def test_stop_ends_it_and_clears_it_away(self):
        before = self._tables()
        rehearsal = self._rehearse()
        self._perform(self._jobs("_job_plan"))
        self._perform(self._jobs("_job_send")[0])
        rehearsal.with_user(self.user).action_stop()
        rehearsal.with_user(self.user).action_stop()
        self._run_jobs()
        self.assertEqual(rehearsal.state, "stopped")
        self.assertEqual((rehearsal.sent, rehearsal.left_out), (1, 2))
        self.assertEqual(len(self.sent), 1)
        self.assertEqual(self._tables(), before)

    def test_a_refused_rehearsal_ends_and_says_why(self):
        for address in ("a@example.com", "b@example.com"):
            self.replies[address] = refused(address, 530, b"5.7.0 Log in first")
        rehearsal = self._finish()
        self.assertEqual(rehearsal.state, "stopped")
        self.assertIn("Log in first", rehearsal.reason)
        self.assertFalse(self.mailing.activity_ids)

    def test_a_lost_job_is_made_up_for(self):
        before = self._tables()
        self._rehearse()
        for method in ("_job_plan", "_job_send", "_job_send", "_job_finish"):
            self._perform(self._jobs(method)[0])
        self._jobs("_job_clean_rehearsal").unlink()
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self._run_jobs()
        self.assertEqual(self._tables(), before)

    def test_rights(self):
        """Marketers rehearse; only administrators say with which server."""
        nobody = new_test_user(self.env, "nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            self.mailing.with_user(nobody).action_queue_rehearse()
        rehearsal = self._rehearse()
        for user, method in ((nobody, "read"), (nobody, "action_stop")):
            with self.assertRaises(AccessError):
                getattr(rehearsal.with_user(user), method)()
        with self.assertRaises(AccessError):
            rehearsal.with_user(self.user).server = "elsewhere:25"
        with self.assertRaises(AccessError):
            rehearsal.with_user(self.user).copy_id  # noqa: B018
        with self.assertRaises(AccessError):
            self.env["ir.config_parameter"].with_user(self.user).set_param(
                "mass_mailing_queue.rehearsal_server", "elsewhere:25"
            )
        with self.assertRaises(AccessError):
            self.env["res.config.settings"].with_user(self.user).create({})
