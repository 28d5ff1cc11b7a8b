from odoo import api, models


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    def _build_email__(self, *args, **kwargs):  # noqa: PLW3201
        """Add a header while building."""
        message = super()._build_email__(*args, **kwargs)
        message["X-Probe-Build"] = "1"
        return message

    @api.model
    def send_email(self, message, *args, **kwargs):
        """Add a header while sending."""
        message["X-Probe-Send"] = "1"
        return super().send_email(message, *args, **kwargs)
