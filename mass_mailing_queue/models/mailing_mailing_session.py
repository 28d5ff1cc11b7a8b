# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).


from dataclasses import replace

from odoo import models
from odoo.tools import config

from .. import slicing, smtp, sql_outage
from ..discretion import conceal_words, describe, login_words
from ..exceptions import AccountBroken, DeliveryPostponed, DeliveryStopped
from ..faults import is_trouble
from ..judgement import stated_wait
from ..replies import Reply, Verdict

#: How long an unreachable server is tried again before the mailing pauses (seconds):
#: a night's outage is over by morning without anybody.
MAX_OUTAGE = 24 * 3600


class MailingMailing(models.Model):
    """Servers: which one, over which session, and whether it can be reached."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

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
        if wait := ledger.run(sql_outage.outage_wait, server_id or 0):
            raise DeliveryPostponed(
                self.env._("The mail server is not reachable."), wait
            )

    def _queue_open_session(self, ledger, route):
        """Return a live session for the route: kept from before, or new.

        Extension point: bound what it is used for.

        :raises DeliveryPostponed: if the server cannot be reached now
        :raises AccountBroken: if it refuses us
        :raises DeliveryStopped: if the connection cannot be watched
        """
        self._queue_check_outage(ledger, route.mail_server_id)
        if session := self._queue_take_session(ledger, route):
            return session
        try:
            connection = self._queue_connect(route)
        except Exception as error:
            if is_trouble(error):
                raise
            reply = smtp.read_failure(error, "connect")
            if reply is None:
                # No server configured, an archived one, an unreadable certificate: the
                # account's other servers may work.
                reply = Reply(Verdict.BROKEN, text=describe(error))
        else:
            session = smtp.Session(connection)
            if not session.watched and not self.env["ir.mail_server"]._disable_send():
                self._queue_refuse_connection(connection)
            return session
        # Outside of the handler: what is raised now must not carry what was.
        text = conceal_words(reply.text, self._queue_login_words(route))
        reply = replace(reply, text=text)
        self._queue_heed(ledger, route, reply)
        raise DeliveryPostponed(reply.text, slicing.outage_delay(1))

    def _queue_take_session(self, ledger, route):
        """Return a live session for the route that was kept. Extension point.

        :return: :class:`~..smtp.Session`, ``None`` to open one
        """
        return smtp.SESSIONS.take(route.session_key)

    def _queue_keep_session(self, ledger, route, session):
        """Keep a session that a route has done with, or close it. Extension point."""
        smtp.SESSIONS.put(route.session_key, session)

    def _queue_connect(self, route):
        """Return a new connection to the route's server."""
        return (
            self.env["ir.mail_server"]
            .with_context(**route.context)
            ._connect__(
                mail_server_id=route.mail_server_id or None,
                smtp_from=route.smtp_from,
            )
        )

    def _queue_refuse_connection(self, connection):
        """Have the mailing paused: nobody could tell which of its emails arrived.

        :raises DeliveryStopped: always
        """
        self._queue_request_pause("connection", type(connection).__name__)
        raise DeliveryStopped(
            self.env._("Another addon replaces the connection to the mail server.")
        )

    def _queue_login_words(self, route):
        """Return what a refused login's answer must not be shown with."""
        server = self.env["ir.mail_server"].sudo().browse(route.mail_server_id or [])
        return self._queue_login_words_of(server)

    def _queue_login_words_of(self, server):
        if not server or server.smtp_authentication == "cli":
            return login_words(config.get("smtp_user"), config.get("smtp_password"))
        return login_words(server.smtp_user, server.smtp_pass)

    def _queue_heed(self, ledger, route, reply):
        """Stop when a reply is about the server and not about the recipient.

        Extension point for what a provider's reply sets off.
        """
        if reply.verdict is Verdict.BROKEN:
            raise AccountBroken(
                reply.text, kind="everybody" if reply.everybody else "account"
            )
        if reply.verdict not in (Verdict.UNREACHABLE, Verdict.SLOW_DOWN):
            return
        server_ref = route.mail_server_id or 0
        failures, seconds = ledger.run(
            sql_outage.outage_begin, server_ref, reply.text[:200]
        )
        if seconds > MAX_OUTAGE:
            ledger.run(sql_outage.outage_end, server_ref)
            raise AccountBroken(
                self.env._("The mail server was not reachable for 24 hours.")
            )
        delay = stated_wait(reply) or slicing.outage_delay(failures)
        ledger.run(sql_outage.outage_retry_in, server_ref, delay)
        raise DeliveryPostponed(
            reply.text or self.env._("Server not reachable."), delay
        )
