# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from markupsafe import Markup

from odoo import models

from odoo.addons.mass_mailing_queue.ledger import Ledger, commit_durably

from .. import sql_jobs, sql_people


class MailingProvider(models.Model):
    """What people do with an account, and how those who send follow."""

    # One large model in several files, by what a person does with it.
    _inherit = "mailing.provider"  # pylint: disable=consider-merging-classes-inherited

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
        commit_durably(self.env)
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
