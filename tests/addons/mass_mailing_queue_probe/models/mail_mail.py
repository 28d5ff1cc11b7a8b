from odoo import models


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _prepare_outgoing_list(self, mail_server=False, doc_to_followers=None):
        """Add a header."""
        email_list = super()._prepare_outgoing_list(
            mail_server=mail_server, doc_to_followers=doc_to_followers
        )
        for email in email_list:
            email["headers"]["X-Probe-List"] = str(self.id)
        return email_list

    def _postprocess_sent_message(
        self, success_pids, success_emails, failure_reason=False, failure_type=None
    ):
        """Count the sent mails in a parameter."""
        parameters = self.env["ir.config_parameter"].sudo()
        count = int(parameters.get_param("probe.postprocessed", "0"))
        parameters.set_param("probe.postprocessed", str(count + len(self)))
        return super()._postprocess_sent_message(
            success_pids,
            success_emails,
            failure_reason=failure_reason,
            failure_type=failure_type,
        )
