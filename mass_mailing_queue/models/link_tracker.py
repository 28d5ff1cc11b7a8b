# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models


class LinkTracker(models.Model):
    _inherit = "link.tracker"

    @api.model
    def search_or_create(self, vals_list):
        """Look the links of a chunk's emails up once, and not for each recipient.

        The context has what was found in this transaction; a newsletter's links are the
        same in every email of it.
        """
        known = self.env.context.get("mass_mailing_queue_links")
        if known is None or not isinstance(vals_list, list):
            return super().search_or_create(vals_list)
        key = tuple(tuple(sorted(vals.items())) for vals in vals_list)
        if key not in known:
            known[key] = super().search_or_create(vals_list).ids
        return self.browse(known[key])
