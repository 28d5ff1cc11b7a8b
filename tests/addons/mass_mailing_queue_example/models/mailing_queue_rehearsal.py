from odoo import models

from .mailing_mailing import SEEN


class MailingQueueRehearsal(models.Model):
    _inherit = "mailing.queue.rehearsal"

    def _start(self):
        """Create here what a rehearsal needs, before it is sent."""
        SEEN["start"] += 1
        return super()._start()
