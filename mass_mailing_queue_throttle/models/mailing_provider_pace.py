# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import math

from odoo import api, fields, models

from odoo.addons.mass_mailing_queue.wording import format_number

from .. import sql_screens

#: A rate beyond this is none: what was reduced long ago and has recovered since
#: (messages a second).
NO_RATE = 100_000

#: Seconds after which a counted limit lets the same number through again.
PERIODS = {"hour": 3_600, "day": 86_400, "month": 30 * 86_400}


class MailingProvider(models.Model):
    """How fast an account lets campaigns go at this moment, and why not faster."""

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

    account = fields.Json(compute="_compute_account")
    state = fields.Selection(
        [
            ("running", "Running"),
            ("reduced", "Slowed Down"),
            ("resting", "Resting"),
            ("paused", "Paused"),
            ("stopped", "Refused"),
        ],
        compute="_compute_state",
    )
    state_reason = fields.Char("Why", compute="_compute_state")

    @api.depends("limit_ids.effective", "limit_ids.period")
    def _compute_account(self):
        self.env["mailing.provider.limit"].flush_model()
        for provider in self:
            provider_id = provider._origin.id
            provider.account = provider_id and sql_screens.account(
                self.env.cr, provider_id
            )

    @api.model
    def _in_memory(self, values):
        """Return a copy of an account for whose pace nothing is asked any more.

        :param dict values: see ``sql_screens.account_of_jobs``
        """
        limits = self.env["mailing.provider.limit"].sudo()
        for row in values["limit_ids"] or ():
            limits += limits.new(row, origin=limits.browse(row["id"]))
        values = {**values, "limit_ids": limits}
        return self.sudo().new(values, origin=self.browse(values["id"]))

    def _live(self):
        self.ensure_one()
        return (self.account or {}).get("live") or {}

    def _usage(self):
        """Return the counted limits with what is used of them.

        :return: list of (limit, messages or recipients in the window)
        """
        used = (self.account or {}).get("usage", {})
        return [
            (limit, used.get(str(limit._origin.id), 0))
            for limit in self.limit_ids
            if limit.effective and limit.period not in ("second", "minute")
        ]

    def _tightest(self):
        """Return the counted limit nearest to its end, with its use, or ``None``."""
        return max(
            self._usage(), key=lambda row: row[1] / row[0].effective, default=None
        )

    # ------------------------------------------------------------------
    # State
    # ------------------------------------------------------------------

    @api.depends("account", "paused", "pause_reason", "capacity")
    @api.depends_context("lang")
    def _compute_state(self):
        for provider in self:
            provider.state, provider.state_reason = provider._judge()

    def _judge(self):
        """Return what the account does, and why."""
        live, tightest = self._live(), self._tightest()
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

    # ------------------------------------------------------------------
    # Rates
    # ------------------------------------------------------------------

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
    # For people
    # ------------------------------------------------------------------

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
