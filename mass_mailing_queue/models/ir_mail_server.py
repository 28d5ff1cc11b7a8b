# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import time

from odoo import api, models

#: What decides which mail leaves through a server. Others change by themselves: the
#: token of a login, for example.
ROUTING_FIELDS = {"active", "from_filter", "owner_user_id", "sequence"}


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    # Which server a mailing leaves through is cached for its screens.

    @api.model_create_multi
    def create(self, vals_list):
        """Forget which mailing leaves through which server."""
        servers = super().create(vals_list)
        self.env.registry.clear_cache()
        return servers

    def write(self, vals):
        """Forget which mailing leaves through which server."""
        result = super().write(vals)
        if ROUTING_FIELDS.intersection(vals):
            self.env.registry.clear_cache()
        return result

    def unlink(self):
        """Forget which mailing leaves through which server."""
        result = super().unlink()
        self.env.registry.clear_cache()
        return result

    def _smtp_login__(self, connection, smtp_user, smtp_password):  # noqa: PLW3201
        """Note how long the login takes, for who measures a connection.

        The context's ``mass_mailing_queue_times`` is a dict of theirs.
        """
        begun = time.monotonic()
        try:
            return super()._smtp_login__(connection, smtp_user, smtp_password)
        finally:
            times = self.env.context.get("mass_mailing_queue_times")
            if isinstance(times, dict):
                times["auth"] = time.monotonic() - begun
