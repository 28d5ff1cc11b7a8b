# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import os
import smtplib
import socketserver
import threading
from datetime import timedelta
from types import SimpleNamespace
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged
from odoo.tools import config

from odoo.addons.base.models.ir_mail_server import IrMail_Server

from .. import sql, sql_outage, sql_runner
from ..wizards import mailing_queue_diagnosis_latency as latency
from .common import QueueCase

#: The least gravity of what hinders.
HINDERS = 40


class Conversation(socketserver.StreamRequestHandler):
    """A mail server as far as somebody is measured who delivers nothing."""

    def handle(self):
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
            if verb == b"QUIT":
                return


class DiagnosisCase(QueueCase):
    """A mailing that nothing is in the way of, and what Diagnose says of it.

    Time passes only where a test says so.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        smtp_server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
        smtp_server.daemon_threads = True
        cls.addClassCleanup(smtp_server.server_close)
        thread = threading.Thread(target=smtp_server.serve_forever, daemon=True)
        thread.start()
        cls.addClassCleanup(smtp_server.shutdown)
        cls.host, cls.port = smtp_server.server_address
        cls.server.write({"smtp_host": cls.host, "smtp_port": cls.port})
        cls.office = cls.env["ir.mail_server"].create(
            {
                "name": "Office",
                "smtp_host": "smtp.example.net",
                "from_filter": "example.net",
            }
        )
        cls.env.company.email = "office@example.net"

    def setUp(self):
        super().setUp()
        self.registry_enter_test_mode()
        self.now = 0.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        self.startPatcher(patch.object(latency, "time", clock))
        self._configure_server(
            workers=4, limit_time_real=120, limit_memory_soft=2 * 1024**3
        )
        self._set_environment(
            # As a job runner calls Odoo: anybody who listens will do.
            ODOO_QUEUE_JOB_HOST=self.host,
            ODOO_QUEUE_JOB_PORT=str(self.port),
            ODOO_QUEUE_JOB_CHANNELS="root:2,root.mail:2",
        )
        # Lead as a job runner does.
        self.cr.execute("SELECT pg_advisory_xact_lock(%s)", [sql_runner.RUNNER_LOCK])
        self._contacts(*[f"c{number}@example.com" for number in range(5)])
        self.mailing = self._mailing()

    def _configure_server(self, **options):
        self.startPatcher(patch.dict(config.options, options))

    def _set_environment(self, **values):
        self.startPatcher(patch.dict(os.environ, values))

    def _planned(self):
        """Let every recipient have a job, and return their traces."""
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        return self._traces(self.mailing)

    def _diagnose(self, mailing=None, **values):
        self.env.flush_all()
        self.env.invalidate_all()
        mailing = self.mailing if mailing is None else mailing
        return (
            self.env["mailing.queue.diagnosis"]
            .create({"mailing_id": mailing.id, **values})
            ._find()
        )

    def _found(self, title, gravity, **values):
        """Return the one finding whose title has these words, which is so grave."""
        findings = self._diagnose(**values)
        found = [finding for finding in findings if title in finding["title"]]
        titles = "\n".join(finding["title"] for finding in findings)
        self.assertEqual(len(found), 1, f"{title}\nis not among\n{titles}")
        self.assertEqual(found[0]["gravity"], gravity, title)
        return found[0]

    def _assert_absent(self, title, **values):
        titles = [finding["title"] for finding in self._diagnose(**values)]
        self.assertFalse([one for one in titles if title in one])


@tagged("-at_install", "post_install")
class TestDiagnosisFindings(DiagnosisCase):
    """One situation, one finding: its words, how grave it is, and when it is not there.

    The faults that take several processes are made in the repository's own tests.
    """

    def test_nothing_is_wrong(self):
        findings = self._diagnose()
        self.assertFalse([one for one in findings if one["gravity"] >= HINDERS])
        self._found("Nothing is in the way of sending.", 9)
        self._found("One email takes 0.00 s.", 11)
        self._planned()
        self._found("Nothing is in the way of sending.", 9)

    # ------------------------------------------------------------------
    # The mailing
    # ------------------------------------------------------------------

    def test_status_counts_as_the_form_does(self):
        self._assert_absent("recipients", mailing=self.mailing.browse())
        traces = self._planned()
        traces[0].write(
            {"trace_status": "sent", "sent_datetime": fields.Datetime.now()}
        )
        traces[1].write({"trace_status": "error", "failure_type": "unknown"})
        traces[2].write({"trace_status": "error", "failure_type": "queue_in_doubt"})
        status = "Sending: 5 recipients, 1 sent, 2 waiting, 1 failed, 1 in doubt."
        self.assertEqual(self._found("recipients", 12)["title"], status)
        self.assertEqual(
            self._found("recipients", 12, mailing=self.mailing.browse())["title"],
            f"{self.mailing.display_name}: {status}",
            "of all mailings, it says of which",
        )

    def test_recipients_whom_somebody_held(self):
        traces = self._planned()
        self._assert_absent("Recipients held")
        traces[:2].queue_held = True
        found = self._found("Recipients held: 2.", 64)
        self.assertIn("Press Resume", found["advice"])
        self._assert_absent("without a job")

    def test_recipients_who_lost_their_job(self):
        self._planned()
        self._assert_absent("without a job")
        self.cr.execute(
            "UPDATE queue_job SET state = 'done' WHERE id = %s",
            [self._jobs("_job_send")[0].id],
        )
        found = self._found("Recipients wait without a job.", 48)
        self.assertIn("scheduled action", found["advice"])
        self.mailing.queue_paused = True
        self._assert_absent("without a job")

    def test_emails_that_failed(self):
        traces = self._planned()
        # It has a finding of its own.
        traces[0].write({"trace_status": "error", "failure_type": "queue_in_doubt"})
        self._assert_absent("Emails failed")
        traces[1:3].write(
            {
                "trace_status": "error",
                "failure_type": "mail_email_invalid",
                "failure_reason": "5.1.1 <c1@example.com>: no such user",
                "queue_smtp_code": 550,
            }
        )
        found = self._found("Emails failed.", 42)
        self.assertEqual(found["details"], ["2 × 550 5.1.1 <[address]>: no such user"])
        self.assertIn("Retry Failed", found["advice"])

    def test_jobs_that_failed(self):
        self._planned()
        self._assert_absent("Failed jobs")
        self.cr.execute(
            "UPDATE queue_job SET state = 'failed', exc_name = 'ValueError' "
            "WHERE id = ANY(%s)",
            [self._jobs("_job_send")[:2].ids],
        )
        found = self._found("Failed jobs: 2.", 72)
        self.assertEqual(found["details"], ["2 × ValueError"])
        self.assertIn("press Resume", found["advice"])

    # ------------------------------------------------------------------
    # Claims
    # ------------------------------------------------------------------

    def _claim(self, trace, seconds=90, token=424_242):
        """Let a worker have begun to send to somebody."""
        trace.write(
            {
                "trace_status": "process",
                "queue_claimed_by": "mail-2:4711",
                "queue_claimed_at": self.cr.now() - timedelta(seconds=seconds),
                "queue_claim_token": token,
            }
        )

    def test_a_worker_that_is_gone_is_named(self):
        traces = self._planned()
        self._assert_absent("worker is gone")
        self._claim(traces[0])
        found = self._found("Emails whose worker is gone: 1.", 80)
        self.assertEqual(
            found["details"], ["node mail-2, process 4711, for 90 seconds"]
        )
        self.assertIn("server's log", found["advice"])
        self._configure_server(limit_time_real=60)
        found = self._found("Emails whose worker is gone: 1.", 80)
        self.assertIn("kills a worker whose job takes 60 seconds", found["advice"])

    def test_a_worker_that_waits_for_the_server_is_named(self):
        traces = self._planned()
        sql.try_lock(self.cr, sql.LOCK_CLAIM, 424_242)
        self._claim(traces[0], seconds=2)
        self._assert_absent("wait for an answer")
        self._claim(traces[0], seconds=7)
        found = self._found("Emails that wait for an answer of the mail server: 1.", 46)
        self.assertEqual(found["details"], ["node mail-2, process 4711, for 7 seconds"])
        self._assert_absent("worker is gone")

    def test_emails_in_doubt_say_who_left_them(self):
        traces = self._planned()
        self._assert_absent("may or may not have arrived")
        self._claim(traces[0])
        traces[0].write({"trace_status": "error", "failure_type": "queue_in_doubt"})
        found = self._found("Emails that may or may not have arrived: 1.", 62)
        time = traces[0].queue_claimed_at
        self.assertEqual(
            found["details"], [f"node mail-2, process 4711, {time} UTC: 1"]
        )
        self._configure_server(limit_time_real=60)
        self._assert_absent("may or may not have arrived")
        found = self._found("Emails in doubt: 1. A worker ended before", 81)
        self.assertIn("limit_time_real = 120", found["advice"])
        self.assertIn("count them as sent", found["advice"])

    # ------------------------------------------------------------------
    # The mail server
    # ------------------------------------------------------------------

    def _begin_outage(self, server_ref, reply="no route"):
        sql_outage.outage_begin(self.cr, server_ref, reply)
        sql_outage.outage_retry_in(self.cr, server_ref, 600)

    def test_a_server_out_of_reach(self):
        self._begin_outage(self.office.id)
        self._assert_absent("cannot be used at the moment")
        self._begin_outage(self.server.id)
        found = self._found(
            "The mail server cannot be used at the moment: no route", 83
        )
        self.assertIn("tried again in 600 seconds", found["advice"])
        self._begin_outage(self.server.id, reply="")
        self._found("cannot be used at the moment: it does not answer.", 83)

    def test_a_message_that_broke_a_connection_is_no_outage(self):
        """Nobody waits for that server."""
        sql_outage.outage_suspect(self.cr, self.server.id, "Connection lost")
        self._assert_absent("cannot be used at the moment")

    def test_an_outage_that_nobody_followed_up_is_over(self):
        """Its mailing was cancelled, and no other has asked the server since."""
        self._begin_outage(self.server.id)
        self.cr.execute(
            "UPDATE mailing_queue_outage SET retry_at = retry_at - interval '2 hours'"
        )
        self._assert_absent("cannot be used at the moment")

    def test_a_server_that_does_not_answer(self):
        self._assert_absent("cannot be used")
        with socketserver.TCPServer((self.host, 0), None) as nobody:
            port = nobody.server_address[1]
        self.server.smtp_port = port
        found = self._found("The mail server Server cannot be used: ", 82)
        self.assertIn("Check its address and port", found["advice"])

    def test_campaigns_and_other_mail_share_a_server(self):
        title = "The mailing leaves through the same server as your other mail"
        self._assert_absent(title)
        self.office.active = False
        found = self._found(f"{title}: Server.", 20)
        self.assertIn("Invoices and passwords wait with it", found["advice"])
        self.server.active = False
        self._configure_server(smtp_server=self.host, smtp_port=self.port)
        self._found(f"{title}: {self.host}.", 20)

    def test_campaigns_and_other_mail_share_a_domain(self):
        title = "The mailing is sent from the same domain as your other mail"
        self._assert_absent(title)
        self.env.company.email = "Office <office@example.org>"
        found = self._found(f"{title}: example.org.", 18)
        self.assertIn("such as news.example.org", found["advice"])

    # ------------------------------------------------------------------
    # Odoo's server
    # ------------------------------------------------------------------

    def test_scheduled_actions_that_are_late(self):
        guard = self.env["mailing.queue.guard"].search([])
        guard.last_seen = fields.Datetime.now() - timedelta(minutes=4)
        self._assert_absent("Scheduled actions have not run")
        guard.last_seen = fields.Datetime.now() - timedelta(minutes=20)
        found = self._found("Scheduled actions have not run for 20 minutes.", 88)
        self.assertIn("max_cron_threads", found["advice"])

    def test_a_runner_that_starts_no_jobs(self):
        title = "A job runner is active but starts no jobs."
        self._planned()
        self._assert_absent(title)
        self.cr.execute(
            """
            UPDATE queue_job SET date_created = date_created - interval '4 minutes',
                   date_done = date_done - interval '4 minutes'
            """
        )
        found = self._found(title, 84)
        self.assertIn(f"at {self.host}:{self.port}", found["advice"])
        job = self._jobs("_job_send")[0]
        job.write({"state": "started", "date_enqueued": fields.Datetime.now()})
        self._assert_absent(title)

    def test_mailings_may_take_all_workers(self):
        title = "Mailings may keep 4 workers busy at a time, and this server has 4"
        self._assert_absent("Mailings may keep")
        self._set_environment(ODOO_QUEUE_JOB_CHANNELS="root:4,root.mail:4")
        found = self._found(title, 41)
        self.assertEqual(
            found["details"], ["[queue_job]", "channels = root:2,root.mail:2"]
        )
        self._configure_server(workers=0)
        self._assert_absent("Mailings may keep")

    def test_a_short_time_limit(self):
        self._assert_absent("limit_time_real")
        self._configure_server(limit_time_real=0)
        self._assert_absent("limit_time_real")
        self._configure_server(limit_time_real=119)
        found = self._found("limit_time_real is 119 seconds; 120 is usual.", 40)
        self.assertIn("Set limit_time_real = 120 or more.", found["advice"])

    # ------------------------------------------------------------------
    # One email
    # ------------------------------------------------------------------

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
