# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models

from .. import sql_plan


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
        return sql_plan.opted_out(self.env.cr, lists.ids, emails)
