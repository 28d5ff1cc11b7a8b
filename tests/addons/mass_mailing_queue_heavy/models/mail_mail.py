import os

from odoo import models

SIZE = 16 * 2**20


class MailMail(models.Model):
    _inherit = "mail.mail"

    def _prepare_outgoing_list(self, mail_server=False, doc_to_followers=None):
        """Attach what is made for this recipient, such as a report."""
        emails = super()._prepare_outgoing_list(
            mail_server=mail_server, doc_to_followers=doc_to_followers
        )
        for email in emails:
            own = ("report.pdf", os.urandom(SIZE), "application/pdf")
            email["attachments"] = [*email["attachments"], own]
        return emails
