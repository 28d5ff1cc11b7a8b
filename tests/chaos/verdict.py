"""What a run was: judged by the mail server's ledger, never by what Odoo says alone."""

import re
from collections import Counter

from ..support import ledger
from .faults_smtp import UNKNOWN
from .world import SENDERS

#: A reply that long is none: SMTP allows 512 bytes (RFC 5321, 4.5.3.1.5).
REPLY_BYTES = 512

#: How the reason begins that the reconciler gives for the claim of a dead worker.
STOPPED = "The worker stopped"


def judge(world, result):
    """Fill in the result's figures and problems."""
    seen = ledger.compare(
        world.sink, world.database, world.mailing_id, world.recipients
    )
    result.sent = seen.sent
    result.duplicates = len(seen.duplicates)
    result.lost = len(seen.lost)
    result.in_doubt = len(seen.in_doubt)
    if not seen.exactly_once:
        result.problems.append(str(seen))
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
        if not ("smtp_5xx" in result.faults and re.search(UNKNOWN, row[1]))
    ]


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
