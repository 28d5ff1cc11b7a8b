# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging

from odoo import api, fields, models, tools

from odoo.addons.mass_mailing_queue.ledger import Ledger, in_foreign_test

from .. import presets, sql_counts, sql_jobs

_logger = logging.getLogger(__name__)

#: What the context has for mail with a permit. An object of this process: whoever
#: calls over RPC chooses the context, and could otherwise send what nobody counts.
PERMITTED = object()


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    queue_provider_id = fields.Many2one(
        "mailing.provider",
        "Sending Account",
        copy=False,
        index=True,
        ondelete="restrict",
        help="Whose limits hold for this server. Servers of one account share them.",
    )

    @api.model_create_multi
    def create(self, vals_list):
        """Give each server an account: without one, it would have no limits."""
        servers = super().create(vals_list)
        servers._queue_for_campaigns()._queue_match()
        self.env.registry.clear_cache()
        return servers

    def write(self, vals):
        """Match a server anew that now points at another provider, or lost its account.

        No server is without one: it would have no limits.
        """
        presets_before = {
            server: presets.match(server.smtp_host)
            for server in self
            if "smtp_host" in vals and "queue_provider_id" not in vals
        }
        before = {server: server.sudo().queue_provider_id for server in self}
        result = super().write(vals)
        for server, preset in presets_before.items():
            if presets.match(server.smtp_host) != preset:
                server._queue_match_again()
        if "queue_provider_id" in vals:
            if not vals["queue_provider_id"]:
                self._queue_match()
            self.env.registry.clear_cache()
        for server, provider in before.items():
            if server.sudo().queue_provider_id != provider:
                server._queue_move_jobs()
        return result

    def _queue_move_jobs(self):
        """Let the jobs of mailings under way follow their server to another account."""
        self.ensure_one()
        provider = self.sudo().queue_provider_id
        under_way = self.env["mailing.mailing"].sudo()._queue_search_under_way()
        mailings = under_way.filtered(
            lambda mailing: mailing._queue_find_server() == self.sudo()
        )
        channel, ids, env = provider.channel_id.complete_name, mailings.ids, self.env

        def move():
            with Ledger(env) as ledger:
                ledger.run(sql_jobs.move_jobs, ids, channel)

        if ids and channel:
            self.env.cr.postcommit.add(move)

    def _queue_match_again(self):
        """Leave the account for the one of the new host; nobody's account goes."""
        left = self.sudo().queue_provider_id
        self.sudo().queue_provider_id = False
        left.filtered(
            lambda provider: not provider.confirmed
            and not provider.config_server
            and not provider.with_context(active_test=False).server_ids
        ).unlink()

    def _queue_for_campaigns(self):
        """Return those of self that are nobody's personal server.

        Of the others there may be one a user; one gets an account when it is used.
        """
        return self.filtered(lambda server: not server.owner_user_id)

    def _queue_match(self):
        """Give each server without an account one, by its host.

        Servers of one host with one login, or without any, are one account. One that
        takes its host from the configuration file belongs to that file's account.
        """
        providers = self.env["mailing.provider"].sudo()
        for server in self.sudo().filtered(lambda one: not one.queue_provider_id):
            if server.smtp_authentication == "cli":
                server.queue_provider_id = providers._for_server(self.browse())
                continue
            twin = server.smtp_host and self.sudo().search(
                [
                    ("queue_provider_id", "!=", False),
                    ("smtp_host", "=", server.smtp_host),
                    ("smtp_user", "=", server.smtp_user),
                ],
                limit=1,
            )
            server.queue_provider_id = (
                twin.queue_provider_id
                if twin
                else providers._create_from_preset(
                    presets.match(server.smtp_host), name=server.name
                )
            )

    # ------------------------------------------------------------------
    # Mail that asks nobody
    # ------------------------------------------------------------------

    def _connect__(  # noqa: PLW3201
        self,
        host=None,
        port=None,
        user=None,
        password=None,
        encryption=None,
        smtp_from=None,
        ssl_certificate=None,
        ssl_private_key=None,
        smtp_debug=False,
        mail_server_id=None,
        allow_archived=False,
    ):
        """Write on the connection which server it goes to.

        ``send_email`` is given a connection only, and has to count for that server.
        """
        if not mail_server_id and not host and not self._disable_send():
            server, smtp_from = self.sudo()._find_mail_server(smtp_from)
            mail_server_id = server.id if server else None
        connection = super()._connect__(
            host=host,
            port=port,
            user=user,
            password=password,
            encryption=encryption,
            smtp_from=smtp_from,
            ssl_certificate=ssl_certificate,
            ssl_private_key=ssl_private_key,
            smtp_debug=smtp_debug,
            mail_server_id=mail_server_id,
            allow_archived=allow_archived,
        )
        if connection is not None:
            # None: an address that somebody gave, and no account of ours.
            known = mail_server_id or not host
            connection.queue_server_id = (mail_server_id or 0) if known else None
        return connection

    @api.model
    def send_email(self, message, mail_server_id=None, smtp_server=None, **kwargs):
        """Count mail that left without a permit; it is never held back."""
        # Bcc is gone from the message when it has left.
        addresses = [str(message[name] or "") for name in ("To", "Cc", "Bcc")]
        result = super().send_email(
            message, mail_server_id=mail_server_id, smtp_server=smtp_server, **kwargs
        )
        permit = self.env.context.get("mass_mailing_queue_permitted")
        if permit is not PERMITTED and not in_foreign_test():
            try:
                server_id = self._queue_server_id(
                    message, mail_server_id, smtp_server, kwargs.get("smtp_session")
                )
                if server_id is not None:
                    self._queue_tally(server_id, message, ",".join(addresses))
            except Exception as error:
                # Whatever happens here: the mail has left.
                _logger.warning("Mail not counted (%s)", type(error).__name__)
        return result

    def _queue_server_id(self, message, mail_server_id, smtp_server, session):
        """Return the id of the server that the message left through.

        :return: 0 for the one of the configuration file, ``None`` if it is no server
            that we know
        """
        if session is not None:
            return getattr(session, "queue_server_id", mail_server_id)
        if mail_server_id or smtp_server:
            return mail_server_id
        server = self.sudo()._find_mail_server(str(message["From"] or ""))[0]
        return server.id if server else 0

    def _queue_tally(self, server_id, message, addresses):
        """Note one message.

        On a connection of its own, since a serialization failure of the caller's
        transaction would make Odoo send the mail again.
        """
        provider = self.env["mailing.provider"]._find(self.browse(server_id or []))
        if not provider:
            return
        sender = tools.mail.email_normalize(str(message["From"] or ""))
        with Ledger(self.env) as ledger:
            ledger.run(
                sql_counts.tally,
                provider.id,
                tools.mail.email_domain_extract(sender or "") or "",
                1,
                len(tools.mail.email_split(addresses)) or 1,
            )
