# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
import os
import secrets
import socket
import time
from dataclasses import replace

import psycopg2
from psycopg2 import errors

from odoo import models

from .. import slicing, smtp, sql, sql_outage, sql_refusal
from ..discretion import conceal_words, describe
from ..exceptions import DeliveryPostponed, DeliveryStopped
from ..faults import DECISIONS, RECIPIENT_AFTER, is_trouble, let_go
from ..judgement import Judge, come_back, stated_wait
from ..ledger import (
    commit,
    is_server_trouble,
)
from ..replies import Reply, Verdict
from ..reply_words import signature

_logger = logging.getLogger(__name__)

#: Attempts before a recipient whose server says "later" has failed.
MAX_ATTEMPTS = 5

#: How much longer than all others one recipient waits, at most (seconds): all of them
#: have looked again by then.
OTHERS_FIRST = 1_800.0

#: After these it is looked whether too many emails fail.
FAILURES = (Verdict.REJECTED, Verdict.DEFERRED, Verdict.IN_DOUBT)


class MailingMailing(models.Model):
    """Steps 2 to 5: permit, claim, deliver, record; one recipient at a time.

    In one transaction of the ORM's cursor that writes nothing: it holds the claim's
    lock while messages leave. Claims and records go over the ledger, each durable by
    itself.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_deliver_route(self, ledger, route, outcomes, deadline, grace):
        """Deliver one route's parcels, in one transaction that writes nothing.

        :param dict outcomes: filled with mail id → :class:`~..replies.Reply`
        :param float deadline: no message starts after this ``time.monotonic()``
        :param float grace: unless it is the first of its chunk, which may start so much
            later (seconds): however long composing took, something leaves
        """
        token = secrets.randbelow(2**31 - 1) + 1
        session = None
        judge = Judge(ledger, self.id, self.email_from)
        refused_senders = {}
        sql.try_lock(self.env.cr, sql.LOCK_CLAIM, token)
        try:
            for parcel in route.parcels:
                if parcel.left_out:
                    continue
                if why := refused_senders.get(parcel.email_from):
                    ledger.run(sql_refusal.hold, parcel.trace_id, why)
                    continue
                route.until = deadline + (0 if outcomes else grace)
                self._queue_permit(ledger, route, parcel)
                if session is not None and not session.is_alive():
                    session.close()
                    session = None
                if session is None:
                    session = self._queue_open_session(ledger, route)
                # Checked last: a turn and a connection take their time, too.
                if time.monotonic() > route.until:
                    raise DeliveryPostponed(self.env._("The rest follows."), 0.05)
                self._queue_check_hours(ledger)
                replies = self._queue_deliver_one(
                    ledger, session, route, parcel, token, judge
                )
                if replies is None:
                    continue
                outcomes[parcel.mail_id], reply = replies
                if session.bypassed:
                    self._queue_refuse_connection(session.connection)
                if session.lost:
                    session.close()
                    session = None
                if reply.trouble:
                    raise reply.trouble
                if reply.verdict is Verdict.HELD:
                    refused_senders[parcel.email_from] = reply.text
                self._queue_react(ledger, route, parcel, reply)
                if outcomes[parcel.mail_id].verdict in FAILURES:
                    self._queue_check_failures(ledger)
        finally:
            if session is not None:
                self._queue_keep_session(ledger, route, session)
            commit(self.env)

    def _queue_react(self, ledger, route, parcel, reply):
        """Do what a reply asks for beyond its recipient.

        :raises DeliveryPostponed, AccountBroken: if nothing else can leave now
        """
        if reply.text:
            # Shown to more people than the recipient's trace.
            text = conceal_words(reply.text, parcel.addresses())
            reply = replace(reply, text=text)
        if reply.verdict is Verdict.HELD:
            self._queue_report_sender(parcel, reply)
        try:
            self._queue_heed(ledger, route, reply)
        except DeliveryPostponed as postponed:
            # It may be this one's fault: others are to go first then.
            ledger.run(
                sql_refusal.pass_over,
                parcel.trace_id,
                postponed.lasts + min(postponed.lasts / 2, OTHERS_FIRST),
            )
            raise

    def _queue_permit(self, ledger, route, parcel):
        """Wait for leave to send to one recipient. Step 2. Extension point.

        Called before each claim, when no claim of this worker is open. To hold a
        message back, wait here or raise :class:`DeliveryPostponed`: neither spends an
        attempt.
        """

    def _queue_deliver_one(self, ledger, session, route, parcel, token, judge):
        """Claim, transmit and record one recipient. Steps 3 to 5.

        :return: two :class:`~..replies.Reply`: what is recorded, and what to react to;
            ``None`` if it is not to be sent
        """
        messages = failure = None
        try:
            messages = self._queue_build(route, parcel)
        except Exception as error:
            if is_trouble(error):
                # Nothing is claimed yet.
                raise
            # Recorded under a claim like any other outcome.
            failure = self._queue_read_failure(error, session, "build")
        if not self._queue_claim(ledger, parcel, token):
            return None
        reply = failure or self._queue_transmit(session, route, messages)
        no_recipient = self.env["ir.mail_server"].NO_VALID_RECIPIENT
        if failure or (reply.cause and reply.cause != no_recipient):
            try:
                self._queue_blame_content(ledger, parcel.trace_id, reply.text)
            except Exception as error:
                reply = self._queue_read_trouble(error)
        session.lost = session.is_lost_after(reply)
        server_ref = route.mail_server_id or 0
        reaction = reply
        if not reply.trouble:
            reply, reaction = judge.judge(reply, parcel, session, server_ref)
        self._queue_record(ledger, parcel, token, reply)
        again = judge.judge_again(reply, parcel)
        if again is not reply:
            reply = reaction = again
        session.last_used = time.monotonic()
        if reply.verdict is Verdict.SENT:
            if not session.delivered:
                ledger.run(sql_outage.outage_end, server_ref)
            session.delivered += 1
        return reply, reaction

    def _queue_build(self, route, parcel):
        """Build the MIME of a parcel's messages, upstream's way.

        :raises ValueError: if a value would add headers of its own
        """
        built = []
        for email in parcel.emails:
            server = self._queue_mail_server_model(route, email)
            message = server._build_email__(
                email_from=parcel.email_from,
                email_to=email["email_to"],
                subject=email["subject"],
                body=email["body"],
                body_alternative=email["body_alternative"],
                email_cc=email["email_cc"],
                reply_to=email["reply_to"],
                attachments=email["attachments"],
                message_id=email["message_id"],
                references=email["references"],
                object_id=email["object_id"],
                subtype="html",
                subtype_alternative="plain",
                headers=email["headers"],
            )
            if names := smtp.broken_headers(message):
                raise ValueError(
                    self.env._("There is a line break in %s.", ", ".join(names))
                )
            smtp.set_boundaries(message, route.boundary)
            built.append((server, message))
        return built

    def _queue_mail_server_model(self, route, email):
        context = {"send_validated_to": email["email_to_normalized"], **route.context}
        if route.context and email["headers"].get("Return-Path"):
            context["domain_bounce_address"] = email["headers"]["Return-Path"]
        return self.env["ir.mail_server"].with_context(**context)

    def _queue_claim(self, ledger, parcel, token):
        """Claim one recipient. Step 3. Committed before a byte leaves.

        :return: whether it is ours to send now
        :raises DeliveryStopped: if the mailing does not send any more
        """
        status, parcel.attempts, parcel.passed_over, parcel.last_end = ledger.run(
            sql.claim,
            parcel.trace_id,
            token,
            f"{socket.gethostname()}:{os.getpid()}",
            parcel.message_id,
            parcel.mail_id,
            parcel.list_ids,
            parcel.email,
            parcel.queue_emails,
        )
        if status is None:
            if reason := ledger.run(sql.mailing_refusal, self.id):
                raise DeliveryStopped(self._queue_describe_refusal(reason))
        return status == "process"

    def _queue_transmit(self, session, route, messages):
        """Hand the messages to the server. Step 4. Extension point.

        :return: :class:`~..replies.Reply`; never raises for what the server did
        """
        accepted = False
        for server, message in messages:
            session.begin()
            try:
                server.send_email(
                    message,
                    mail_server_id=route.mail_server_id,
                    smtp_session=session.connection,
                )
                accepted = True
                # Whatever took it, it was not the connection that we watch.
                session.bypassed |= session.unseen
            except BaseException as error:
                session.bypassed |= session.awaiting_reply and session.unseen
                recipients = server.env.context.get("send_validated_to", ())
                reply = self._queue_read_failure(error, session, "data", recipients)
                if accepted or session.accepted:
                    # One of the record's addresses has it, or an addon failed at what
                    # it does after sending: sending again would be twice.
                    return Reply(
                        Verdict.SENT,
                        reply.code,
                        reply.enhanced,
                        reply.text,
                        # What an addon met after sending is not the job's trouble.
                        trouble=None if isinstance(error, Exception) else error,
                    )
                return reply
        if not accepted:
            return Reply(Verdict.REJECTED, text=self.env._("The email was empty."))
        return Reply(Verdict.SENT)

    def _queue_read_failure(self, error, session, command, recipients=()):
        """Return what a failed attempt means, as its words have it.

        :param recipients: addresses that the answer may quote
        """
        if is_trouble(error):
            reply = self._queue_read_trouble(error)
            if session.awaiting_reply:
                reply = replace(reply, verdict=Verdict.IN_DOUBT)
            return reply
        if session.awaiting_reply:
            return Reply(Verdict.IN_DOUBT, text=describe(error))
        if isinstance(error, psycopg2.Error):
            # Odoo could not read what it needed to send: nothing was accepted.
            return Reply(Verdict.DEFERRED, text=f"PostgreSQL: {error}")
        reply = smtp.read_failure(error, command, recipients)
        if command == "build" and reply and reply.verdict is Verdict.UNREACHABLE:
            # A file that could not be read: no server was asked for anything.
            return replace(reply, verdict=Verdict.DEFERRED)
        if reply is None:
            # Not the server: an address, a header or a character that cannot be sent.
            args = [str(arg) for arg in error.args] or [""]
            text = args[-1].strip() or describe(error)
            cause = args[0] or text
            reply = Reply(
                Verdict.REJECTED,
                text=text,
                cause=cause,
                # The same for everybody is nobody's own here, too.
                signature=""
                if cause == self.env["ir.mail_server"].NO_VALID_RECIPIENT
                else signature(0, cause, command, recipients),
            )
        return reply

    def _queue_read_trouble(self, error):
        """Return what it means that an attempt ended through no recipient's fault.

        None is spent, and what ended it is raised again once that is recorded.
        """
        let_go(error)
        reply = Reply(Verdict.PASSED_OVER, text=describe(error), trouble=error)
        if isinstance(error, DECISIONS):
            return reply
        # The others go first: it may be this one that is too much.
        return come_back(reply, RECIPIENT_AFTER)

    def _queue_record(self, ledger, parcel, token, reply):
        """Write what became of the recipient. Step 5.

        A row that somebody holds is waited for; a connection that died is replaced.
        Whatever happens here, the message is not sent again: an outcome that cannot
        be written leaves the recipient in doubt.
        """
        status, values = self._queue_prepare_record(ledger, parcel, reply)
        for attempt in range(1, 7):
            try:
                if not ledger.run(sql.record, parcel.trace_id, token, status, values):
                    _logger.warning("Trace %s: no longer claimed", parcel.trace_id)
                return
            except psycopg2.Error as error:
                if not is_server_trouble(error):
                    raise
                _logger.warning(
                    "Trace %s: outcome not recorded yet (%s)",
                    parcel.trace_id,
                    type(error).__name__,
                )
                if attempt == 6:
                    raise
                if isinstance(error, errors.LockNotAvailable):
                    # The lock may be our own transaction's.
                    commit(self.env)
                    sql.try_lock(self.env.cr, sql.LOCK_CLAIM, token)
                else:
                    time.sleep(0.5 * attempt)

    def _queue_prepare_record(self, ledger, parcel, reply):
        """Return the trace's next status and the values of ``sql.record``."""
        status, failure_type, reason, attempt, delay = "outgoing", None, None, 0, None
        verdict = reply.verdict
        if verdict is Verdict.SENT:
            status, attempt = "sent", 1
        elif verdict is Verdict.IN_DOUBT:
            status, failure_type, attempt = "error", "queue_in_doubt", 1
            reason = self.env._(
                "The connection broke before the server answered; this email may "
                "have arrived."
            )
        elif verdict is Verdict.REJECTED:
            status, attempt = "error", 1
            failure_type, reason = self._queue_failure(reply)
        elif verdict is Verdict.DEFERRED:
            attempt = 1
            attempts = parcel.attempts + 1
            reason = reply.text
            delay = stated_wait(reply) or slicing.retry_delay(attempts)
            if attempts >= MAX_ATTEMPTS:
                status, failure_type, delay = "error", "unknown", None
        else:
            reason = reply.text
            if verdict is Verdict.PASSED_OVER:
                delay = stated_wait(reply)
        return status, {
            "failure_type": failure_type,
            "failure_reason": reason,
            "queue_smtp_code": reply.code or None,
            "queue_smtp_status": reply.enhanced[:16] if reply.code else None,
            "refusal": reply.signature or None,
            "passed_over": parcel.passed_over,
            "held": verdict is Verdict.HELD,
            "attempt": attempt,
            "delay": delay,
        }

    def _queue_failure(self, reply):
        """Return upstream's failure type and the reason of a rejected recipient."""
        server = self.env["ir.mail_server"]
        kinds = {
            server.NO_VALID_FROM: "mail_from_invalid",
            server.NO_FOUND_FROM: "mail_from_missing",
            server.NO_FOUND_SMTP_FROM: "mail_from_missing",
            server.NO_VALID_RECIPIENT: "mail_email_invalid",
        }
        if "OutboundSpamException" in reply.text:
            return "mail_spam", reply.text
        return kinds.get(reply.cause, "unknown"), reply.text
