# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models

from odoo.addons.mass_mailing_queue.capacities import (
    ancestor_capacities,
    effective_capacity,
)
from odoo.addons.mass_mailing_queue.wording import plural


class MailingProvider(models.Model):
    """How many workers the running configuration gives to an account's jobs.

    ``odoo.conf`` stays the operator's: what does not fit is shown with the lines that
    change it. Two servers of one database may be configured differently; what is shown
    is the configuration of the one that is asked.
    """

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

    channel_hint = fields.Char(compute="_compute_channel_hint")
    channel_advice = fields.Char(compute="_compute_channel_hint")
    channel_lines = fields.Text(compute="_compute_channel_hint")

    def _channel_name(self):
        # Marketers may not read channels.
        return self.sudo().channel_id.complete_name or ""

    def _parallel_senders(self):
        """Return how many workers can send for this account at a time."""
        channels = self.env["queue.job.channel"]._queue_configured()
        capacity = effective_capacity(channels, self._channel_name())
        return max(min(self.capacity, capacity or self.capacity), 1)

    @api.depends("capacity", "channel_id")
    def _compute_channel_hint(self):
        """Say whether the account's channel is configured for what it can use."""
        model = self.env["queue.job.channel"]
        now, then = model._queue_configured(), model._queue_recommended()
        bounds = model._queue_bounds()
        for provider in self:
            provider.channel_advice = provider.channel_lines = False
            channel = provider._channel_name()
            provider.channel_hint = channel in bounds and provider._describe_channel(
                channel, now, then, bounds[channel]
            )
            if provider.channel_hint:
                (advice, lines), *others = model._queue_describe_recommended()
                for title, more in others:
                    lines = [*lines, title, *more]
                provider.channel_advice = advice
                provider.channel_lines = "\n".join(lines)

    def _describe_channel(self, name, now, then, most):
        """Return what is wrong with the capacity of the account's channel, or nothing.

        :param dict now: channels as they are configured
        :param dict then: those that are recommended
        :param int most: jobs of the channel that can work at a time
        """
        before, after = (effective_capacity(found, name) for found in (now, then))
        values = {"before": before, "after": after, "most": most, "channel": name}
        if after < before > most:
            if name in now:
                return self.env._(
                    "The channel %(channel)s lets %(before)s jobs run at a time, and "
                    "the account allows %(most)s: further workers only wait.",
                    **values,
                )
            return self.env._(
                "The account's channel %(channel)s is not configured, so %(before)s of "
                "its jobs may run at a time. The account allows %(most)s: further "
                "workers only wait, and are not available for other work.",
                **values,
            )
        if after > before:
            found = ancestor_capacities(now, name)
            values["channel"] = min(found, key=found.get, default="root")
            return plural(
                self.env,
                before,
                self.env._(
                    "The channel %(channel)s lets only %(count)s job run at a time. "
                    "The account and this server's workers allow %(after)s."
                ),
                self.env._(
                    "The channel %(channel)s lets only %(count)s jobs run at a time. "
                    "The account and this server's workers allow %(after)s."
                ),
                **values,
            )
        return False
