from odoo import api, models


class MailMail(models.Model):
    _inherit = "mail.mail"

    @api.model_create_multi
    def create(self, vals_list):
        """Do with some what the company of their contact says."""
        mails = super().create(vals_list)
        for mail in mails.filtered(lambda mail: mail.model == "mailing.contact"):
            what = self.env["mailing.contact"].browse(mail.res_id).company_name
            if what in ("cancel", "exception", "sent"):
                mail.state = what
            elif what == "unlink":
                mail.unlink()
            elif what == "trace":
                mail.mailing_trace_ids.mail_mail_id = False
        return mails.exists()

    def _split_by_mail_configuration(self):
        """Leave some out of all servers."""
        left_out = self.filtered(lambda mail: mail._probe_company() == "server")
        return super(MailMail, self - left_out)._split_by_mail_configuration()

    def _prepare_outgoing_list(self, mail_server=False, doc_to_followers=None):
        """Add a header, or leave everybody out."""
        email_list = super()._prepare_outgoing_list(
            mail_server=mail_server, doc_to_followers=doc_to_followers
        )
        for email in email_list:
            email["headers"]["X-Probe-List"] = str(self.id)
            if self._probe_company() == "nobody":
                email.update(email_to=[], email_to_normalized=[], email_cc=[])
        return [] if self._probe_company() == "list" else email_list

    def _probe_company(self):
        contact = self.env["mailing.contact"].browse(self.res_id or [])
        return self.model == contact._name and contact.company_name

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
