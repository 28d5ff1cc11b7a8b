# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What one worker asks of the limits while it delivers."""

import contextlib
import logging
import random
import time
from collections import Counter
from datetime import datetime, timezone

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED

from odoo.modules import module

from odoo.addons.mass_mailing_queue import smtp
from odoo.addons.mass_mailing_queue import sql as queue_sql
from odoo.addons.mass_mailing_queue.exceptions import (
    AccountBroken,
    DeliveryPostponed,
    DeliveryStopped,
)
from odoo.addons.mass_mailing_queue.replies import Verdict

from . import sql, sql_counts, sql_jobs, sql_replies

_logger = logging.getLogger(__name__)

#: A turn is reserved only if it is at most so far away (seconds). A worker that dies
#: loses one turn; a change of rate is followed as soon as those who wait ask again.
HORIZON = 10.0

#: What is farther, up to this, is waited for in place without reserving anything; what
#: is farther still postpones the account's jobs (seconds).
PATIENCE = 30.0

#: Longest sleep between two looks at whether anything changed (seconds).
STEP = 1.0

#: Jobs look again after this at the latest, should nobody call them (seconds).
LOOK_AGAIN = 900.0

#: Outcomes by name in the statistics.
KINDS = {
    Verdict.SENT: "sent",
    Verdict.DEFERRED: "deferred",
    Verdict.REJECTED: "rejected",
    Verdict.UNREACHABLE: "unreachable",
    Verdict.PASSED_OVER: "unreachable",
    Verdict.HELD: "broken",
    Verdict.BROKEN: "broken",
    Verdict.IN_DOUBT: "in_doubt",
}


class Slot:
    """A seat among the account's senders: a lock of a transaction that stays open.

    On a connection of its own, as the delivery's transactions come and go: PostgreSQL
    frees it the moment it sees the connection close, whatever became of the worker.
    It reads and writes no table, so that the open transaction holds back no cleanup.

    A job has one while it works. When it ends, the connection to the server that it
    leaves open takes it over (``Session.lease``), so that there are never more of these
    than seats.
    """

    def __init__(self, env, provider_id):
        self._cr = env.registry.cursor()
        self._cr.connection.set_isolation_level(ISOLATION_LEVEL_READ_COMMITTED)
        self._provider_id = provider_id
        self.name = seat_name(env, provider_id)
        self.number = None
        self._waits = False

    def take(self, capacity):
        """Take a seat if one is free; if not, be seen to wait until the next try.

        :return: whether it has one
        """
        if self._waits:
            sql.stop_waiting(self._cr)
        self.number = sql.take_slot(self._cr, self._provider_id, capacity)
        self._waits = self.number is None
        if self._waits:
            # Those who rest with a seat give it back.
            sql.announce_waiting(self._cr, self._provider_id)
        return not self._waits

    def is_spare(self, capacity):
        """Return whether one may rest with this seat: another is free."""
        taken, waiting = self._look(capacity)
        return self.number < capacity and taken < capacity and not waiting

    def is_wanted(self):
        """Return whether somebody waits for a seat, or this one is lost."""
        _taken, waiting = self._look(0)
        return waiting > 0

    def is_lost(self):
        """Return whether the seat was lost with its connection."""
        taken, _waiting = self._look(self.number + 1)
        return taken > self.number + 1

    def _look(self, capacity):
        """Return how many seats are taken, and wanted: a lot if this one is lost."""
        try:
            return sql.look_at_slots(self._cr, self._provider_id, capacity)
        except psycopg2.Error:
            return float("inf"), float("inf")

    def close(self):
        """Free the seat: PostgreSQL does when the connection is given back, or lost."""
        with contextlib.suppress(psycopg2.Error):
            self._cr.close()


def seat_name(env, provider_id):
    """Return what the seats of an account are called in this process."""
    return env.cr.dbname, provider_id


