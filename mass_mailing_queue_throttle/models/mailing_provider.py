# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from .. import presets

#: A change of one of these is followed by those who send at once.
LIVE_FIELDS = {
    "paused",
    "capacity",
    "burst",
    "margin",
    "share",
    "reserve",
    "messages_per_connection",
    "active",
}

#: More senders at a time than any provider documents; also what fits a slot's lock key.
MAX_CAPACITY = 999

#: How long a server has to wait for the next command (RFC 5321, 4.5.3.2.7; seconds).
MAX_LINGER = 300


class MailingProvider(models.Model):
    """An account at a mail provider: how fast campaigns may use it.

    Every outgoing server belongs to one account. Servers are matched to a preset by
    their host when they are created, and its limits hold before anybody confirms
    them: an account without a limit would be throttled by its provider instead.

    Here is what an account is. Which servers belong to it, and with which figures it
    starts, is in ``mailing_provider_preset.py``, what people do with it in
    ``mailing_provider_control.py``. What changes with every message is in
    ``mailing.provider.state``; how fast that lets campaigns go is in
    ``mailing_provider_pace.py``, what else is shown of it in
    ``mailing_provider_live.py`` and ``mailing_provider_channel.py``, what the provider
    itself says in ``mailing_provider_quota.py``.
    """

    _name = "mailing.provider"
    _description = "Sending Account"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "name, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    preset = fields.Selection(
        [(preset.key, preset.name) for preset in presets.PRESETS.values()],
        "Provider",
        required=True,
        default="custom",
        tracking=True,
        help="Whose mail server it is. A new account starts with the limits that this "
        "provider publishes; on an existing one press Reset Limits to take them over.",
    )
    confirmed = fields.Boolean(
        tracking=True,
        copy=False,
        help="Somebody compared the limits with the contract.",
    )
    note = fields.Text(compute="_compute_note")
    user_id = fields.Many2one(
        "res.users",
        "Responsible",
        default=lambda self: self.env.user,
        help="Is told when the provider refuses the account.",
    )
    server_ids = fields.One2many(
        "ir.mail_server",
        "queue_provider_id",
        "Outgoing Servers",
        groups="base.group_system",
        help="All of them share the limits of this account.",
    )
    config_server = fields.Boolean(
        "Server of the Configuration File",
        readonly=True,
        copy=False,
        help="The outgoing server that stands in odoo.conf, and in no record.",
    )
    limit_ids = fields.One2many(
        "mailing.provider.limit",
        "provider_id",
        "Limits",
        copy=True,
        help="All of them hold at once; the tightest decides how fast campaigns go.",
    )
    burst = fields.Float(
        # Below 1: messages that are under way for longer than others arrive together.
        default=0.8,
        tracking=True,
        help="Seconds of the rate that may leave at once, to make up for turns that "
        "were missed. 0: evenly spaced.",
    )
    margin = fields.Integer(
        "Safety Margin",
        default=5,
        tracking=True,
        help="Percent of each limit that is not used.",
    )
    share = fields.Integer(
        "Share of the Account",
        default=100,
        tracking=True,
        help="Percent of the account that this database may use. Other databases on "
        "the same account count by themselves, and we cannot see them.",
    )
    reserve = fields.Integer(
        "Kept Free",
        default=0,
        tracking=True,
        help="Percent of each limit that campaigns leave for other mail.",
    )
    capacity = fields.Integer(
        "Concurrent Senders",
        default=5,
        required=True,
        tracking=True,
        help="Workers that send at a time, on all nodes together.",
    )
    messages_per_connection = fields.Integer(
        help="After so many messages a new connection is made. 0: no bound."
    )
    linger = fields.Float(
        "Keep Idle Connections",
        default=60.0,
        help="Seconds for which an idle connection is kept for the next job.",
    )
    paused = fields.Boolean(tracking=True, copy=False, readonly=True)
    pause_reason = fields.Char(copy=False, readonly=True)
    channel_id = fields.Many2one(
        "queue.job.channel", readonly=True, copy=False, ondelete="restrict"
    )

    _config_server_uniq = models.UniqueIndex("(config_server) WHERE config_server")

    # ------------------------------------------------------------------
    # Changes
    # ------------------------------------------------------------------

    @api.constrains("margin", "share", "reserve")
    def _check_percents(self):
        for provider in self:
            if not 1 <= provider.share <= 100:
                raise ValidationError(
                    self.env._("The share of the account must be between 1 and 100 %.")
                )
            for name in ("margin", "reserve"):
                if not 0 <= provider[name] <= 90:
                    raise ValidationError(
                        self.env._(
                            "%s must be between 0 and 90 %%: more would leave nothing "
                            "to send with.",
                            self._fields[name]._description_string(self.env),
                        )
                    )

    @api.constrains("capacity", "burst", "messages_per_connection", "linger")
    def _check_bounds(self):
        for provider in self:
            if not 1 <= provider.capacity <= MAX_CAPACITY:
                raise ValidationError(
                    self.env._(
                        "Between 1 and %s workers can send at a time. To stop sending, "
                        "pause the account.",
                        MAX_CAPACITY,
                    )
                )
            if not 0 <= provider.burst <= 60:
                raise ValidationError(
                    self.env._(
                        "The burst must be between 0 and 60 seconds of the rate."
                    )
                )
            # Written so that NaN, which compares as neither, is refused, too.
            if provider.messages_per_connection < 0 or not (
                0 <= provider.linger <= MAX_LINGER
            ):
                raise ValidationError(
                    self.env._(
                        "Messages per Connection must be 0 or more, and Keep Idle "
                        "Connections from 0 to %s seconds.",
                        MAX_LINGER,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        """Start with the preset's figures where none are given."""
        default = self._fields["preset"].default(self)
        providers = super().create(
            [
                {
                    **self._preset_values(presets.PRESETS[preset]),
                    **vals,
                    "preset": preset,
                }
                for vals in vals_list
                for preset in [vals.get("preset") or default]
            ]
        )
        for provider in providers:
            provider.channel_id = provider._create_channel()
        self.env.registry.clear_cache()
        providers._queue_changed()
        return providers

    def copy_data(self, default=None):
        """Tell a copy from its original by the name."""
        return [
            {**vals, "name": self.env._("%s (copy)", provider.name)}
            if "name" not in (default or {})
            else vals
            for provider, vals in zip(self, super().copy_data(default), strict=True)
        ]

    def write(self, vals):
        """Let who sends know what a person has changed, at once."""
        result = super().write(vals)
        if "config_server" in vals:
            self.env.registry.clear_cache()
        if LIVE_FIELDS.intersection(vals):
            self._queue_changed()
        return result

    @api.ondelete(at_uninstall=False)
    def _unlink_except_servers(self):
        if self.sudo().with_context(active_test=False).server_ids:
            raise UserError(
                self.env._(
                    "Outgoing servers belong to this account: move them to another "
                    "one first."
                )
            )

    def unlink(self):
        """Take the account's channel along."""
        channels = self.sudo().channel_id
        result = super().unlink()
        channels.unlink()
        self.env.registry.clear_cache()
        return result

    def _create_channel(self):
        """Return a new channel below ``root.mail``, named after the account."""
        channels = self.env["queue.job.channel"].sudo()
        parent = self.env.ref("mass_mailing_queue.channel_mail").sudo()
        name = self.preset.replace("_", "-")
        if channels.search_count(
            [("parent_id", "=", parent.id), ("name", "=", name)], limit=1
        ):
            name = f"{name}-{self.id}"
        return channels.create({"name": name, "parent_id": parent.id})
