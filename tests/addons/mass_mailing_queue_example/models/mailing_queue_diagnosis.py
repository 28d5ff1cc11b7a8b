from odoo import api, models


class MailingQueueDiagnosis(models.TransientModel):
    _inherit = "mailing.queue.diagnosis"

    @api.model
    def _get_checks(self):
        return [*super()._get_checks(), "_check_post"]

    def _check_post(self, mailings):
        """Find it graver than anything else."""
        return [
            self._finding(99, "The post is closed today.", "Wait.", mailing=mailing)
            for mailing in mailings
        ]
