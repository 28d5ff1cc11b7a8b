# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from psycopg2.errors import UniqueViolation

from odoo import SUPERUSER_ID, api, fields, models, tools
from odoo.tools import config

from odoo.addons.queue_job.exception import RetryableJobError

from .. import presets


class MailingProvider(models.Model):
    """Which account a server belongs to, and with which figures an account starts."""

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

    @api.model
    def _find(self, server):
        """Return the account of a server, without creating one. Cached.

        :param server: ``ir.mail_server``, empty for the one of the configuration file
        :return: an account, or none
        """
        server_id = server.id or 0
        # That there is none is not cached: another process may create it.
        found = self._find_id(server_id) or self._search_id(server_id)
        return self.sudo().browse(found or [])

    @api.model
    @tools.ormcache("server_id")
    def _find_id(self, server_id):
        return self._search_id(server_id)

    @api.model
    def _search_id(self, server_id):
        if server_id:
            server = self.env["ir.mail_server"].sudo().browse(server_id).exists()
            return server.queue_provider_id.id
        # Archived or not: its limits hold.
        providers = self.sudo().with_context(active_test=False)
        return providers.search([("config_server", "=", True)], limit=1).id

    @api.model
    def _for_server(self, server):
        """Return the account of a server; a server without one gets it."""
        provider = self._find(server)
        if provider:
            return provider
        if server:
            server._queue_match()
            self.env.registry.clear_cache()
            return self._find(server)
        host = config.get("smtp_server")
        try:
            with self.env.cr.savepoint():
                return self._create_from_preset(
                    presets.match(host),
                    name=self.env._("Configuration file (%s)", host),
                    config_server=True,
                )
        except UniqueViolation as error:
            raise RetryableJobError(
                "The account of the configuration file is being created.",
                seconds=1,
                ignore_retry=True,
            ) from error

    @api.model
    def _has_config_server(self):
        """Return whether mail leaves through the server of the configuration file."""
        return bool(config.get("smtp_server")) and not self.env[
            "ir.mail_server"
        ].search_count([], limit=1)

    @api.model
    def _create_from_preset(self, preset, **values):
        """Create an account with a preset's figures, to be confirmed by somebody."""
        if self.env.uid == SUPERUSER_ID:
            values.setdefault("user_id", self.env.ref("base.user_admin").id)
        return self.sudo().create({"preset": preset.key, **values})

    @api.model
    def _preset_values(self, preset):
        return {
            "quota_api": preset.quota_api or False,
            "capacity": preset.capacity,
            "messages_per_connection": preset.messages_per_connection,
            "linger": preset.linger,
            "limit_ids": [
                fields.Command.create(
                    {
                        "amount": figure.amount,
                        "period": figure.period,
                        "unit": figure.unit,
                        "origin": "own" if figure.own else "vendor",
                        "source": figure.source,
                    }
                )
                for figure in preset.limits
            ],
        }

    @api.depends("preset")
    def _compute_note(self):
        for provider in self:
            provider.note = provider.preset and presets.PRESETS[provider.preset].note

    @api.onchange("preset")
    def _onchange_preset(self):
        """Fill in a new account; of an existing one a button replaces the limits."""
        if self.preset and not self._origin:
            self.limit_ids = [fields.Command.clear()]
            self.update(self._preset_values(presets.PRESETS[self.preset]))

    def action_apply_preset(self):
        """Replace the limits by those of the preset.

        A limit of the same kind is changed: what was sent under it stays counted.
        """
        self.check_access("write")
        for provider in self:
            values = provider._preset_values(presets.PRESETS[provider.preset])
            kept = provider.limit_ids.filtered(
                lambda limit: limit.scope == "account" and not limit.ramp
            )
            commands = []
            for _command, _id, figure in values["limit_ids"]:
                same = kept.filtered(
                    lambda limit, figure=figure: (limit.period, limit.unit)
                    == (figure["period"], figure["unit"])
                )[:1]
                kept -= same
                commands.append(
                    fields.Command.update(same.id, figure)
                    if same
                    else fields.Command.create(figure)
                )
            others = provider.limit_ids.filtered(
                lambda limit: limit.scope != "account" or limit.ramp
            )
            removed = [fields.Command.delete(limit.id) for limit in kept | others]
            provider.write(
                {"confirmed": False, **values, "limit_ids": removed + commands}
            )
