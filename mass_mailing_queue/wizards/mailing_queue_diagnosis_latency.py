# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import os
import smtplib
import socket
import time
from contextlib import contextmanager

from odoo import api, models
from odoo.tools import config, email_normalize

from .. import smtp
from ..discretion import conceal, conceal_words, describe
from ..ledger import undone
from ..message_parts import measure_parts
from ..replies import classify
from ..shared_work import composing
from .mailing_queue_diagnosis_words import LARGE

#: One email that takes longer is slow, if no parameter says otherwise (milliseconds).
SLOW = 500

#: How long the server may take to let us in, before no more is tried (seconds).
CONNECT_TIMEOUT = 10

#: Servers that are measured at most: one after the other, while somebody waits.
MAX_SERVERS = 3


class MailingQueueDiagnosis(models.TransientModel):
    """How long one email takes, step by step, against the real server.

    Nothing is sent without an address that the user enters: the session ends behind
    ``MAIL FROM``, of which nobody is told. With one, an email goes there that is as
    large as the mailing's and has nothing of it: neither content nor links, which would
    act for the recipient whom it was made for.
    """

    # One model in several files, by what is looked at.
    _inherit = "mailing.queue.diagnosis"  # pylint: disable=consider-merging-classes-inherited

    @api.model
    def _get_checks_latency(self):
        return ["_check_latency"]

    def _check_latency(self, mailings):
        findings, seen = [], set()
        for mailing in mailings:
            server = mailing._queue_find_server()
            if (
                server in seen
                or len(seen) == MAX_SERVERS
                or (server and not server.active)
            ):
                continue
            seen.add(server)
            findings += self._measure(mailing, server)
        return findings

    def _measure(self, mailing, server):
        """Return findings about one email of a mailing."""
        times, findings = {}, []
        try:
            message = self._measure_message(mailing, times)
        except Exception as error:
            findings.append(
                self._finding(
                    86,
                    self.env._(
                        "The email cannot be made: %s", conceal(describe(error))
                    ),
                    self.env._(
                        "Mend the content of the mailing; if it is paused, press "
                        "Resume."
                    ),
                    mailing=mailing,
                )
            )
            message = None
        reply = self._measure_session(mailing, server, message, times)
        if reply is not None:
            findings.append(self._describe_reply(reply, server, mailing))
        parts = measure_parts(message) if message else None
        if reply is None or sum(times.values()) > self._get_slow():
            findings.append(self._describe_times(times, parts, mailing))
        if parts:
            findings += self._describe_memory(parts, mailing)
            if parts.size > LARGE:
                findings.append(self._describe_size(parts, mailing))
        return findings

    def _get_slow(self):
        """Return what an email may take (seconds)."""
        mailings = self.env["mailing.mailing"]
        return mailings._queue_setting("slow_milliseconds", SLOW) / 1000

    @contextmanager
    def _clock(self, times, step):
        begun = time.monotonic()
        try:
            yield
        finally:
            times[step] = time.monotonic() - begun

    # ------------------------------------------------------------------
    # Making it
    # ------------------------------------------------------------------

    def _measure_message(self, mailing, times):
        """Make the email of the first recipient as a job would, and undo it.

        :return: an ``email.message.EmailMessage``, ``None`` if there is nobody
        """
        with undone(self.env) as env:
            jobs = mailing.with_env(env)._queue_for_jobs()
            for res_id in jobs._queue_next_records(limit=MAX_SERVERS):
                if message := self._make_message(jobs, res_id, times):
                    return message
        return None

    def _make_message(self, jobs, res_id, times):
        trace = jobs.env["mailing.trace"].create(
            {
                "mass_mailing_id": jobs.id,
                "model": jobs.mailing_model_real,
                "res_id": res_id,
                "trace_status": "outgoing",
            }
        )
        with self._clock(times, "render"), composing():
            routes = jobs._queue_compose_chunk(trace.ids)
        for route in routes:
            for parcel in route.parcels:
                with self._clock(times, "build"):
                    messages = jobs._queue_build(route, parcel)
                if messages:
                    return messages[0][1]
        return None

    # ------------------------------------------------------------------
    # The server
    # ------------------------------------------------------------------

    def _measure_session(self, mailing, server, message, times):
        """Connect as a job would, and deliver if there is an address.

        :return: the server's :class:`~..replies.Reply` that kept us from it, if any
        """
        words = mailing._queue_login_words_of(server)
        connection = None
        try:
            self._measure_connect(server, times)
            connection = self._measure_login(mailing, server, times)
            if connection is None:
                return None
            return self._measure_envelope(mailing, server, message, connection, times)
        except Exception as error:
            step = "auth" if "auth" in times else "connect"
            reply = smtp.read_failure(error, step)
            return reply or classify(0, conceal_words(describe(error), words), step)
        finally:
            if connection is not None:
                smtp.Session(connection).close()

    def _measure_connect(self, server, times):
        """Measure the way to the server, greeting included unless that is encrypted."""
        if server and server.smtp_authentication != "cli":
            host, port = server.smtp_host, server.smtp_port
            encryption = server.smtp_encryption
        else:
            host, port = config.get("smtp_server"), config.get("smtp_port")
            encryption = "none"
        with self._clock(times, "connect"):
            if encryption.startswith("ssl"):
                socket.create_connection((host, port), CONNECT_TIMEOUT).close()
                return
            probe = smtplib.SMTP(host, port, timeout=CONNECT_TIMEOUT)
        probe.close()

    def _measure_login(self, mailing, server, times):
        """Open the session; what is neither connecting nor the login is TLS."""
        inner = {}
        begun = time.monotonic()
        try:
            return (
                self.env["ir.mail_server"]
                .with_context(mass_mailing_queue_times=inner)
                ._connect__(
                    mail_server_id=server.id or None, smtp_from=mailing.email_from
                )
            )
        finally:
            rest = time.monotonic() - begun - times["connect"] - inner.get("auth", 0)
            times["tls"] = max(rest, 0.0)
            times.update(inner)

    def _measure_envelope(self, mailing, server, message, connection, times):
        sender = email_normalize(connection.smtp_from or mailing.email_from) or ""
        with self._clock(times, "envelope"):
            code, text = connection.mail(sender)
        connection.rset()
        if code != 250:
            return classify(code, text.decode(errors="replace"), "mail")
        if self.test_email:
            filler = self._make_filler(mailing, len(bytes(message)) if message else 0)
            with self._clock(times, "delivery"):
                self.env["ir.mail_server"].send_email(
                    filler, mail_server_id=server.id, smtp_session=connection
                )
        return None

    def _make_filler(self, mailing, size):
        """Return an email of that size (bytes) that says nothing."""
        return self.env["ir.mail_server"]._build_email__(
            email_from=mailing.email_from,
            email_to=[email_normalize(self.test_email)],
            subject=self.env._("Test of the mail server"),
            body=self.env._(
                "This email measures how long delivery takes. The attachment makes it "
                "as large as an email of the mailing."
            ),
            # Base64 makes four of three.
            attachments=[("filler.bin", os.urandom(size * 3 // 4), None)],
        )
