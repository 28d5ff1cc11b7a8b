from odoo import api, models

from .faults import suffer


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    def _build_email__(self, *args, **kwargs):  # noqa: PLW3201
        """Add a header while building."""
        suffer(self.env, "build")
        message = super()._build_email__(*args, **kwargs)
        message["X-Probe-Build"] = "1"
        return message

    @api.model
    def send_email(self, message, *args, **kwargs):
        """Add a header while sending."""
        message["X-Probe-Send"] = "1"
        suffer(self.env, "send")
        result = super().send_email(message, *args, **kwargs)
        suffer(self.env, "sent")
        return result
