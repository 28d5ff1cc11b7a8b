# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models

from .. import sql_spellings


class MailingContact(models.Model):
    _inherit = "mailing.contact"

    # An opt-out is looked up by address, for every slice and every message.
    _queue_email_idx = models.Index(
        "(email_normalized) WHERE email_normalized IS NOT NULL"
    )
    # So are other spellings of it.
    _queue_skeleton_idx = models.Index(sql_spellings.index("mailing_contact"))
