# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
import os
import secrets
import socket
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import psycopg2
from psycopg2 import errors

from odoo import models, tools
from odoo.tools import config
from odoo.tools.lru import LRU

from odoo.addons.queue_job.exception import RetryableJobError

from .. import slicing, smtp, sql
from ..discretion import conceal, conceal_words, describe, discreet, login_words
from ..exceptions import AccountBroken, DeliveryPostponed, DeliveryStopped
from ..ledger import (
    Ledger,
    commit,
    is_server_trouble,
    retry_lost_connection,
    transaction,
)
from ..replies import Reply, Verdict

_logger = logging.getLogger(__name__)

#: Idle SMTP sessions of this process.
SESSIONS = smtp.SessionPool()

#: Recipients composed, delivered and settled together, at most. What a killed worker
#: composed in vain is at most this; one commit per step is shared by as many.
CHUNK_SIZE = 50

#: What composing for one recipient took last (seconds), by database and mailing.
COMPOSE_SECONDS = LRU(256)

#: Attempts before a recipient whose server says "later" has failed.
MAX_ATTEMPTS = 5

#: How long an unreachable server is tried again before the mailing pauses (seconds):
#: a night's outage is over by morning without anybody.
MAX_OUTAGE = 24 * 3600


@dataclass
class Parcel:
    """One recipient's messages, ready to leave: all that delivery needs in memory."""

    trace_id: int
    mail_id: int
    message_id: str
    emails: list
    email_from: str
    list_ids: list

    def addresses(self):
        return {to for email in self.emails for to in email["email_to_normalized"]}


@dataclass
class Route:
    """Parcels that leave through the same server with the same envelope sender."""

    mail_server_id: int
    smtp_from: str
    session_key: tuple
    context: dict
    parcels: list = field(default_factory=list)
    suspected: bool = False
    #: ``time.monotonic()`` after which the next message cannot start
    until: float = float("inf")


