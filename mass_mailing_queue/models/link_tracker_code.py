# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import secrets
import string

from odoo import api, models

from ..links import Links

#: Characters that codes of several workers have on top: 62 ** 6 are enough.
LENGTH = 6


class LinkTrackerCode(models.Model):
    _inherit = "link.tracker.code"

    @api.model
    def _get_random_code_strings(self, n=1):
        """Make codes that workers do not choose at the same time.

        Upstream takes three characters that no committed link has. Of links that differ
        by recipient, four workers with 400 each choose the same one more often than
        not, and the second one to commit fails.
        """
        codes = super()._get_random_code_strings(n)
        links = self.env.context.get("mass_mailing_queue_links")
        if not isinstance(links, Links) or links.make:
            return codes
        signs = string.ascii_letters + string.digits
        return [
            code + "".join(secrets.choice(signs) for _number in range(LENGTH))
            for code in codes
        ]
