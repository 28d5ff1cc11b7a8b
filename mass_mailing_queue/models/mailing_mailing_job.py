# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
import time
from contextlib import nullcontext

from psycopg2 import errors

from odoo import api, models
from odoo.tools import config
from odoo.tools.lru import LRU

from odoo.addons.queue_job.exception import RetryableJobError

from .. import slicing, sql, sql_guard
from ..discretion import discreet
from ..exceptions import AccountBroken, DeliveryPostponed, DeliveryStopped
from ..faults import DECISIONS, RECIPIENT_AFTER, is_shortage, retry_trouble
from ..ledger import Ledger, commit
from ..parcels import Cargo

_logger = logging.getLogger(__name__)

#: Recipients composed, delivered and settled together, at most. What a killed worker
#: composed in vain is at most this; what upstream does once a batch is shared by as
#: many: some hundred statements.
CHUNK_SIZE = 100

#: What composing for one recipient took last (seconds), by database and mailing.
COMPOSE_SECONDS = LRU(256)

#: Recipients that fit into a worker together, where not all did, by the same.
LARGEST_CHUNK = LRU(256)


class MailingMailing(models.Model):
    """The job that delivers to its recipients, chunk by chunk.

    Three transactions of the ORM's cursor for each chunk, in this order: T1 composes it
    and prepares its messages in memory; T2 holds the claim's lock and writes
    nothing while messages leave; T3 settles the mails. Claims and records go over the
    ledger, each durable by itself.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    @discreet()
    def _job_send(self, trace_ids):
        """Deliver to these recipients (job body)."""
        mailing = self.exists()
        if not mailing:
            return self.env._("The mailing was deleted.")
        seconds = slicing.time_budget(
            config["limit_time_real"], config["limit_time_cpu"]
        )
        with retry_trouble(), Ledger(self.env) as ledger:
            try:
                mailing._queue_deliver(ledger, trace_ids, seconds)
            except DeliveryStopped as stopped:
                mailing._queue_cancel_rest(ledger)
                mailing._queue_finish_if_settled(ledger)
                return str(stopped)
            except AccountBroken as broken:
                mailing._queue_request_pause(broken.kind, str(broken))
                return str(broken)
            except DeliveryPostponed as postponed:
                raise RetryableJobError(
                    str(postponed), seconds=postponed.seconds, ignore_retry=True
                ) from postponed
            wait = ledger.run(sql.next_due, trace_ids)
            if wait is not None:
                raise RetryableJobError(
                    self.env._("Some recipients wait for their next attempt."),
                    seconds=max(wait, 0.05),
                    ignore_retry=True,
                )
            mailing._queue_finish_if_settled(ledger)
        return self.env._("Every recipient of this job is settled.")

    @discreet()
    def _queue_send_now(self, trace_ids):
        """Deliver in this process, outside a job.

        A mailing that pauses, a server that cannot be reached: the recipients keep
        waiting, as in a job.
        """
        self.ensure_one()
        # What the caller has just written is what decides, on the ledger too. Where
        # committing is forbidden, that is not to look like a recipient's failure.
        commit(self.env)
        with Ledger(self.env) as ledger:
            try:
                self._queue_deliver_patiently(ledger, trace_ids)
            except AccountBroken as broken:
                self._queue_request_pause(broken.kind, str(broken))
            except (DeliveryStopped, DeliveryPostponed) as reason:
                _logger.info(
                    "Mailing %s: not sent now (%s)", self.id, type(reason).__name__
                )
            self._queue_cancel_rest(ledger)
            self._queue_finish_if_settled(ledger)
        self.env.invalidate_all()

    def _queue_deliver_patiently(self, ledger, trace_ids):
        """Deliver, and begin again when another worker composes for the same people.

        queue_job does this for jobs. Who is sent by then is left out.
        """
        for attempt in range(1, 11):
            try:
                return self._queue_for_jobs()._queue_deliver(
                    ledger, trace_ids, float("inf")
                )
            except errors.SerializationFailure:
                if attempt == 10:
                    raise
                time.sleep(0.2 * attempt)

    def _queue_deliver(self, ledger, trace_ids, seconds):
        """Deliver to these recipients, chunk by chunk, while there is time.

        :param list trace_ids: traces of this mailing; those not waiting are skipped
        :param float seconds: no message starts later than this after the admission
        :raises DeliveryStopped, DeliveryPostponed, AccountBroken: see ``exceptions.py``
        """
        self._queue_check_may_send(ledger)
        self._queue_check_outage(ledger, self._queue_find_server().id)
        with self._queue_admission(ledger):
            # What somebody has changed while this worker waited is what is sent.
            commit(self.env)
            self.env.invalidate_all()
            self._queue_deliver_chunks(ledger, trace_ids, seconds)

    def _queue_admission(self, ledger):
        """Return what this worker holds while it delivers. Extension point.

        Entered before anything is composed, left when the job ends. To keep the worker
        out, wait in ``__enter__`` or raise :class:`DeliveryPostponed` there.

        :return: a context manager
        """
        return nullcontext()

    def _queue_deliver_chunks(self, ledger, trace_ids, seconds):
        begun = time.monotonic()
        key = self.env.cr.dbname, self.id
        trace_ids = list(trace_ids)
        while trace_ids:
            largest = min(LARGEST_CHUNK.get(key, CHUNK_SIZE), CHUNK_SIZE)
            size = slicing.chunk_size(largest, COMPOSE_SECONDS.get(key), seconds)
            chunk, trace_ids = trace_ids[:size], trace_ids[size:]
            due = ledger.run(sql.due_traces, chunk)
            if not due:
                continue
            composing = time.monotonic()
            if composing > begun + seconds:
                raise DeliveryPostponed(self.env._("The rest follows."), 0.05)
            try:
                with Cargo() as cargo:
                    routes = self.with_context(
                        mass_mailing_queue_cargo=cargo
                    )._queue_compose(ledger, due)
            except Exception as error:
                self._queue_take_less(ledger, due, error)
                raise
            later = [trace_id for route in routes for trace_id in route.later]
            self._queue_settle_left_out(ledger, set(due).difference(later), routes)
            if later:
                LARGEST_CHUNK[key] = max(len(due) - len(later), 1)
                trace_ids[:0] = later
            elif key in LARGEST_CHUNK:
                LARGEST_CHUNK[key] = largest + 1
            COMPOSE_SECONDS[key] = (time.monotonic() - composing) / len(due)
            outcomes = {}
            try:
                self._queue_judge(ledger, routes)
                for route in routes:
                    self._queue_deliver_route(
                        ledger, route, outcomes, begun + seconds, seconds / 2
                    )
            finally:
                self._queue_settle(routes, outcomes)
            # Not held while the next is composed.
            routes.clear()

    def _queue_take_less(self, ledger, trace_ids, error):
        """Compose for half as many next time if these did not fit into the worker.

        Whom not even a worker of their own is enough for is tried again later, so that
        the others go on.
        """
        if isinstance(error, DECISIONS) or not is_shortage(error):
            return
        LARGEST_CHUNK[self.env.cr.dbname, self.id] = max(len(trace_ids) // 2, 1)
        if len(trace_ids) == 1:
            ledger.run(sql.put_off, trace_ids, RECIPIENT_AFTER)

    def _queue_settle_left_out(self, ledger, trace_ids, routes):
        """Settle those for whom nothing came out of composing, though nothing failed.

        Another addon left them out of the values or deleted, cancelled or sent their
        email; they would be composed again and again. What it did is what becomes of
        the recipient: sent or failed as the email is, else cancelled.
        """
        made = {parcel.trace_id for route in routes for parcel in route.parcels}
        if left_out := [trace_id for trace_id in trace_ids if trace_id not in made]:
            reason = self.env._("Another addon left this recipient out.")
            ledger.run(sql.leave_out, left_out, reason)

    def _queue_check_may_send(self, ledger):
        """Make sure that there is something to do before anything is composed.

        :raises DeliveryStopped: if the mailing, or this database, does not send
        :raises DeliveryPostponed: outside of its sending hours
        """
        if reason := ledger.run(sql_guard.guard_check):
            self._queue_request_pause(reason)
            raise DeliveryStopped(self.env._("This database may be a copy."))
        if reason := ledger.run(sql.mailing_refusal, self.id):
            raise DeliveryStopped(self._queue_describe_refusal(reason))
        self._queue_check_hours(ledger)

    @api.model
    def _queue_describe_refusal(self, reason):
        """Return in words why a mailing sends nothing now.

        :param str reason: as ``sql.mailing_refusal`` returns it
        """
        return {
            "deleted": self.env._("The mailing is deleted."),
            "paused": self.env._("The mailing is paused."),
            "replanned": self.env._(
                "The recipients were changed and are planned again."
            ),
            "stopped": self.env._("The mailing is stopped."),
        }[reason]
