# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
import math

from odoo import api, fields, models
from odoo.exceptions import UserError

from odoo.addons.mass_mailing_queue.ledger import Ledger, commit
from odoo.addons.mass_mailing_queue.wording import format_number

from .. import presets, quotas, sql, sql_counts, sql_replies
from .mailing_provider_limit import MAX_AMOUNT

_logger = logging.getLogger(__name__)


class MailingProvider(models.Model):
    """What the provider itself says about the account.

    ``quotas.READERS`` asks it; what it answers becomes limits of the origin ``api``.
    A failed reading changes nothing but the error that is shown: campaigns go on
    under the limits there are.
    """

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

    quota_api = fields.Selection(
        "_selection_quota_api",
        "Read the Quota from",
        groups="base.group_system",
        help="The provider's own interface that tells the account's real limits.",
    )
    api_key_id = fields.Char(
        "Access Key ID",
        copy=False,
        groups="base.group_system",
        help="Of a user of the provider who may do nothing but read the quota.",
    )
    api_secret = fields.Char(
        "Secret Key",
        copy=False,
        groups="base.group_system",
        help="Only used to read the quota; nothing is sent with it.",
    )
    api_region = fields.Char(
        "Region",
        groups="base.group_system",
        help="Where the account is; limits are those of one region.",
    )
    api_endpoint = fields.Char(
        "Endpoint",
        groups="base.group_system",
        help="Address of the interface, if it is not the provider's usual one.",
    )
    quota_checked_at = fields.Datetime("Quota Read", readonly=True, copy=False)
    quota_error = fields.Char("Quota not Read", readonly=True, copy=False)
    quota_problem = fields.Char("Provider's Warning", readonly=True, copy=False)
    quota_details = fields.Text("Provider's Figures", readonly=True, copy=False)

    @api.model
    def _selection_quota_api(self):
        return [
            (key, presets.PRESETS[key].name if key in presets.PRESETS else key)
            for key in quotas.READERS
        ]

    def action_read_quota(self):
        """Ask the provider for the account's limits, now.

        :raises UserError: if no interface is set
        """
        self.ensure_one()
        self.check_access("write")
        if not self.quota_api:
            raise UserError(
                self.env._("Choose first which interface tells this account's quota.")
            )
        done = self._read_quota()
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success" if done else "danger",
                "message": self.env._("The limits are the provider's own now.")
                if done
                else self.quota_error,
                "next": {"type": "ir.actions.act_window_close"},
            },
        }

    def _read_quota(self):
        """Ask the provider and take its answer over, return whether it answered.

        Neither the credentials nor a text that may quote them is logged.
        """
        self.ensure_one()
        provider = self.sudo()
        try:
            quota = quotas.READERS[provider.quota_api](
                quotas.Credentials(
                    key_id=(provider.api_key_id or "").strip(),
                    secret=(provider.api_secret or "").strip(),
                    region=(provider.api_region or "").strip(),
                    endpoint=(provider.api_endpoint or "").strip(),
                )
            )
        except quotas.QuotaError as error:
            provider.quota_error = str(error)
            return False
        except Exception as error:
            # A reader of another addon. Its text may quote the request.
            _logger.warning(
                "Quota of account %s not read (%s)", provider.id, type(error).__name__
            )
            provider.quota_error = self.env._("The quota could not be read.")
            return False
        provider._take_quota(quota)
        return True

    def _take_quota(self, quota):
        """Make what the provider answered the account's limits.

        :param quota: a ``quotas.Quota``
        """
        self.write(
            {
                "quota_checked_at": fields.Datetime.now(),
                "quota_error": False,
                "quota_problem": quota.problem or False,
                "quota_details": self._describe_quota(quota),
            }
        )
        for period, amount in (
            ("second", quota.rate),
            ("day", quota.day),
            ("month", quota.month),
        ):
            self._take_figure(period, quota.unit, amount)
        self._take_use({"day": quota.day_used, "month": quota.month_used})
        if not quota.sending:
            self._stop(
                quota.problem or self.env._("The provider lets it send nothing.")
            )

    def _take_use(self, used):
        """Count what left through the account by other ways, as the provider counts it.

        :param dict used: period → messages or recipients in the window, or ``None``
        """
        provider_id, env = self.id, self.env

        def count():
            with Ledger(env) as ledger:
                for period, amount in used.items():
                    if amount:
                        ledger.run(
                            sql_counts.count_as_used, provider_id, period, int(amount)
                        )

        self.env.cr.postcommit.add(count)

    def _take_figure(self, period, unit, amount):
        """Make one figure of the provider the account's limit of that period.

        A lower limit that a person set stays: it was set on purpose.
        """
        limits = self.limit_ids.filtered(
            lambda limit: limit.period == period
            and limit.scope == "account"
            and not limit.ramp
        )
        if not amount:
            # Not told, or any more: what was read before holds no longer.
            if amount is None:
                limits.filtered(lambda limit: limit.origin == "api").unlink()
            return
        # Downwards, to the three digits that a limit has.
        amount = min(max(math.floor(amount * 1000) / 1000, 0.001), MAX_AMOUNT)
        mine = limits.filtered(lambda limit: limit.unit == unit)
        # Our own guesses, of whatever unit, stood in for this figure.
        limits.filtered(
            lambda limit: limit.unit != unit and limit.origin in ("own", "api")
        ).unlink()
        values = {
            "amount": amount,
            "origin": "api",
            "source": self.env._("Read from the provider."),
        }
        if not mine:
            self.limit_ids = [
                fields.Command.create({**values, "period": period, "unit": unit})
            ]
        elif not (mine.origin == "user" and mine.amount <= amount) and (
            (mine.amount, mine.origin) != (amount, "api")
        ):
            mine.write(values)

    def _describe_quota(self, quota):
        """Return the figures that are no limit, a line each."""
        lines = []
        for label, used, of in (
            (self.env._("Used in the last 24 hours"), quota.day_used, quota.day),
            (self.env._("Used this month"), quota.month_used, quota.month),
        ):
            if used is not None:
                figures = [
                    format_number(self.env, figure, "%.10g")
                    for figure in ([used, of] if of else [used])
                ]
                lines.append(f"{label}: {' / '.join(figures)}")
        labels = {
            "delivery_attempts": self.env._("Delivery attempts, last 24 hours"),
            "bounces": self.env._("Bounces, last 24 hours"),
            "complaints": self.env._("Complaints, last 24 hours"),
            "rejects": self.env._("Rejected, last 24 hours"),
            "access": self.env._("Access"),
            "standing": self.env._("Standing"),
            "total": self.env._("Credits"),
            "remain": self.env._("Credits left"),
            "reset_frequency": self.env._("Credits are renewed"),
            "overage": self.env._("Beyond the credits"),
            "next_reset": self.env._("Next credits"),
        }
        for name, value in quota.details.items():
            if isinstance(value, int | float):
                value = format_number(self.env, value, "%.10g")
            lines.append(f"{labels.get(name, name)}: {value}")
        return "\n".join(lines) or False

    def _stop(self, reason):
        """Stop the account until a person resumes it, as a refused login does."""
        provider_id, env = self.id, self.env

        def stop():
            with Ledger(env) as ledger:
                ledger.run(sql.ensure, provider_id, [""])
                ledger.run(sql_replies.stop, provider_id, reason[:200])

        self.env.cr.postcommit.add(stop)
        self._tell_stopped(reason)

    # ------------------------------------------------------------------
    # Scheduled action
    # ------------------------------------------------------------------

    @api.model
    def _fold_other_mail(self):
        """Count other mail where no campaign does it, so that it is seen in time."""
        with Ledger(self.env) as ledger:
            for provider in self.search([("active", "in", (True, False))]):
                if other := ledger.run_as_one(sql_counts.fold, provider.id):
                    ledger.run(sql_counts.count, provider.id, {"other": other})

    @api.model
    def _cron_hourly(self):
        """Follow the calendar, and ask the providers."""
        self.env["mailing.provider.limit"]._cron_advance_ramps()
        commit(self.env)
        for provider in self.search([("active", "=", True)]).sudo():
            if provider.quota_api and provider.api_secret:
                provider._read_quota()
                # Each by itself: what one provider takes long for is not lost.
                commit(self.env)
