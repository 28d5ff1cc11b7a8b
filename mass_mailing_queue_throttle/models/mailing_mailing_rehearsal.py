# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models

from odoo.addons.mass_mailing_queue.models.mailing_mailing_rehearsal import (
    REHEARSAL_SERVER,
)


class MailingMailing(models.Model):
    """A rehearsal keeps to the limits of the account, on a copy of it."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    queue_rehearsal_provider_id = fields.Many2one(
        "mailing.provider",
        readonly=True,
        copy=False,
        ondelete="set null",
        index="btree_not_null",
        groups="base.group_system",
    )

    def _queue_prepare_rehearsal(self):
        provider = self._queue_find_provider()
        return {
            **super()._queue_prepare_rehearsal(),
            "queue_rehearsal_provider_id": provider
            and provider._copy_for_rehearsal().id,
        }

    def _queue_find_provider(self):
        if self.queue_rehearsal:
            return self.sudo().queue_rehearsal_provider_id
        return super()._queue_find_provider()

    def _queue_route_provider(self, route):
        if route.mail_server_id == REHEARSAL_SERVER:
            return self._queue_find_provider()
        return super()._queue_route_provider(route)

    def _queue_channel(self):
        if self.queue_rehearsal:
            channel = self._queue_find_provider().channel_id.complete_name
            return (
                channel or self.env.ref("mass_mailing_queue.channel_mail").complete_name
            )
        return super()._queue_channel()

    def _queue_delete_rehearsal(self):
        provider = self._queue_find_provider()
        result = super()._queue_delete_rehearsal()
        provider.unlink()
        return result
