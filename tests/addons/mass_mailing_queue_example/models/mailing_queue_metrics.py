from odoo import api, models


class MailingQueueMetrics(models.AbstractModel):
    _inherit = "mailing.queue.metrics"

    @api.model
    def _collect(self):
        return [
            *super()._collect(),
            ("odoo_mailing_post", "Letters by town.", ("town",), [(("Ghent",), 3.0)]),
        ]
