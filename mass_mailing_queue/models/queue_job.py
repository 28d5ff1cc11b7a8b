# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models

from odoo.addons.queue_job.job import CANCELLED, DONE, PENDING

from ..ledger import commit_durably


class QueueJob(models.Model):
    _inherit = "queue.job"

    # A plain integer: a foreign key would make each new job lock the mailing's row.
    mailing_id = fields.Integer(readonly=True, index="btree_not_null")

    # Whether jobs are due and none has ended lately tells whether a runner works.
    _queue_due_idx = models.Index(
        "(GREATEST(eta, date_created)) "
        "WHERE state IN ('pending', 'enqueued') AND mailing_id IS NOT NULL"
    )
    _queue_date_done_idx = models.Index("(date_done) WHERE date_done IS NOT NULL")

    def _change_job_state(self, state, result=None):
        """Hold or release the recipients of a job that a person decided about.

        Cancelled or set to done by hand, a job's waiting recipients are kept back
        until somebody resumes the mailing or requeues the job.
        """
        result_ = super()._change_job_state(state, result=result)
        jobs = self.filtered(lambda job: job.mailing_id)
        if jobs and state in (DONE, CANCELLED, PENDING):
            commit_durably(self.env)
            # Not those whom another job has taken over since.
            self.env["mailing.trace"].sudo().browse(
                jobs._queue_trace_ids()
            ).exists().filtered(
                lambda trace: trace.trace_status == "outgoing"
                and trace.queue_job_uuid in jobs.mapped("uuid")
            ).queue_held = state != PENDING
        return result_

    def _queue_trace_ids(self):
        """Return the ids of the recipients that these jobs carry."""
        return [
            trace_id
            for job in self
            if job.method_name == "_job_send" and job.args
            for trace_id in job.args[0]
        ]

    def _message_post_on_failure(self):
        """Tell people about the first failed job of a mailing only."""
        ours = self.filtered("mailing_id")
        told = set(
            self.search(
                [
                    ("mailing_id", "in", ours.mapped("mailing_id")),
                    ("state", "=", "failed"),
                ]
            ).mapped("mailing_id")
        )
        first = self.browse()
        for job in ours:
            if job.mailing_id not in told:
                told.add(job.mailing_id)
                first += job
        return super(QueueJob, self - ours + first)._message_post_on_failure()

    def related_action_mailing_recipients(self):
        """Open the recipients that this job carries, or its mailing."""
        self.ensure_one()
        trace_ids = self._queue_trace_ids()
        if trace_ids:
            action = self.env["ir.actions.actions"]._for_xml_id(
                "mass_mailing.mailing_trace_action"
            )
            return {
                **action,
                "name": self.name,
                "domain": [("id", "in", trace_ids)],
                "context": {},
            }
        return {
            "type": "ir.actions.act_window",
            "res_model": "mailing.mailing",
            "view_mode": "form",
            "res_id": self.mailing_id,
        }
