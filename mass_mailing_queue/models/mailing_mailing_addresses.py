# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from contextlib import suppress

from psycopg2 import errors

from odoo import models, tools

from .. import sql, sql_addresses, sql_people, sql_plan
from ..addresses import clean, mailable
from ..exceptions import DeliveryPostponed
from ..ledger import commit

#: What decides who the recipients of a mailing are.
AUDIENCE_FIELDS = ("mailing_model_id", "mailing_domain", "contact_list_ids")

#: Whose changes change one of these, too.
AUDIENCE_SOURCES = {*AUDIENCE_FIELDS, "mailing_filter_id", "mailing_type"}

#: Recipients cancelled by one statement: short row locks, however many there are.
CANCEL_BATCH = 5_000


def find_addresses(fields):
    """Return all addresses in these fields that can be mailed, each once.

    :param list fields: as people write them, each of one address or several
    :return: list of addresses as they are judged, in their order
    """
    found = (
        clean(address)
        for field in fields
        for address in tools.mail.email_normalize_all(field or "")
    )
    return list(dict.fromkeys(filter(mailable, found)))


class MailingMailing(models.Model):
    """The addresses a mailing goes to: each one once, and the ones that are judged.

    An address belongs to the first recipient who has it. The planner gives them away,
    and workers do when a record has other addresses by the time that its email is made:
    both under one lock, of the mailing or of the campaign whose test it is part of.
    What a trace has is what its email is claimed with.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_test_campaign(self):
        """Return the id of the campaign for all of which an address is looked up."""
        return self.campaign_id.id if self.ab_testing_enabled else None

    def _queue_addresses_lock(self):
        """Return the advisory lock of who gives away addresses: namespace and key."""
        if campaign_id := self._queue_test_campaign():
            return sql.LOCK_CAMPAIGN, campaign_id
        return sql.LOCK_ADDRESSES, self.id

    def _queue_lock_addresses(self, ledger):
        """Take that lock until this transaction ends. The fan-out's lock comes first.

        :return: whether it was free, and this transaction sees all that was planned
            under it; if not, the next one may
        """
        lock = self._queue_addresses_lock()
        if not sql.try_lock(self.env.cr, *lock):
            with suppress(errors.LockNotAvailable):
                ledger.run(sql.wait_for_lock, *lock)
            return False
        plans = self.id, self._queue_test_campaign()
        committed = ledger.run(sql_plan.plan_position, *plans)
        return committed == sql_plan.plan_position(self.env.cr, *plans)

    # ------------------------------------------------------------------
    # When an email is made
    # ------------------------------------------------------------------

    def _queue_judge(self, ledger, routes):
        """Leave out what would be the second email to an address.

        Only emails to other addresses than were judged before are looked at, and those
        of recipients with several. Exclusions of the new addresses were looked at when
        the emails were made, and are again at the claim.

        :raises DeliveryPostponed: while others take long to give away addresses
        """
        parcels = {
            parcel.trace_id: parcel
            for route in routes
            for parcel in route.parcels
            if not parcel.is_judged()
        }
        if not parcels:
            return
        found = {trace_id: parcel.found for trace_id, parcel in parcels.items()}
        every = self._queue_allows_duplicates()
        if not every:
            found.update(self._queue_find_edited(ledger, found))
        # What was read for this is no snapshot to deliver with.
        commit(self.env)
        try:
            left = ledger.run_as_one(
                sql_addresses.judge,
                self._queue_addresses_lock(),
                self.id,
                self._queue_test_campaign(),
                found,
                every,
            )
        except errors.LockNotAvailable as error:
            raise DeliveryPostponed(
                self.env._("Its recipients are just being planned."), 1
            ) from error
        for trace_id, parcel in parcels.items():
            mine = left.get(trace_id, [])
            parcel.email = parcel.found[0]
            parcel.queue_emails = sql_addresses.joined(parcel.email, mine)
            parcel.left_out = not mine
            if len(mine) < len(parcel.found):
                parcel.leave_out(
                    set(parcel.found).difference(mine),
                    lambda email: clean(tools.email_normalize(email, strict=False)),
                )

    def _queue_find_edited(self, ledger, found):
        """Find who waits for one of these addresses, and has another one by now.

        Of two people who change addresses with each other, neither is the other's
        duplicate.

        :param dict found: trace's id → addresses
        :return: dict of other traces' ids → addresses that they have now
        """
        known, edited = set(found), {}
        emails = {address for addresses in found.values() for address in addresses}
        while emails:
            waiting = ledger.run(
                sql_addresses.holders,
                self.id,
                self._queue_test_campaign(),
                emails,
                known,
            )
            known.update(waiting)
            emails = set()
            traces = self.env["mailing.trace"].browse(waiting)
            for mailing, group in traces.grouped("mass_mailing_id").items():
                now = mailing._queue_find_addresses(group)
                for trace_id in group.ids:
                    addresses = now.get(trace_id, [])
                    if not waiting[trace_id].issubset(addresses):
                        edited[trace_id] = addresses
                        emails.update(addresses)
        return edited

    def _queue_find_addresses(self, traces):
        """Return the addresses that the records of these traces have now.

        :return: dict of trace's id → addresses; without those that are deleted
        """
        traces = traces.filtered(lambda trace: trace.model == self.mailing_model_real)
        records = self.env[self.mailing_model_real].browse(traces.mapped("res_id"))
        with self._queue_composer() as composer:
            values_all = composer._queue_recipient_values(records.exists())
            addresses = composer._queue_addresses(values_all)
        return {
            trace.id: addresses[trace.res_id]
            for trace in traces
            if trace.res_id in addresses
        }

    # ------------------------------------------------------------------
    # Another audience
    # ------------------------------------------------------------------

    def write(self, vals):
        """Plan anew when the recipients are others: who waits may be none any more.

        Their traces are for records of the model that the mailing had, and where the
        fan-out has come to says nothing of the new ones. Until it has looked, no claim
        is won.
        """
        if not AUDIENCE_SOURCES.intersection(vals):
            return super().write(vals)
        begun = self.filtered(lambda m: m.queue_managed and m.queue_slices)
        before = {mailing: mailing._queue_audience() for mailing in begun}
        result = super().write(vals)
        for mailing in begun:
            if mailing._queue_audience() != before[mailing]:
                mailing.sudo()._queue_change_audience()
        return result

    def _queue_audience(self):
        values = [self[name] for name in AUDIENCE_FIELDS]
        return [set(value.ids) if hasattr(value, "ids") else value for value in values]

    def _queue_change_audience(self):
        """Begin anew with the recipients that the mailing has by now."""
        sql_plan.forget_sample(self.env.cr, self.id)
        values = {"queue_sampled": False, "queue_cursor": 0, "queue_recipients": 0}
        under_way = self._queue_under_way() or self._queue_has_open_traces()
        if under_way:
            values.update(queue_planned=False, queue_audience_changed=True)
        self.write(values)
        if under_way:
            self.message_post(
                body=self.env._(
                    "The recipients were changed while the mailing was under way. "
                    "Nobody who has the email gets it again."
                )
            )
        if self._queue_may_plan():
            self._queue_enqueue_plan()

    def _queue_leave_former(self, ledger):
        """Cancel those who wait, before the changed audience is planned."""
        reason = self.env._(
            "The recipients of the mailing were changed before this email was sent."
        )
        if not ledger.run(sql_people.cancel_former, self.id, CANCEL_BATCH, reason):
            self.write(
                {
                    "queue_audience_changed": False,
                    "queue_slices": self.queue_slices + 1,
                }
            )
