# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import errno
from asyncio import CancelledError
from unittest.mock import patch

import psycopg2
from psycopg2 import errors

from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.mail.models.mail_mail import MailMail

from ..discretion import describe
from ..exceptions import DeliveryPostponed
from ..faults import is_conflict, is_shortage, is_trouble
from ..models import mailing_mailing_content, mailing_mailing_job
from .common import QueueCase

BROKEN = '<p>Dear <t t-out="object.nmae"/></p>'


def caused_by(cause):
    """Return an error as another addon wraps one."""
    try:
        try:
            raise cause
        except BaseException as error:
            raise ValueError("It did not work.") from error
    except ValueError as error:
        return error


@tagged("-at_install", "post_install")
class TestFaults(QueueCase):
    """Recipients fail for what is theirs, and for nothing else."""

    def setUp(self):
        super().setUp()
        mailing_mailing_content.WORKS_UNTIL.clear()
        mailing_mailing_job.LARGEST_CHUNK.clear()
        self.contacts = self._contacts(*(f"{n}@example.com" for n in range(4)))
        self.mailing = self._mailing()

    def _plan(self):
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        return self._traces(self.mailing)

    def _fail(self, contacts, error):
        """Have composing fail for some; returns how often each was composed for."""
        compose, counts = type(self.mailing)._queue_compose_chunk, {}

        def composing(mailing, trace_ids):
            traces = mailing.env["mailing.trace"].browse(trace_ids)
            for res_id in traces.mapped("res_id"):
                counts[res_id] = counts.get(res_id, 0) + 1
            if set(traces.mapped("res_id")) & set(contacts.ids):
                raise error
            return compose(mailing, trace_ids)

        self.startPatcher(
            patch.object(type(self.mailing), "_queue_compose_chunk", composing)
        )
        return counts

    # ------------------------------------------------------------------
    # Whose fault
    # ------------------------------------------------------------------

    def test_trouble_is_known_through_what_wraps_it(self):
        for trouble in (
            MemoryError(),
            SystemExit(1),
            KeyboardInterrupt(),
            OSError(errno.EMFILE, "Too many open files"),
            OSError(errno.ENOSPC, "No space left on device"),
            psycopg2.OperationalError("server closed"),
            errors.SerializationFailure(),
            errors.DeadlockDetected(),
        ):
            self.assertTrue(is_trouble(trouble), trouble)
            self.assertTrue(is_trouble(caused_by(trouble)), trouble)
        self.assertTrue(is_trouble(DeliveryPostponed("later", 5)))
        for mistake in (
            ValueError(),
            FileNotFoundError(errno.ENOENT, "No such file"),
            errors.NumericValueOutOfRange(),
            # An addon's own deadline, as asyncio raises it.
            caused_by(CancelledError()),
        ):
            self.assertFalse(is_trouble(mistake), mistake)
            self.assertFalse(is_trouble(caused_by(mistake)), mistake)

    def test_conflicts_and_shortages_are_told_apart(self):
        self.assertTrue(is_conflict(caused_by(errors.UniqueViolation())))
        self.assertFalse(is_conflict(errors.NotNullViolation()))
        self.assertTrue(is_shortage(caused_by(MemoryError())))
        self.assertFalse(is_shortage(errors.SerializationFailure()))

    def test_an_error_without_words_has_a_name(self):
        self.assertEqual(describe(MemoryError()), "Memory error")
        self.assertEqual(describe(KeyError()), "Key error")

    # ------------------------------------------------------------------
    # Content
    # ------------------------------------------------------------------

    def test_a_job_of_one_recipient_does_not_judge_alone(self):
        """What fails for everybody is the content's, in jobs of one recipient, too."""
        traces = self._plan()
        self.mailing.body_html = BROKEN
        self._run_jobs()
        self.assertTrue(self.mailing.queue_paused)
        self.assertIn("nmae", self.mailing.queue_pause_reason)
        self.assertEqual(set(traces.mapped("trace_status")), {"outgoing"})

    def test_resume_refuses_content_that_is_still_broken(self):
        traces = self._plan()
        self.mailing.action_queue_pause()
        self.mailing.body_html = BROKEN
        with self.assertRaisesRegex(UserError, "nmae"):
            self.mailing.with_user(self.user).action_queue_resume()
        self.assertTrue(self.mailing.queue_paused)
        self.mailing.body_html = "<p>Right</p>"
        self.mailing.with_user(self.user).action_queue_resume()
        self._run_jobs()
        self.assertEqual(set(traces.mapped("trace_status")), {"sent"})

    def test_resume_leaves_nothing_of_what_it_tried(self):
        traces = self._plan()
        self.mailing.action_queue_pause()
        mails, commit = self.env["mail.mail"].search_count([]), self.env.cr.commit
        self.mailing.with_user(self.user).action_queue_resume()
        self.assertEqual(self.env["mail.mail"].search_count([]), mails)
        self.assertFalse(traces.mail_mail_id)
        self.assertEqual(self.env.cr.commit, commit)

    def test_resume_before_planning_looks_at_the_content(self):
        self.mailing.action_launch()
        self.mailing.action_queue_pause()
        self.mailing.body_html = BROKEN
        with self.assertRaisesRegex(UserError, "nmae"):
            self.mailing.action_queue_resume()

    def test_one_recipient_in_whom_content_breaks_refuses_nothing(self):
        """Neither Send nor Resume: the others are to get it."""
        self.contacts[0].name = False
        self.mailing.body_html = (
            '<p><t t-out="1 / len(object.name) and object.name"/></p>'
        )
        traces = self._plan()
        self.mailing.action_queue_pause()
        self.mailing.action_queue_resume()
        self._run_jobs()
        self.assertEqual(traces.mapped("trace_status"), ["error"] + ["sent"] * 3)

    def test_some_who_stand_together_are_not_everybody(self):
        """Those without a name come first where recipients are sorted by it."""
        numbers = range(10, 20)
        more = self._contacts(*(f"{number}@example.com" for number in numbers))
        content = '<p><t t-out="1 / len(object.name or []) and object.name"/></p>'
        self.mailing.body_html = content
        traces = self._plan()
        (self.contacts | more[:4]).name = False
        self._run_jobs()
        self.assertFalse(self.mailing.queue_paused)
        self.assertEqual(traces.mapped("trace_status"), ["error"] * 8 + ["sent"] * 6)

    def test_the_only_recipient_does_not_fail(self):
        self.contacts[1:].unlink()
        trace = self._plan()
        self._fail(self.contacts[:1], ValueError("no"))
        self._run_jobs()
        self.assertEqual(trace.trace_status, "outgoing")
        self.assertIn("no", self.mailing.queue_pause_reason)

    def test_content_that_breaks_in_one_language_pauses(self):
        """Others get theirs; who reads that language waits."""
        self.env["res.lang"]._activate_lang("fr_FR")
        partners = self.env["res.partner"].create(
            [
                {"name": lang, "email": f"{n}@example.com", "lang": lang}
                for n, lang in enumerate(["en_US", "fr_FR", "fr_FR", "en_US"])
            ]
        )
        self.mailing.write(
            {
                "mailing_model_id": self.env.ref("base.model_res_partner").id,
                "mailing_domain": f"[('id', 'in', {partners.ids})]",
                "body_html": "<p><t t-out=\"object.name if object.lang != 'fr_FR' "
                'else object.nothing"/></p>',
            }
        )
        traces = self._plan()
        self._run_jobs()
        self.assertTrue(self.mailing.queue_paused)
        self.assertFalse(traces.filtered(lambda trace: trace.trace_status == "error"))

    def test_what_works_is_not_tried_again_for_each_who_fails(self):
        traces = self._plan()
        counts = self._fail(self.contacts[:3], ValueError("no"))
        self.env["ir.config_parameter"].set_param(
            "mass_mailing_queue.pause_failures", "0"
        )
        self.mailing._queue_for_jobs()._send(self.contacts[:3].ids)
        self.assertEqual(traces.mapped("trace_status"), ["error"] * 3 + ["outgoing"])
        self.assertEqual(counts[self.contacts[3].id], 1)

    def test_what_breaks_while_it_is_built_pauses_too(self):
        traces = self._plan()
        with patch.object(
            type(self.env["ir.mail_server"]), "_build_email__", side_effect=KeyError
        ):
            self._run_jobs()
        self.assertTrue(self.mailing.queue_paused)
        self.assertIn("Key error", self.mailing.queue_pause_reason)
        self.assertEqual(set(traces.mapped("trace_status")), {"outgoing"})
        self.assertFalse(any(traces.mapped("queue_attempts")))

    def test_an_attachment_whose_file_is_gone_is_refused(self):
        """Odoo would send an empty file."""
        attachment = self.env["ir.attachment"].create({"name": "a.txt", "raw": b"text"})
        self.mailing.attachment_ids = attachment
        traces = self._plan()
        self.mailing.action_queue_pause()
        attachment.invalidate_recordset()
        gone = patch.object(type(attachment), "_file_read", return_value=b"")
        with gone, self.assertRaisesRegex(UserError, "a.txt"):
            self.mailing.action_queue_resume()
        self.env.invalidate_all()
        self.mailing.action_queue_resume()
        self.env.invalidate_all()
        with gone:
            self._run_jobs()
        self.assertIn("a.txt", self.mailing.queue_pause_reason)
        self.assertEqual(set(traces.mapped("trace_status")), {"outgoing"})

    # ------------------------------------------------------------------
    # Servers of others
    # ------------------------------------------------------------------

    def _let_the_server_be_anothers(self):
        """So that upstream connects to it for this sender, and refuses its emails."""
        self.server.write(
            {"owner_user_id": self.user.id, "from_filter": "news@example.org"}
        )

    def test_a_personal_server_of_another_is_refused(self):
        """At Send, at Schedule and at Resume."""
        self.mailing.mail_server_id = self.server
        traces = self._plan()
        self.mailing.action_queue_pause()
        self._let_the_server_be_anothers()
        with self.assertRaisesRegex(UserError, "cannot send mailings"):
            self.mailing.action_queue_resume()
        draft = self._mailing(mail_server_id=self.server.id)
        with self.assertRaisesRegex(UserError, "cannot send mailings"):
            draft.action_launch()
        with self.assertRaisesRegex(UserError, "cannot send mailings"):
            draft.action_put_in_queue()
        self.assertEqual(set(traces.mapped("trace_status")), {"outgoing"})

    def test_a_server_that_becomes_personal_pauses(self):
        self.mailing.mail_server_id = self.server
        traces = self._plan()
        self._let_the_server_be_anothers()
        self._run_jobs()
        self.assertTrue(self.mailing.queue_paused)
        self.assertIn("cannot send mailings", self.mailing.queue_pause_reason)
        self.assertEqual(set(traces.mapped("trace_status")), {"outgoing"})

    # ------------------------------------------------------------------
    # Trouble
    # ------------------------------------------------------------------

    def test_a_conflict_is_tried_again_at_once(self):
        """Of two workers that insert the same, one is refused once."""
        compose, left = type(self.mailing)._queue_compose_chunk, [1, 2]

        def composing(mailing, trace_ids):
            if left and left.pop():
                raise errors.UniqueViolation("duplicate key")
            return compose(mailing, trace_ids)

        traces = self._plan()
        with patch.object(type(self.mailing), "_queue_compose_chunk", composing):
            self._run_jobs()
        self.assertEqual(set(traces.mapped("trace_status")), {"sent"})

    def test_a_conflict_that_stays_is_the_recipients(self):
        traces = self._plan()
        self._fail(self.contacts[0], errors.UniqueViolation("duplicate key"))
        self._run_jobs()
        self.assertEqual(traces.mapped("trace_status"), ["error"] + ["sent"] * 3)

    def test_memory_that_is_short_is_shared_by_fewer(self):
        """A chunk is halved; whom one alone is too much for comes later."""
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "10")
        traces = self._plan()
        job = self._jobs("_job_send")
        self._fail(self.contacts[0], MemoryError())
        key = self.env.cr.dbname, self.mailing.id
        mailing_mailing_job.COMPOSE_SECONDS[key] = 0.001
        for largest in (2, 1, 1):
            self._postponed(job)
            self.assertEqual(mailing_mailing_job.LARGEST_CHUNK[key], largest)
        self.assertFalse(traces.filtered("queue_attempts"))
        self._postponed(job)
        self.assertEqual(traces.mapped("trace_status"), ["outgoing"] + ["sent"] * 3)

    def test_a_message_under_way_when_memory_ends_waits(self):
        """Nothing was accepted: no attempt is spent, and the others go first."""
        traces = self._plan()
        self.replies["0@example.com"] = MemoryError()
        job = self._jobs("_job_send")[0]
        self._postponed(job)
        self.assertEqual(traces[0].trace_status, "outgoing")
        self.assertEqual(traces[0].failure_reason, "Memory error")
        self.assertFalse(traces[0].queue_attempts)
        self.assertTrue(traces[0].queue_next_attempt)

    def test_what_ends_the_process_is_raised_and_waits(self):
        traces = self._plan()
        for ending in (SystemExit, KeyboardInterrupt):
            self.replies["0@example.com"] = ending()
            with self.assertRaises(ending):
                self._perform(self._jobs("_job_send", ("pending", "started"))[0])
            traces.queue_next_attempt = False
            self.assertEqual(traces[0].trace_status, "outgoing")
            self.assertFalse(traces[0].queue_attempts)

    def test_trouble_while_connecting_blames_no_server(self):
        traces = self._plan()
        with patch.object(
            type(self.mailing), "_queue_connect", side_effect=MemoryError
        ):
            self._postponed(self._jobs("_job_send")[0])
        self.assertFalse(self._jobs("_job_pause"))
        self.assertEqual(set(traces.mapped("trace_status")), {"outgoing"})

    # ------------------------------------------------------------------
    # Left out
    # ------------------------------------------------------------------

    def test_whom_another_addon_leaves_out_is_settled_once(self):
        traces = self._plan()
        split = MailMail._split_by_mail_configuration
        with patch.object(
            MailMail,
            "_split_by_mail_configuration",
            lambda mails: split(
                mails.filtered(lambda mail: mail.res_id != self.contacts[0].id)
            ),
        ):
            self._run_jobs()
        self.assertEqual(traces.mapped("trace_status"), ["cancel"] + ["sent"] * 3)
        self.assertEqual(
            traces[0].failure_reason, "Another addon left this recipient out."
        )
        self.assertEqual(self.mailing.state, "done")

    def test_an_email_that_another_addon_has_dealt_with_is_not_sent(self):
        """Its state is what becomes of the recipient."""
        traces = self._plan()
        states = dict(
            zip(self.contacts.ids, ("sent", "exception", "cancel"), strict=False)
        )
        create = type(self.env["mail.mail"]).create

        def creating(model, vals_list):
            mails = create(model, vals_list)
            for mail in mails.filtered(lambda mail: mail.res_id in states):
                mail.state = states[mail.res_id]
            return mails

        with patch.object(type(self.env["mail.mail"]), "create", creating):
            self._run_jobs()
        self.assertEqual(
            traces.mapped("trace_status"), ["sent", "error", "cancel", "sent"]
        )
        self.assertEqual(self.sent, ["3@example.com"])
        self.assertTrue(traces[0].sent_datetime)
        self.assertTrue(traces[1].failure_reason and traces[2].failure_reason)
        self.assertEqual(self.mailing.state, "done")
