# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from datetime import timedelta

from odoo import api, fields, models

from odoo.addons.mass_mailing_queue.wording import format_number

from .. import sql_parts, sql_replies


class MailingProvider(models.Model):
    """What is shown of an account: how fast, why, until when, and who waits."""

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

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
    # State
    # ------------------------------------------------------------------

    @api.depends("account", "state", "capacity")
    @api.depends_context("lang")
    def _compute_live(self):
        for provider in self:
            state, live = provider.state, provider._live()
            tightest = provider._tightest()
            configured = provider._configured_rate()
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
        mailings = self.env["mailing.mailing"].sudo()
        found = dict.fromkeys(self._origin.ids, mailings)
        for mailing in mailings._queue_search_under_way():
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
