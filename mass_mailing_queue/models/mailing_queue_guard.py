# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models

from .. import sql_guard


class MailingQueueGuard(models.Model):
    """Which database sends, and when it was last awake: one row, no more.

    A copy of a database, and a database that slept for a day in the middle of a
    campaign (a restored backup, say), must not go on by themselves: what they know of
    who was mailed may be out of date. Before every job the identity of the running
    database is compared with the one stored here by the last person who pressed
    *Send* or *Resume*.
    """

    _name = "mailing.queue.guard"
    _description = "Sending Database"
    _log_access = False

    identity = fields.Char(required=True)
    last_seen = fields.Datetime(required=True)

    @api.model
    def _accept(self):
        """Make the running database the one that sends: a person said so."""
        sql_guard.guard_accept(self.env.cr)
        self.invalidate_model()
