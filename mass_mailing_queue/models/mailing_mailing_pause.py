# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import hashlib
import logging
import re

from odoo import api, fields, models
from odoo.tools import plaintext2html

from .. import sql_watch
from ..discretion import conceal, discreet
from ..exceptions import DeliveryStopped
from ..ledger import LOST_CONNECTION
from ..replies import clean

_logger = logging.getLogger(__name__)

#: A mailing pauses when more than so many of the last so many emails failed.
PAUSE_FAILURES, PAUSE_WINDOW = 20, 100

#: How many reasons are told, and how much of each (characters).
MAX_REASONS, MAX_WORDS = 5, 160


class MailingMailing(models.Model):
    """A mailing that stops by itself, and what it says of that.

    Workers see the reason and write no mailing: a job of which there is one for each
    mailing pauses it and tells its responsible.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    queue_resumed_at = fields.Datetime(
        readonly=True,
        copy=False,
        help="When somebody started or resumed it: what failed before does not pause "
        "it again.",
    )
    queue_resumes = fields.Integer(
        readonly=True,
        copy=False,
        help="How often somebody started or resumed it: what was asked for before does "
        "not pause it again.",
    )

    # Few of many: what is looked at every minute.
    _queue_under_way_idx = models.Index(
        "(state) WHERE queue_managed AND state IN ('in_queue', 'sending')"
    )

    @api.model
    def _queue_domain_sending(self):
        """Return the domain of the mailings that are to be sent now."""
        return [
            ("queue_managed", "=", True),
            ("state", "=", "sending"),
            ("queue_paused", "=", False),
        ]

    def _queue_may_stall(self):
        """Return those of self that should be sent now. Extension point.

        Leave out what is meant to wait: nobody is told that nothing is sent.
        """
        return self

    @api.model
    def _queue_setting(self, name, default):
        """Return a number of the settings.

        A parameter may hold any text: what is no number is the default.

        :param str name: of the parameter, without the addon's name
        """
        value = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param(f"mass_mailing_queue.{name}", "")
        )
        return int(value) if re.fullmatch(r"\d{1,9}", value) else default

    # ------------------------------------------------------------------
    # Why
    # ------------------------------------------------------------------

    def _queue_check_failures(self, ledger):
        """Have the mailing paused if too many of its last emails failed.

        Called after each failure, which is rare or soon over.

        :raises DeliveryStopped: if it pauses
        """
        failures = self._queue_setting("pause_failures", PAUSE_FAILURES)
        window = self._queue_setting("pause_window", PAUSE_WINDOW)
        if failures and ledger.run(
            sql_watch.fails_too_often, self.id, failures, window
        ):
            detail = self.env._(
                "more than %(failures)s of the last %(window)s",
                failures=failures,
                window=window,
            )
            self._queue_request_pause("failures", detail)
            raise DeliveryStopped(self.env._("Too many emails failed."))

    def _queue_failure_reasons(self, in_doubt=True):
        """Return why emails of these mailings failed, the most frequent reason first.

        Without the addresses that replies quote.

        :param bool in_doubt: count those in doubt, too
        :return: list of (number of recipients, words)
        """
        self.env["mailing.trace"].flush_model()
        field = self.env["mailing.trace"]._fields["failure_type"]
        labels = dict(field._description_selection(self.env))
        rows = sql_watch.failure_reasons(self.env.cr, self.ids, in_doubt, MAX_REASONS)
        return [
            (
                count,
                clean(conceal(f"{code or ''} {words or ''}"), MAX_WORDS)
                or labels.get(failure_type)
                or self.env._("No reason given"),
            )
            for failure_type, code, words, count in rows
        ]

    # ------------------------------------------------------------------
    # Pausing
    # ------------------------------------------------------------------

    def _queue_request_pause(self, kind, detail=""):
        """Have the mailing paused by its control job. Writes no mailing.

        :param str kind: ``account``, ``connection``, ``everybody``, ``content``,
            ``failures``, ``copy``, ``asleep`` or ``bug``
        :param str detail: the server's words, or the name of an exception or class
        """
        self.ensure_one()
        self._queue_delayable(
            self.env._("Pause %s", self.subject),
            priority=1,
            identity_key=f"mass_mailing_queue.pause.{self.id}.{self.queue_resumes}",
        )._job_pause(kind, detail, self.queue_resumes).delay()

    @discreet()
    def _job_pause(self, kind, detail="", resumes=None):
        """Pause the mailing and tell its responsible why, once (job body).

        :param int resumes: how often it had been resumed when this was asked for; if
            it has been again since, somebody has decided meanwhile. None: never mind
        :return: the reason, or None if it goes on or is paused already
        """
        mailing = self.exists()
        if not mailing or mailing.queue_paused or not mailing._queue_under_way():
            return None
        if resumes not in (None, mailing.queue_resumes):
            return None
        reason = mailing._queue_describe_pause(kind, detail)
        mailing.write({"queue_paused": True, "queue_pause_reason": reason})
        # Of two that pause it at once, the second ends here and finds it paused when it
        # is tried again; later it would fail on what the first one has added.
        mailing.flush_recordset()
        mailing._queue_tell(self.env._("Mailing paused"), reason)
        mailing._queue_log("stall", kind)
        return reason

    def _queue_tell(self, summary, words):
        """Tell the mailing's responsible something, and have it looked into.

        :param str words: as text, the server's own among them
        """
        user = self.user_id or self.create_uid
        self.message_post(
            body=plaintext2html(words),
            partner_ids=user.partner_id.ids,
            subtype_xmlid="mail.mt_note",
        )
        self.activity_schedule(
            "mail.mail_activity_data_todo",
            date_deadline=fields.Date.context_today(self),
            summary=summary,
            note=plaintext2html(words),
            user_id=user.id,
        )

    def _queue_report_sender(self, parcel, reply):
        """Have the responsible told that a sender's emails are held, once a sender.

        :param reply: what the server answered
        """
        sender = parcel.email_from
        key = hashlib.sha256(sender.encode()).hexdigest()[:16]
        self._queue_delayable(
            self.env._("Report a refused sender of %s", self.subject),
            priority=1,
            identity_key=(
                f"mass_mailing_queue.sender.{self.id}.{key}.{self.queue_resumes}"
            ),
        )._job_report_sender(parcel.trace_id, reply.text, self.queue_resumes).delay()

    @discreet()
    def _job_report_sender(self, trace_id, words, resumes):
        """Tell the mailing's responsible whose emails are held, and why (job body).

        :param int trace_id: one of the recipients that are held
        """
        mailing = self.exists()
        trace = self.env["mailing.trace"].browse(trace_id).exists()
        if not mailing or not trace.queue_held or resumes != mailing.queue_resumes:
            return None
        reason = self.env._(
            "The mail server refuses a sender that only some of the emails have: these "
            "recipients are held, the others are sent. Have the sender's address "
            "allowed, then resume. Its answer: %s",
            words,
        )
        mailing._queue_tell(self.env._("Recipients held"), reason)
        return reason

    def _queue_describe_pause(self, kind, detail):
        """Return why it paused and what to do, in words."""
        words = {
            "account": self.env._(
                "The mail server refuses to send. Repair it, then resume. Reason: %s",
                detail,
            ),
            "everybody": self.env._(
                "The mail server gave the same answer for one recipient after the "
                "other and accepted none, so nobody is counted as failed: they wait. "
                "Find out what it means, then resume. Its answer: %s",
                detail,
            ),
            "connection": self.env._(
                "Another addon replaces the connection to the mail server "
                "(class %(name)s), so deliveries cannot be confirmed. Uninstall that "
                "addon, or ask its developer to return an smtplib.SMTP, then resume.",
                name=detail,
            ),
            "copy": self.env._(
                "This database is not the one that began this mailing: it may be a "
                "copy or a restored backup. Resume only if the other one is gone; "
                "recipients it has mailed since would be mailed again."
            ),
            "asleep": self.env._(
                "This database was not running for more than a day in the middle of "
                "this mailing. Resume if its recipients are still to get it."
            ),
            "content": self.env._(
                "This email cannot be made for anybody. Fix its content, then resume. "
                "Reason: %s",
                detail,
            ),
            "failures": self.env._(
                "Too many emails failed: %s. See why, then resume.", detail
            ),
            "bug": self.env._(
                "A job of this mailing failed. See its jobs, then resume. Reason: %s",
                detail,
            ),
        }
        if kind != "failures":
            return words[kind]
        return "\n".join(
            [
                words[kind],
                *(
                    f"{count} × {reason}"
                    for count, reason in self._queue_failure_reasons()
                ),
            ]
        )

    def _job_on_fail(self, exc_name=None, exc_message=None, **_values):
        """Pause a mailing one of whose jobs failed (called by queue_job).

        A job fails only on a bug, and its recipients keep waiting. Were the others to
        go on, the same bug would fail them one by one. A lost connection to PostgreSQL
        is none: the reconciler has the job run again.
        """
        if exc_name in LOST_CONNECTION:
            return
        self.exists().filtered("queue_managed")._queue_request_pause(
            "bug", exc_name or exc_message or ""
        )

    # ------------------------------------------------------------------
    # The log
    # ------------------------------------------------------------------

    def _queue_log(self, event, reason=""):
        """Log a line by which a mailing can be followed: ``grep event=``.

        :param str event: ``start``, ``stall`` or ``end``
        :param str reason: a word
        """
        self.ensure_one()
        self.env["mailing.trace"].flush_model()
        planned, sent, failed, waiting = sql_watch.totals(self.env.cr, self.id)
        if not self.queue_planned:
            # Those who have no trace yet remain, too.
            waiting += max(self.queue_recipients - planned, 0)
            planned = max(self.queue_recipients, planned)
        _logger.info(
            "Mailing %s: event=%s planned=%s sent=%s failed=%s remaining=%s reason=%s",
            self.id,
            event,
            planned,
            sent,
            failed,
            waiting,
            reason or "-",
        )
