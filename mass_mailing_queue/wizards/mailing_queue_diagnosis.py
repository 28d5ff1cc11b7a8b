# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import email_normalize

#: Findings from so grave on are shown as such.
DANGER, WARNING, INFO = 70, 40, 10


class MailingQueueDiagnosis(models.TransientModel):
    """What keeps a mailing, or all of them, from being sent as it should.

    A list of small checks, each of which returns what it found; the gravest is shown
    first. They read as superuser what the user may not (jobs, servers, scheduled
    actions) and say no more of it than what to do.
    """

    _name = "mailing.queue.diagnosis"
    _description = "Diagnosis of Sending"

    mailing_id = fields.Many2one(
        "mailing.mailing",
        readonly=True,
        ondelete="cascade",
        help="Without one, all mailings under way are looked at.",
    )
    test_email = fields.Char(
        "Deliver to",
        help="To measure delivery, too, an email of the same size without any content "
        "is sent to this address. Without an address nothing is sent.",
    )
    findings = fields.Json(readonly=True)
    report = fields.Html(compute="_compute_report", sanitize=False)

    @api.depends("mailing_id")
    def _compute_display_name(self):
        for diagnosis in self:
            diagnosis.display_name = self.env._(
                "Diagnosis: %s",
                diagnosis.mailing_id.display_name or self.env._("all mailings"),
            )

    @api.depends("findings")
    def _compute_report(self):
        for diagnosis in self:
            diagnosis.report = self.env["ir.qweb"]._render(
                "mass_mailing_queue.diagnosis_report",
                {"findings": diagnosis.findings or []},
            )

    # ------------------------------------------------------------------
    # People
    # ------------------------------------------------------------------

    @api.model
    def action_open(self):
        """Diagnose all mailings, and open what was found.

        :raises AccessError: if the user may not send mailings
        """
        return self._open(self.env["mailing.mailing"])

    @api.model
    def _open(self, mailing):
        self.check_access("create")
        diagnosis = self.create({"mailing_id": mailing.id})
        diagnosis.action_diagnose()
        return {
            "type": "ir.actions.act_window",
            "name": diagnosis.display_name,
            "res_model": self._name,
            "res_id": diagnosis.id,
            "views": [(False, "form")],
            "target": "current",
        }

    def action_diagnose(self):
        """Look, or look again: the screen that is open shows what is found.

        :raises UserError: if the address to deliver to is none
        """
        self.ensure_one()
        self.check_access("write")
        # Who may not send a mailing may not have an email sent for it either.
        (self.mailing_id or self.env["mailing.mailing"]).check_access("write")
        if self.test_email and not email_normalize(self.test_email):
            raise UserError(self.env._("%s is not an email address.", self.test_email))
        self.findings = self._find()
        return True

    # ------------------------------------------------------------------
    # Checks
    # ------------------------------------------------------------------

    @api.model
    def _get_checks(self):
        """Return the names of the methods that check. Extension point.

        Each takes the mailings it is about and returns a list of findings, see
        :meth:`_finding`. It runs as superuser, writes nothing and costs little.
        """
        return [
            *self._get_checks_mailing(),
            *self._get_checks_system(),
            *self._get_checks_latency(),
        ]

    def _find(self):
        """Run all checks.

        :return: list of findings, the gravest first
        """
        self.env.flush_all()
        mailings = self._get_mailings()
        found = []
        for name in self._get_checks():
            found += getattr(self.sudo(), name)(mailings)
        if not any(finding["gravity"] >= WARNING for finding in found):
            found.append(
                self._finding(INFO - 1, self.env._("Nothing is in the way of sending."))
            )
        return sorted(found, key=lambda finding: -finding["gravity"])

    def _get_mailings(self):
        """Return the mailings to look at, as superuser."""
        mailings = self.mailing_id.sudo()
        return mailings or mailings._queue_search_under_way()

    @api.model
    def _finding(self, gravity, title, advice="", details=(), mailing=None):
        """Return a finding.

        :param int gravity: 0 to 100; of what is found, the gravest comes first.
            From 70 on it keeps emails from being sent, from 40 on it hinders
        :param str title: what is wrong, in a sentence
        :param str advice: what to do about it
        :param list details: more lines
        :param mailing: the mailing that it is about
        """
        levels = ((DANGER, "danger"), (WARNING, "warning"), (INFO, "info"))
        if mailing and not self.mailing_id:
            title = f"{mailing.display_name}: {title}"
        return {
            "gravity": gravity,
            "level": next(
                (level for least, level in levels if gravity >= least), "success"
            ),
            "title": title,
            "advice": advice,
            "details": list(details),
        }

    @api.model
    def _for_administrator(self, advice):
        """Return advice that only an administrator can follow, told to whoever asks."""
        if self.env.user.has_group("base.group_system"):
            return advice
        return self.env._("For the administrator: %s", advice)


class MailingMailing(models.Model):
    _inherit = "mailing.mailing"

    def action_queue_diagnose(self):
        """Open the diagnosis of this mailing, of all for several.

        :raises AccessError: if the user may not send mailings
        """
        mailing = self if len(self) == 1 else self.browse()
        return self.env["mailing.queue.diagnosis"]._open(mailing)
