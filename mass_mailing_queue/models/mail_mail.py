# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models, tools

from ..addresses import clean, is_plain, mailable


class MailMail(models.Model):
    _inherit = "mail.mail"

    queue_managed = fields.Boolean(
        readonly=True,
        copy=False,
        help="This email belongs to a mailing that is sent by the job queue.",
    )

    _queue_idx = models.Index("(id) WHERE queue_managed AND state = 'outgoing'")

    def _queue_native(self):
        """Return those that Odoo may send. Nothing of a rehearsal is."""
        return self.filtered(
            lambda mail: not (mail.queue_managed or mail.mailing_id.queue_rehearsal)
        )

    def process_email_queue(self, email_ids=(), batch_size=1000):
        """Leave our mails to our jobs.

        They are committed as ``outgoing`` before they are sent, and the mail queue
        would deliver them a second time whatever their trace says.
        """
        filters = self.env.context.get("filters", []) + [("queue_managed", "=", False)]
        return super(MailMail, self.with_context(filters=filters)).process_email_queue(
            email_ids=email_ids, batch_size=batch_size
        )

    def send(self, auto_commit=False, raise_exception=False, post_send_callback=None):
        """Skip our mails: only a claimed trace may be sent (*Send Now* ends here)."""
        native = self._queue_native()
        return super(MailMail, native).send(
            auto_commit=auto_commit,
            raise_exception=raise_exception,
            post_send_callback=post_send_callback,
        )

    def _send(
        self,
        auto_commit=False,
        raise_exception=False,
        smtp_session=None,
        alias_domain_id=False,
        mail_server=False,
        post_send_callback=None,
    ):
        """Skip our mails, for the callers that do not pass through ``send``."""
        native = self._queue_native()
        return super(MailMail, native)._send(
            auto_commit=auto_commit,
            raise_exception=raise_exception,
            smtp_session=smtp_session,
            alias_domain_id=alias_domain_id,
            mail_server=mail_server,
            post_send_callback=post_send_callback,
        )

    def _prepare_outgoing_list(self, mail_server=False, doc_to_followers=None):
        """Mail the addresses that were judged, with domains in ASCII.

        Upstream has them as they are written, and then finds no recipient in what the
        envelope cannot have: characters that nobody sees, letters of other languages
        in a domain.
        """
        emails = super()._prepare_outgoing_list(
            mail_server=mail_server, doc_to_followers=doc_to_followers
        )
        for email in emails if self.queue_managed else ():
            if not all(map(is_plain, email["email_to_normalized"])):
                email["email_to_normalized"] = [
                    mailable(clean(one)) or one for one in email["email_to_normalized"]
                ]
                email["email_to"] = self._queue_clean_recipients(email["email_to"])
        return emails

    def _queue_clean_recipients(self, recipients):
        """Return recipients of one email, with their names, as they are mailed.

        :param list recipients: each of one address. Where others can be mailed, those
            that cannot, and that a header cannot have either, are left out
        """
        found = {}
        for recipient in recipients:
            address = (tools.email_split(recipient) or [""])[0]
            before, _address, behind = recipient.rpartition(address)
            respelled = mailable(clean(address))
            found[recipient] = respelled and f"{before}{respelled}{behind}"
        return [
            respelled or recipient
            for recipient, respelled in found.items()
            if respelled or recipient.isascii() or not any(found.values())
        ]

    def action_retry(self):
        """Retry native mails only; ours are retried on their mailing."""
        native = self._queue_native()
        return super(MailMail, native).action_retry()
