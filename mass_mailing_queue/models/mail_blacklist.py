# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models

from .. import sql_spellings


class MailBlacklist(models.Model):
    _inherit = "mail.blacklist"

    # Other spellings of an address are looked up for every slice and every chunk.
    _queue_skeleton_idx = models.Index(sql_spellings.index("mail_blacklist"))
