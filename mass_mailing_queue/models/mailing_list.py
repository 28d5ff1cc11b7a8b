# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models, tools

from .. import sql_plan, sql_spellings
from ..addresses import clean


class MailingList(models.Model):
    _inherit = "mailing.list"

    def _compute_mailing_count(self):
        """Leave out rehearsals, which nobody sees."""
        result = super()._compute_mailing_count()
        rehearsals = self.env["mailing.mailing"].sudo()
        for mailing in rehearsals.search(
            [("queue_rehearsal", "=", True), ("contact_list_ids", "in", self.ids)]
        ):
            for mailing_list in self & mailing.contact_list_ids:
                mailing_list.mailing_count -= 1
        return result

    def _mailing_get_opt_out_list(self, mailing):
        """Return the opted-out addresses of a mailing.

        Upstream loads every subscription and every contact of the lists, for each
        batch of 50 recipients. For a slice (the addresses are in the context) the
        same question is asked in SQL, about these addresses only.
        """
        emails = self.env.context.get("mass_mailing_queue_emails")
        if emails is None:
            return super()._mailing_get_opt_out_list(mailing)
        lists = self or mailing.contact_list_ids
        self.env["mailing.subscription"].flush_model()
        self.env["mailing.contact"].flush_model(["email_normalized"])
        # Who opted out with one spelling of the address did so with all of them.
        spellings = sql_spellings.find_spellings(self.env.cr, "mailing_contact", emails)
        return {
            spellings[email]
            for email in sql_plan.opted_out(self.env.cr, lists.ids, spellings)
        }

    def _update_subscription_from_email(self, email, opt_out=True, force_message=None):
        """Let an opt-out, or its end, count for the address however it is written.

        Upstream finds contacts whose address is written as it is in the link. Links
        have the cleaned address, under which two contacts may have been one recipient.
        """
        result = super()._update_subscription_from_email(
            email, opt_out=opt_out, force_message=force_message
        )
        contacts = self.env["mailing.contact"].with_context(active_test=False)
        contacts.flush_model(["email_normalized"])
        written = tools.email_normalize(email)
        spellings = sql_spellings.find_spellings(
            self.env.cr, "mailing_contact", {clean(written)} if self and written else ()
        )
        for spelling in spellings.keys() - {written}:
            same = contacts.search([("email_normalized", "=", spelling)])
            lists = self & same.subscription_ids.list_id
            super(MailingList, lists)._update_subscription_from_email(
                spelling, opt_out=opt_out, force_message=force_message
            )
        return result
