# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import math
from datetime import timedelta

from odoo import api, fields, models

from odoo.addons.mass_mailing_queue.wording import format_number

from .. import sql_parts, sql_replies, sql_screens

#: A rate beyond this is none: what was reduced long ago and has recovered since
#: (messages a second).
NO_RATE = 100_000

#: Seconds after which a counted limit lets the same number through again.
PERIODS = {"hour": 3_600, "day": 86_400, "month": 30 * 86_400}


class MailingProvider(models.Model):
    """What is shown of an account: how fast, why, until when, and who waits."""

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

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
    configured_rate = fields.Char(
        compute="_compute_live",
        help="What the limits allow, less the safety margin, the share of others, and "
        "what is kept free.",
    )
    effective_rate = fields.Char(
        "Rate Now",
        compute="_compute_live",
        help="How fast campaigns may go at this moment, after what the provider has "
        "answered.",
    )
    binding = fields.Char(
        "Held Back by",
        compute="_compute_live",
        help="The limit or the state that decides the rate now.",
    )
    last_reply = fields.Char(
        compute="_compute_live",
        help="The last answer of the provider that changed the rate or the state.",
    )
    last_reply_at = fields.Datetime("Answered", compute="_compute_live")
    recovers_at = fields.Datetime(
        "Back to Normal",
        compute="_compute_live",
        help="If the provider refuses nothing until then.",
    )
    can_resume = fields.Boolean(compute="_compute_live")
    capacity_now = fields.Integer(
        "Senders Now",
        compute="_compute_live",
        help="How many jobs may send at the same time; fewer than usual after the "
        "provider has refused connections.",
    )
    quota_label = fields.Char("Quota Used", compute="_compute_live")
    quota_percent = fields.Float("Quota Used (%)", compute="_compute_live")
    messages_per_minute = fields.Integer(
        compute="_compute_messages", help="Messages of the last whole minute."
    )
    queue_depth = fields.Integer(
        "Waiting",
        compute="_compute_queue_depth",
        help="Recipients of mailings under way who have not been sent to.",
    )
    mailing_count = fields.Integer("Mailings", compute="_compute_queue_depth")

    # ------------------------------------------------------------------
    # Rates
    # ------------------------------------------------------------------

    def _live(self):
        self.ensure_one()
        provider_id = self._origin.id
        return sql_screens.live(self.env.cr, provider_id) or {} if provider_id else {}

    def _rates(self, domain=None):
        """Return the limits that are rates and bind the account's mail.

        :param str domain: a sending domain, whose own limits then count, too
        """
        return [
            limit
            for limit in self.limit_ids
            if limit.period in ("second", "minute")
            and limit.effective
            and (
                limit.scope == "account"
                or (domain and (limit.domain or domain) == domain)
            )
        ]

    def _configured_rate(self, domain=None):
        """Return the messages a second that the rates allow, 0 if unbounded."""
        return min((limit._per_second() for limit in self._rates(domain)), default=0.0)

    def _effective_rate(self, domain=None):
        """Return the messages a second at which campaigns are sent now, 0 if unbounded.

        :param str domain: of the From address, if it is known
        """
        if not self:
            return 0.0
        rates = (self._reduced_rate(self._live()), self._configured_rate(domain))
        return min(filter(None, rates), default=0.0)

    def _reduced_rate(self, live):
        """Return the messages a second that the replies allow, ``None`` if all."""
        rate = live.get("rate")
        return rate if rate and rate < (self._configured_rate() or NO_RATE) else None

    def _format_rate(self, rate):
        if not rate:
            return self.env._("unlimited")
        seconds = next((one for one in (1, 60) if rate * one >= 1), 3600)
        number = format_number(self.env, rate * seconds, "%.3g")
        if seconds == 1:
            return self.env._("%s a second", number)
        if seconds == 60:
            return self.env._("%s a minute", number)
        return self.env._("%s an hour", number)

    # ------------------------------------------------------------------
    # State
    # ------------------------------------------------------------------

    @api.depends(
        "limit_ids.effective", "limit_ids.period", "paused", "pause_reason", "capacity"
    )
    @api.depends_context("lang")
    def _compute_live(self):
        for provider in self:
            live = provider._live()
            tightest = max(
                provider._usage(),
                key=lambda row: row[1] / row[0].effective,
                default=None,
            )
            state, reason = provider._judge(live, tightest)
            configured = provider._configured_rate()
            provider.state, provider.state_reason = state, reason
            # A limit of ours that is used up opens by itself only.
            provider.can_resume = state not in ("running", "resting") or bool(
                live.get("rest")
            )
            provider.configured_rate = self._format_rate(configured)
            provider.effective_rate = (
                self._format_rate(provider._reduced_rate(live) or configured)
                if state in ("running", "reduced")
                else self.env._("nothing now")
            )
            provider.binding = provider._describe_binding(state, live, tightest)
            provider.last_reply = live.get("last_reply")
            provider.last_reply_at = self._to_datetime(live.get("last_reply_at"))
            provider.recovers_at = self._to_datetime(
                provider._recovery(state, live, tightest)
            )
            provider.capacity_now = min(
                filter(None, (provider.capacity, live.get("capacity"))), default=0
            )
            provider.quota_percent = 0.0
            provider.quota_label = False
            if tightest:
                limit, used = tightest
                provider.quota_percent = 100 * used / limit.effective
                provider.quota_label = self.env._(
                    "%(used)s of %(limit)s",
                    used=format_number(self.env, used),
                    limit=limit._describe(),
                )

    def _usage(self):
        """Return the counted limits with what is used of them.

        :return: list of (limit, messages or recipients in the window)
        """
        if not self._origin.id:
            return []
        counted = {
            limit._origin.id: limit
            for limit in self.limit_ids
            if limit.effective and limit.period not in ("second", "minute")
        }
        rows = sql_screens.usage(self.env.cr, self._origin.id) if counted else []
        seen = {}
        for limit_id, _domain, used in rows:
            if limit_id in counted:
                seen[limit_id] = max(used, seen.get(limit_id, 0))
        return [(limit, seen.get(limit_id, 0)) for limit_id, limit in counted.items()]

    def _judge(self, live, tightest):
        """Return what the account does, and why.

        :param dict live: see ``sql_screens.live``
        :param tightest: the counted limit that is nearest to its end, with its use
        """
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
        fewer = live.get("capacity")
        if self._reduced_rate(live) or (fewer and fewer < self.capacity):
            return "reduced", live.get("last_reply")
        return "running", False

    def _describe_binding(self, state, live, tightest):
        if state in ("paused", "stopped"):
            return dict(self._fields["state"]._description_selection(self.env))[state]
        if state == "resting" and not live.get("rest"):
            return tightest[0].display_name
        if state in ("resting", "reduced"):
            return self.env._("The provider's replies")
        return min(
            self._rates(),
            key=lambda limit: limit._per_second(),
            default=self.limit_ids[:1],
        ).display_name

    def _recovery(self, state, live, tightest):
        """Return when the account is as it was, in seconds since the epoch."""
        if state == "resting":
            if live.get("rest"):
                return live["now"] + live["rest"]
            return self._window_opens(tightest[0])
        if state != "reduced":
            return None
        seconds = 0.0
        rate, configured = self._reduced_rate(live), self._configured_rate()
        while rate and configured and rate < configured:
            rate *= sql_parts.RECOVERY_FACTOR
            seconds += sql_parts.RECOVERY_STEP
        if live["capacity"]:
            # One sender more each 5 minutes.
            seconds = max(seconds, 300 * (self.capacity - live["capacity"]))
        return live["now"] + seconds if seconds else None

    def _window_opens(self, limit):
        """Return when a counted limit that is used up lets something through again."""
        now = fields.Datetime.now()
        if limit.period == "month":
            opens = fields.Datetime.add(
                fields.Datetime.start_of(now, "month"), months=1
            )
            return (opens - self._epoch()).total_seconds()
        seconds = sql_replies.window_frees_in(
            self.env.cr, self._origin.id, limit.period
        )
        if seconds is None:
            return None
        return (now - self._epoch()).total_seconds() + max(seconds, 0)

    @api.model
    def _epoch(self):
        return fields.Datetime.to_datetime("1970-01-01")

    @api.model
    def _to_datetime(self, seconds):
        if not seconds:
            return False
        return self._epoch() + timedelta(seconds=round(seconds))

    # ------------------------------------------------------------------
    # What is sent and what waits
    # ------------------------------------------------------------------

    def _compute_messages(self):
        minute = fields.Datetime.now().replace(second=0) - timedelta(minutes=1)
        sent = dict(
            self.env["mailing.provider.stat"]
            .sudo()
            ._read_group(
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
            provider.messages_per_minute = sent.get(provider._origin.sudo(), 0)

    def _mailings_under_way(self):
        """Return the mailings that leave through these accounts, by account.

        :return: dict of account id → ``mailing.mailing`` (as superuser)
        """
        found = dict.fromkeys(self._origin.ids, self.env["mailing.mailing"].sudo())
        for mailing in (
            self.env["mailing.mailing"]
            .sudo()
            .search(
                [
                    ("queue_managed", "=", True),
                    ("state", "in", ("in_queue", "sending")),
                ]
            )
        ):
            provider = mailing._queue_find_provider()
            if provider.id in found:
                found[provider.id] |= mailing
        return found

    def _compute_queue_depth(self):
        under_way = self._mailings_under_way()
        for provider in self:
            mailings = under_way.get(provider._origin.id, ())
            provider.mailing_count = len(mailings)
            provider.queue_depth = mailings._queue_count_waiting() if mailings else 0

    def _seconds_for(self, waiting):
        """Return how long so many recipients take, 0 if nothing bounds it.

        By the rate, or by how often a counted limit has to open again.
        """
        rate = self._effective_rate()
        seconds = waiting / rate if rate else 0
        for limit, used in self._usage():
            if limit.scope == "account":
                rest = waiting - max(limit.effective - used, 0)
                windows = math.ceil(max(rest, 0) / limit.effective)
                seconds = max(seconds, windows * PERIODS[limit.period])
        return seconds

    def _describe_pace(self, domain=None):
        """Return how fast the account lets campaigns go now, and why not faster.

        :param str domain: of the From address, if it is known
        :return: a few words, ``False`` if it does not hold them back
        """
        if not self:
            return False
        words = self._describe_wait() or ""
        rate = self._effective_rate(domain)
        if rate and self.state in ("running", "reduced"):
            words = ", ".join(filter(None, [self._format_rate(rate), words]))
        return f"{self.name}: {words}" if words else False

    def _describe_wait(self):
        """Return what keeps the account's campaigns waiting now, in words."""
        if not self or self.state == "running":
            return False
        if self.state == "paused" and self.state_reason:
            return self.state_reason
        label = dict(self._fields["state"]._description_selection(self.env))[self.state]
        return f"{label}: {self.state_reason}" if self.state_reason else label
