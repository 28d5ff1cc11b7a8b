# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import math
import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from odoo.addons.mass_mailing_queue.wording import format_number, plural

from .. import presets

#: Seconds of each period; a month is counted by the calendar (UTC).
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

#: A larger amount is a slip of the finger: SES's largest accounts send thousands a
#: second, a billion a month is what the largest senders of the world do.
MAX_AMOUNT = 1_000_000_000

#: The smallest amount that the field holds; also what binary fractions lose.
EPSILON = 1e-6

DOMAIN = r"[^\s@,;/]+\.[^\s@,;/.]+"


class MailingProviderLimit(models.Model):
    """So much in so much time. All limits of an account hold, the tightest binds."""

    _name = "mailing.provider.limit"
    _description = "Sending Account's Limit"
    _order = "provider_id, sequence, id"

    provider_id = fields.Many2one(
        "mailing.provider", required=True, ondelete="cascade", index=True
    )
    sequence = fields.Integer(default=10)
    amount = fields.Float(required=True, digits=(16, 3))
    unit = fields.Selection(
        [("message", "messages"), ("recipient", "recipients")],
        required=True,
        default="message",
    )
    period = fields.Selection(
        [
            ("second", "a second"),
            ("minute", "a minute"),
            ("hour", "an hour"),
            ("day", "a rolling day"),
            ("month", "a calendar month"),
        ],
        required=True,
        default="second",
    )
    scope = fields.Selection(
        [("account", "Account"), ("domain", "Sending domain")],
        required=True,
        default="account",
        help="Whether all mail of the account counts together, or that of each domain "
        "in the From address by itself.",
    )
    domain = fields.Char(
        "From Domain",
        help="The sending domain that this limit is for; empty: each one has its own.",
    )
    ramp = fields.Selection(
        [(ramp.key, ramp.name) for ramp in presets.RAMPS.values()],
        "Warm-up",
        help="A new IP address or domain begins with little and sends more each day. "
        "After the last day the amount applies.",
    )
    ramp_start = fields.Date("First Day", default=fields.Date.context_today)
    origin = fields.Selection(
        [
            ("vendor", "Published"),
            ("own", "Our estimate"),
            ("api", "Read from the provider"),
            ("user", "Set by hand"),
        ],
        required=True,
        default="user",
        readonly=True,
    )
    source = fields.Char(help="Where the figure comes from.")
    effective = fields.Float(
        compute="_compute_effective",
        store=True,
        digits=(16, 6),
        help="What campaigns may use of it: the share of the account, less the safety "
        "margin and what is kept free for other mail.",
    )

    _amount_positive = models.Constraint(
        "CHECK (amount > 0)",
        "A limit must be more than zero; pause the account instead.",
    )

    @api.depends(
        "amount",
        "ramp",
        "ramp_start",
        "period",
        "provider_id.share",
        "provider_id.margin",
        "provider_id.reserve",
    )
    def _compute_effective(self):
        today = fields.Date.context_today(self)
        for limit in self:
            limit.effective = limit._effective_amount(today)

    def _effective_amount(self, today):
        """Return what campaigns may use of the limit on a day."""
        self.ensure_one()
        provider = self.provider_id
        amount = min(self.amount, self._ramp_amount(today) or self.amount)
        for percent in (provider.share, 100 - provider.margin, 100 - provider.reserve):
            amount *= percent / 100
        if self.period not in ("second", "minute"):
            # Counters count whole messages.
            amount = max(math.floor(amount + EPSILON), 1)
        # 0 would be no limit.
        return max(amount, EPSILON)

    @api.onchange("ramp")
    def _onchange_ramp(self):
        """A warm-up begins on the day when it is chosen."""
        if self.ramp and not self._origin.ramp:
            self.ramp_start = fields.Date.context_today(self)

    def _ramp_amount(self, today):
        """Return what the warm-up allows on a day, ``None`` when it does not bind."""
        self.ensure_one()
        if not self.ramp or not self.ramp_start:
            return None
        return presets.RAMPS[self.ramp].amount((today - self.ramp_start).days)

    def _per_second(self):
        """Return the messages or recipients a second, of a rate."""
        return self.effective / SECONDS[self.period]

    @api.model
    def _check_amount(self, vals):
        """Refuse what is no amount, before the database has to hold it."""
        amount = vals.get("amount", 1)
        is_number = isinstance(amount, int | float)
        # Also false for NaN, which compares as neither.
        if not is_number or not 0 < round(amount, 3) <= MAX_AMOUNT:
            raise ValidationError(
                self.env._(
                    "%(amount)s is not a limit: give a number from 0.001 to "
                    "%(maximum)s. To send nothing, pause the account.",
                    amount=amount,
                    maximum=format_number(self.env, MAX_AMOUNT),
                )
            )

    @api.constrains("period", "unit", "scope", "domain", "ramp", "provider_id")
    def _check_limit(self):
        for limit in self:
            if limit.domain and not re.fullmatch(DOMAIN, limit.domain):
                raise ValidationError(
                    self.env._(
                        "%s is not a domain such as news.example.com.", limit.domain
                    )
                )
            twin = limit.provider_id.limit_ids.filtered(
                lambda other, limit=limit: other != limit
                and (other.period, other.unit, other.scope, other.domain or "")
                == (limit.period, limit.unit, limit.scope, limit.domain or "")
                and bool(other.ramp) == bool(limit.ramp)
            )
            if twin:
                raise ValidationError(
                    self.env._(
                        "%(account)s has two limits of the same kind: %(first)s, and "
                        "%(second)s. Keep one of them.",
                        account=limit.provider_id.name,
                        first=twin[0].display_name,
                        second=limit.display_name,
                    )
                )

    @api.constrains("ramp", "period")
    def _check_ramp(self):
        ramps, periods = (
            dict(self._fields[name]._description_selection(self.env))
            for name in ("ramp", "period")
        )
        for limit in self.filtered("ramp"):
            ramp = presets.RAMPS[limit.ramp]
            if limit.period != ramp.period:
                raise ValidationError(
                    self.env._(
                        "The warm-up “%(ramp)s” needs a limit whose period is "
                        "“%(period)s”.",
                        ramp=ramps[limit.ramp],
                        period=periods[ramp.period],
                    )
                )

    @api.onchange("amount", "unit", "period")
    def _onchange_amount(self):
        """A person's figure is not the vendor's any more."""
        names = ("amount", "unit", "period")
        if any(self[name] != self._origin[name] for name in names):
            self.origin, self.source = "user", False

    @api.depends("amount", "effective", "unit", "period", "scope", "domain")
    @api.depends_context("lang")
    def _compute_display_name(self):
        each = self.env._("each sending domain")
        for limit in self:
            name = limit._describe(limit.amount)
            if limit.scope == "domain":
                name += f" ({limit.domain or each})"
            limit.display_name = name

    def _describe(self, amount=None):
        """Return an amount, by default what campaigns may use, with its unit."""
        amount = self.effective if amount is None else amount
        if self.unit == "recipient":
            terms = (
                self.env._("%(count)s recipient"),
                self.env._("%(count)s recipients"),
            )
        else:
            terms = (self.env._("%(count)s message"), self.env._("%(count)s messages"))
        periods = dict(self._fields["period"]._description_selection(self.env))
        return " ".join(
            [
                plural(self.env, amount, *terms, form="%.10g"),
                periods.get(self.period, ""),
            ]
        )

    @api.model_create_multi
    def create(self, vals_list):
        """Let who sends know the new limits at once.

        :raises ValidationError: if an amount is none
        """
        for vals in vals_list:
            self._check_amount(vals)
        limits = super().create(
            [
                dict(vals, domain=self._clean_domain(vals.get("domain")))
                for vals in vals_list
            ]
        )
        limits.provider_id._queue_changed()
        return limits

    def write(self, vals):
        """Let who sends know; what a person has changed is theirs from then on.

        :raises ValidationError: if an amount is none
        """
        if "domain" in vals:
            vals = dict(vals, domain=self._clean_domain(vals["domain"]))
        self._check_amount(vals)
        if {"amount", "unit", "period"}.intersection(vals) and "origin" not in vals:
            vals = dict(vals, origin="user", source=vals.get("source", False))
        before = self.provider_id
        result = super().write(vals)
        (before | self.provider_id)._queue_changed()
        return result

    def unlink(self):
        """Let who sends know that a limit is gone."""
        providers = self.provider_id
        result = super().unlink()
        providers._queue_changed()
        return result

    @api.model
    def _clean_domain(self, domain):
        return str(domain or "").strip().lstrip("@").lower() or False

    @api.model
    def _cron_advance_ramps(self):
        """Let the amounts of limits that warm up follow the calendar."""
        today = fields.Date.context_today(self)
        for limit in self.search([("ramp", "!=", False)]):
            effective = limit._effective_amount(today)
            if abs(effective - limit.effective) > EPSILON:
                # Those who send follow, as after any change.
                limit.effective = effective
