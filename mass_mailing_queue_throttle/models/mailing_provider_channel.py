# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models

from odoo.addons.mass_mailing_queue import channels
from odoo.addons.queue_job.jobrunner import _channels


class MailingProvider(models.Model):
    """How many workers the running configuration gives to an account's jobs.

    ``odoo.conf`` stays the operator's: what does not fit is shown with the lines to
    paste. Two servers of one database may be configured differently; what is shown is
    the configuration of the one that is asked.
    """

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

    channel_hint = fields.Char(compute="_compute_channel_hint")
    channel_lines = fields.Text(compute="_compute_channel_hint")

    def _channel_name(self):
        # Marketers may not read channels.
        return self.sudo().channel_id.complete_name or ""

    def _parallel_senders(self):
        """Return how many workers can send for this account at a time."""
        slots = self._configured_slots()
        return max(min(self.capacity, *slots.values()) if slots else self.capacity, 1)

    def _configured_slots(self):
        """Return the slots of the channels that this account's jobs pass through."""
        return channels.passed(self._channel_name(), _channels())

    @api.depends("capacity", "channel_id")
    def _compute_channel_hint(self):
        """Say whether ``odoo.conf`` gives the account's channel what it can use."""
        for provider in self:
            provider.channel_hint = provider.channel_lines = False
            channel = provider._channel_name()
            slots = provider._configured_slots()
            if not channel or not provider.capacity:
                continue
            provider.channel_hint = provider._describe_channel(channel, slots)
            if provider.channel_hint:
                provider.channel_lines = provider._channel_line(channel)

    def _describe_channel(self, channel, slots):
        """Return what is wrong with the slots of the account's channel, or nothing."""
        values = {"slots": slots.get(channel), "capacity": self.capacity}
        if channel not in slots:
            return self.env._(
                "The account has no channel of its own in the server's configuration. "
                "While its %(capacity)s senders are at work, further workers wait for "
                "one of them to finish and are not available for other work.",
                **values,
            )
        if slots[channel] > self.capacity:
            return self.env._(
                "The server's configuration gives this account %(slots)s places, and "
                "it takes %(capacity)s senders at a time: the other workers only wait.",
                **values,
            )
        if slots[channel] < self.capacity:
            return self.env._(
                "The server's configuration gives this account %(slots)s places: of "
                "its %(capacity)s senders no more than that are at work.",
                **values,
            )
        narrow = min(slots, key=slots.get)
        if slots[narrow] < self.capacity:
            return self.env._(
                "The server's configuration gives the channel %(channel)s %(slots)s "
                "places, fewer than the %(capacity)s senders of this account.",
                channel=narrow,
                slots=slots[narrow],
                capacity=self.capacity,
            )
        return False

    def _channel_line(self, channel):
        """Return the lines for ``odoo.conf``: those there, and the account's own.

        Channels that are too narrow for it are widened.
        """
        kept = []
        for part in _channels().replace("\n", ",").split(","):
            name, _colon, rest = part.strip().partition(":")
            full = name if f"{name}.".startswith("root.") else f"root.{name}"
            if not name or full == channel:
                continue
            slots, colon, options = rest.partition(":")
            if channel.startswith(f"{full}.") and slots.strip() != "0":
                count = int(slots) if slots.strip().isdecimal() else 1
                rest = f"{max(count, self.capacity)}{colon}{options}"
            kept.append(f"{name}:{rest}" if rest else name)
        kept.append(f"{channel}:{self.capacity}")
        return f"[queue_job]\nchannels = {','.join(kept)}"
