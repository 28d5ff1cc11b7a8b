# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import re
import secrets
import smtplib
import socket

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import config

from .. import sql, sql_pace
from ..discretion import discreet
from ..ledger import Ledger, commit
from ..replies import Reply, Verdict

#: What stands for the rehearsal server among ids of ``ir.mail_server``: outages, say,
#: are then its own.
REHEARSAL_SERVER = -1

#: For the rehearsal server to answer (seconds).
TIMEOUT = 60

#: Traces deleted by one statement.
DELETE_BATCH = 5_000


def _addresses(host):
    """Return the addresses of a host, none if it is not known."""
    try:
        return {found[4][0] for found in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return set()


class MailingMailing(models.Model):
    """A rehearsal: the whole campaign is sent by the engine, to the rehearsal server.

    What is sent is a copy of the mailing that no user sees: it has traces, jobs and
    links of its own, and they are deleted with it. So recipients, statistics, clicks
    and opt-outs of the mailing stay as they are.

    Three guards keep it from real servers: it connects to the rehearsal server by
    itself, and keeps those sessions apart; each message is delivered only over such a
    session (and that of a real mailing never); and Odoo's own senders skip its emails.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    queue_rehearsal = fields.Boolean(
        readonly=True, copy=False, help="It only goes to the rehearsal server."
    )

    _queue_rehearsal_idx = models.Index("(id) WHERE queue_rehearsal")

    # ------------------------------------------------------------------
    # The beginning
    # ------------------------------------------------------------------

    def action_queue_rehearse(self):
        """Send the whole mailing to the rehearsal server, and open what comes of it.

        :raises UserError: if there is no such server, or nobody could get the mailing
        """
        self.ensure_one()
        self.check_access("write")
        rehearsals = self.env["mailing.queue.rehearsal"].sudo()
        rehearsal = rehearsals.search(
            [("mailing_id", "=", self.id), ("state", "=", "running")], limit=1
        )
        if not rehearsal:
            self._queue_rehearsal_address()
            self._queue_check_content()
            rehearsal = rehearsals.create({"mailing_id": self.id})
            rehearsal._start()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Rehearsal"),
            "res_model": rehearsal._name,
            "res_id": rehearsal.id,
            "views": [(False, "form")],
        }

    @api.model
    def _queue_rehearsal_address(self):
        """Return host and port of the rehearsal server.

        :raises UserError: if there is none, or it is one that real emails leave through
        """
        parameters = self.env["ir.config_parameter"].sudo()
        address = parameters.get_param("mass_mailing_queue.rehearsal_server", "")
        host, _colon, port = address.strip().rpartition(":")
        if not host or not re.fullmatch(r"\d{1,5}", port) or not 0 < int(port) < 65_536:
            raise UserError(
                self.env._(
                    "There is no rehearsal server: let the administrator enter one in "
                    "the settings of Email Marketing."
                )
            )
        if self._queue_is_real_server(host, int(port)):
            raise UserError(
                self.env._(
                    "The rehearsal server is an outgoing mail server of Odoo, too: "
                    "nothing is rehearsed with it."
                )
            )
        return host, int(port)

    @api.model
    def _queue_is_real_server(self, host, port):
        """Return whether emails of Odoo leave through this server, by any name."""
        servers = self.env["ir.mail_server"].sudo().with_context(active_test=False)
        real = {
            (server.smtp_host, server.smtp_port)
            for server in servers.search([("smtp_host", "!=", False)])
        }
        real.add((config.get("smtp_server"), int(config.get("smtp_port") or 25)))
        # Few have the port of a server for tests: hardly a name is looked up.
        others = [name for name, number in real if name and number == port]
        return any(
            name == host or not _addresses(name).isdisjoint(_addresses(host))
            for name in others
        )

    def _queue_prepare_rehearsal(self):
        """Return the values in which the copy that is rehearsed differs.

        Extension point: add to the dict.
        """
        return {
            "queue_rehearsal": True,
            "queue_managed": True,
            # Of these statistics it must not be a part, nor of a test.
            "campaign_id": False,
            "ab_testing_enabled": False,
            "keep_archives": False,
            "schedule_type": "now",
            "schedule_date": False,
            # It makes way for whatever is real, and is wanted now.
            "queue_priority": "0",
            "queue_hours_id": False,
            "user_id": (self.user_id or self.env.user).id,
            # A mailing owns its attachments, and takes them along when it goes.
            "attachment_ids": [
                fields.Command.set([one.copy().id for one in self.attachment_ids])
            ],
        }

    # ------------------------------------------------------------------
    # The guards
    # ------------------------------------------------------------------

    def _queue_adopt(self):
        """Send rehearsals by the queue, whatever the switch says."""
        rehearsals = self.filtered("queue_rehearsal")
        return rehearsals | super(MailingMailing, self - rehearsals)._queue_adopt()

    def _action_send_mail(self, res_ids=None):
        """Refuse Odoo's own way to send: it would find a real server."""
        if res_ids and "mass_mailing_queue_traces" not in self.env.context:
            if self.filtered("queue_rehearsal"):
                raise UserError(self.env._("A rehearsal is sent by its jobs only."))
        return super()._action_send_mail(res_ids=res_ids)

    def _queue_prepare_routes(self, mails):
        routes = super()._queue_prepare_routes(mails)
        if self.queue_rehearsal:
            for route in routes:
                route.mail_server_id = REHEARSAL_SERVER
                route.session_key = ("rehearsal", self.env.cr.dbname)
        return routes

    def _queue_connect(self, route):
        """Connect to the rehearsal server, without any login."""
        if not self.queue_rehearsal:
            return super()._queue_connect(route)
        host, port = self._queue_rehearsal_address()
        connection = smtplib.SMTP(host, port, timeout=TIMEOUT)
        connection.queue_rehearsal = True
        return connection

    def _queue_transmit(self, session, route, messages):
        """Deliver rehearsals to the rehearsal server, and nothing else."""
        is_rehearsal_server = getattr(session.connection, "queue_rehearsal", False)
        # As the route says: the mailing would be read anew for each email.
        if (route.mail_server_id == REHEARSAL_SERVER) != is_rehearsal_server:
            return Reply(
                Verdict.BROKEN,
                text=self.env._(
                    "A rehearsal was about to leave through a real mail server, or a "
                    "mailing through the rehearsal server: nothing was sent."
                ),
            )
        return super()._queue_transmit(session, route, messages)

    def _queue_check_outage(self, ledger, server_id):
        if self.queue_rehearsal:
            server_id = REHEARSAL_SERVER
        return super()._queue_check_outage(ledger, server_id)

    def _queue_login_words(self, route):
        if self.queue_rehearsal:
            return []
        return super()._queue_login_words(route)

    def _generate_mailing_recipient_token(self, document_id, email):
        """Make links as long as real ones that open nothing.

        Whoever clicks in a rehearsed email must not unsubscribe its recipient.
        """
        token = super()._generate_mailing_recipient_token(document_id, email)
        return secrets.token_hex(len(token) // 2) if self.queue_rehearsal else token

    # ------------------------------------------------------------------
    # The end
    # ------------------------------------------------------------------

    def _queue_may_stall(self):
        """Alarm nobody for a rehearsal."""
        return super()._queue_may_stall().filtered(lambda one: not one.queue_rehearsal)

    def _job_pause(self, kind, detail="", resumes=None):
        """End a rehearsal instead of pausing it, and note why."""
        mailing = self.exists()
        if not mailing.queue_rehearsal:
            return super()._job_pause(kind, detail=detail, resumes=resumes)
        reason = mailing._queue_describe_pause(kind, detail)
        mailing._queue_find_rehearsal().reason = reason
        mailing.action_queue_cancel()
        return None

    def _job_finish(self):
        result = super()._job_finish()
        mailing = self.exists()
        if mailing.queue_rehearsal and mailing.state == "done":
            mailing.kpi_mail_required = False
            mailing._queue_find_rehearsal()._end()
            mailing._queue_enqueue_clean()
        return result

    def _cron_queue_reconcile(self):
        """Take away ended rehearsals whose job to do so was lost."""
        result = super()._cron_queue_reconcile()
        for mailing in self.search(
            [("queue_rehearsal", "=", True), ("state", "=", "done")]
        ):
            mailing._queue_enqueue_clean()
        return result

    def _queue_find_rehearsal(self):
        return self.env["mailing.queue.rehearsal"].search([("copy_id", "=", self.id)])

    def _queue_enqueue_clean(self):
        self._queue_delayable(
            self.env._("Clear away %s", self.subject),
            priority=1,
            identity_key=f"mass_mailing_queue.clean.{self.id}",
            # Its last worker settles its emails meanwhile.
            eta=10,
        )._job_clean_rehearsal().delay()
        self._queue_wake_cron()

    @discreet()
    def _job_clean_rehearsal(self):
        """Delete all that a rehearsal has left (job body)."""
        mailing = self.exists()
        if not mailing.queue_rehearsal or mailing.state != "done":
            return None
        with Ledger(self.env) as ledger:
            if ledger.run(sql.is_open, mailing.id):
                return None
            while ledger.run(sql_pace.delete_traces, mailing.id, DELETE_BATCH):
                continue
        # A new snapshot, in which there are no traces: deleting a mailing computes
        # those that it sees.
        commit(self.env)
        mailing._queue_delete_rehearsal()
        return self.env._("Cleared away.")

    def _queue_delete_rehearsal(self):
        """Delete the copy that was rehearsed. Extension point.

        Its traces are gone; delete what else was made for it.
        """
        env = self.env
        env["mail.mail"].search([("mailing_id", "=", self.id)]).unlink()
        env["link.tracker"].search([("mass_mailing_id", "=", self.id)]).unlink()
        source = self.source_id
        self.unlink()
        source.unlink()
