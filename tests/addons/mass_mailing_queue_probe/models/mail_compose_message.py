from odoo import models

from .faults import suffer


class MailComposeMessage(models.TransientModel):
    _inherit = "mail.compose.message"

    def _prepare_mail_values(self, res_ids):
        """Mark the subject, and leave out whoever is to be left out here."""
        values_all = super()._prepare_mail_values(res_ids)
        suffer(self.env, "compose")
        for values in values_all.values():
            values["subject"] = f"[probe] {values.get('subject')}"
        left_out = self._probe_left_out(res_ids)
        return {
            res_id: values
            for res_id, values in values_all.items()
            if left_out.get(res_id) != "values"
        }

    def _prepare_mail_values_dynamic(self, res_ids):
        values_all = super()._prepare_mail_values_dynamic(res_ids)
        left_out = self._probe_left_out(res_ids)
        return {
            res_id: values
            for res_id, values in values_all.items()
            if left_out.get(res_id) != "dynamic"
        }

    def _probe_left_out(self, res_ids):
        """Return how they are left out: that is the company of a contact."""
        if self.model != "mailing.contact":
            return {}
        records = self.env[self.model].browse(res_ids)
        return {record.id: record.company_name for record in records}
