# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models

from .. import sql_pace
from ..ledger import Ledger


class MailingMailing(models.Model):
    """Which mailing goes first."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    queue_priority = fields.Selection(
        [("0", "Low"), ("1", "Normal"), ("2", "High"), ("3", "Urgent")],
        "Priority",
        default="1",
        required=True,
        tracking=True,
        help="Which mailing goes first when several are sent at the same time. Those "
        "of the same priority take turns. It can be changed while they are sent.",
    )

    def write(self, vals):
        """Let the jobs that wait follow a change of priority."""
        result = super().write(vals)
        if "queue_priority" in vals:
            self._queue_under_way()._queue_prioritize_jobs()
        return result

    def _queue_urgency(self):
        """Return how urgent the mailing is, from 0 to ``slicing.MOST_URGENT``."""
        return int(self.queue_priority or 1)

    def _queue_prioritize_jobs(self):
        """Give waiting jobs their mailing's priority as soon as it is committed.

        On the ledger: jobs start and end all the time, and under the ORM's REPEATABLE
        READ each would make this transaction fail. The fan-out writes the mailing with
        every slice, so none of its jobs keeps the earlier priority.
        """
        ids, env = self.ids, self.env

        def prioritize():
            with Ledger(env) as ledger:
                ledger.run(sql_pace.prioritize_jobs, ids)

        if ids:
            self.env.cr.postcommit.add(prioritize)
