from odoo import models


class MailingMailing(models.Model):
    _inherit = "mailing.mailing"

    def _get_recipients(self):
        """Leave out whoever is called Contact 3."""
        res_ids = super()._get_recipients()
        records = self.env[self.mailing_model_real].browse(res_ids)
        return records.filtered(lambda record: record.name != "Contact 3").ids
