# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import smtplib
from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from odoo.addons.queue_job.exception import RetryableJobError

from .. import judgement
from ..models import mailing_mailing_session
from .common import QueueCase, refused, wrapped


@tagged("-at_install", "post_install")
class TestJudgement(QueueCase):
    """Whose fault it is that a message was not accepted: what others get decides."""

    def _send_to(self, count, **values):
        """Plan a mailing to ``count`` contacts, one a job, and remember sessions."""
        self.addresses = [f"{number:02}@example.com" for number in range(count)]
        self._contacts(*self.addresses)
        self.mailing = self._mailing(**values)
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        opened = mailing_mailing_session.MailingMailing._queue_open_session

        def remember(mailing, ledger, route):
            self.session = opened(mailing, ledger, route)
            return self.session

        self.patch(
            mailing_mailing_session.MailingMailing, "_queue_open_session", remember
        )

    def _run(self, jobs=None):
        """Run jobs once; return how many postponed themselves."""
        postponed = 0
        for job in jobs if jobs is not None else self._jobs("_job_send"):
            try:
                self._perform(job)
            except RetryableJobError:
                postponed += 1
                job.state = "pending"
                self.env.flush_all()
                self.env.invalidate_all()
        return postponed

    def _pause(self):
        for job in self._jobs("_job_pause"):
            self._perform(job)

    def _later(self, minutes=120):
        """Let everybody be due again, and what is known be so much older."""
        self.env.flush_all()
        for table, columns in (
            (
                "mailing_trace",
                (
                    "queue_next_attempt",
                    "queue_claimed_at",
                    "queue_refused_at",
                    "sent_datetime",
                    "write_date",
                ),
            ),
            ("mailing_queue_outage", ("since", "retry_at")),
            ("mailing_mailing", ("queue_resumed_at",)),
        ):
            for column in columns:
                self.cr.execute(  # pylint: disable=sql-injection
                    f"UPDATE {table} SET {column} = {column} - %s",
                    [timedelta(minutes=minutes)],
                )
        if "mailing.provider" in self.env:
            # Epochs. An account rests where the first addon only waits.
            self.cr.execute(
                "UPDATE mailing_provider_state SET rest_until = rest_until - %s",
                [minutes * 60],
            )
        # In reality that is another second than the one in which others were accepted.
        self.cr.execute(
            "UPDATE mailing_trace SET queue_claimed_at = queue_claimed_at "
            "- interval '9 seconds' WHERE trace_status = 'outgoing'"
        )
        self.env.invalidate_all()

    def _break(self, *addresses):
        """Have these recipients' messages break the connection."""

        def breaks(_address):
            self.session.in_message = True
            return smtplib.SMTPServerDisconnected("reset")

        self.replies.update(dict.fromkeys(addresses, breaks))

    def _states(self):
        return [
            (trace.trace_status, trace.queue_attempts)
            for trace in self._traces(self.mailing)
        ]

    # ------------------------------------------------------------------
    # The same for everybody
    # ------------------------------------------------------------------

    def _refuse(self, code, addresses=None):
        for address in addresses or self.addresses:
            words = f"4.9.9 zorgl {address} vrenk 8f3a{address[:2]}".encode()
            self.replies[address] = refused(address, code, words.lstrip(b"4.9 "))

    def test_the_same_refusal_for_everybody_fails_nobody(self):
        """Whatever its words, its language and its code."""
        for code in (454, 554):
            with self.subTest(code=code):
                self.mailing = None
                self.env["mailing.contact"].search([]).unlink()
                self._send_to(judgement.ALIKE + 5)
                self._refuse(code)
                self._run()
                self._pause()
                self.assertTrue(self.mailing.queue_paused)
                self.assertIn("zorgl", self.mailing.queue_pause_reason)
                self.assertNotIn("@", self.mailing.queue_pause_reason)
                self.assertEqual(set(self._states()), {("outgoing", 0)})
                self.assertEqual(len(self.mailing.activity_ids), 1)
                # Somebody resumes before it is repaired: a second answer is enough.
                self._later()
                self.mailing.action_queue_resume()
                self._resumed_before()
                self._perform(self._jobs("_job_plan"))
                self._run()
                self._pause()
                self.assertFalse(self.mailing.queue_paused)
                self._due()
                self._run(self._jobs("_job_send")[:1])
                self._pause()
                self.assertTrue(self.mailing.queue_paused)
                self.assertEqual(set(self._states()), {("outgoing", 0)})
                self.replies.clear()
                self.mailing.action_queue_resume()
                self._run_jobs()
                self.assertEqual(sorted(self.sent), self.addresses)
                self.sent.clear()

    def test_workers_that_judge_at_the_same_moment_fail_nobody(self):
        """None knows of the others' refusals before they are recorded."""

        def alone(_judge, reply, _parcel, _session, _server_ref):
            return reply, reply

        self.patch(judgement.Judge, "judge", alone)
        self._send_to(judgement.ALIKE + 5)
        self._refuse(554)
        self._run()
        self._pause()
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(set(self._states()), {("outgoing", 0)})

    def test_the_same_refusal_for_some_is_their_own(self):
        self._send_to(40)
        self._refuse(554, self.addresses[::3])
        self._run()
        self._pause()
        self.assertFalse(self.mailing.queue_paused)
        states = self._states()
        self.assertEqual(states[::3], [("error", 1)] * 14)
        self.assertEqual(states.count(("sent", 1)), 26)

    def test_deferred_recipients_are_not_everybody_when_their_turn_comes(self):
        """Those left over at the end are refused in a row: others were accepted."""
        self._send_to(40)
        self._refuse(454, self.addresses[::3])
        self._run()
        self._later()
        self._run()
        self._pause()
        self.assertFalse(self.mailing.queue_paused)
        self.assertEqual(self._states()[::3], [("outgoing", 2)] * 14)

    def test_what_worked_before_can_be_refused_to_everybody_later(self):
        self._send_to(40)
        self._run(self._jobs("_job_send")[:20])
        self._refuse(554)
        self._run()
        self._pause()
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(
            set(self._states()), {("sent", 1), ("outgoing", 0)}, "nobody has failed"
        )

    def test_words_that_name_the_recipient_need_more_of_them(self):
        """A domain that is gone may have a dozen addresses in a row."""
        self._send_to(judgement.ALIKE_AND_FAMILIAR)
        for address in self.addresses:
            self.replies[address] = refused(address, 550, b"5.1.1 User unknown")
        jobs = self._jobs("_job_send")
        self._run(jobs[:-1])
        self.assertEqual(set(self._states()[:-1]), {("error", 1)})
        self._run(jobs[-1])
        self._pause()
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(set(self._states()), {("outgoing", 0)})
        # Somebody looks, and goes on: they do not exist.
        self._later()
        self.mailing.action_queue_resume()
        self._perform(self._jobs("_job_plan"))
        self._run()
        self.assertEqual(set(self._states()), {("error", 1)})

    def test_a_full_mailbox_is_nobody_elses(self):
        self._send_to(30)
        for address in self.addresses:
            self.replies[address] = refused(address, 452, b"4.2.2 Mailbox full")
        self._run()
        self._pause()
        self.assertFalse(self.mailing.queue_paused)
        self.assertEqual(set(self._states()), {("outgoing", 1)})

    # ------------------------------------------------------------------
    # One that holds the others up
    # ------------------------------------------------------------------

    def test_a_message_that_breaks_its_connection_holds_nobody_up(self):
        """H8: two of them neither; they end after a bounded number of tries."""
        self._send_to(10)
        poisonous = self.addresses[:2]
        self._break(*poisonous)
        self._run()
        self.assertEqual(self.sent, self.addresses[2:])
        self.assertEqual(self._states()[:2], [("outgoing", 0)] * 2)
        self._run_out()
        self.assertEqual(self._states()[:2], [("error", 5)] * 2)
        self.assertFalse(
            self.env["mailing.queue.outage"].search([("failures", ">", 0)])
        )

    def _run_out(self):
        """Let time pass until nobody waits any more."""
        for _round in range(judgement.FREE_CLOSED + 6):
            self._later()
            self._run()

    def test_a_server_that_closes_its_connections_costs_nobody_an_attempt(self):
        """After each third message; whose turn it is then is chance."""
        self._send_to(9)

        def third(_address):
            if self.session.delivered % 3 < 2:
                return None
            self.session.in_message = self.session.lost = True
            return smtplib.SMTPServerDisconnected("closed")

        self.replies.update(dict.fromkeys(self.addresses, third))
        for _round in range(4):
            self._run()
            self._later()
        self.assertEqual(sorted(self.sent), self.addresses)
        self.assertEqual(set(self._states()), {("sent", 1)})

    def test_a_421_for_one_domain_holds_nobody_up(self):
        self._send_to(10)
        self.replies[self.addresses[0]] = refused(
            self.addresses[0], 421, b"4.9.9 zorgl"
        )
        self._run()
        self.assertEqual(self.sent, self.addresses[1:])
        self._run_out()
        self.assertEqual(self._states()[0], ("error", 5))

    def test_several_that_break_new_connections_are_the_servers_fault(self):
        """Then nobody's attempt is spent, however long it takes."""
        self._send_to(5)
        self._break(*self.addresses)
        self._run()
        outage = self.env["mailing.queue.outage"].search([])
        self.assertEqual(outage.failures, 1)
        self.assertEqual(set(self._states()), {("outgoing", 0)})
        due = self._traces(self.mailing)[2].queue_next_attempt
        self.assertGreater(due, outage.retry_at, "somebody else knocks next")
        for _knock in range(9):
            self._later(20)
            self._run()
        self.assertEqual(set(self._states()), {("outgoing", 0)})
        self.assertGreater(outage.failures, 5)
        self.replies.clear()
        self._later()
        self._run()
        self.assertEqual(self.sent, self.addresses)
        self.assertFalse(outage.exists())

    def test_suspects_do_not_count_if_others_were_accepted_meanwhile(self):
        """Over a connection that another worker had before."""
        self._send_to(10)
        self._break(*self.addresses[:4])
        jobs = self._jobs("_job_send")
        self._run(jobs[:2])
        other = self._traces(self.mailing)[9]
        other.write({"trace_status": "sent", "sent_datetime": fields.Datetime.now()})
        self.env.flush_all()
        self.cr.execute(
            "UPDATE mailing_trace SET write_date = now() AT TIME ZONE 'utc' "
            "+ interval '1 second' WHERE id = %s",
            [other.id],
        )
        self._run(jobs[2:4])
        self.assertFalse(
            self.env["mailing.queue.outage"].search([("failures", ">", 0)])
        )

    def test_lost_answers_in_a_row_are_the_servers_fault(self):
        """Each is one more that nobody can answer for: two are enough."""

        def lost(_address):
            self.session.awaiting_reply = True
            return smtplib.SMTPServerDisconnected("lost")

        self._send_to(5)
        self.replies.update(dict.fromkeys(self.addresses, lost))
        self._run()
        doubts = self._traces(self.mailing).filtered(
            lambda trace: trace.failure_type == "queue_in_doubt"
        )
        self.assertEqual(len(doubts), judgement.SUSPECTS_IN_DOUBT)

    def test_one_lost_answer_holds_nobody_up(self):
        def lost(_address):
            self.session.awaiting_reply = True
            return smtplib.SMTPServerDisconnected("lost")

        self._send_to(5)
        self.replies[self.addresses[0]] = lost
        self.assertFalse(self._run())
        self.assertEqual(self.sent, self.addresses[1:])

    def test_a_recipient_that_the_provider_is_asked_to_slow_down_for(self):
        """A quota that one recipient alone meets again and again is its own."""
        self._send_to(5)
        quota = refused(self.addresses[0], 450, b"4.7.1 hourly limit exceeded")
        self.replies[self.addresses[0]] = quota
        self._run()
        # The others' turn, and not yet this one's: it waits half as long again.
        self._later(12 if "mailing.provider" in self.env else 1.25)
        for _round in range(6):
            self._run()
            self._later()
        self.assertEqual(self.sent, self.addresses[1:])
        self.assertEqual(self._states()[0], ("error", 5))

    def test_who_was_refused_before_somebody_resumed_comes_last(self):
        """A dead domain ahead of the list holds up nobody behind it, for good."""
        for count, words in ((12, b"No such user here"), (1, b"relay not permitted")):
            with self.subTest(words=words):
                self.env["mailing.contact"].search([]).unlink()
                self.sent.clear()
                self.replies.clear()
                self._send_to(30)
                for address in self.addresses[:count]:
                    self.replies[address] = refused(address, 550, words)
                self._run_until_paused()
                self.assertTrue(self.mailing.queue_paused)
                self.assertFalse(self.sent)
                self._later()
                self.mailing.action_queue_resume()
                # An account that was stopped goes on once that is committed.
                self.env.cr.postcommit.run()
                self._resumed_before()
                self._perform(self._jobs("_job_plan"))
                self._run_until_paused()
                self.assertEqual(self.sent, self.addresses[count:])
                for _attempt in range(5):
                    self._due()
                    self._run_until_paused()
                self.assertFalse(self.mailing.queue_paused)
                self.assertEqual(
                    {state for state, _attempts in self._states()[:count]}, {"error"}
                )

    def _run_until_paused(self):
        for job in self._jobs("_job_send"):
            if not self.mailing.queue_paused:
                self._run(job)
                self._pause()

    def _resumed_before(self):
        """In reality that is another second than the one in which they are tried."""
        self.mailing.queue_resumed_at -= timedelta(seconds=10)

    def _due(self):
        self._traces(self.mailing).queue_next_attempt = False

    def test_the_last_recipient_does_not_knock_for_ever(self):
        """Nobody else is left who could show whether it is the server."""
        self._send_to(3)
        self._break(self.addresses[-1])
        self._run(self._jobs("_job_send")[:-1])
        self.assertEqual(self.sent, self.addresses[:-1])
        for _knock in range(90):
            self._later(20)
            # The others were accepted before.
            if (last := self._traces(self.mailing)[-1]).queue_claimed_at:
                last.queue_claimed_at += timedelta(seconds=9)
            self._run()
            self._pause()
            if self.mailing.queue_paused:
                break
        self.assertTrue(self.mailing.queue_paused)
        self.assertEqual(self._states()[-1], ("outgoing", 0))
        self.assertFalse(self.env["mailing.queue.outage"].search([]))

    def test_who_breaks_connections_is_known_by_other_mailings_too(self):
        """The same server accepts theirs."""
        self._send_to(1)
        first = self.mailing
        self._contacts("other@example.com")
        other = self._mailing()
        other.action_launch()
        self._perform(self._jobs("_job_plan"))
        self._break(*self.addresses)
        jobs = self._jobs("_job_send")
        self._run(jobs.filtered(lambda job: job.mailing_id == first.id))
        for _knock in range(5):
            self._later()
            trace = self._traces(other)[-1]
            trace.write(
                {"trace_status": "sent", "sent_datetime": fields.Datetime.now()}
            )
            self._run(
                self._jobs("_job_send").filtered(lambda job: job.mailing_id == first.id)
            )
        self.assertEqual(self._traces(first).trace_status, "error")

    def test_what_fails_before_a_server_is_asked_holds_nobody_up(self):
        self._send_to(4)
        self.replies[self.addresses[0]] = lambda _address: ConnectionError("addon")
        self._run()
        self._later(1.25)
        self._run()
        self._run_out()
        self.assertEqual(self.sent, self.addresses[1:])
        self.assertEqual(self._states()[0], ("error", 5))

    def test_a_quota_that_others_meet_too_costs_nobody_an_attempt(self):
        """However often it is the same recipient whose turn it is then."""
        self._send_to(5)
        for address in (self.addresses[0], self.addresses[4]):
            self.replies[address] = refused(
                address, 450, b"4.7.1 hourly limit exceeded"
            )
        self._run()
        self._later(12 if "mailing.provider" in self.env else 1.25)
        self._run()
        self.assertEqual(self.sent, self.addresses[1:4])
        self._later()
        self._run(self._jobs("_job_send")[:1])
        self.assertEqual(self._states()[0], ("outgoing", 0))

    # ------------------------------------------------------------------
    # Senders
    # ------------------------------------------------------------------

    def test_a_refused_sender_is_that_senders(self):
        """The emails of the others leave, and somebody is told once."""
        self._send_to(6)
        compose = type(self.mailing)._queue_compose

        def owners(mailing, ledger, trace_ids):
            routes = compose(mailing, ledger, trace_ids)
            for route in routes:
                for parcel in route.parcels:
                    if parcel.emails[0]["email_to_normalized"][0] in self.addresses[:3]:
                        parcel.email_from = "owner@example.org"
            return routes

        self.patch(type(self.mailing), "_queue_compose", owners)
        for address in self.addresses[:3]:
            self.replies[address] = wrapped(
                smtplib.SMTPSenderRefused(
                    553, b"5.7.1 sender not owned by user", "owner@example.org"
                )
            )
        self._run()
        self.assertEqual(self.sent, self.addresses[3:])
        traces = self._traces(self.mailing)
        self.assertEqual(traces.mapped("queue_held"), [True] * 3 + [False] * 3)
        self.assertEqual(self._states()[:3], [("outgoing", 0)] * 3)
        self._run(self._jobs("_job_report_sender"))
        self._pause()
        self.assertFalse(self.mailing.queue_paused)
        self.assertEqual(len(self.mailing.activity_ids), 1)
        self.replies.clear()
        self.mailing.action_queue_resume()
        self._run_jobs()
        self.assertEqual(sorted(self.sent), self.addresses)

    def test_the_mailings_own_sender_pauses_it(self):
        self._send_to(3)
        self.replies[self.addresses[0]] = wrapped(
            smtplib.SMTPSenderRefused(553, b"5.7.1 sender not owned by user", "news")
        )
        self._run(self._jobs("_job_send")[:1])
        self._pause()
        self.assertTrue(self.mailing.queue_paused)
        self.assertFalse(self._traces(self.mailing).filtered("queue_held"))

    # ------------------------------------------------------------------
    # Stated times
    # ------------------------------------------------------------------

    def test_a_stated_time_is_kept(self):
        self._send_to(3)
        for address, words in zip(
            self.addresses,
            (
                b"4.7.1 greylisted, try again in 20 seconds",
                b"4.7.1 greylisted, try again in 2 hours",
                b"4.2.0 later",
            ),
            strict=True,
        ):
            self.replies[address] = refused(address, 450, words)
        seconds = [self._postponed(job).seconds for job in self._jobs("_job_send")]
        for waits, stated in zip(seconds, (20, 7200, 300), strict=True):
            self.assertAlmostEqual(waits, stated, delta=5)

    def test_a_server_that_states_a_time_is_asked_again_then(self):
        if "mailing.provider" in self.env:
            self.skipTest("The account rests: see test_limiter")
        self._send_to(2)
        self.replies[self.addresses[0]] = refused(
            self.addresses[0], 450, b"4.7.1 too much mail, try again in 10 seconds"
        )
        job = self._jobs("_job_send")[0]
        self.assertAlmostEqual(self._postponed(job).seconds, 10, delta=5)

    def test_resume_gives_attempts_back(self):
        self._send_to(2)
        for address in self.addresses:
            self.replies[address] = refused(address, 450, b"4.2.0 later")
        self._run()
        self.mailing.action_queue_pause()
        self.assertEqual(set(self._states()), {("outgoing", 1)})
        job = self._jobs("_job_send")[0]
        job.eta = fields.Datetime.add(fields.Datetime.now(), seconds=300)
        self.mailing.action_queue_resume()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()
        self.assertEqual(set(self._states()), {("outgoing", 0)})
        self.assertFalse(job.eta, "it looks again now")
