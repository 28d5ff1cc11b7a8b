# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models


class MailingProvider(models.Model):
    """An account that a rehearsal uses in place of its original."""

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

    rehearsal = fields.Boolean(
        readonly=True, copy=False, help="Stands for an account while one rehearses."
    )

    def _copy_for_rehearsal(self):
        """Return an account with these limits, of which nothing is used yet.

        It has rows and a channel of its own: a rehearsal waits for its turns as a
        campaign does, and takes none from this account. Nobody is asked for its quota.
        """
        return self.sudo().copy(
            {"name": self.name, "rehearsal": True, "quota_api": False}
        )
