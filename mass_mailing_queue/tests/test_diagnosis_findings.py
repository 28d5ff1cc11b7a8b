# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import socket
import socketserver
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from .. import sql, sql_outage
from .common_diagnosis import DiagnosisCase

#: The least gravity of what hinders.
HINDERS = 40


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

    def test_commits_that_a_crash_takes_back(self):
        self._assert_absent("synchronous_commit")
        self.cr.execute("SET LOCAL synchronous_commit = local")
        self._assert_absent("synchronous_commit")
        self.cr.execute("SET LOCAL synchronous_commit = off")
        found = self._found("synchronous_commit is off", 30)
        self.assertIn("Nobody is mailed twice", found["advice"])

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
        sql_outage.outage_suspect(self.cr, self.server.id, 1, "Connection lost")
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

    def _configure_channels(self, line):
        self._set_environment(ODOO_QUEUE_JOB_CHANNELS=line)

    def _assert_followed(self, title, gravity, line):
        """Find this, do what is advised, and find nothing any more."""
        found = self._found(title, gravity)
        self.assertIn("environment variable", found["advice"])
        name, _equals, advised = found["details"][0].partition("=")
        self.assertEqual(name, "ODOO_QUEUE_JOB_CHANNELS")
        # Other addons may add channels below root.mail.
        self.assertRegex(advised, f"^{line}(,root.mail.[^,]*)*$")
        self._configure_channels(advised)
        self._assert_absent("Mailings may")

    def test_mailings_may_take_all_workers(self):
        title = "Mailings may keep 4 workers busy, and this server has 4"
        self._assert_absent("Mailings may")
        self._configure_channels("root:4,root.mail:4")
        self._assert_followed(title, 41, "root:4,root.mail:2")
        self._configure_channels("root:4,root.mail:4,root.other:3:sequential=")
        self._configure_server(workers=0)
        self._assert_absent("Mailings may")

    def test_mailings_may_take_few_workers(self):
        """Other channels are kept, and so is what was left for them."""
        self._configure_server(workers=8)
        for line, used, advised in (
            ("root:1", 1, "root:6,root.mail:6"),
            ("root:8,root.mail:2,root.other:1", 2, "root:8,root.mail:5,root.other:1"),
            ("root:2:throttle=1", 2, "root:6:throttle=1,root.mail:6"),
        ):
            with self.subTest(line=line):
                self._configure_channels(line)
                title = f"Mailings may use only {used} of this server's 8 workers"
                self._assert_followed(title, 44, advised)

    def test_channels_that_somebody_chose_are_left_alone(self):
        """One job after the other, or a part of the workers for another channel."""
        self._configure_server(workers=8)
        for line in (
            "root:6,root.mail:1:sequential",
            "root:8,root.mail:4,root.second:2",
            "root:6,root.mail:4,root.second:2",
        ):
            with self.subTest(line=line):
                self._configure_channels(line)
                self._assert_absent("Mailings may")

    def test_workers_of_other_nodes_are_not_known(self):
        """Where the runner calls another host, channels are for all nodes."""
        self._set_environment(ODOO_QUEUE_JOB_HOST="balancer.example.com")
        with patch.object(socket, "create_connection"):
            self._configure_channels("root:8,root.mail:8")
            self._assert_absent("Mailings may")
            self._configure_channels("root:1")
            self._assert_absent("Mailings may")

    def test_one_worker_is_as_good_as_it_gets(self):
        self._configure_server(workers=1)
        self._configure_channels("root:1,root.mail:1")
        self._assert_absent("Mailings may")
        self._configure_channels("root:2,root.mail:2")
        title = "Mailings may keep 2 workers busy, and this server has 1"
        self._assert_followed(title, 41, "root:2,root.mail:1")

    def test_a_short_time_limit(self):
        self._assert_absent("limit_time_real")
        self._configure_server(limit_time_real=0)
        self._assert_absent("limit_time_real")
        self._configure_server(limit_time_real=119)
        found = self._found("limit_time_real = 119 is low; 120 is usual.", 40)
        self.assertIn("Set limit_time_real = 120 or more.", found["advice"])
