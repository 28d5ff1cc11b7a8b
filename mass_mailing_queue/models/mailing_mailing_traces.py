# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import time
from contextlib import contextmanager

from odoo import models

from .. import sql, sql_addresses, sql_plan
from ..discretion import discreet
from ..ledger import Ledger, transaction

#: An address that is done already, whoever asks.
PROBE = "queue@probe"


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
                if not self._queue_lock_addresses(ledger):
                    continue
                wanted = self._queue_without_trace(sorted(res_ids))
                if wanted:
                    jobs = self._queue_for_jobs()
                    jobs._queue_plan_traces(wanted, with_jobs=False)
                    jobs.queue_slices += 1
                return

    def _queue_plan_traces(self, res_ids, with_jobs=True):
        """Create the traces of these records, and the jobs of those to be sent."""
        if sql_plan.forget_former(
            self.env.cr, self.id, self.mailing_model_real, res_ids
        ):
            self.env.invalidate_all()
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
        reasons as natively; who is a duplicate is decided here, after its reasons.

        :return: dict of record id → values
        """
        self.env["mailing.trace"].flush_model()
        records = self.env[self.mailing_model_real].browse(res_ids)
        with self._queue_composer() as composer:
            values_all = composer._queue_recipient_values(records)
            composer._process_mail_values_state(values_all)
            left = self._queue_leave_duplicates(composer, values_all)
            traces = composer._prepare_mail_values_mailing_traces(values_all)
        for res_id, values in traces.items():
            values["queue_planned"] = True
            values["queue_emails"] = sql_addresses.joined(
                values["email"], left.get(res_id, [])
            )
        return traces

    @contextmanager
    def _queue_composer(self):
        """Lend upstream's composer, to ask it about recipients."""
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
        yield composer
        composer.unlink()

    def _queue_leave_duplicates(self, composer, values_all):
        """Cancel who has no address that nobody before has: the first by id wins.

        :return: dict of record id → addresses that its email goes to
        """
        seen = self._queue_ask_seen(composer, values_all)
        left = {}
        for res_id, addresses in composer._queue_addresses(values_all).items():
            if values_all[res_id].get("state"):
                continue
            mine = [one for one in addresses if seen is None or one not in seen]
            if not mine:
                values_all[res_id].update(state="cancel", failure_type="mail_dup")
            elif seen is not None:
                seen.update(mine)
            left[res_id] = mine
        return left

    def _queue_ask_seen(self, composer, values_all):
        """Return the addresses that the mailing goes to already.

        marketing_card wants every record mailed, whatever its address, and answers that
        none is done yet; so one is asked for that is.

        :return: a set, ``None`` if nobody is a duplicate
        """
        asked = composer.with_context(mass_mailing_queue_probe=True)
        seen = set(asked._get_done_emails(values_all))
        return seen if PROBE in seen else None

    def _queue_allows_duplicates(self):
        """Return whether an addon wants every record mailed, whatever its address."""
        with self._queue_composer() as composer:
            return self._queue_ask_seen(composer, {}) is None

    def _get_seen_list(self):
        """Look up the slice's own addresses; upstream reads those of all traces.

        As committed by now: workers give away addresses, too.
        """
        emails = self.env.context.get("mass_mailing_queue_emails")
        if emails is None:
            return super()._get_seen_list()
        if any(self._get_seen_list_extra()):
            return {PROBE, *super()._get_seen_list()}
        with Ledger(self.env) as ledger:
            return {PROBE} | ledger.run(
                sql_addresses.seen_emails, self.id, self._queue_test_campaign(), emails
            )
