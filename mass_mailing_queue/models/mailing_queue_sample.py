# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models


class MailingQueueSample(models.Model):
    """Who was drawn for an A/B test: drawn whole, once, and kept.

    Every later draw would find other people, and the versions of a test must not
    share any.
    """

    _name = "mailing.queue.sample"
    _description = "A/B Test Sample"
    _log_access = False

    mailing_id = fields.Many2one("mailing.mailing", required=True, ondelete="cascade")
    res_id = fields.Integer("Record ID", required=True)

    _record_uniq = models.UniqueIndex("(mailing_id, res_id)")


class UtmCampaign(models.Model):
    _inherit = "utm.campaign"

    def _get_mailing_recipients(self, model=None):
        """Count those as mailed who are drawn for another version of a test.

        Upstream reads their traces, which the other version may not have planned yet,
        and takes records of another model for those with the same ids.
        """
        model_drawn, drawn = self.env.context.get("mass_mailing_queue_drawn") or (
            None,
            None,
        )
        result = super()._get_mailing_recipients(model=model or model_drawn)
        if not drawn:
            return result
        return {campaign_id: records | drawn for campaign_id, records in result.items()}
