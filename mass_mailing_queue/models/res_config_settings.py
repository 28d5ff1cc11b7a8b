# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .mailing_mailing_pause import PAUSE_FAILURES, PAUSE_WINDOW
from .mailing_queue_alert import ALERT_GROWING, ALERT_MINUTES

#: Numbers of which 0 says something: Odoo deletes a parameter that is 0, and the
#: default is back. Name of the parameter → default.
NUMBERS = {
    "pause_failures": PAUSE_FAILURES,
    "pause_window": PAUSE_WINDOW,
    "alert_depth": 0,
    "alert_growing": ALERT_GROWING,
    "alert_minutes": ALERT_MINUTES,
}

#: Characters of a token that nobody guesses.
MIN_TOKEN = 20


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    mass_mailing_queue_enabled = fields.Boolean(
        "Send with the Job Queue",
        help="Send mailings as background jobs that any number of workers share, "
        "with progress, pause and resume. Switched off, new mailings are sent by "
        "Odoo's own scheduled action; those under way are finished by the queue.",
    )
    mass_mailing_queue_job_size = fields.Integer(
        "Recipients per Job",
        config_parameter="mass_mailing_queue.job_size",
        help="0: one recipient a job up to 1,000 recipients, beyond that 100 to 500.",
    )

    mass_mailing_queue_pause_failures = fields.Integer(
        "Failures Before Pausing",
        help="A mailing pauses by itself when more than this many of its last emails "
        "failed, and its responsible is told why. 0: never.",
    )
    mass_mailing_queue_pause_window = fields.Integer(
        "Last Emails", help="Among how many emails failures are counted."
    )
    mass_mailing_queue_alert_depth = fields.Integer(
        "Too Many Wait",
        help="Raise an alert when more than this many recipients wait, of all mailings "
        "together. 0: never.",
    )
    mass_mailing_queue_alert_growing = fields.Integer(
        "More and More Wait",
        help="Raise an alert when the number of waiting recipients has grown in this "
        "many checks in a row. There is one check a minute. 0: never.",
    )
    mass_mailing_queue_alert_minutes = fields.Integer(
        "Nothing is Sent",
        help="Raise an alert when no email of a mailing that is being sent has left "
        "for this many minutes. 0: never.",
    )
    mass_mailing_queue_alert_user_id = fields.Many2one(
        "res.users",
        "Person to Tell",
        domain=[("share", "=", False)],
        config_parameter="mass_mailing_queue.alert_user_id",
        help="With neither a person nor a channel, whoever is responsible for the "
        "mailing is told, or the administrator.",
    )
    mass_mailing_queue_alert_channel_id = fields.Many2one(
        "discuss.channel",
        "Channel to Tell",
        domain=[("channel_type", "=", "channel")],
        config_parameter="mass_mailing_queue.alert_channel_id",
        help="A channel of Discuss that gets each alert once, and a word when it is "
        "over.",
    )

    mass_mailing_queue_metrics_token = fields.Char(
        "Token for Metrics",
        groups="base.group_system",
        config_parameter="mass_mailing_queue.metrics_token",
        help="Prometheus reads /mass_mailing_queue/metrics with this bearer token. "
        "Without one there is nothing to be read there.",
    )

    mass_mailing_queue_rehearsal_server = fields.Char(
        "Rehearsal Server",
        groups="base.group_system",
        config_parameter="mass_mailing_queue.rehearsal_server",
        help="Host and port of a mail server that keeps what it gets, such as "
        "localhost:1025. No login is sent to it.",
    )

    @api.constrains("mass_mailing_queue_metrics_token")
    def _check_mass_mailing_queue_metrics_token(self):
        for settings in self:
            token = settings.mass_mailing_queue_metrics_token
            if token and (len(token) < MIN_TOKEN or not token.isascii()):
                raise ValidationError(
                    self.env._(
                        "The token must have at least %s ASCII characters; openssl "
                        "rand -hex 32 makes a good one.",
                        MIN_TOKEN,
                    )
                )

    @api.constrains(
        "mass_mailing_queue_pause_failures", "mass_mailing_queue_pause_window"
    )
    def _check_mass_mailing_queue_pause(self):
        for settings in self:
            failures = settings.mass_mailing_queue_pause_failures
            if failures and failures >= settings.mass_mailing_queue_pause_window:
                raise ValidationError(
                    self.env._(
                        "The number of failures must be smaller than the number of "
                        "emails among which they are counted."
                    )
                )

    @api.constrains(*(f"mass_mailing_queue_{name}" for name in NUMBERS))
    def _check_mass_mailing_queue_numbers(self):
        for settings in self:
            if any(settings[f"mass_mailing_queue_{name}"] < 0 for name in NUMBERS):
                raise ValidationError(self.env._("These numbers must be 0 or more."))

    @api.constrains("mass_mailing_queue_job_size")
    def _check_mass_mailing_queue_job_size(self):
        if any(settings.mass_mailing_queue_job_size < 0 for settings in self):
            raise ValidationError(
                self.env._("A job carries 1 recipient or more; 0 is automatic.")
            )

    @api.model
    def get_values(self):
        """Read the switch as text: a parameter that is False is deleted by Odoo."""
        values = super().get_values()
        mailings = self.env["mailing.mailing"]
        values["mass_mailing_queue_enabled"] = mailings._queue_is_enabled()
        for name, default in NUMBERS.items():
            number = mailings._queue_setting(name, default)
            values[f"mass_mailing_queue_{name}"] = number
        return values

    def set_values(self):
        """Keep the switch.

        Upstream's method is public and asks for no right: on no record at all, anybody
        with a login could call it.
        """
        self.check_access("write")
        result = super().set_values()
        for name in ("enabled", *NUMBERS):
            self.env["ir.config_parameter"].sudo().set_param(
                f"mass_mailing_queue.{name}", str(self[f"mass_mailing_queue_{name}"])
            )
        return result
