# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models, tools
from odoo.exceptions import UserError

from .. import smtp
from ..discretion import conceal, describe, discreet


class MailingMailing(models.Model):
    """What is refused at *Send*, before anybody is planned."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    @discreet()
    def _queue_check_content(self):
        """Refuse a mailing that could not be sent to anybody, in words.

        The content is rendered for the first recipient, so that a broken placeholder
        shows here and not in a million failed traces. Recipients are those that the
        user may see: the answer must not tell what their rights would not.

        :raises UserError: on an empty subject or body, no recipients, or content
            that cannot be rendered or sent
        """
        self.ensure_one()
        if not (self.subject or "").strip():
            raise UserError(self.env._("Give the mailing a subject before sending it."))
        if tools.is_html_empty(self.body_html) and not self.attachment_ids:
            raise UserError(self.env._("The mailing is empty: write something first."))
        self._queue_check_headers()
        record_ids = self._queue_for_user()._queue_next_records()
        if not record_ids:
            raise UserError(
                self.env._(
                    "Nobody would receive this mailing: choose recipients, or check "
                    "the filter."
                )
            )
        # As the jobs will render it, and native Odoo does: as superuser.
        composer = self._queue_for_jobs().env["mail.compose.message"]
        composer = composer.new(
            {
                "composition_mode": "mass_mail",
                "model": self.mailing_model_real,
                "subject": self.subject,
                "body": self.body_html,
            }
        )
        for field, label in (
            ("subject", self.env._("subject")),
            ("body", self.env._("content")),
        ):
            try:
                composer._render_field(field, record_ids, compute_lang=True)
            except Exception as error:
                raise UserError(
                    self.env._(
                        "A placeholder in the %(part)s cannot be filled in: %(error)s",
                        part=label,
                        error=conceal(describe(error)),
                    )
                ) from error

    def _queue_check_headers(self):
        """:raises UserError: if a header of every email would be refused"""
        headers = {"subject": "Subject", "email_from": "From"}
        if self.reply_to_mode == "new":
            headers["reply_to"] = "Reply-To"
        for field, header in headers.items():
            if self[field] and not smtp.is_safe_header(header, self[field]):
                raise UserError(
                    self.env._(
                        "The field %(field)s cannot stand in an email: is there a line "
                        "break in it?",
                        field=self._fields[field]._description_string(self.env),
                    )
                )

    def _queue_for_user(self):
        """Return self with the user's rights in all their companies, and no more.

        Whoever calls over RPC chooses the context: what is in it must not decide who
        is a recipient.
        """
        user = self.env.user
        return self.with_context(  # pylint: disable=context-overridden
            {
                "lang": user.lang,
                "tz": user.tz,
                "allowed_company_ids": list(user._get_company_ids()),
            }
        )
