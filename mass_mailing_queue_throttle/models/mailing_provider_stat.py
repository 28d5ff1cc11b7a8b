# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models


class MailingProviderStat(models.Model):
    """Messages of a minute by what became of them, for the graphs."""

    _name = "mailing.provider.stat"
    _description = "Sending Account's Messages"
    _log_access = False
    _order = "minute desc, kind"

    provider_id = fields.Many2one(
        "mailing.provider", "Sending Account", required=True, ondelete="cascade"
    )
    minute = fields.Datetime(required=True)
    kind = fields.Selection(
        [
            ("sent", "Sent"),
            ("other", "Other mail"),
            ("deferred", "Recipient: try later"),
            ("rejected", "Recipient: refused"),
            ("rate", "Slow down: rate"),
            ("connections", "Slow down: connections"),
            ("quota", "Quota used up"),
            ("unreachable", "Server not reachable"),
            ("broken", "Account refused"),
            ("in_doubt", "In doubt"),
        ],
        required=True,
    )
    messages = fields.Integer()

    _minute_uniq = models.UniqueIndex("(provider_id, minute, kind)")

    @api.autovacuum
    def _gc_old(self):
        """Keep a month."""
        self.env.cr.execute(
            "DELETE FROM mailing_provider_stat "
            "WHERE minute < now() AT TIME ZONE 'utc' - interval '31 days'"
        )
