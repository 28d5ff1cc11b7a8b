"""Faults that people make by editing addresses while they are being mailed.

Each tells the world's audience what it has changed, see `audience`.
"""

import contextlib

from ..support.process import WaitFailure, wait_until
from ..support.sink_rules import Rule
from .faults import fault
from .faults_people import paused, press_at_once

#: Who is refused until somebody has edited their address: for good, and for now.
MISSPELT, BUSY = r"contact\d*[0258]4@", r"contact\d*[0258]6@"


def contacts(world, statuses, count):
    """Some of the contacts with a trace of one of these statuses, by chance."""
    rows = world.query(
        "SELECT res_id FROM mailing_trace WHERE mass_mailing_id = %s "
        "AND trace_status = ANY(%s) AND model = 'mailing.contact' "
        "AND is_test_trace IS NOT TRUE ORDER BY res_id",
        (world.mailing_id, list(statuses)),
    )
    found = [
        record
        for (record,) in rows
        if record not in world.audience.touched and world.audience.address(record)
    ]
    return world.random.sample(found, min(count, len(found)))


def waiting(world, count):
    return contacts(world, ("outgoing", "process"), count)


def sent(world, count):
    return contacts(world, ("sent",), count)


def edit(world, record, email):
    """Write an address, as on the contact's form."""
    with world.audience.edits([record]):
        world.save("mailing.contact", [record], {"email": email})


def subscriptions(world, records):
    rows = world.query(
        "SELECT sub.id FROM mailing_subscription sub "
        "JOIN mail_mass_mailing_list_rel rel ON rel.mailing_list_id = sub.list_id "
        "WHERE rel.mailing_mailing_id = %s AND sub.contact_id = ANY(%s)",
        (world.mailing_id, list(records)),
    )
    return [row[0] for row in rows]


def opt_out(world, records):
    """Have these leave the list, as the unsubscription page does."""
    world.save("mailing.subscription", subscriptions(world, records), {"opt_out": True})
    world.audience.touched.update(records)
    world.audience.exclude(filter(None, map(world.audience.address, records)))


def edit_addresses_of(world, records):
    """Edit each of these in another way."""
    taken = iter([*waiting(world, 3), *sent(world, 3)])

    def to_new(record):
        edit(world, record, f"moved-{record}@example.com")

    def to_taken(record):
        if other := next(taken, None):
            edit(world, record, world.audience.address(other))

    def to_taken_in_other_letters(record):
        if other := next(taken, None):
            address = world.audience.address(other).upper()
            edit(world, record, f"Somebody Else <{address}>")

    def to_blacklisted(record):
        address = f"blocked-{record}@example.com"
        world.make("mail.blacklist", {"email": address})
        world.audience.exclude([address])
        edit(world, record, address)

    def to_opted_out(record):
        edit(world, record, f"left-{record}@example.com")
        opt_out(world, [record])

    def to_nothing(record):
        edit(world, record, False)

    def to_none(record):
        edit(world, record, "nobody at example")

    ways = (
        to_new,
        to_taken,
        to_blacklisted,
        to_taken_in_other_letters,
        to_opted_out,
        to_nothing,
        to_none,
    )
    for number, record in enumerate(records):
        ways[number % len(ways)](record)
    world.note(f"addresses of {len(records)} contacts are edited")


def cross(world):
    """Two contacts exchange their addresses."""
    pair = waiting(world, 2)
    if len(pair) == 2:
        first, second = map(world.audience.address, pair)
        edit(world, pair[0], second)
        edit(world, pair[1], first)


@fault(hold=3, innocent=True)
def edit_addresses(world):
    """Contacts' addresses are edited while it sends."""
    edit_addresses_of(world, [*waiting(world, 7), *sent(world, 3)])
    yield
    cross(world)


@fault(hold=2, innocent=True)
def edit_addresses_paused(world):
    """Contacts' addresses are edited while it is paused."""
    with paused(world):
        edit_addresses_of(world, [*waiting(world, 14), *sent(world, 3)])
        cross(world)
        yield


@fault(hold=5, innocent=True, early=True)
def edit_addresses_refused(world):
    """Addresses that were refused, for good or for now, are edited, then retried."""
    rules = (
        Rule("rcpt", MISSPELT, "550 5.1.1 No such user: {text}"),
        Rule("rcpt", BUSY, "450 4.2.0 Greylisted"),
    )
    world.note("some recipients are refused, until their addresses are edited")
    world.obey(*rules)
    yield
    with contextlib.suppress(WaitFailure):
        wait_until(lambda: len(refused(world)) >= 7, 60, "some are refused")
    records = refused(world)
    edit_addresses_of(world, records)
    world.obey_no_more(*rules)
    # Whoever is refused before, and noted as failed after the others are put back.
    world.audience.breakable.update(records, refused(world))
    press_at_once(world, "action_retry_failed", people=("operator",))


def refused(world):
    """The contacts that were, and whom nobody has edited since."""
    rows = world.query(
        "SELECT res_id FROM mailing_trace WHERE mass_mailing_id = %s "
        "AND email ~ %s AND trace_status IN ('error', 'outgoing') "
        "AND queue_attempts > 0 ORDER BY res_id",
        (world.mailing_id, f"{MISSPELT}|{BUSY}"),
    )
    return [record for (record,) in rows if record not in world.audience.touched]
