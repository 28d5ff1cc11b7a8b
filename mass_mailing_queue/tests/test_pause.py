# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
import smtplib
from unittest.mock import patch

from odoo.tests import tagged

from .. import sql_watch
from .common import QueueCase, refused

LOGGER = "odoo.addons.mass_mailing_queue.models.mailing_mailing_pause"


@tagged("-at_install", "post_install")
class TestPause(QueueCase):
    """A mailing stops by itself when too many of its emails fail."""

    def setUp(self):
        super().setUp()
        self.emails = [f"{number}@example.com" for number in range(12)]
        self._contacts(*self.emails)
        self.mailing = self._mailing()

    def _limit(self, failures, window):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("mass_mailing_queue.pause_failures", str(failures))
        parameters.set_param("mass_mailing_queue.pause_window", str(window))

    def _refuse(self, *numbers, text=b"5.1.1 No such user"):
        for number in numbers:
            email = self.emails[number]
            self.replies[email] = refused(
                email, 550, b"<" + email.encode() + b"> " + text
            )

    def _send(self):
        self.mailing.action_launch()
        self._run_jobs()

    def test_doubts_on_connections_that_delivered_pause_it_too(self):
        """The server takes the first message of each, and dies with the second."""
        self._limit(3, 10)
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "12")
        sessions = []
        open_session = type(self.mailing)._queue_open_session

        def opened(mailing, ledger, route):
            sessions.append(open_session(mailing, ledger, route))
            return sessions[-1]

        def dies(_address):
            sessions[-1].awaiting_reply = True
            return smtplib.SMTPServerDisconnected("gone")

        self.replies = dict.fromkeys(self.emails[1::2], dies)
        with patch.object(type(self.mailing), "_queue_open_session", opened):
            self._send()
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(self.mailing.queue_in_doubt, 4)
        self.assertEqual(len(self.sent), 4)

    def test_too_many_failures_pause_it(self):
        """The fourth of ten: nobody more is mailed, and the responsible is told."""
        self._limit(3, 10)
        self._refuse(1, 3, 5)
        self._refuse(6, text=b"5.2.1 Mailbox disabled")
        with self.assertLogs(LOGGER, logging.INFO) as log:
            self._send()
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(len(self.sent), 3, "0, 2 and 4")
        reason = self.mailing.queue_pause_reason
        self.assertIn("3 × 550", reason)
        self.assertIn("1 × 550", reason)
        self.assertNotIn("@example.com", reason)
        activity = self.mailing.activity_ids
        self.assertEqual(activity.user_id, self.mailing.user_id)
        self.assertIn("3 × 550", activity.note)
        self.assertEqual(len(activity), 1)
        line = log.output[-1]
        self.assertIn(
            f"Mailing {self.mailing.id}: event=stall planned=12 sent=3 failed=4 "
            "remaining=5 reason=failures",
            line,
        )

    def test_the_job_stops_at_once(self):
        """Whom the same job carries, too: it does not wait to be paused."""
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "12")
        self._limit(3, 10)
        self._refuse(0, 1, 2, 3)
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        self._perform(self._jobs("_job_send"))
        self.assertFalse(self.sent)
        self._run_jobs()
        self.assertTrue(self.mailing.queue_paused)
        self.assertFalse(self.sent)

    def test_a_share_below_the_limit_goes_on(self):
        self._limit(3, 5)
        self._refuse(0, 3, 6, 9)
        self._send()
        self.assertEqual(self.mailing.state, "done")
        self.assertEqual(len(self.sent), 8)

    def test_resumed_it_counts_anew(self):
        self._limit(3, 10)
        self._refuse(0, 1, 2, 3, 4)
        self._send()
        self.assertFalse(self.sent)
        # Seconds are as fine as it gets.
        self._traces(self.mailing).queue_claimed_at = "2020-01-01"
        self.mailing.action_queue_resume()
        self._run_jobs()
        self.assertEqual(self.mailing.state, "done")

    def test_zero_switches_it_off(self):
        self._limit(0, 10)
        self._refuse(*range(12))
        self._send()
        self.assertEqual(self.mailing.state, "done")
        self.assertFalse(self.mailing.activity_ids)

    def test_emails_that_cannot_be_made_count(self):
        """They fail before anybody is asked, and are failures of this mailing, too."""
        self._limit(2, 10)
        self._refuse(0, 1)
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        self._perform(self._jobs("_job_send")[0])
        self._perform(self._jobs("_job_send")[0])
        job = self._jobs("_job_send")[0]
        compose = type(self.mailing)._queue_compose_chunk
        bad = self._traces(self.mailing).filtered(
            lambda trace: trace.queue_job_uuid == job.uuid
        )

        def composing(mailing, trace_ids):
            if bad.id in trace_ids:
                raise ValueError("no")
            return compose(mailing, trace_ids)

        with patch.object(type(self.mailing), "_queue_compose_chunk", composing):
            self._perform(job)
        self._run_jobs()
        self.assertTrue(self.mailing.queue_paused)
        self.assertIn("1 × The email could not be", self.mailing.queue_pause_reason)

    def test_a_line_at_start_and_end(self):
        self._refuse(0)
        with self.assertLogs(LOGGER, logging.INFO) as log:
            self._send()
        begin, end = log.output
        self.assertIn("event=start planned=12 sent=0 failed=0 remaining=12", begin)
        self.assertIn(
            "event=end planned=12 sent=11 failed=1 remaining=0 reason=done", end
        )

    def test_failures_are_found_through_their_index(self):
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        queries = []
        execute = type(self.env.cr).execute

        def spy(cursor, query, params=None, **kwargs):
            queries.append((query, params))
            return execute(cursor, query, params, **kwargs)

        self.patch(type(self.env.cr), "execute", spy)
        sql_watch.fails_too_often(self.env.cr, self.mailing.id, 20, 100)
        ((query, params),) = queries
        execute(self.env.cr, "EXPLAIN " + query, params)
        plan = "\n".join(row[0] for row in self.env.cr.fetchall())
        self.assertIn("mailing_trace_queue_failed_idx", plan)
