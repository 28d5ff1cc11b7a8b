# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models

from .. import sql_metrics


class MailingQueueMetrics(models.AbstractModel):
    """Figures of the mailings under way, for a monitoring system.

    Read by SQL when they are asked for: each worker of each node gives the same answer.
    Mailings and servers are named by their ids.
    """

    _name = "mailing.queue.metrics"
    _description = "Sending Figures"

    @api.model
    def _collect(self):
        """Return all figures. Extension point: add to the list.

        :return: list of (name, help in English, names of labels, list of (values of
            labels, number))
        """
        self.env.flush_all()
        cr = self.env.cr
        ids = self.env["mailing.mailing"]._queue_search_under_way().ids
        mailing = ("mailing",)
        return [
            (
                "odoo_mailing_recipients",
                "Recipients of mailings under way: waiting, deferred (for a next "
                "attempt), held (by a person), paused (with their mailing), process.",
                ("mailing", "state"),
                sql_metrics.depth_by_state(cr, ids),
            ),
            (
                "odoo_mailing_sent_per_second",
                "Emails that servers accepted, over the last minute.",
                mailing,
                sql_metrics.rates(cr, ids),
            ),
            (
                "odoo_mailing_failures",
                "Recipients whose email failed for certain, by class.",
                ("mailing", "class"),
                sql_metrics.failures_by_class(cr, ids),
            ),
            (
                "odoo_mailing_in_doubt",
                "Recipients of whom nobody knows whether the email arrived.",
                mailing,
                sql_metrics.doubts(cr),
            ),
            (
                "odoo_mailing_jobs",
                "Jobs of mailings that have not ended well.",
                ("state",),
                sql_metrics.jobs_by_state(cr),
            ),
            (
                "odoo_mailing_runner_up",
                "1 if a job runner leads and starts jobs.",
                (),
                [((), int(self.env["mailing.mailing"]._queue_runner_is_present()))],
            ),
            (
                "odoo_mailing_heartbeat_seconds",
                "Seconds since the scheduled action that repairs was here.",
                (),
                sql_metrics.heartbeat(cr),
            ),
            (
                "odoo_mailing_outage_seconds",
                "Seconds until a server that cannot be reached is tried again. 0 is "
                "the one of the configuration file.",
                ("server",),
                sql_metrics.outages(cr),
            ),
            (
                "odoo_mailing_alerts",
                "Alerts that are raised.",
                ("kind",),
                sql_metrics.alerts(cr),
            ),
        ]