class MailingMailing(models.Model):
    """Delivery: compose, permit, claim, deliver, record, settle.

    Three transactions of the ORM's cursor, in this order: T1 composes the chunk
    and prepares its messages in memory; T2 holds the claim's lock and writes
    nothing while messages leave; T3 settles the mails. Claims and records go over the
    ledger, each durable by itself.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    @discreet()
    def _job_send(self, trace_ids):
        """Deliver to these recipients (job body)."""
        mailing = self.exists()
        if not mailing:
            return self.env._("The mailing was deleted.")
        seconds = slicing.time_budget(config["limit_time_real"])
        with retry_lost_connection(), Ledger(self.env) as ledger:
            try:
                mailing._queue_deliver(ledger, trace_ids, seconds)
            except DeliveryStopped as stopped:
                mailing._queue_cancel_rest(ledger)
                mailing._queue_finish_if_settled(ledger)
                return str(stopped)
            except AccountBroken as broken:
                mailing._queue_request_pause("account", str(broken))
                return str(broken)
            except DeliveryPostponed as postponed:
                raise RetryableJobError(
                    str(postponed), seconds=postponed.seconds, ignore_retry=True
                ) from postponed
            wait = ledger.run(sql.next_due, trace_ids)
            if wait is not None:
                raise RetryableJobError(
                    self.env._("Some recipients wait for their next attempt."),
                    seconds=max(wait, 0.05),
                    ignore_retry=True,
                )
            mailing._queue_finish_if_settled(ledger)
        return self.env._("Every recipient of this job is settled.")

    @discreet()
    def _queue_send_now(self, trace_ids):
        """Deliver in this process, outside a job.

        A mailing that pauses, a server that cannot be reached: the recipients keep
        waiting, as in a job.
        """
        self.ensure_one()
        with Ledger(self.env) as ledger:
            try:
                self._queue_deliver_patiently(ledger, trace_ids)
            except AccountBroken as broken:
                self._queue_request_pause("account", str(broken))
            except (DeliveryStopped, DeliveryPostponed) as reason:
                _logger.info(
                    "Mailing %s: not sent now (%s)", self.id, type(reason).__name__
                )
            self._queue_cancel_rest(ledger)
            self._queue_finish_if_settled(ledger)
        self.env.invalidate_all()

    def _queue_deliver_patiently(self, ledger, trace_ids):
        """Deliver, and begin again when another worker composes for the same people.

        queue_job does this for jobs. Who is sent by then is left out.
        """
        for attempt in range(1, 11):
            try:
                return self._queue_for_jobs()._queue_deliver(
                    ledger, trace_ids, float("inf")
                )
            except errors.SerializationFailure:
                if attempt == 10:
                    raise
                time.sleep(0.2 * attempt)

    def _queue_deliver(self, ledger, trace_ids, seconds):
        """Deliver to these recipients, chunk by chunk, while there is time.

        :param list trace_ids: traces of this mailing; those not waiting are skipped
        :param float seconds: no message starts later than this after the admission
        :raises DeliveryStopped, DeliveryPostponed, AccountBroken: see ``exceptions.py``
        """
        self._queue_check_may_send(ledger)
        self._queue_check_outage(ledger, self._queue_find_server().id)
        with self._queue_admission(ledger):
            self._queue_deliver_chunks(ledger, trace_ids, seconds)

    def _queue_admission(self, ledger):
        """Return what this worker holds while it delivers. Extension point.

        Entered before anything is composed, left when the job ends. To keep the worker
        out, wait in ``__enter__`` or raise :class:`DeliveryPostponed` there.

        :return: a context manager
        """
        return nullcontext()

    def _queue_deliver_chunks(self, ledger, trace_ids, seconds):
        begun = time.monotonic()
        key = self.env.cr.dbname, self.id
        trace_ids = list(trace_ids)
        while trace_ids:
            size = slicing.chunk_size(CHUNK_SIZE, COMPOSE_SECONDS.get(key), seconds)
            chunk, trace_ids = trace_ids[:size], trace_ids[size:]
            due = ledger.run(sql.due_traces, chunk)
            if not due:
                continue
            composing = time.monotonic()
            if composing > begun + seconds:
                raise DeliveryPostponed(self.env._("The rest follows."), 0.05)
            routes = self._queue_compose(ledger, due)
            COMPOSE_SECONDS[key] = (time.monotonic() - composing) / len(due)
            outcomes = {}
            try:
                for route in routes:
                    self._queue_deliver_route(
                        ledger, route, outcomes, begun + seconds, seconds / 2
                    )
            finally:
                self._queue_settle(routes, outcomes)

    def _queue_find_server(self):
        """Return the outgoing server that the mailing's emails will leave through.

        Single emails may differ, where an addon changes their sender.

        :return: ``ir.mail_server``, empty for the one of the configuration file
        """
        self.ensure_one()
        servers = self.env["ir.mail_server"].sudo()
        if self.mail_server_id:
            return self.mail_server_id.sudo()
        return servers._find_mail_server(self.email_from or "")[0] or servers

    def _queue_check_outage(self, ledger, server_id):
        """:raises DeliveryPostponed: while the server is known not to be reachable"""
        if wait := ledger.run(sql.outage_wait, server_id or 0):
            raise DeliveryPostponed(
                self.env._("The mail server is not reachable."), wait
            )

    def _queue_check_may_send(self, ledger):
        """:raises DeliveryStopped: if the mailing, or this database, does not send"""
        if reason := ledger.run(sql.guard_check):
            self._queue_request_pause(reason)
            raise DeliveryStopped(self.env._("This database may be a copy."))
        if reason := ledger.run(sql.mailing_refusal, self.id):
            raise DeliveryStopped(self.env._("The mailing is %s.", reason))

    # ------------------------------------------------------------------
    # 1 compose
    # ------------------------------------------------------------------

    def _queue_compose(self, ledger, trace_ids):
        """Make the messages of these recipients. Step 1. Extension point.

        Runs upstream's composer, mail creation and ``_prepare_outgoing_list`` and
        commits. Content that cannot be rendered for one recipient fails that one; if it
        can be for none of several, the content is at fault and nobody fails.

        :return: list of :class:`Route`
        :raises DeliveryStopped: when the mailing is paused for its content
        """
        routes, failures = self._queue_try_compose(trace_ids)
        if failures and len(trace_ids) > 1:
            routes, failures = [], {}
            for trace_id in trace_ids:
                found, failed = self._queue_try_compose([trace_id])
                routes += found
                failures.update(failed)
            if len(failures) == len(trace_ids):
                error = conceal(describe(failures[trace_ids[0]]))
                self._queue_request_pause("content", error)
                raise DeliveryStopped(error)
        for trace_id, error in failures.items():
            reason = self.env._("The email could not be made: %s", describe(error))
            ledger.run(sql.fail_outgoing, trace_id, reason)
        return routes

    def _queue_try_compose(self, trace_ids):
        """Compose in a transaction of its own.

        :return: list of :class:`Route`, dict of the first trace's id → exception
        :raises psycopg2.Error: if PostgreSQL is in trouble, and not the content
        """
        try:
            with transaction(self.env):
                return self._queue_compose_chunk(trace_ids), {}
        except Exception as error:
            if is_server_trouble(error):
                raise
            _logger.warning(
                "Mailing %s: %s recipients from %s on cannot be composed (%s)",
                self.id,
                len(trace_ids),
                trace_ids[0],
                type(error).__name__,
            )
            return [], {trace_ids[0]: error}

    def _queue_compose_chunk(self, trace_ids):
        traces = self.env["mailing.trace"].browse(trace_ids).exists()
        # Leftovers of a worker that died before it sent them.
        traces.mail_mail_id.filtered("queue_managed").unlink()
        records = self.env[self.mailing_model_real].browse(traces.mapped("res_id"))
        known = set(records.exists().ids)
        gone = traces.filtered(lambda trace: trace.res_id not in known)
        gone.write(
            {
                "trace_status": "error",
                "failure_type": "unknown",
                "failure_reason": self.env._(
                    "The recipient was deleted before the email was sent."
                ),
            }
        )
        trace_by_record = {trace.res_id: trace.id for trace in traces - gone}
        if not trace_by_record:
            return []
        self.with_context(
            mass_mailing_queue_slice=True,
            mass_mailing_queue_traces=trace_by_record,
            mass_mailing_queue_links={},
        )._action_send_mail(res_ids=list(trace_by_record))
        mails = (traces - gone).mail_mail_id.sudo()
        for mail in mails:
            mail.mailing_trace_ids.write(
                {"mail_mail_id_int": mail.id, "message_id": mail.message_id}
            )
        return self._queue_prepare_routes(mails)

    def _queue_prepare_routes(self, mails):
        """Prepare every message in memory: delivery reads nothing from the ORM."""
        list_ids = self.contact_list_ids.ids if self.mailing_on_mailing_list else []
        followers = self.env["mail.followers"]._get_mail_doc_to_followers(
            mails.filtered(
                lambda mail: mail.body_html and "/mail/unfollow" in mail.body_html
            ).ids
        )
        routes = []
        for server_id, alias_id, smtp_from, ids in mails._split_by_mail_configuration():
            server = self.env["ir.mail_server"].sudo().browse(server_id or [])
            alias = self.env["mail.alias.domain"].sudo().browse(alias_id or [])
            route = Route(
                mail_server_id=server.id,
                smtp_from=smtp_from,
                session_key=(
                    self.env.cr.dbname,
                    server.id,
                    server.write_date,
                    smtp_from,
                ),
                context={
                    "domain_notifications_email": alias.default_from_email,
                    "domain_bounce_address": alias.bounce_email,
                }
                if alias
                else {},
            )
            for mail in mails.browse(ids):
                sender = tools.mail.email_split_and_format_normalize(mail.email_from)
                route.parcels.append(
                    Parcel(
                        trace_id=mail.mailing_trace_ids.id,
                        mail_id=mail.id,
                        message_id=mail.message_id,
                        emails=mail._prepare_outgoing_list(
                            mail_server=server or mail.mail_server_id,
                            doc_to_followers=followers,
                        ),
                        email_from=sender[0] if sender else mail.email_from,
                        list_ids=list_ids,
                    )
                )
            routes.append(route)
        return routes

    # ------------------------------------------------------------------
    # 2 permit, 3 claim, 4 deliver, 5 record
    # ------------------------------------------------------------------

    def _queue_deliver_route(self, ledger, route, outcomes, deadline, grace):
        """Deliver one route's parcels, in one transaction that writes nothing.

        :param dict outcomes: filled with mail id → :class:`~..replies.Reply`
        :param float deadline: no message starts after this ``time.monotonic()``
        :param float grace: unless it is the first of its chunk, which may start so much
            later (seconds): however long composing took, something leaves
        """
        token = secrets.randbelow(2**31 - 1) + 1
        session = None
        sql.try_lock(self.env.cr, sql.LOCK_CLAIM, token)
        try:
            for parcel in route.parcels:
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
                reply = self._queue_deliver_one(ledger, session, route, parcel, token)
                if reply is None:
                    continue
                outcomes[parcel.mail_id] = reply
                used = session
                if used.lost:
                    used.close()
                    session = None
                if reply.verdict in (Verdict.UNREACHABLE, Verdict.IN_DOUBT) and (
                    used.delivered
                ):
                    # Servers close a session after some messages: open another.
                    continue
                if reply.text:
                    # Shown to more people than the recipient's trace.
                    text = conceal_words(reply.text, parcel.addresses())
                    reply = replace(reply, text=text)
                self._queue_heed(ledger, route, reply)
        finally:
            if session is not None:
                SESSIONS.put(route.session_key, session)
            commit(self.env)

    def _queue_permit(self, ledger, route, parcel):
        """Wait for leave to send to one recipient. Step 2. Extension point.

        Called before each claim, when no claim of this worker is open. To hold a
        message back, wait here or raise :class:`DeliveryPostponed`: neither spends an
        attempt.
        """

    def _queue_deliver_one(self, ledger, session, route, parcel, token):
        """Claim, transmit and record one recipient. Steps 3 to 5.

        :return: the server's :class:`~..replies.Reply`, ``None`` if not to be sent
        """
        messages = failure = None
        try:
            messages = self._queue_build(route, parcel)
        except psycopg2.Error:
            # Not the recipient's fault, and nothing is claimed yet.
            raise
        except Exception as error:
            # Recorded under a claim like any other outcome.
            failure = self._queue_read_failure(error, session, "build")
        if not self._queue_claim(ledger, parcel, token):
            return None
        reply = failure or self._queue_transmit(session, route, messages)
        reply = self._queue_suspect(ledger, session, route, reply)
        self._queue_record(ledger, parcel, token, reply)
        session.last_used = time.monotonic()
        if reply.verdict is Verdict.SENT:
            if not session.delivered:
                ledger.run(sql.outage_end, route.mail_server_id or 0)
            session.delivered += 1
        return reply

    def _queue_suspect(self, ledger, session, route, reply):
        """Return the reply as it is meant, if a message broke the connection.

        Is it the server that fails, or does this message make it fail? If nothing was
        known against the server, the message is suspected once: it is tried again
        later, its attempts count, and the others go on. If the next one breaks a fresh
        connection too, it is the server.
        """
        session.lost = reply.code == 421 or reply.verdict in (
            Verdict.UNREACHABLE,
            Verdict.IN_DOUBT,
        )
        if (
            reply.verdict is not Verdict.UNREACHABLE
            or not session.in_message
            or session.delivered
        ):
            return reply
        if route.suspected or ledger.run(sql.outage_known, route.mail_server_id or 0):
            return reply
        route.suspected = True
        return replace(reply, verdict=Verdict.DEFERRED)

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
        status = ledger.run(
            sql.claim,
            parcel.trace_id,
            token,
            f"{socket.gethostname()}:{os.getpid()}",
            parcel.message_id,
            parcel.mail_id,
            parcel.list_ids,
        )
        if status is None:
            if reason := ledger.run(sql.mailing_refusal, self.id):
                raise DeliveryStopped(self.env._("The mailing is %s.", reason))
        return status == "process"

    def _queue_transmit(self, session, route, messages):
        """Hand the messages to the server. Step 4. Extension point.

        :return: :class:`~..replies.Reply`; never raises for what the server did
        """
        accepted = False
        for server, message in messages:
            session.accepted = False
            try:
                server.send_email(
                    message,
                    mail_server_id=route.mail_server_id,
                    smtp_session=session.connection,
                )
                accepted = True
            except Exception as error:
                reply = self._queue_read_failure(error, session, "data")
                if accepted or session.accepted:
                    # One of the record's addresses has it, or an addon failed at what
                    # it does after sending: sending again would be twice.
                    return Reply(Verdict.SENT, reply.code, reply.enhanced, reply.text)
                return reply
        return Reply(Verdict.SENT if accepted else Verdict.REJECTED)

    def _queue_read_failure(self, error, session, command):
        """Return what a failed attempt means."""
        if session.awaiting_reply:
            return Reply(Verdict.IN_DOUBT, text=str(error))
        if isinstance(error, psycopg2.Error):
            # Odoo could not read what it needed to send: nothing was accepted.
            return Reply(Verdict.DEFERRED, text=f"PostgreSQL: {error}")
        reply = smtp.read_failure(error, command)
        if reply is None:
            # Not the server: an address, a header or a character that cannot be sent.
            args = [str(arg) for arg in error.args] or [type(error).__name__]
            reply = Reply(Verdict.REJECTED, text=args[-1], cause=args[0])
        return reply

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
            trace = self.env["mailing.trace"].browse(parcel.trace_id)
            attempts = (trace.queue_attempts or 0) + 1
            reason, delay = reply.text, slicing.retry_delay(attempts)
            if attempts >= MAX_ATTEMPTS:
                status, failure_type, delay = "error", "unknown", None
        else:
            reason = reply.text
        return status, {
            "failure_type": failure_type,
            "failure_reason": reason,
            "queue_smtp_code": reply.code or None,
            "queue_smtp_status": reply.enhanced[:16] if reply.code else None,
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

    # ------------------------------------------------------------------
    # Sessions and servers
    # ------------------------------------------------------------------

    def _queue_open_session(self, ledger, route):
        """Return a live session for the route: kept from before, or new.

        :raises DeliveryPostponed: if the server cannot be reached now
        :raises AccountBroken: if it refuses us
        """
        self._queue_check_outage(ledger, route.mail_server_id)
        if session := SESSIONS.take(route.session_key):
            return session
        try:
            connection = (
                self.env["ir.mail_server"]
                .with_context(**route.context)
                ._connect__(
                    mail_server_id=route.mail_server_id or None,
                    smtp_from=route.smtp_from,
                )
            )
        except psycopg2.Error:
            raise
        except Exception as error:
            reply = smtp.read_failure(error, "connect")
            if reply is None:
                # No server configured, an archived one, an unreadable certificate: the
                # account's other servers may work.
                reply = Reply(Verdict.BROKEN, text=str(error))
        else:
            return smtp.Session(connection)
        # Outside of the handler: what is raised now must not carry what was.
        text = conceal_words(reply.text, self._queue_login_words(route))
        reply = replace(reply, text=text)
        self._queue_heed(ledger, route, reply)
        raise DeliveryPostponed(reply.text, slicing.outage_delay(1))

    def _queue_login_words(self, route):
        """Return what a refused login's answer must not be shown with."""
        server = self.env["ir.mail_server"].sudo().browse(route.mail_server_id or [])
        if not server or server.smtp_authentication == "cli":
            return login_words(config.get("smtp_user"), config.get("smtp_password"))
        return login_words(server.smtp_user, server.smtp_pass)

    def _queue_heed(self, ledger, route, reply):
        """Stop when a reply is about the server and not about the recipient.

        Extension point for what a provider's reply sets off.
        """
        if reply.verdict is Verdict.BROKEN:
            raise AccountBroken(reply.text)
        if reply.verdict not in (
            Verdict.UNREACHABLE,
            Verdict.SLOW_DOWN,
            # Of a connection that never delivered: the next would end the same way.
            Verdict.IN_DOUBT,
        ):
            return
        server_ref = route.mail_server_id or 0
        failures, seconds = ledger.run(sql.outage_begin, server_ref, reply.text[:200])
        if seconds > MAX_OUTAGE:
            ledger.run(sql.outage_end, server_ref)
            raise AccountBroken(
                self.env._("The mail server was not reachable for 24 hours.")
            )
        delay = slicing.outage_delay(failures)
        ledger.run(sql.outage_retry_in, server_ref, delay)
        raise DeliveryPostponed(
            reply.text or self.env._("Server not reachable."), delay
        )

    # ------------------------------------------------------------------
    # 6 settle
    # ------------------------------------------------------------------

    def _queue_settle(self, routes, outcomes):
        """Archive or delete the chunk's mails, in bulk. Step 6. Extension point.

        A crash before this leaves mails of settled traces, for the reconciler.
        """
        mail_ids = [parcel.mail_id for route in routes for parcel in route.parcels]
        addresses = {
            parcel.mail_id: [to for email in parcel.emails for to in email["email_to"]]
            for route in routes
            for parcel in route.parcels
        }
        for attempt in range(3):
            try:
                with transaction(self.env):
                    self._queue_settle_mails(mail_ids, outcomes, addresses)
                return
            except errors.SerializationFailure:
                # An open or a bounce wrote one of the traces at the same moment.
                if attempt == 2:
                    _logger.info("Mailing %s: mails are settled later", self.id)

    def _queue_settle_mails(self, mail_ids, outcomes, addresses):
        mails = self.env["mail.mail"].sudo().browse(mail_ids).exists()
        mails = mails.with_context(mass_mailing_queue_settling=True)
        sent = mails.filtered(
            lambda mail: mail.id in outcomes
            and outcomes[mail.id].verdict is Verdict.SENT
        )
        failed = mails.filtered(
            lambda mail: mail.id in outcomes
            and outcomes[mail.id].verdict in (Verdict.REJECTED, Verdict.IN_DOUBT)
        )
        # The others were not accepted: they are composed anew when their turn comes.
        (mails - sent - failed).unlink()
        if sent:
            sent.write(
                {"state": "sent", "failure_type": False, "failure_reason": False}
            )
            sent._postprocess_sent_message(
                success_pids=[],
                success_emails=[to for mail in sent for to in addresses[mail.id]],
            )
        for mail in failed:
            failure_type, reason = self._queue_failure(outcomes[mail.id])
            mail.write(
                {
                    "state": "exception",
                    "failure_type": failure_type,
                    "failure_reason": reason,
                }
            )
            mail._postprocess_sent_message(
                success_pids=[],
                success_emails=[],
                failure_reason=reason,
                failure_type=failure_type,
            )
