# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models


class MailingQueueMetrics(models.AbstractModel):
    _inherit = "mailing.queue.metrics"

    @api.model
    def _collect(self):
        """Add what sending accounts do, and how long they wait."""
        # Few.
        providers = self.env["mailing.provider"].search([])  # pylint: disable=no-search-all
        now = fields.Datetime.now()
        return [
            *super()._collect(),
            (
                "odoo_mailing_account_state",
                "1 for what a sending account does.",
                ("account", "state"),
                [((provider.id, provider.state), 1) for provider in providers],
            ),
            (
                "odoo_mailing_account_wait_seconds",
                "Seconds until a sending account that rests goes on.",
                ("account",),
                [
                    (
                        (provider.id,),
                        max((provider.recovers_at - now).total_seconds(), 0)
                        if provider.state == "resting" and provider.recovers_at
                        else 0,
                    )
                    for provider in providers
                ],
            ),
            (
                "odoo_mailing_account_per_second",
                "Messages a second that a sending account may send now; 0: no bound.",
                ("account",),
                [
                    ((provider.id,), provider._effective_rate())
                    for provider in providers
                ],
            ),
        ]
