import os

from odoo import api, fields, models


class QueueJobChannel(models.Model):
    """A fake: fields and methods that queue_job has from 18.0.4 on, and 19.0 has not.

    Only what is read of them. Its runner knows nothing of them.
    """

    _inherit = "queue.job.channel"

    capacity = fields.Integer()
    sequential = fields.Boolean()
    effective_capacity = fields.Integer(
        compute="_compute_effective_capacity", recursive=True
    )

    @api.depends("capacity", "parent_id.effective_capacity")
    def _compute_effective_capacity(self):
        for channel in self:
            parent = channel.parent_id
            most = parent.effective_capacity if parent else self._root_max_capacity()
            channel.effective_capacity = min(channel.capacity or most, most)

    def _root_max_capacity(self):
        rules = os.environ.get("ODOO_QUEUE_JOB_DB_MAX_CAPACITY", "")
        most = int(os.environ.get("ODOO_QUEUE_JOB_MAX_CAPACITY") or 1)
        for rule in rules.split(",") if rules else ():
            name, _colon, capacity = rule.partition(":")
            if name in (self.env.cr.dbname, "*"):
                return int(capacity)
        return most
