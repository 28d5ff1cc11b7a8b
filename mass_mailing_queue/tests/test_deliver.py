# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import smtplib
from unittest.mock import patch

import psycopg2

from odoo import fields
from odoo.tests import tagged

from odoo.addons.link_tracker.models.link_tracker import LinkTracker
from odoo.addons.mail.models.mail_mail import MailMail

from .. import slicing, smtp, sql, sql_outage
from ..models import mailing_mailing_deliver, mailing_mailing_session
from ..replies import Verdict
from .common import QueueCase, refused, wrapped


@tagged("-at_install", "post_install")
class TestDeliver(QueueCase):
    """Claims, outcomes and what each reply sets off."""

    def setUp(self):
        super().setUp()
        self.contacts = self._contacts("a@example.com", "b@example.com")
        self.mailing = self._mailing()
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        self.first, self.second = self._traces(self.mailing)

    def test_mailing_is_done_when_the_last_recipient_is(self):
        """H13: done means sent, and the KPI mail is asked for once."""
        first, second = self._jobs("_job_send")
        self._perform(first)
        self.assertEqual(self.mailing.state, "sending")
        self.assertFalse(self.mailing.sent_date)
        self._perform(second)
        self.assertEqual(self.mailing.state, "sending")
        self._run_jobs()
        self.assertEqual(self.mailing.state, "done")
        self.assertTrue(self.mailing.kpi_mail_required)
        self.assertEqual(self.sent, ["a@example.com", "b@example.com"])

    def test_sent_trace_looks_like_upstreams(self):
        self._run_jobs()
        self.assertEqual(self.first.trace_status, "sent")
        self.assertTrue(self.first.sent_datetime)
        self.assertFalse(self.first.sent_datetime.microsecond, "Odoo's have none")
        self.assertFalse(self.first.queue_claimed_at.microsecond)
        self.assertTrue(self.first.message_id)
        self.assertTrue(self.first.mail_mail_id_int)
        self.assertEqual(self.first.queue_attempts, 1)
        self.assertFalse(self.first.mail_mail_id, "sent mails are deleted")

    def test_h4_composing_never_sends(self):
        """H4: small batches are not sent inside the composing transaction."""
        self._let_native_send()
        routes = self.mailing._queue_compose_chunk(self.first.ids)
        self.assertFalse(self.sent)
        self.assertEqual(len(routes[0].parcels), 1)

    def test_h28_native_senders_leave_our_mails_alone(self):
        """H28: the mail queue, Send Now and Retry would send them a second time."""
        self._let_native_send()
        self.mailing._queue_compose_chunk((self.first + self.second).ids)
        mails = (self.first + self.second).mail_mail_id
        self.assertEqual(mails.mapped("state"), ["outgoing", "outgoing"])
        self.env["mail.mail"].process_email_queue()
        self.env["mail.mail"].process_email_queue(email_ids=mails.ids)
        mails.send()
        mails._send()
        self.assertFalse(self.sent)
        mails.state = "exception"
        mails.action_retry()
        self.assertEqual(mails.mapped("state"), ["exception", "exception"])

    def test_claim_is_won_once(self):
        """H1: the second of two workers gets nothing."""
        args = (self.first.id, 11, "node:1", "<id>", 1, [])
        self.env.flush_all()
        self.assertEqual(sql.claim(self.cr, *args)[0], "process")
        self.assertIsNone(sql.claim(self.cr, *args)[0])

    def test_claim_is_refused_where_nothing_may_be_sent(self):
        """Held or deferred recipients, and paused, cancelled or drafted mailings."""
        claim = (self.first.id, 11, "node:1", "<id>", 1, [])
        for record, values, undo in (
            (self.first, {"queue_held": True}, {"queue_held": False}),
            (
                self.first,
                {"queue_next_attempt": fields.Datetime.add(self.env.cr.now(), hours=1)},
                {"queue_next_attempt": False},
            ),
            (self.mailing, {"queue_paused": True}, {"queue_paused": False}),
            (self.mailing, {"queue_cancelled": True}, {"queue_cancelled": False}),
            (self.mailing, {"state": "draft"}, {"state": "sending"}),
        ):
            record.write(values)
            self.env.flush_all()
            self.assertIsNone(sql.claim(self.cr, *claim)[0], values)
            record.write(undo)
        self.env.flush_all()
        self.assertEqual(sql.claim(self.cr, *claim)[0], "process")

    def test_our_mails_take_no_place_in_the_mail_queue(self):
        """Native's batch is for native's mails, however many of ours wait."""
        self.mailing._queue_compose_chunk((self.first + self.second).ids)
        native = self.env["mail.mail"].create({"email_to": "me@example.org"})
        with patch.object(type(native), "send", autospec=True) as send:
            self.env["mail.mail"].process_email_queue()
        queued = send.call_args.args[0]
        self.assertIn(native, queued)
        self.assertFalse(queued.filtered("queue_managed"))

    def test_late_exclusions_cancel(self):
        """Who opts out or is blacklisted after planning is not mailed."""
        self.env["mail.blacklist"]._add("a@example.com")
        self.contacts[1].subscription_ids.opt_out = True
        self._run_jobs()
        self.assertFalse(self.sent)
        self.assertEqual(
            self._statuses(self.mailing),
            [
                ("a@example.com", "cancel", "mail_bl"),
                ("b@example.com", "cancel", "mail_optout"),
            ],
        )
        self.assertEqual(self.mailing.state, "done")

    def test_claim_looks_at_exclusions_itself(self):
        """Also those that arrive between composing and the claim."""
        self.env["mail.blacklist"]._add("a@example.com")
        self.contacts[1].subscription_ids.opt_out = True
        self.env.flush_all()
        claim = (11, "node:1", "<id>", 1, self.list.ids)
        self.assertEqual(sql.claim(self.cr, self.first.id, *claim)[0], "cancel")
        self.assertEqual(sql.claim(self.cr, self.second.id, *claim)[0], "cancel")
        self.env.invalidate_all()
        self.assertEqual(self.first.failure_type, "mail_bl")
        self.assertEqual(self.second.failure_type, "mail_optout")

    def test_claim_looks_at_exclusions_of_other_spellings(self):
        """Who leaves by a link may be on the list under another spelling."""
        contacts = self._contacts(
            "x@xn--mnchen-3ya.example", "y@xn--mnchen-3ya.example"
        )
        mailing = self._mailing()
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        traces = self._traces(mailing).filtered(lambda t: "nchen" in t.email)
        self.env["mail.blacklist"]._add(contacts[0].email)
        contacts[1].subscription_ids.opt_out = True
        self.env.flush_all()
        for trace in traces:
            claim = (11, "node:1", "<id>", 1, self.list.ids, trace.email)
            self.assertEqual(sql.claim(self.cr, trace.id, *claim)[0], "cancel")
        self.env.invalidate_all()
        self.assertEqual(traces.mapped("failure_type"), ["mail_bl", "mail_optout"])

    def test_h2_record_keeps_what_the_recipient_did(self):
        """H2, H12: a bounce or open during delivery is not overwritten."""
        self.env.flush_all()
        values = {
            "failure_type": None,
            "failure_reason": None,
            "queue_smtp_code": None,
            "queue_smtp_status": None,
            "refusal": None,
            "passed_over": 0,
            "held": False,
            "attempt": 1,
            "delay": None,
        }
        sql.claim(self.cr, self.first.id, 11, "node:1", "<id>", 1, [])
        self.env.invalidate_all()
        self.first.set_bounced()
        self.env.flush_all()
        self.assertTrue(sql.record(self.cr, self.first.id, 11, "sent", values))
        self.assertFalse(sql.record(self.cr, self.first.id, 12, "error", values))
        self.env.invalidate_all()
        self.assertEqual(self.first.trace_status, "bounce")
        self.assertTrue(self.first.sent_datetime)

    def test_permanent_refusal_fails_that_recipient(self):
        self.replies["a@example.com"] = refused("a@example.com", 550, b"5.1.1 unknown")
        self._run_jobs()
        self.assertEqual(self.sent, ["b@example.com"])
        self.assertEqual(self.first.trace_status, "error")
        self.assertEqual(self.first.queue_smtp_code, 550)
        self.assertEqual(self.first.queue_smtp_status, "5.1.1")
        self.assertIn("unknown", self.first.failure_reason)
        self.assertEqual(self.mailing.state, "done")

    def test_temporary_refusal_is_tried_again_and_then_fails(self):
        self.replies["a@example.com"] = refused("a@example.com", 450, b"4.2.0 later")
        job = self._jobs("_job_send")[0]
        self.assertAlmostEqual(self._postponed(job).seconds, 300, delta=5)
        self.assertEqual(self.first.trace_status, "outgoing")
        self.assertEqual(self.first.queue_attempts, 1)
        for _attempt in range(4):
            self.first.queue_next_attempt = False
            self.env.flush_all()
            if self.first.queue_attempts < 4:
                self._postponed(job)
            else:
                self._perform(job)
        self.assertEqual(self.first.trace_status, "error")
        self.assertEqual(self.first.queue_attempts, 5)

    def test_h9_outage_costs_no_recipient(self):
        """H9: an unreachable server fails nobody; everybody waits for it."""
        gone = ConnectionRefusedError("refused")
        self.replies["a@example.com"] = self.replies["b@example.com"] = gone
        for job in self._jobs("_job_send"):
            self._postponed(job)
        traces = self.first + self.second
        self.assertEqual(traces.mapped("trace_status"), ["outgoing", "outgoing"])
        self.assertEqual(traces.mapped("queue_attempts"), [0, 0])

    def test_nothing_is_composed_during_an_outage(self):
        """Jobs that come back to a server that is down only look."""
        self.replies["a@example.com"] = ConnectionRefusedError("refused")
        first, second = self._jobs("_job_send")
        self._postponed(first)
        with patch.object(
            type(self.mailing), "_queue_compose", side_effect=AssertionError
        ):
            self._postponed(second)

    def test_an_old_outage_is_over(self):
        """Nobody followed it up: what fails today began today."""
        sql_outage.outage_begin(self.cr, self.server.id, "refused")
        self.cr.execute(
            "UPDATE mailing_queue_outage SET since = since - interval '7 days', "
            "retry_at = retry_at - interval '7 days', failures = 9"
        )
        failures, seconds = sql_outage.outage_begin(self.cr, self.server.id, "refused")
        self.assertEqual((failures, round(seconds)), (1, 0))

    def test_a_file_that_cannot_be_read_is_no_outage(self):
        """Of one recipient it is tried again, and no server is blamed."""
        servers = type(self.env["ir.mail_server"])
        build = servers._build_email__

        def failing(server, *args, **kwargs):
            if "a@example.com" in kwargs["email_to"][0]:
                raise FileNotFoundError("no such file")
            return build(server, *args, **kwargs)

        with patch.object(servers, "_build_email__", failing):
            self._postponed(self._jobs("_job_send")[0])
        self.assertEqual(self.first.queue_attempts, 1)
        self.assertFalse(self.env["mailing.queue.outage"].search([]))

    def test_of_several_refused_addresses_one_may_be_tried_again(self):
        error = smtplib.SMTPRecipientsRefused(
            {"a@example.com": (550, b"5.1.1 no"), "b@example.com": (450, b"4.2.0 full")}
        )
        self.assertEqual(smtp.read_failure(error, "data").verdict, Verdict.DEFERRED)

    def test_content_that_fails_for_all_pauses(self):
        """A placeholder broken by an edit midway fails nobody for good."""
        self.mailing.body_html = '<p><t t-out="object.nothing"/></p>'
        job = self._job_for_both()
        self._perform(job)
        self._perform(self._jobs("_job_pause"))
        self.assertTrue(self.mailing.queue_paused)
        self.assertIn("nothing", self.mailing.queue_pause_reason)
        traces = self.first + self.second
        self.assertEqual(traces.mapped("trace_status"), ["outgoing", "outgoing"])

    def test_data_that_cannot_be_stored_fails_its_recipient_only(self):
        compose = type(self.mailing)._queue_compose_chunk

        def composing(mailing, trace_ids):
            if self.first.id in trace_ids:
                raise psycopg2.errors.NumericValueOutOfRange("integer out of range")
            return compose(mailing, trace_ids)

        job = self._job_for_both()
        with patch.object(type(self.mailing), "_queue_compose_chunk", composing):
            self._perform(job)
        self.assertEqual(self.first.trace_status, "error")
        self.assertEqual(self.sent, ["b@example.com"])

    def test_a_full_disk_fails_nobody(self):
        """The trouble of a server is no fault of the recipient it had it with."""
        job = self._job_for_both()
        full = psycopg2.errors.InternalError_("could not extend file")
        with (
            patch.object(type(self.mailing), "_queue_compose_chunk", side_effect=full),
            self.assertRaises(psycopg2.errors.InternalError_),
        ):
            self._perform(job)
        self.assertEqual(self.first.trace_status, "outgoing")

    def test_what_cannot_be_read_to_send_is_tried_again(self):
        """Odoo reads its database while it sends; the recipient is not refused."""
        self.replies["a@example.com"] = psycopg2.OperationalError("server closed")
        job = self._job_for_both()
        self._postponed(job)
        self.assertEqual(self.first.trace_status, "outgoing")
        self.assertEqual(self.first.queue_attempts, 0)
        self.assertFalse(self.sent)
        # The others go first.
        self._postponed(job)
        self.assertEqual(self.sent, ["b@example.com"])

    def test_a_lost_connection_postpones(self):
        """A restart of PostgreSQL is no bug of the job."""
        for method in ("_queue_deliver", "_queue_plan_slice"):
            job = self._jobs("_job_send")[0]
            if method == "_queue_plan_slice":
                self.mailing._queue_enqueue_plan()
                job = self._jobs("_job_plan")
            with patch.object(
                type(self.mailing),
                method,
                side_effect=psycopg2.OperationalError("server closed"),
            ):
                self._postponed(job)

    def test_native_traces_are_not_ours_to_send(self):
        """A native mailing's own mail is on its way."""
        self.first.queue_planned = False
        self.env.flush_all()
        self.assertEqual(self.first._send(), 0)
        claim = self.first.id, 11, "node:1", "<id>", 1, []
        self.assertIsNone(sql.claim(self.cr, *claim)[0])
        self.assertFalse(self.sent)

    def test_servers_words_are_no_markup(self):
        """What a server answers is shown, not rendered."""
        words = b"5.7.1 <b>you</b> <img src=https://example.com/x.png>"
        self.replies["a@example.com"] = wrapped(
            smtplib.SMTPSenderRefused(553, words, "me")
        )
        self._perform(self._jobs("_job_send")[0])
        self._perform(self._jobs("_job_pause"))
        for html in (self.mailing.activity_ids.note, self.mailing.message_ids[0].body):
            self.assertIn("&lt;img", html)
            self.assertNotIn("<img", html)

    def _job_for_both(self):
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "2")
        self.mailing._queue_create_jobs(self.first + self.second)
        return self._jobs("_job_send")[-1]

    def _remember_session(self):
        opened = mailing_mailing_session.MailingMailing._queue_open_session

        def remember(mailing, ledger, route):
            self.session = opened(mailing, ledger, route)
            return self.session

        self.patch(
            mailing_mailing_session.MailingMailing, "_queue_open_session", remember
        )

    def test_outage_of_a_day_pauses(self):
        self.replies["a@example.com"] = ConnectionRefusedError("refused")
        job = self._jobs("_job_send")[0]
        self._postponed(job)
        self.cr.execute(
            "UPDATE mailing_queue_outage SET since = since - interval '25 hours', "
            "retry_at = now() AT TIME ZONE 'utc'"
        )
        self.first.queue_next_attempt = False
        self._perform(job)
        self._perform(self._jobs("_job_pause"))
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(self.first.trace_status, "outgoing")

    def test_broken_account_pauses_and_tells_once(self):
        """One failed mailing notifies people once, not once per job."""
        broken = wrapped(smtplib.SMTPSenderRefused(553, b"5.7.1 not yours", "me"))
        self.replies["a@example.com"] = self.replies["b@example.com"] = broken
        first, second = self._jobs("_job_send")
        self._perform(first)
        self._perform(second)
        for job in self._jobs("_job_pause"):
            self._perform(job)
        self.assertTrue(self.mailing.queue_paused)
        self.assertIn("not yours", self.mailing.queue_pause_reason)
        self.assertEqual(len(self.mailing.activity_ids), 1)
        self.assertEqual(self.first.trace_status, "outgoing")

    def test_lost_answer_is_in_doubt_and_stays(self):
        """H8, H11: nobody is mailed again by itself."""

        def lost(_address):
            self.session.awaiting_reply = True
            return smtplib.SMTPServerDisconnected("lost")

        self._remember_session()
        self.replies["a@example.com"] = lost
        first, second = self._jobs("_job_send")
        self._perform(first)
        self.assertEqual(self.first.trace_status, "error")
        self.assertEqual(self.first.failure_type, "queue_in_doubt")
        self._perform(first)
        self._perform(second)
        self.assertEqual(self.sent, ["b@example.com"])
        del self.replies["a@example.com"]
        self.mailing.action_retry_failed()
        self._run_jobs()
        self.assertEqual(self.sent, ["b@example.com"])

    def test_what_others_note_of_an_attempt_changes_no_outcome(self):
        """As mail_tracking_mass_mailing does: a doubt stays one, for Retry to leave."""
        postprocess = MailMail._postprocess_sent_message

        def note(mails, *args, **kwargs):
            mails.mailing_trace_ids.write({"failure_type": "mail_smtp"})
            return postprocess(mails, *args, **kwargs)

        def lost(_address):
            self.session.awaiting_reply = True
            return smtplib.SMTPServerDisconnected("lost")

        self._remember_session()
        self.replies["a@example.com"] = lost
        with patch.object(MailMail, "_postprocess_sent_message", note):
            self._perform(self._jobs("_job_send")[0])
        self.assertEqual(self.first.trace_status, "error")
        self.assertEqual(self.first.failure_type, "queue_in_doubt")

    def test_the_attempts_that_count_are_those_at_the_claim(self):
        """Another worker may have tried since this one has looked."""
        permit = type(self.mailing)._queue_permit

        def others_try(mailing, ledger, route, parcel):
            self.cr.execute(
                "UPDATE mailing_trace SET queue_attempts = %s WHERE id = %s",
                [mailing_mailing_deliver.MAX_ATTEMPTS - 1, parcel.trace_id],
            )
            return permit(mailing, ledger, route, parcel)

        self.replies["a@example.com"] = refused("a@example.com", 451, b"4.3.0 Later")
        with patch.object(type(self.mailing), "_queue_permit", others_try):
            self._perform(self._jobs("_job_send")[0])
        self.assertEqual(self.first.trace_status, "error", "it was the last attempt")

    def test_recipient_deleted_while_queued(self):
        self.contacts[0].unlink()
        self._run_jobs()
        self.assertEqual(self.first.trace_status, "error")
        self.assertIn("deleted", self.first.failure_reason)
        self.assertEqual(self.sent, ["b@example.com"])

    def test_mailing_deleted_while_sending(self):
        jobs = self._jobs("_job_send")
        self.mailing.unlink()
        self._perform(jobs[0])
        self.assertFalse(self.sent)

    def test_placeholder_that_breaks_for_one(self):
        self.mailing.body_html = (
            '<p><t t-out="1 / len(object.name) and object.name"/></p>'
        )
        self.contacts[0].name = False
        self._run_jobs()
        self.assertEqual(self.first.trace_status, "error")
        self.assertTrue(self.first.failure_reason)
        self.assertEqual(self.sent, ["b@example.com"])

    def test_no_message_starts_after_the_jobs_time(self):
        """H19: the rest of a job is postponed, and spends no attempt."""
        job = self._jobs("_job_send")[0]
        with patch.object(slicing, "time_budget", return_value=-1):
            self._postponed(job)
        self.assertFalse(self.sent)
        self.assertEqual(self.first.trace_status, "outgoing")
        self.assertFalse(self.first.queue_attempts)
        self._perform(job)
        self.assertEqual(self.sent, ["a@example.com"])

    def test_links_are_looked_up_once_a_chunk(self):
        """H17: and every email has the same short link."""
        found = LinkTracker.search_or_create
        with patch.object(
            LinkTracker, "search_or_create", autospec=True, side_effect=found
        ) as looked_up:
            self.mailing._queue_compose_chunk((self.first + self.second).ids)
        self.assertEqual(looked_up.call_count, 1)
        link = self.env["link.tracker"].search(
            [("mass_mailing_id", "in", self.mailing.ids)]
        )
        for mail in (self.first + self.second).mail_mail_id:
            self.assertIn(f"/r/{link.code}", mail.body_html)

    def test_query_budget(self):
        """At most 12 statements per email at ten recipients a job."""
        self._contacts(*[f"q{number}@example.com" for number in range(20)])
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "10")
        mailing = self._mailing()
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        warm, measured = self._jobs("_job_send").filtered(
            lambda job: job.mailing_id == mailing.id
        )[:2]
        self._perform(warm)
        before = self.cr.sql_log_count
        trace_ids = measured.args[0]
        mailing._job_send(trace_ids)
        per_email = (self.cr.sql_log_count - before) / len(trace_ids)
        # Limits cost a permit an email, and a few statements a job.
        permits = 2 if "mailing.provider" in self.env else 0
        self.assertLessEqual(per_email, 12 + permits)

    def test_h15_test_mailings_are_native(self):
        """H15: the Test wizard's mails have no trace and no job."""
        before = len(self._jobs())
        self.env["mailing.mailing.test"].create(
            {"email_to": "me@example.org", "mass_mailing_id": self.mailing.id}
        ).send_mail_test()
        self.assertEqual(len(self._jobs()), before)
        self.assertEqual(len(self._traces(self.mailing)), 2)

    def test_copy_of_a_database_does_not_send(self):
        self.env["ir.config_parameter"].set_param("database.uuid", "another")
        self.env.flush_all()
        self._perform(self._jobs("_job_send")[0])
        self._perform(self._jobs("_job_pause"))
        self.assertFalse(self.sent)
        self.assertTrue(self.mailing.queue_paused)
        self.mailing.action_queue_resume()
        self._run_jobs()
        self.assertEqual(len(self.sent), 2)

    def test_database_that_slept_does_not_go_on(self):
        self.env.flush_all()
        self.cr.execute(
            "UPDATE mailing_queue_guard SET last_seen = last_seen - interval '2 days'"
        )
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self.assertTrue(self.mailing.queue_paused)
        self._perform(self._jobs("_job_send")[0])
        self.assertFalse(self.sent)
