from odoo import api, fields, models


class MailingQueueAlert(models.Model):
    _inherit = "mailing.queue.alert"

    kind = fields.Selection(
        selection_add=[("post", "The post is closed")],
        ondelete={"post": "cascade"},
    )

    @api.model
    def _get_checks(self):
        return [*super()._get_checks(), "_check_post"]

    @api.model
    def _check_post(self):
        """Tell at the second check in a row."""
        self._follow("post", {False: "The post is closed today."}, 2)
