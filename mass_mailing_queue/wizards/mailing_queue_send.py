# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.mailing_mailing_pace import FORESIGHT
from ..wording import plural


class MailingQueueSend(models.TransientModel):
    """What *Send* would do: whom it reaches, through what, and how long that takes."""

    _name = "mailing.queue.send"
    _description = "Send a Mailing"

    mailing_id = fields.Many2one("mailing.mailing", required=True, readonly=True)
    subject = fields.Char(related="mailing_id.subject")
    audience = fields.Integer("Chosen", readonly=True)
    recipients = fields.Integer(
        readonly=True, help="People who will receive this mailing."
    )
    headline = fields.Char(compute="_compute_headline")
    opted_out = fields.Integer(
        readonly=True, help="They have left the mailing list, or all that they were on."
    )
    blacklisted = fields.Integer(readonly=True, help="Their address is blacklisted.")
    duplicates = fields.Integer(
        "Same Address",
        readonly=True,
        help="The first record with an address is mailed.",
    )
    invalid = fields.Integer(
        "No Valid Address", readonly=True, help="The address is missing or incomplete."
    )
    reached = fields.Integer(
        "Already Reached", readonly=True, help="They are recipients of it already."
    )
    left_out = fields.Integer(compute="_compute_left_out")
    estimated = fields.Boolean(readonly=True)
    judged = fields.Boolean("Left Out is Known", readonly=True)
    server = fields.Char("Through", readonly=True)
    duration = fields.Char(readonly=True)
    ends_at = fields.Datetime("Ends", readonly=True)
    obstacle = fields.Char(readonly=True)

    @api.depends("audience", "recipients")
    def _compute_left_out(self):
        for wizard in self:
            wizard.left_out = wizard.audience - wizard.recipients

    @api.depends("recipients", "estimated")
    @api.depends_context("lang")
    def _compute_headline(self):
        for wizard in self:
            if wizard.estimated:
                terms = (
                    self.env._("About %(count)s person will receive"),
                    self.env._("About %(count)s people will receive"),
                )
            else:
                terms = (
                    self.env._("%(count)s person will receive"),
                    self.env._("%(count)s people will receive"),
                )
            wizard.headline = plural(self.env, wizard.recipients, *terms)

    @api.model_create_multi
    def create(self, vals_list):
        """Count when the dialog opens, whatever the caller says.

        :raises UserError: if there is no mailing to send
        """
        if not all(vals.get("mailing_id") for vals in vals_list):
            raise UserError(
                self.env._("Open this from the mailing that is to be sent.")
            )
        mailings = self.env["mailing.mailing"]
        return super().create(
            [
                self._prepare_send(mailings.browse(vals["mailing_id"]))
                for vals in vals_list
            ]
        )

    def _prepare_send(self, mailing):
        mailing.check_access("write")
        counts = mailing._queue_count_audience()
        seconds = mailing._queue_expected_seconds(counts["recipients"])
        lasts = mailing._queue_within_hours(seconds)
        return {
            **counts,
            "mailing_id": mailing.id,
            "server": mailing._queue_describe_server(),
            "duration": bool(seconds) and mailing._queue_describe_seconds(seconds),
            "ends_at": 0 < lasts < FORESIGHT
            and fields.Datetime.add(fields.Datetime.now(), seconds=round(lasts)),
            "obstacle": mailing._queue_obstacle(),
        }

    def action_send(self):
        """Send; a second press finds it sent."""
        self.mailing_id.with_context(mass_mailing_queue_ask=False).filtered(
            lambda mailing: mailing.state == "draft"
        ).action_launch()
        return {"type": "ir.actions.act_window_close"}
