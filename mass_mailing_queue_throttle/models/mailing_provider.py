# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from markupsafe import Markup
from psycopg2.errors import UniqueViolation

from odoo import SUPERUSER_ID, api, fields, models, tools
from odoo.exceptions import UserError, ValidationError
from odoo.tools import config

from odoo.addons.mass_mailing_queue.ledger import Ledger
from odoo.addons.queue_job.exception import RetryableJobError

from .. import presets, sql_jobs, sql_people

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

    What changes with every message is in ``mailing.provider.state``. How fast that lets
    campaigns go is in ``mailing_provider_pace.py``, what else is shown of it in
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
    # Which account a server belongs to
    # ------------------------------------------------------------------

    @api.model
    def _find(self, server):
        """Return the account of a server, without creating one. Cached.

        :param server: ``ir.mail_server``, empty for the one of the configuration file
        :return: an account, or none
        """
        server_id = server.id or 0
        # That there is none is not cached: another process may create it.
        found = self._find_id(server_id) or self._search_id(server_id)
        return self.sudo().browse(found or [])

    @api.model
    @tools.ormcache("server_id")
    def _find_id(self, server_id):
        return self._search_id(server_id)

    @api.model
    def _search_id(self, server_id):
        if server_id:
            server = self.env["ir.mail_server"].sudo().browse(server_id).exists()
            return server.queue_provider_id.id
        # Archived or not: its limits hold.
        providers = self.sudo().with_context(active_test=False)
        return providers.search([("config_server", "=", True)], limit=1).id

    @api.model
    def _for_server(self, server):
        """Return the account of a server; a server without one gets it."""
        provider = self._find(server)
        if provider:
            return provider
        if server:
            server._queue_match()
            self.env.registry.clear_cache()
            return self._find(server)
        host = config.get("smtp_server")
        try:
            with self.env.cr.savepoint():
                return self._create_from_preset(
                    presets.match(host),
                    name=self.env._("Configuration file (%s)", host),
                    config_server=True,
                )
        except UniqueViolation as error:
            raise RetryableJobError(
                "The account of the configuration file is being created.",
                seconds=1,
                ignore_retry=True,
            ) from error

    @api.model
    def _has_config_server(self):
        """Return whether mail leaves through the server of the configuration file."""
        return bool(config.get("smtp_server")) and not self.env[
            "ir.mail_server"
        ].search_count([], limit=1)

    @api.model
    def _create_from_preset(self, preset, **values):
        """Create an account with a preset's figures, to be confirmed by somebody."""
        if self.env.uid == SUPERUSER_ID:
            values.setdefault("user_id", self.env.ref("base.user_admin").id)
        return self.sudo().create({"preset": preset.key, **values})

    @api.model
    def _preset_values(self, preset):
        return {
            "quota_api": preset.quota_api or False,
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
            provider.note = provider.preset and presets.PRESETS[provider.preset].note

    @api.onchange("preset")
    def _onchange_preset(self):
        """Fill in a new account; of an existing one a button replaces the limits."""
        if self.preset and not self._origin:
            self.limit_ids = [fields.Command.clear()]
            self.update(self._preset_values(presets.PRESETS[self.preset]))

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

    def _queue_changed(self):
        """Have those who send follow a change, as soon as it is committed."""
        self._queue_follow(sql_people.rewind)

    def _queue_try_again(self):
        """Let an account try that was refused, as soon as this is committed."""
        self._queue_follow(sql_people.unstop)

    def _queue_start_afresh(self):
        """Forget what replies have set off, as soon as this is committed."""
        self._queue_follow(sql_people.clear)

    def _queue_follow(self, statement):
        """Change the live state once this is committed, and wake the jobs.

        On a connection of its own: the live state changes with every message, and
        a form's transaction would collide with that.
        """
        ids, channels = self.ids, self._channel_names()
        env = self.env

        def follow():
            with Ledger(env) as ledger:
                ledger.run(statement, ids)
                ledger.run(sql_jobs.pull_jobs, channels)

        if ids:
            self.env.cr.postcommit.add(follow)

    def _channel_names(self):
        return self.sudo().channel_id.mapped("complete_name")

    def _tell_stopped(self, reason=None):
        """Tell the responsible that the provider refuses the account, once a stop.

        It is found again as what a program has scheduled, of which there is nothing
        else here: its words are in the language of whoever met the refusal.

        :param str reason: by default what the state says
        """
        todo = "mail.mail_activity_data_todo"
        for provider in self:
            stopped = reason or provider._live().get("stopped")
            if stopped and not provider.activity_search([todo]):
                provider.activity_schedule(
                    todo,
                    summary=self.env._("Sending account refused"),
                    note=Markup("<p>%s</p>")
                    % self.env._(
                        "The provider refuses the account. Repair it, then resume it. "
                        "Reason: %s",
                        stopped,
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
        self._queue_start_afresh()

    def action_confirm(self):
        """Take the limits as they are: somebody compared them with the contract."""
        self.check_access("write")
        self.write({"confirmed": True})

    def action_apply_preset(self):
        """Replace the limits by those of the preset.

        A limit of the same kind is changed: what was sent under it stays counted.
        """
        self.check_access("write")
        for provider in self:
            values = provider._preset_values(presets.PRESETS[provider.preset])
            kept = provider.limit_ids.filtered(
                lambda limit: limit.scope == "account" and not limit.ramp
            )
            commands = []
            for _command, _id, figure in values["limit_ids"]:
                same = kept.filtered(
                    lambda limit, figure=figure: (limit.period, limit.unit)
                    == (figure["period"], figure["unit"])
                )[:1]
                kept -= same
                commands.append(
                    fields.Command.update(same.id, figure)
                    if same
                    else fields.Command.create(figure)
                )
            others = provider.limit_ids.filtered(
                lambda limit: limit.scope != "account" or limit.ramp
            )
            removed = [fields.Command.delete(limit.id) for limit in kept | others]
            provider.write(
                {"confirmed": False, **values, "limit_ids": removed + commands}
            )

    def action_view_mailings(self):
        """Open the mailings under way that leave through this account."""
        self.ensure_one()
        self.check_access("read")
        action = self.env["ir.actions.actions"]._for_xml_id(
            "mass_mailing.mailing_mailing_action_mail"
        )
        return {
            **action,
            "domain": [("id", "in", self._mailings_under_way()[self.id].ids)],
            "context": {},
        }

    def action_view_statistics(self):
        """Open the graphs of this account."""
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id(
            "mass_mailing_queue_throttle.action_mailing_provider_stat"
        )
        return {**action, "context": {"search_default_provider_id": self.id}}
