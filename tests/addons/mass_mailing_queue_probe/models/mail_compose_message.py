from odoo import models


class MailComposeMessage(models.TransientModel):
    _inherit = "mail.compose.message"

    def _prepare_mail_values(self, res_ids):
        """Mark the subject."""
        values_all = super()._prepare_mail_values(res_ids)
        for values in values_all.values():
            values["subject"] = f"[probe] {values['subject']}"
        return values_all
