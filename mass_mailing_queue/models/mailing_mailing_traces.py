# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import time

from odoo import models

from .. import sql, sql_plan
from ..discretion import discreet
from ..ledger import transaction


class MailingMailing(models.Model):
    """Who gets a trace, and of what kind: upstream's composer decides."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    @discreet()
    def _queue_plan_records(self, ledger, res_ids):
        """Plan these records if they are recipients without a trace."""
        self.ensure_one()
        if not self.queue_managed:
            return
        while True:
            with transaction(self.env):
                if not sql.try_lock(self.env.cr, sql.LOCK_PLAN, self.id):
                    time.sleep(0.2)
                    continue
                self.invalidate_recordset(["queue_slices"])
                if ledger.run(sql_plan.plan_position, self.id) != self.queue_slices:
                    continue
                wanted = self._queue_without_trace(sorted(res_ids))
                if wanted:
                    jobs = self._queue_for_jobs()
                    jobs._queue_plan_traces(wanted, with_jobs=False)
                    jobs.queue_slices += 1
                return

    def _queue_plan_traces(self, res_ids, with_jobs=True):
        """Create the traces of these records, and the jobs of those to be sent."""
        traces = (
            self.env["mailing.trace"]
            .sudo()
            .create(list(self._queue_prepare_traces(res_ids).values()))
        )
        if with_jobs:
            outgoing = traces.filtered(lambda trace: trace.trace_status == "outgoing")
            self._queue_create_jobs(outgoing)
        return traces

    def _queue_prepare_traces(self, res_ids):
        """Return the values of these records' traces, exclusions decided.

        Upstream's composer decides, from the same addresses and in the same order of
        reasons as natively. Without subject and body in the values, a second record
        with an address of the slice is always its duplicate: the first by id wins.

        :return: dict of record id → values
        """
        self.env["mailing.trace"].flush_model()
        composer = (
            self.env["mail.compose.message"]
            .with_context(
                mass_mailing_queue_slice=True,
                default_composition_mode="mass_mail",
                active_ids=[],
            )
            .create(
                {
                    "composition_mode": "mass_mail",
                    "mass_mailing_id": self.id,
                    "model": self.mailing_model_real,
                    "use_exclusion_list": self.use_exclusion_list,
                }
            )
        )
        records = self.env[self.mailing_model_real].browse(res_ids)
        recipients = records._message_get_default_recipients()
        values_all = {}
        for res_id in res_ids:
            values = dict(recipients.get(res_id, {}), message_id=False)
            values["recipient_ids"] = [
                (4, pid) for pid in values.pop("partner_ids", [])
            ]
            values_all[res_id] = values
        if self._queue_allows_duplicates(composer, values_all):
            for res_id, values in values_all.items():
                values["body"] = res_id
        composer._process_mail_values_state(values_all)
        traces = composer._prepare_mail_values_mailing_traces(values_all)
        composer.unlink()
        for values in traces.values():
            values["queue_planned"] = True
        return traces

    def _queue_allows_duplicates(self, composer, values_all):
        """Return whether an addon wants every record mailed, whatever its address.

        marketing_card does, by answering that no address is done yet; so ask with
        one that is.
        """
        probe = composer.with_context(mass_mailing_queue_probe=True)
        return "queue@probe" not in probe._get_done_emails(values_all)

    def _get_seen_list(self):
        """Look up the slice's own addresses; upstream reads those of all traces."""
        emails = self.env.context.get("mass_mailing_queue_emails")
        if self.env.context.get("mass_mailing_queue_probe"):
            return {"queue@probe"}
        if emails is None or any(self._get_seen_list_extra()):
            return super()._get_seen_list()
        return sql_plan.seen_emails(
            self.env.cr,
            self.id,
            self.campaign_id.id if self.ab_testing_enabled else None,
            self.mailing_model_real,
            emails,
        )
