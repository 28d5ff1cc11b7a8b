# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models, tools
from odoo.exceptions import UserError

from .. import smtp, sql
from ..discretion import conceal, describe, discreet
from ..faults import is_trouble
from ..slicing import spread
from .mailing_mailing_content import CANDIDATES, PEERS


class MailingMailing(models.Model):
    """Refuse at *Send*, *Schedule* and *Resume* what cannot be sent."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    @discreet()
    def _queue_check_content(self):
        """Refuse a mailing that could not be sent to anybody, in words.

        The content is rendered for the first recipients, until it works for one, so
        that a broken placeholder shows here and not in a million failed traces.
        Recipients are those that the user may see: the answer must not tell what their
        rights would not.

        :raises UserError: on an empty subject or body, no recipients, or content
            that cannot be rendered or sent
        """
        self._queue_check_what_is_common()
        record_ids = self._queue_for_user()._queue_next_records(limit=PEERS)
        if not record_ids:
            raise UserError(
                self.env._(
                    "Nobody would receive this mailing: choose recipients, or check "
                    "the filter."
                )
            )
        self._queue_check_rendering(record_ids)

    @discreet()
    def _queue_check_resume(self):
        """Refuse to go on with content that can be sent to nobody who waits, in words.

        The whole email is made for the first of them, as by a job, and undone.

        :raises UserError: see :meth:`_queue_check_content`
        """
        self._queue_check_what_is_common()
        self.env["mailing.trace"].flush_model()
        traces = self.env["mailing.trace"].browse(
            sql.peers(self.env.cr, self.id, 0, CANDIDATES)
        )
        waiting = traces.sudo().filtered(lambda trace: trace.trace_status == "outgoing")
        seen = self._queue_for_user()
        if not waiting:
            if record_ids := seen._queue_next_records(limit=PEERS):
                self._queue_check_rendering(record_ids)
            return
        records = seen.env[self.mailing_model_real].with_context(active_test=False)
        visible = set(records.search([("id", "in", waiting.mapped("res_id"))]).ids)
        wanted = waiting.filtered(lambda trace: trace.res_id in visible)
        error = self._queue_for_jobs()._queue_find_fault(
            spread(wanted.ids, PEERS), False
        )
        if error:
            raise UserError(
                self.env._(
                    "This email cannot be made for anybody: %s",
                    conceal(describe(error)),
                )
            ) from error

    def _queue_check_what_is_common(self):
        """:raises UserError: for what is wrong for every recipient"""
        self.ensure_one()
        if not (self.subject or "").strip():
            raise UserError(self.env._("Give the mailing a subject before sending it."))
        if tools.is_html_empty(self.body_html) and not self.attachment_ids:
            raise UserError(self.env._("The mailing is empty: write something first."))
        self._queue_check_headers()
        self._queue_check_attachments()
        self._queue_check_server()

    def _queue_check_rendering(self, record_ids):
        """:raises UserError: if the content cannot be rendered for any of them"""
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
        failures = []
        for record_id in record_ids:
            part = self.env._("subject")
            try:
                composer._render_field("subject", [record_id], compute_lang=True)
                part = self.env._("content")
                composer._render_field("body", [record_id], compute_lang=True)
                return
            except Exception as error:
                if is_trouble(error):
                    raise
                failures.append((part, error))
        part, error = failures[0]
        raise UserError(
            self.env._(
                "A placeholder in the %(part)s cannot be filled in: %(error)s",
                part=part,
                error=conceal(describe(error)),
            )
        ) from error

    def _queue_check_attachments(self):
        """:raises UserError: if the file of an attachment is gone

        Odoo would send it empty.
        """
        for attachment in self.attachment_ids.sudo():
            if attachment.file_size and not attachment.raw and not attachment.url:
                raise UserError(
                    self.env._(
                        "The file of the attachment %(name)s cannot be read: attach it "
                        "again.",
                        name=attachment.name,
                    )
                )

    def _queue_check_server(self):
        """:raises UserError: if the chosen server does not send for this mailing

        One that belongs to a user sends what this user writes, and mailings are sent by
        the system; upstream refuses each of their emails.
        """
        server = self.mail_server_id.sudo()
        if owner := server.owner_user_id:
            raise UserError(
                self.env._(
                    "The mail server %(server)s belongs to %(owner)s and cannot send "
                    "mailings: choose another one.",
                    server=server.name,
                    owner=owner.name,
                )
            )
        if server:
            server._check_forced_mail_server(server, False, self.email_from)

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
