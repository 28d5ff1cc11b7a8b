# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models
from odoo.tools import SQL

from .. import sql_counts

#: How long figures for the graphs are kept.
KEPT_DAYS = 31


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
    clock = fields.Char(
        "Date and Minute",
        compute="_compute_clock",
        help="To group messages by minute.",
    )

    _minute_uniq = models.UniqueIndex("(provider_id, minute, kind)")

    @api.depends("minute")
    @api.depends_context("tz")
    def _compute_clock(self):
        for stat in self:
            moment = stat.minute and fields.Datetime.context_timestamp(
                stat, stat.minute
            )
            stat.clock = moment and moment.strftime("%Y-%m-%d %H:%M")

    def _field_to_sql(self, alias, field_expr, query=None):
        """Let messages be grouped by minute: upstream's finest grain is the hour."""
        if field_expr != "clock":
            return super()._field_to_sql(alias, field_expr, query)
        return SQL(
            "to_char(timezone(%s, timezone('UTC', %s)), 'YYYY-MM-DD HH24:MI')",
            self.env.context.get("tz") or "UTC",
            super()._field_to_sql(alias, "minute", query),
        )

    @api.autovacuum
    def _gc_old(self):
        sql_counts.forget(self.env.cr, KEPT_DAYS)
