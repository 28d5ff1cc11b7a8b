# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging

from odoo import api, fields, models, tools

from odoo.addons.mass_mailing_queue.ledger import Ledger

from .. import presets, sql

_logger = logging.getLogger(__name__)


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
        result = super().write(vals)
        for server, preset in presets_before.items():
            if presets.match(server.smtp_host) != preset:
                server._queue_match_again()
        if "queue_provider_id" in vals:
            if not vals["queue_provider_id"]:
                self._queue_match()
            self.env.registry.clear_cache()
        return result

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

        Servers of one provider with one login are one account.
        """
        providers = self.env["mailing.provider"].sudo()
        for server in self.sudo().filtered(lambda one: not one.queue_provider_id):
            twin = server.smtp_user and self.sudo().search(
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

    def _connect__(self, *args, mail_server_id=None, smtp_from=None, **kwargs):  # noqa: PLW3201
        """Write on the connection which server it goes to.

        ``send_email`` is given a connection only, and has to count for that server.
        """
        if not mail_server_id and not (args and args[0]) and not kwargs.get("host"):
            if not self._disable_send():
                server, smtp_from = self.sudo()._find_mail_server(smtp_from)
                mail_server_id = server.id if server else None
        connection = super()._connect__(
            *args, mail_server_id=mail_server_id, smtp_from=smtp_from, **kwargs
        )
        if connection is not None:
            connection.queue_server_id = mail_server_id or 0
        return connection

    @api.model
    def send_email(self, message, mail_server_id=None, smtp_server=None, **kwargs):
        """Count mail that left without a permit; it is never held back."""
        addresses = tools.mail.email_split(
            ",".join(str(message[name] or "") for name in ("To", "Cc", "Bcc"))
        )
        sender = tools.mail.email_domain_extract(
            tools.mail.email_normalize(str(message["From"] or "")) or ""
        )
        result = super().send_email(
            message, mail_server_id=mail_server_id, smtp_server=smtp_server, **kwargs
        )
        if not self.env.context.get("mass_mailing_queue_permitted"):
            self._queue_tally(
                self._queue_server_id(
                    message, mail_server_id, smtp_server, kwargs.get("smtp_session")
                ),
                sender or "",
                len(addresses) or 1,
            )
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

    def _queue_tally(self, server_id, domain, recipients):
        """Note one message, whatever happens: the mail has left.

        On a connection of its own, since a serialization failure of the caller's
        transaction would make Odoo send the mail again.
        """
        if server_id is None:
            return
        try:
            provider = self.env["mailing.provider"]._find(self.browse(server_id or []))
            if provider:
                with Ledger(self.env) as ledger:
                    ledger.run(sql.tally, provider.id, domain, 1, recipients)
        except Exception as error:
            _logger.warning("Mail not counted (%s)", type(error).__name__)