class Limiter:
    """Limits as one job sees them, for as long as it runs.

    :param env: the job's environment, for words
    :param ledger: where every statement on the accounts' state runs
    :param int mailing_id: what is being sent
    """

    def __init__(self, env, ledger, mailing_id):
        self._env = env
        self._ledger = ledger
        self._mailing_id = mailing_id
        self._channels = {}
        self._slots = {}
        #: By account, the connection of this job that is open and not in use: at most
        #: one, as it has one seat.
        self._kept = {}
        self._capacities = {}
        self._known = set()
        self._counts = {}
        self._folded = {}
        self._flushed = time.monotonic()

    def close(self):
        """Give everything back, but a seat for a connection that stays open."""
        for provider_id, (key, session) in self._kept.items():
            self._let_rest(provider_id, key, session)
        self._kept = {}
        for slot in self._slots.values():
            slot.close()
        self._slots = {}
        self._flush()

    # ------------------------------------------------------------------
    # Capacity
    # ------------------------------------------------------------------

    def enter(self, provider_id, channel):
        """Wait for a seat, before anything is composed.

        :param str channel: the account's channel, whose jobs wait with this one
        :raises DeliveryPostponed: if that is not soon
        :raises AccountBroken: if the account is stopped
        """
        self._channels[provider_id] = channel
        self._prepare(provider_id, "")
        until = time.monotonic() + PATIENCE
        # Soon at first: one that rests is given back at once.
        slot, patience = None, STEP / 16
        try:
            while True:
                permit = self._ask(provider_id, "", 1, 1, horizon=-1)
                self._obey(provider_id, permit)
                # A test's one connection would be given every slot.
                if (
                    provider_id in self._slots
                    or module.current_test
                    or self._take_over(provider_id, permit.capacity)
                ):
                    return
                slot = slot or Slot(self._env, provider_id)
                if slot.take(permit.capacity):
                    self._slots[provider_id], slot = slot, None
                    return
                if time.monotonic() > until:
                    # Spread, so that they do not all come back at once.
                    raise DeliveryPostponed(
                        self._env._("All senders of the account are at work."),
                        random.uniform(5, 15),
                    )
                self._pause(patience)
                patience = min(patience * 2, STEP / 2)
        finally:
            if slot is not None:
                slot.close()

    def has_entered(self, provider_id):
        """Return whether this job has a seat among the account's senders."""
        return provider_id in self._channels

    # ------------------------------------------------------------------
    # Connections
    # ------------------------------------------------------------------

    def _take_over(self, provider_id, capacity):
        """Take a seat with which a connection of this process rests, and that."""
        key, session = smtp.SESSIONS.take_leased(seat_name(self._env, provider_id))
        if session is None:
            return False
        if session.lease.number >= capacity or session.lease.is_lost():
            session.close()
            return False
        self._slots[provider_id], session.lease = session.lease, None
        self._kept[provider_id] = key, session
        return True

    def take_session(self, provider_id, key):
        """Return a connection of the account to go on with, ``None`` to open one.

        What is open for other routes ends before: there is one seat.

        :param tuple key: the route's
        """
        kept, session = self._kept.pop(provider_id, (None, None))
        if session is not None and kept == key and session.is_alive():
            return session
        if session is not None:
            session.close()
        session = smtp.SESSIONS.take(key)
        if session is not None and session.lease is not None:
            # Another thread's: we have a seat.
            session.lease.close()
            session.lease = None
        return session

    def keep_session(self, provider_id, key, session):
        """Keep a connection until this job needs one, or ends."""
        if session.linger:
            self._kept[provider_id] = key, session
        else:
            session.close()

    def _let_rest(self, provider_id, key, session):
        """Leave a connection open for the next job, if nobody lacks its seat."""
        slot = self._slots.get(provider_id)
        if slot is not None and slot.is_spare(self._capacities[provider_id]):
            session.lease = self._slots.pop(provider_id)
        elif not module.current_test:
            session.close()
            return
        smtp.SESSIONS.put(key, session)

    # ------------------------------------------------------------------
    # Turns
    # ------------------------------------------------------------------

    def wait_turn(self, provider_id, domain, messages, recipients, until):
        """Wait until one email may be sent.

        :param str domain: the sending domain
        :param int messages, recipients: what the email costs
        :param float until: the ``time.monotonic()`` after which it could not be sent
        :raises DeliveryPostponed: if its turn is not near
        :raises DeliveryStopped: if the mailing stopped meanwhile
        :raises AccountBroken: if the account is stopped
        """
        self._prepare(provider_id, domain)
        while True:
            left = until - time.monotonic()
            # A turn that it could not use would be lost to the others.
            horizon = min(HORIZON, left)
            permit = self._ask(provider_id, domain, messages, recipients, horizon)
            slot = self._slots.get(provider_id)
            if slot is not None and slot.number >= permit.capacity:
                raise DeliveryPostponed(
                    self._env._("The account takes fewer senders now."), STEP
                )
            self._obey(provider_id, permit)
            if not permit.granted:
                if permit.wait > left:
                    raise DeliveryPostponed(
                        self._env._("The account's next turn comes later."), permit.wait
                    )
                # Nothing is reserved: look again when the turn is near.
                self._sleep(provider_id, permit, permit.wait - horizon / 2)
            elif self._sleep(provider_id, permit, permit.wait):
                return

    def _ask(self, provider_id, domain, messages, recipients, horizon):
        permit = self._ledger.run(
            sql.permit, provider_id, domain, messages, recipients, horizon
        )
        if permit is None:
            # Somebody removed the account: its server is being matched anew.
            raise DeliveryPostponed(self._env._("The account is gone."), 60)
        self._capacities[provider_id] = permit.capacity
        return permit

    def _obey(self, provider_id, permit):
        """Leave if there is nothing to be had in this worker's time."""
        if permit.state == "stopped":
            raise AccountBroken(permit.reason)
        if permit.state == "paused":
            self._postpone(
                provider_id,
                permit.version,
                LOOK_AGAIN,
                self._env._("The account is paused."),
            )
        if permit.wait > PATIENCE:
            self._postpone(
                provider_id,
                permit.version,
                permit.wait,
                permit.reason or self._env._("A limit of the account is reached."),
                # The account's other domains go on.
                self._mailing_id if permit.of_domain else None,
            )

    def _postpone(self, provider_id, version, seconds, reason, mailing_id=None):
        """Have the account's waiting jobs come back later, this one too.

        :param int mailing_id: only this mailing's
        :raises DeliveryPostponed: always
        """
        look_again = min(seconds, LOOK_AGAIN)
        self._ledger.run(
            sql_jobs.postpone_jobs,
            provider_id,
            version,
            self._channels.get(provider_id),
            look_again,
            mailing_id,
        )
        raise DeliveryPostponed(reason, look_again, lasts=seconds)

    def _sleep(self, provider_id, permit, seconds):
        """Sleep in steps that notice a pause or a new rate.

        :return: whether the turn still stands
        """
        until = time.monotonic() + max(seconds, 0)
        while (left := until - time.monotonic()) > STEP:
            self._pause(STEP)
            watched = self._ledger.run(sql.watch, provider_id)
            if watched != (permit.version, True):
                return False
        time.sleep(max(left, 0))
        return True

    def _pause(self, seconds):
        """Sleep, then make sure that the mailing still sends."""
        self._flush()
        time.sleep(seconds)
        refusal = self._ledger.run(queue_sql.mailing_refusal, self._mailing_id)
        if refusal:
            mailings = self._env["mailing.mailing"]
            raise DeliveryStopped(mailings._queue_describe_refusal(refusal))

    def _prepare(self, provider_id, domain):
        if (provider_id, domain) not in self._known:
            self._ledger.run(sql.ensure, provider_id, [domain])
            self._known.add((provider_id, domain))
        # Other mail of the account is at most a step late in our books.
        if time.monotonic() - self._folded.get(provider_id, 0) > STEP:
            if other := self._ledger.run_as_one(sql_counts.fold, provider_id):
                self.note(provider_id, "other", other)
            self._folded[provider_id] = time.monotonic()

    # ------------------------------------------------------------------
    # Replies
    # ------------------------------------------------------------------

    def heed(self, provider_id, reply):
        """Follow a "slow down".

        A wait that the provider states is kept: by the account's jobs if it is long,
        in place if it is not, at a lower rate from then on.

        :param reply: :class:`~odoo.addons.mass_mailing_queue.replies.Reply`
        :raises DeliveryPostponed: if the account is to rest
        :raises AccountBroken: if it accepted nothing for a day
        """
        text = reply.text[:200]
        seconds = self._rest_seconds(provider_id, reply)
        if reply.limit == "connections":
            self._ledger.run(sql_replies.fewer_senders, provider_id, text)
            if seconds <= PATIENCE:
                # The connections that it takes go on.
                raise DeliveryPostponed(reply.text, seconds or random.uniform(5, 15))
        if seconds:
            self._ledger.run(sql_replies.rest, provider_id, seconds, text, text)
        if seconds > PATIENCE:
            watched = self._ledger.run(sql.watch, provider_id)
            if watched is None:
                # Somebody removed the account meanwhile.
                raise DeliveryPostponed(reply.text, 60)
            self._postpone(provider_id, watched[0], seconds, reply.text)
        refusing = self._ledger.run(sql_replies.slow_down, provider_id, text)
        if refusing > sql_replies.MAX_REFUSING:
            raise AccountBroken(reply.text)

    def _rest_seconds(self, provider_id, reply):
        """Return how long to rest: as stated, or until our own oldest mail counts out.

        Other databases may use the account, so without a statement we ask again after a
        few hours at the latest.

        :return: seconds, 0 if the reply neither states them nor is about a quota
        """
        if reply.until:
            # By the clock that "in 20 seconds" was read by.
            left = reply.until - datetime.now(timezone.utc)
            return min(max(left.total_seconds(), STEP), 31 * 86_400)
        if reply.limit not in ("hour", "day", "month"):
            return 0
        if reply.limit == "month":
            return 6 * 3_600
        frees_in = self._ledger.run(
            sql_replies.window_frees_in, provider_id, reply.limit
        )
        shortest = 600 if reply.limit == "hour" else 3_600
        return min(max(frees_in or 0, shortest), 4 * 3_600)

    # ------------------------------------------------------------------
    # Statistics
    # ------------------------------------------------------------------

    def note(self, provider_id, kind, messages=1):
        """Count an outcome; written at most every few seconds."""
        self._counts.setdefault(provider_id, Counter())[kind] += messages
        if time.monotonic() - self._flushed > 5:
            self._flush()

    def note_reply(self, provider_id, reply):
        """Count a reply by what it means."""
        if reply.verdict is not Verdict.SLOW_DOWN:
            kind = KINDS[reply.verdict]
        elif reply.limit in ("hour", "day", "month"):
            kind = "quota"
        else:
            kind = reply.limit or "rate"
        self.note(provider_id, kind)

    def _flush(self):
        for provider_id, counts in self._counts.items():
            try:
                self._ledger.run(sql_counts.count, provider_id, dict(counts))
            except psycopg2.Error as error:
                # Figures for a graph are not worth a job.
                _logger.warning("Not counted (%s)", type(error).__name__)
        self._counts = {}
        self._flushed = time.monotonic()
