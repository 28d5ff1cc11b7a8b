"""What a run was: judged by the mail server's ledger, never by what Odoo says alone."""

import re
from collections import Counter

from ..support import ledger
from .faults_recipients import POISONOUS
from .faults_smtp import UNKNOWN
from .world import SENDERS

#: A reply that long is none: SMTP allows 512 bytes (RFC 5321, 4.5.3.1.5).
REPLY_BYTES = 512

#: How often a recipient is tried who breaks each connection, if no worker dies: five
#: attempts, as many over connections that had delivered to others, of which each worker
#: has one, and one more while others are sent to.
MOST_KNOCKS = 15

#: How the reason begins that the reconciler gives for the claim of a dead worker.
STOPPED = "The worker stopped"


def judge(world, result):
    """Fill in the result's figures and problems."""
    traces = ledger.read_traces(world.database, world.mailing_id)
    messages = world.sink.all_messages()
    seen = ledger.judge(
        messages, traces, world.mailing_id, world.audience.expected(traces)
    )
    result.sent = seen.sent
    result.duplicates = len(seen.duplicates)
    result.lost = len(seen.lost)
    result.in_doubt = len(seen.in_doubt)
    if not seen.exactly_once:
        result.problems.append(str(seen))
    claims = dict(
        world.query(
            "SELECT res_id, EXTRACT(EPOCH FROM queue_claimed_at AT TIME ZONE 'utc')"
            "::float FROM mailing_trace WHERE mass_mailing_id = %s "
            "AND queue_claimed_at IS NOT NULL",
            (world.mailing_id,),
        )
    )
    result.problems += world.audience.judge(messages, claims, traces)
    if away := world.audience.mailed_while_away(claims, traces):
        world.note(f"{away} were mailed while they were not on the mailing's list")
    unexplained = explain(world)
    result.explained = result.in_doubt - len(unexplained)
    result.problems += [f"in doubt without a reason: {row}" for row in unexplained]
    failed = world.query(
        "SELECT res_id, email, failure_type, failure_reason FROM mailing_trace "
        "WHERE mass_mailing_id = %s AND trace_status = 'error' "
        "AND failure_type <> %s",
        (world.mailing_id, ledger.IN_DOUBT),
    )
    result.failed = len(failed)
    result.problems += [
        f"failed without a reason: {row}"
        for row in failed
        if not may_fail(world, result, row[0], row[1] or "")
    ]
    tell_poisonous(world)


def may_fail(world, result, record, email):
    """Whether a fault of the run is the reason why this recipient has failed."""
    return (
        ("smtp_5xx" in result.faults and re.search(UNKNOWN, email))
        or (any("poison" in name for name in result.faults) and POISONOUS.search(email))
        or record in world.audience.breakable
    )


def tell_poisonous(world):
    """Note how often each of them was tried, and that this has an end."""
    knocks = world.sink.knocks(POISONOUS.pattern)
    if knocks:
        most, count = knocks.most_common(1)[0]
        world.note(f"{len(knocks)} are poisonous; most often, {count}, knocked {most}")
        if count > MOST_KNOCKS + len(world.deaths):
            world.problems.append(f"{most} was tried {count} times")


def explain(world):
    """The recipients in doubt whom no fault explains.

    A killed worker explains one, a message that the server never answered the one it
    was for, and an outage one for each worker that was sending then. However many
    messages were not answered, no worker leaves more than one claim behind when it is
    killed, or when PostgreSQL loses its lock.
    """
    unanswered = {
        message.message_id
        for message in world.sink.all_messages()
        if message.reply is None or len(message.reply) > REPLY_BYTES
    }
    dead = {*world.deaths, *world.overdue()}
    budget = Counter(dict.fromkeys(dead, 1))
    budget.update({outage: SENDERS for outage in world.outages})
    rows = world.query(
        "SELECT res_id, message_id, split_part(queue_claimed_by, ':', 2)::int, "
        "EXTRACT(EPOCH FROM queue_claimed_at AT TIME ZONE 'utc')::float, "
        "failure_reason "
        "FROM mailing_trace WHERE mass_mailing_id = %s AND trace_status = 'error' "
        "AND failure_type = %s ORDER BY queue_claimed_at",
        (world.mailing_id, ledger.IN_DOUBT),
    )
    unexplained, stopped = [], Counter()
    for row in rows:
        _record, message_id, pid, claimed_at, reason = row
        stopped[pid] += reason.startswith(STOPPED)
        if stopped[pid] > (pid in dead) + len(world.outages):
            unexplained.append(row)
            continue
        if message_id in unanswered:
            continue
        reasons = [pid, *(o for o in world.outages if o.begin <= claimed_at <= o.end)]
        for reason in reasons:
            if budget[reason]:
                budget[reason] -= 1
                break
        else:
            unexplained.append(row)
    return unexplained
