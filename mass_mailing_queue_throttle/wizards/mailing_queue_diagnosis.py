# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models
from odoo.tools import format_datetime

#: How grave it is what an account does.
GRAVITY = {"paused": 91, "stopped": 89, "resting": 84, "reduced": 60}


class MailingQueueDiagnosis(models.TransientModel):
    """What the sending accounts tell: state, limits, channel."""

    _inherit = "mailing.queue.diagnosis"

    @api.model
    def _get_checks(self):
        return [*super()._get_checks(), "_check_accounts"]

    def _check_accounts(self, mailings):
        providers = self.env["mailing.provider"]
        for mailing in mailings:
            providers |= mailing._queue_find_provider()
        findings = []
        for provider in providers:
            if provider.state in GRAVITY:
                findings.append(self._describe_account(provider))
            findings += self._describe_limits(provider)
            if provider.channel_hint:
                findings.append(
                    self._finding(
                        30,
                        f"{provider.name}: {provider.channel_hint}",
                        *self._describe_change(
                            self.env["queue.job.channel"]._queue_describe_recommended()
                        ),
                    )
                )
        return findings

    def _describe_account(self, provider):
        advice = {
            "paused": self._for_administrator(self.env._("Resume the account.")),
            "stopped": self._for_administrator(
                self.env._("Repair the account and resume it.")
            ),
            "resting": self.env._("It goes on by itself, and nobody is lost."),
            "reduced": self.env._(
                "It becomes faster by itself when the provider refuses nothing more."
            ),
        }
        details = []
        if provider.recovers_at:
            until = format_datetime(self.env, provider.recovers_at)
            details.append(self.env._("Until %s", until))
        return self._finding(
            GRAVITY[provider.state],
            self.env._(
                "Sending account %(account)s: %(state)s.",
                account=provider.name,
                state=provider._describe_wait().rstrip("."),
            ),
            advice[provider.state],
            details,
        )

    def _describe_limits(self, provider):
        """Return what the account's limits are, and how far they are used.

        Of one that waits for a person, nothing: its limits are not what holds it back.
        """
        used = dict(provider._usage())
        details = [
            f"{limit.display_name}: {used[limit]}"
            if limit in used
            else limit.display_name
            for limit in provider.limit_ids
        ]
        if not details or provider.state in ("paused", "stopped"):
            return []
        return [
            self._finding(
                14,
                self.env._(
                    "Sending account %(account)s: %(rate)s.",
                    account=provider.name,
                    rate=provider.effective_rate,
                ),
                ""
                if provider.confirmed
                else self.env._("Its limits are not confirmed."),
                details,
            )
        ]
