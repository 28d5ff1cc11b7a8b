# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models


class QueueJobChannel(models.Model):
    _inherit = "queue.job.channel"

    @api.model
    def _queue_bounds(self):
        """Bound each account's channel by the account's concurrent senders."""
        bounds = super()._queue_bounds()
        providers = self.env["mailing.provider"].sudo()
        for provider in providers.search([("rehearsal", "=", False)]):
            if channel := provider._channel_name():
                bounds[channel] = bounds.get(channel, 0) + provider.capacity
        return bounds
