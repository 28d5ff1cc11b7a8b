# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
import re
from datetime import timedelta

from odoo import api, fields, models, tools
from odoo.exceptions import UserError, ValidationError
from odoo.tools import config
from odoo.tools.misc import format_duration

from odoo.addons.mass_mailing_queue.ledger import Ledger
from odoo.addons.queue_job.jobrunner import _channels
from odoo.addons.queue_job.jobrunner.channels import ChannelManager

from .. import presets, sql
from .mailing_provider_limit import SECONDS

_logger = logging.getLogger(__name__)

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


class MailingProvider(models.Model):
    """An account at a mail provider: how fast campaigns may use it.

    Every outgoing server belongs to one account. Servers are matched to a preset by
    their host when they are created, and its limits hold before anybody confirms
    them: an account without a limit would be throttled by its provider instead.

    What changes with every message is in ``mailing.provider.state``.
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
    )
    config_server = fields.Boolean(
        "Server of the Configuration File",
        readonly=True,
        copy=False,
        help="The outgoing server that stands in odoo.conf, and in no record.",
    )
    limit_ids = fields.One2many("mailing.provider.limit", "provider_id", "Limits")
    burst = fields.Float(
        default=1.0,
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

    state = fields.Selection(
        [
            ("running", "Running"),
            ("reduced", "Slowed Down"),
            ("resting", "Resting"),
            ("paused", "Paused"),
            ("stopped", "Refused"),
        ],
        compute="_compute_live",
    )
    state_reason = fields.Char("Why", compute="_compute_live")
    configured_rate = fields.Char(compute="_compute_live")
    effective_rate = fields.Char(compute="_compute_live")
    binding = fields.Char("What Binds Now", compute="_compute_live")
    last_reply = fields.Char("Last Reply that Changed It", compute="_compute_live")
    last_reply_at = fields.Datetime("When", compute="_compute_live")
    recovers_at = fields.Datetime("Recovers", compute="_compute_live")
    capacity_now = fields.Integer("Senders Now", compute="_compute_live")
    quota_label = fields.Char("Quota Used", compute="_compute_live")
    quota_percent = fields.Float("Quota Used (%)", compute="_compute_live")
    messages_per_minute = fields.Integer(compute="_compute_messages")
    queue_depth = fields.Integer("Waiting", compute="_compute_queue_depth")
    mailing_count = fields.Integer("Mailings", compute="_compute_queue_depth")
    channel_hint = fields.Text(compute="_compute_channel_hint")

    _config_server_uniq = models.UniqueIndex("(config_server) WHERE config_server")

    # ------------------------------------------------------------------
    # Which account a server belongs to
    # ------------------------------------------------------------------

    @api.model
    def _find(self, server):
        """Return the account of a server, without creating one. Cached.

        :param server: ``ir.mail_server``, empty for the one of the configuration file
        :return: an account, or none
        """
        return self.sudo().browse(self._find_id(server.id or 0) or [])

    @api.model
    @tools.ormcache("server_id")
    def _find_id(self, server_id):
        if server_id:
            server = self.env["ir.mail_server"].sudo().browse(server_id).exists()
            return server.queue_provider_id.id
        return self.sudo().search([("config_server", "=", True)], limit=1).id

    @api.model
    def _for_server(self, server):
        """Return the account of a server; a server without one gets it."""
        provider = self._find(server)
        if provider:
            return provider
        if server:
            server._queue_match()
            return self._find(server)
        host = config.get("smtp_server")
        return self._create_from_preset(
            presets.match(host),
            name=self.env._("Configuration file (%s)", host),
            config_server=True,
        )

    @api.model
    def _has_config_server(self):
        """Return whether mail leaves through the server of the configuration file."""
        return bool(config.get("smtp_server")) and not self.env[
            "ir.mail_server"
        ].search_count([], limit=1)

    @api.model
    def _create_from_preset(self, preset, **values):
        """Create an account with a preset's figures, to be confirmed by somebody."""
        if self.env.uid == api.SUPERUSER_ID:
            values.setdefault("user_id", self.env.ref("base.user_admin").id)
        return self.sudo().create(
            {"preset": preset.key, **self._preset_values(preset), **values}
        )

    @api.model
    def _preset_values(self, preset):
        return {
            "capacity": preset.capacity,
            "messages_per_connection": preset.messages_per_connection,
            "linger": preset.linger,
            "limit_ids": [
                fields.Command.create(
                    {
                        "amount": figure.amount,
                        "period": figure.period,
                        "unit": figure.unit,
                        "origin": "own" if figure.own else "vendor",
                        "source": figure.source,
                    }
                )
                for figure in preset.limits
            ],
        }

    @api.depends("preset")
    def _compute_note(self):
        for provider in self:
            provider.note = presets.PRESETS[provider.preset].note

    # ------------------------------------------------------------------
    # Changes
    # ------------------------------------------------------------------

    @api.constrains("margin", "share", "reserve")
    def _check_percents(self):
        for provider in self:
            if not 1 <= provider.share <= 100:
                raise ValidationError(
                    self.env._("The share of the account is between 1 and 100 %.")
                )
            for name in ("margin", "reserve"):
                if not 0 <= provider[name] <= 90:
                    raise ValidationError(
                        self.env._(
                            "%s is between 0 and 90 %%: more would leave nothing to "
                            "send with.",
                            self._fields[name].string,
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
                    self.env._("The burst is between 0 and 60 seconds of the rate.")
                )
            if provider.messages_per_connection < 0 or provider.linger < 0:
                raise ValidationError(
                    self.env._("A number of messages or seconds is 0 or more.")
                )

    @api.model_create_multi
    def create(self, vals_list):
        providers = super().create(vals_list)
        for provider in providers:
            provider.channel_id = provider._create_channel()
        self.env.registry.clear_cache()
        providers._queue_changed()
        return providers

    def write(self, vals):
        result = super().write(vals)
        if LIVE_FIELDS.intersection(vals):
            self._queue_changed()
        return result

    def unlink(self):
        if self.sudo().server_ids:
            raise UserError(
                self.env._(
                    "Outgoing servers belong to this account: move them to another "
                    "one first."
                )
            )
        channels = self.channel_id
        result = super().unlink()
        channels.sudo().unlink()
        self.env.registry.clear_cache()
        return result

    def _create_channel(self):
        """Return a new channel below ``root.mail``, named after the account."""
        parent = self.env.ref("mass_mailing_queue.channel_mail").sudo()
        name = re.sub(r"[^a-z0-9]+", "-", self.preset.lower()).strip("-")
        taken = set(parent.child_ids.mapped("name"))
        if name in taken or not name:
            name = f"{name}-{self.id}"
        return (
            self.env["queue.job.channel"]
            .sudo()
            .create({"name": name, "parent_id": parent.id})
        )

    def _queue_changed(self):
        """Have those who send follow a change, as soon as it is committed.

        On a connection of its own: the live state changes with every message, and
        a form's transaction would collide with that.
        """
        ids, channels = self.ids, self.channel_id.mapped("complete_name")
        env = self.env

        def follow():
            with Ledger(env) as ledger:
                ledger.run(sql.rewind, ids)
                ledger.run(sql.pull_jobs, channels)

        if ids:
            self.env.cr.postcommit.add(follow)

    def _queue_unstop(self):
        """Let a stopped or resting account try again, as soon as this is committed."""
        ids, channels = self.ids, self.channel_id.mapped("complete_name")
        env = self.env

        def clear():
            with Ledger(env) as ledger:
                ledger.run(sql.clear, ids)
                ledger.run(sql.pull_jobs, channels)

        if ids:
            self.env.cr.postcommit.add(clear)

    def _tell_stopped(self):
        """Tell the responsible that the provider refuses the account, once a stop."""
        summary = self.env._("Sending account refused")
        for provider in self:
            live = provider._live()
            open_activity = provider.activity_ids.filtered(
                lambda activity: activity.summary == summary
            )
            if live.get("stopped") and not open_activity:
                provider.activity_schedule(
                    "mail.mail_activity_data_todo",
                    summary=summary,
                    note=self.env._(
                        "The provider answered: %s Repair the account, then resume it.",
                        live["stopped"],
                    ),
                    user_id=(provider.user_id or self.env.ref("base.user_admin")).id,
                )

    # ------------------------------------------------------------------
    # Buttons
    # ------------------------------------------------------------------

    def action_pause(self):
        """Stop all campaigns of the account; their recipients wait."""
        self.check_access("write")
        self.write(
            {
                "paused": True,
                "pause_reason": self.env._("Paused by %s.", self.env.user.name),
            }
        )

    def action_resume(self):
        """Go on, at the full rate: pauses, rests and reductions end."""
        self.check_access("write")
        self.write({"paused": False, "pause_reason": False})
        self._queue_unstop()

    def action_confirm(self):
        """Take the limits as they are: somebody compared them with the contract."""
        self.write({"confirmed": True})

    def action_apply_preset(self):
        """Replace the limits by those of the preset."""
        for provider in self:
            provider.limit_ids.unlink()
            provider.write(
                {
                    "confirmed": False,
                    **provider._preset_values(presets.PRESETS[provider.preset]),
                }
            )

    def action_view_mailings(self):
        """Open the mailings under way that leave through this account."""
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "mass_mailing.mailing_mailing_action_mail"
        )
        return {
            **action,
            "domain": [("id", "in", self._mailings_under_way().ids)],
            "context": {},
        }

    def action_view_statistics(self):
        """Open the graphs of this account."""
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "mass_mailing_queue_throttle.action_mailing_provider_stat"
        )
        return {**action, "context": {"search_default_provider_id": self.id}}

    # ------------------------------------------------------------------
    # What is shown
    # ------------------------------------------------------------------

    def _live(self):
        self.ensure_one()
        if not self.id or isinstance(self.id, models.NewId):
            return {}
        return sql.live(self.env.cr, self.id) or {}

    def _configured_rate(self):
        """Return the messages a second that the account's rates allow, 0 if unbounded."""
        rates = [
            limit.effective / SECONDS[limit.period]
            for limit in self.limit_ids
            if limit.period in ("second", "minute") and limit.effective
        ]
        return min(rates, default=0.0)

    def _effective_rate(self):
        """Return the messages a second at which campaigns are sent now, 0 if unbounded."""
        configured = self._configured_rate()
        reduced = self._live().get("rate") if self else None
        return min(filter(None, (configured, reduced)), default=0.0)

    def _parallel_senders(self):
        """Return how many workers can send for this account at a time."""
        slots = self._configured_slots()
        return max(min(self.capacity, *slots.values()) if slots else self.capacity, 1)

    def _configured_slots(self):
        """Return the slots that the running configuration gives to each channel.

        :return: dict of channel → slots, of those that this account's jobs pass through
        """
        name = self.channel_id.complete_name or ""
        try:
            configured = ChannelManager.parse_simple_config(_channels())
        except ValueError:
            return {}
        slots = {
            channel["name"]: channel.get("capacity") or 1 for channel in configured
        }
        return {
            channel: count
            for channel, count in slots.items()
            if f"{name}.".startswith(f"{channel}.")
        }

    def _format_rate(self, rate):
        if not rate:
            return self.env._("unlimited")
        if rate >= 1:
            return self.env._("%s a second", f"{rate:,.3g}")
        if rate * 60 >= 1:
            return self.env._("%s a minute", f"{rate * 60:,.3g}")
        return self.env._("%s an hour", f"{rate * 3600:,.3g}")

    @api.depends("limit_ids.effective", "paused", "capacity")
    def _compute_live(self):
        for provider in self:
            live = provider._live()
            configured, effective = (
                provider._configured_rate(),
                provider._effective_rate(),
            )
            usage = provider._usage()
            tightest = max(usage, key=lambda row: row[1] / row[0].effective, default=None)
            provider.state, provider.state_reason = provider._judge(live, tightest)
            provider.configured_rate = self._format_rate(configured)
            provider.effective_rate = (
                self._format_rate(effective)
                if provider.state in ("running", "reduced")
                else self.env._("nothing now")
            )
            provider.binding = provider._describe_binding(live, tightest)
            provider.last_reply = live.get("last_reply")
            provider.last_reply_at = self._to_datetime(live.get("last_reply_at"))
            provider.recovers_at = self._to_datetime(
                provider._recovery(live, configured, effective)
            )
            provider.capacity_now = min(
                filter(None, (provider.capacity, live.get("capacity")))
            )
            provider.quota_label = provider.quota_percent = False
            if tightest:
                limit, used = tightest
                provider.quota_percent = 100 * used / limit.effective
                provider.quota_label = self.env._(
                    "%(used)s of %(limit)s %(period)s",
                    used=f"{used:,}",
                    limit=f"{limit.effective:,.10g}",
                    period=dict(
                        limit._fields["period"]._description_selection(self.env)
                    )[limit.period],
                )

    def _usage(self):
        """Return the counted limits with what is used of them.

        :return: list of (limit, messages or recipients in the window)
        """
        if not self.ids:
            return []
        rows = sql.usage(self.env.cr, self.id)
        limits = self.limit_ids.filtered(lambda limit: limit.effective)
        known = {limit.id: limit for limit in limits}
        return [
            (known[limit_id], used)
            for limit_id, _domain, used in rows
            if limit_id in known
            and known[limit_id].period not in ("second", "minute")
        ]

    def _judge(self, live, tightest):
        if live.get("stopped"):
            return "stopped", live["stopped"]
        if self.paused:
            return "paused", self.pause_reason
        if live.get("rest"):
            return "resting", live["rest_reason"]
        if tightest and tightest[1] >= tightest[0].effective:
            return "resting", self.env._(
                "The limit of %s is reached.", tightest[0].display_name
            )
        configured = self._configured_rate()
        if live.get("rate") and (not configured or live["rate"] < configured):
            return "reduced", live.get("last_reply")
        return "running", False

    def _describe_binding(self, live, tightest):
        state = self._judge(live, tightest)[0]
        if state in ("paused", "stopped"):
            return dict(self._fields["state"]._description_selection(self.env))[state]
        if state == "resting" and not live.get("rest"):
            return tightest[0].display_name
        if state in ("resting", "reduced"):
            return self.env._("The provider's replies")
        rates = self.limit_ids.filtered(
            lambda limit: limit.period in ("second", "minute") and limit.effective
        )
        return min(
            rates,
            key=lambda limit: limit.effective / SECONDS[limit.period],
            default=self.limit_ids,
        )[:1].display_name

    def _recovery(self, live, configured, effective):
        """Return when the account is as it was, in seconds since the epoch."""
        if live.get("rest"):
            return live["now"] + live["rest"]
        if not (live.get("rate") and configured and effective < configured):
            return None
        steps = 0
        while effective < configured:
            effective *= sql.RECOVERY_FACTOR
            steps += 1
        return live["now"] + steps * sql.RECOVERY_STEP

    @api.model
    def _to_datetime(self, seconds):
        if not seconds:
            return False
        return fields.Datetime.to_datetime("1970-01-01") + timedelta(
            seconds=round(seconds)
        )

    def _compute_messages(self):
        """Messages of the last full minute."""
        minute = fields.Datetime.now().replace(second=0) - timedelta(minutes=1)
        sent = dict(
            self.env["mailing.provider.stat"]._read_group(
                [
                    ("provider_id", "in", self.ids),
                    ("minute", "=", minute),
                    ("kind", "in", ("sent", "other")),
                ],
                ["provider_id"],
                ["messages:sum"],
            )
        )
        for provider in self:
            provider.messages_per_minute = sent.get(provider, 0)

    def _mailings_under_way(self):
        return (
            self.env["mailing.mailing"]
            .search(
                [
                    ("queue_managed", "=", True),
                    ("state", "in", ("in_queue", "sending")),
                ]
            )
            .filtered(lambda mailing: mailing._queue_find_provider() in self)
        )

    def _compute_queue_depth(self):
        under_way = self._mailings_under_way()
        for provider in self:
            mailings = under_way.filtered(
                lambda mailing, provider=provider: mailing._queue_find_provider()
                == provider
            )
            provider.mailing_count = len(mailings)
            provider.queue_depth = mailings._queue_count_waiting()

    @api.depends("capacity", "channel_id")
    def _compute_channel_hint(self):
        """Say whether ``odoo.conf`` gives the account's channel what it can use."""
        for provider in self:
            provider.channel_hint = False
            channel = provider.channel_id.complete_name
            slots = provider._configured_slots() if channel else {}
            if not channel or slots.get(channel) == provider.capacity:
                continue
            kept = [
                part.strip()
                for part in _channels().split(",")
                if part.strip() and part.split(":")[0].strip() != channel
            ]
            line = ",".join([*kept, f"{channel}:{provider.capacity}"])
            if channel in slots:
                text = self.env._(
                    "The configuration gives this account %(slots)s slots and it takes "
                    "%(capacity)s senders: some workers wait, or some senders are not "
                    "used. In odoo.conf:",
                    slots=slots[channel],
                    capacity=provider.capacity,
                )
            else:
                text = self.env._(
                    "The account has no channel of its own in the configuration: while "
                    "its %s senders are at work, further workers wait for it and are "
                    "missing elsewhere. In odoo.conf:",
                    provider.capacity,
                )
            provider.channel_hint = f"{text}\n[queue_job]\nchannels = {line}"

    def _describe_duration(self, waiting):
        """Return how long so many recipients take at the current rate, in words."""
        rate = self._effective_rate()
        if not self or not rate or not waiting:
            return False
        hours = waiting / rate / 3600
        if hours < 1 / 60:
            return self.env._("less than a minute")
        if hours < 72:
            return self.env._("%s hours", format_duration(hours))
        return self.env._("%s days", f"{hours / 24:.1f}")

    def _describe_wait(self):
        """Return what keeps the account's campaigns waiting now, in words."""
        if not self or self.state == "running":
            return False
        label = dict(self._fields["state"]._description_selection(self.env))[self.state]
        return f"{label}: {self.state_reason}" if self.state_reason else label
