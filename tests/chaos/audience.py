"""Whom a campaign may reach while people edit addresses and lists.

A recipient is known by the address that the mail server sees. What is allowed is kept
by who edits, with the time before and after the edit: what happens in between may be
judged either way.
"""

import contextlib
import re
import time

from ..support import ledger
from .faults_recipients import ADDRESSES

#: How long a message may be composed before it is claimed (seconds): a job starts none
#: after a quarter of `world.TIME_LIMIT`, and half of that later at most.
LATE = 15

#: Partners whose ids are those of contacts, outside of any campaign's audience; and
#: those of another campaign's audience, with ids of their own.
OUTSIDE, INSIDE = "outside.example", "inside.example"
PARTNERS = 5

ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")


def add(env, step, mailing_id, addresses, outside, inside, partners):
    """Give contacts of the audience these addresses; runs inside Odoo.

    And make partners, of whom all but the last ones share their ids with contacts.
    """
    mailing = env["mailing.mailing"].browse(mailing_id)
    contacts = mailing.contact_list_ids.contact_ids.sorted("id")
    every = max(len(contacts) // len(addresses), 1)
    for contact, address in zip(contacts[::every], addresses, strict=False):
        contact.email = address
    newest = (
        env["res.partner"]
        .with_context(active_test=False)
        .search([], order="id DESC", limit=1)
    )
    names = [
        *(f"{n}@{outside}" for n in range(max(contacts.ids) - newest.id)),
        *(f"{n}@{inside}" for n in range(partners)),
    ]
    env["res.partner"].create([{"name": name, "email": name} for name in names])


def prepare(shell, mailing_id):
    """Make a draft's audience one that faults know."""
    shell.run(
        add,
        mailing_id=mailing_id,
        addresses=list(ADDRESSES),
        outside=OUTSIDE,
        inside=INSIDE,
        partners=PARTNERS,
    )


def of(world):
    """The audience of a world's mailing, before anybody has pressed Send."""
    mailed = world.query(
        "SELECT contact.id, contact.email FROM mailing_contact contact "
        "JOIN mailing_subscription sub ON sub.contact_id = contact.id "
        "JOIN mail_mass_mailing_list_rel rel ON rel.mailing_list_id = sub.list_id "
        "WHERE rel.mailing_mailing_id = %s",
        (world.mailing_id,),
    )
    partners = world.query(
        "SELECT id, email FROM res_partner WHERE email LIKE %s", (f"%@{INSIDE}",)
    )

    def read(records):
        return world.query(
            "SELECT id, email FROM mailing_contact WHERE id = ANY(%s)", (list(records),)
        )

    return Audience(world.mailing_id, mailed, partners, read)


class Audience:
    """Who is in it, at which address from when to when, and who is excluded since when.

    :param contacts: pairs of id and address, of those to be mailed
    :param partners: of those who may be, with ids of their own
    :param read: function of contacts' ids that returns such pairs, as they are now
    """

    def __init__(self, mailing_id, contacts, partners, read):
        self.mailing_id = mailing_id
        self.partners = dict(partners)
        #: Whom it may reach: record's id → periods (since, until, address).
        self.addresses = {
            record: [(0, None, normalize(address))]
            for record, address in (*contacts, *partners)
        }
        #: Who must have a trace.
        self.planned = {record for record, _address in contacts}
        #: Address → when everybody knew that it is not to be mailed.
        self.excluded = {}
        #: Whose not being sent to is explained, and whose failing is.
        self.touched, self.breakable = set(), set()
        #: When (since, until) contacts are none of the mailing's recipients, and when
        #: some of them (records) are not on its list.
        self.closed, self.away = [], []
        self._read = read

    # -- what people change ------------------------------------------------------

    @contextlib.contextmanager
    def edits(self, records):
        """Note what becomes of the addresses of these contacts meanwhile."""
        since = time.time()
        yield
        until = time.time()
        found = dict(self._read(records))
        for record in records:
            periods = self.addresses.setdefault(record, [])
            address = normalize(found.get(record))
            if periods and periods[-1][2] == address:
                continue
            self.touched.add(record)
            if periods and periods[-1][1] is None:
                periods[-1] = (periods[-1][0], until, periods[-1][2])
            if address:
                periods.append((since, None, address))
            else:
                self.breakable.add(record)

    def exclude(self, addresses):
        """Nobody is to be mailed at these addresses from now on."""
        now = time.time()
        self.excluded.update({address: now for address in addresses})

    def leave(self, records):
        """These may be mailed, as they are planned, and need not be.

        :return: function to call when they are back
        """
        self.touched.update(records)
        self.planned.difference_update(records)
        return self._period(self.away, set(records))

    def _period(self, periods, records=None):
        period = [time.time(), float("inf"), records]
        periods.append(period)

        def end():
            period[1] = time.time() - 1

        return end

    def close(self):
        """No contact is to be mailed until the function is called that is returned."""
        return self._period(self.closed)

    def address(self, record):
        """Where this one is to be mailed now, None for nowhere."""
        periods = self.addresses.get(record) or [(0, 0, None)]
        return periods[-1][2] if periods[-1][1] is None else None

    # -- what came of it ---------------------------------------------------------

    def expected(self, traces):
        """The records that have to be accounted for: all but who left unplanned."""
        return self.planned | {trace.res_id for trace in traces}

    def judge(self, messages, claims, traces):
        """What must not have happened, in words.

        :param messages: all of the server's, in order
        :param claims: record's id → when it was claimed last (seconds since the epoch)
        :param traces: `ledger.Trace`s
        """
        problems = []
        unanswered, mailed = set(), {}
        for message in messages:
            found = ledger.identity(message.identity)
            if not found or found[0] != self.mailing_id:
                continue
            record = found[1]
            if record in unanswered:
                problems.append(f"{record} is mailed again after no answer")
            if message.reply is None:
                unanswered.add(record)
            if message.accepted:
                for address in message.recipients:
                    problems += self._judge(record, address, claims.get(record, 0))
                    other = mailed.setdefault(address.lower(), record)
                    if other != record:
                        problems.append(f"{address} is mailed for {other} and {record}")
        return problems + self._unexplained(traces)

    def _judge(self, record, address, claimed_at):
        address = normalize(address)
        periods = [
            period for period in self.addresses.get(record, ()) if period[2] == address
        ]
        if not periods:
            return [f"{record} is mailed at {address}, which is not theirs"]
        problems = []
        until = periods[-1][1]
        if until and claimed_at > until + LATE:
            problems.append(
                f"{record} is mailed at {address}, "
                f"{claimed_at - until:.0f} s after that was another one"
            )
        if record not in self.partners and any(
            since <= claimed_at <= until for since, until, _all in self.closed
        ):
            problems.append(f"{record} is mailed though it is for partners")
        since = self.excluded.get(address)
        if since and claimed_at >= since:
            problems.append(
                f"{record} is mailed at {address}, "
                f"{claimed_at - since:.0f} s after that was excluded"
            )
        return problems

    def mailed_while_away(self, claims, traces):
        """How many were sent to while they were not on the mailing's list.

        They were when it was planned: that is no problem.
        """
        return sum(
            trace.delivered
            and any(
                trace.res_id in records and since <= claims.get(trace.res_id, 0) < until
                for since, until, records in self.away
            )
            for trace in traces
        )

    def _unexplained(self, traces):
        """Who was left out without a reason."""
        owners = {}
        for record, periods in self.addresses.items():
            for _since, _until, address in periods:
                owners.setdefault(address, set()).add(record)
        explained = set(self.touched)
        for address, records in owners.items():
            if len(records) > 1 or address in self.excluded:
                explained |= records
        return [
            f"cancelled without a reason: {trace}"
            for trace in traces
            if trace.status == "cancel" and trace.res_id not in explained
        ]


def normalize(email):
    """The address of a field, in small letters; None for what is none.

    >>> normalize("Somebody <Who@Example.com>"), normalize("nobody at example")
    ('who@example.com', None)
    """
    found = ADDRESS.search(email or "")
    return found and found[0].lower()
