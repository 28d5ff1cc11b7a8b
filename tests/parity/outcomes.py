"""Differences in who gets an email: what they claim, and their proof."""

import re
from collections import Counter
from urllib.parse import quote

from . import mime
from .comparison import MESSAGE, MISSING
from .judged import (
    CANCELLED,
    DUPLICATE,
    OPTED_OUT,
    is_outcome,
    mailing_of_row,
    spelling,
)

#: A recipient that is left out for one of these is nobody's duplicate.
LEFT_OUT = {"mail_bl", "mail_optout", "mail_email_missing", "mail_email_invalid"}


def claims_equal(judged, deviation):
    if not is_outcome(deviation):
        return False
    results = judged.results(deviation.subject)
    return None not in results and (results[0] == DUPLICATE) != (
        results[1] == DUPLICATE
    )


def prove_equal(judged, claimed):
    """Of equal addresses the first by id is mailed; natively the same ones are reached.

    As upstream has it, a recipient is a duplicate when all its addresses were mailed.
    """
    for mailing_id in {deviation.subject[0] for deviation in claimed}:
        natively, reached, spared = set(), set(), set()
        for subject in sorted(judged.queue.traces):
            if subject[0] != mailing_id:
                continue
            addresses = set(judged.addresses_of(subject))
            native, queue = judged.results(subject)
            if queue[1] not in LEFT_OUT:
                assert (queue == DUPLICATE) == (addresses <= reached), subject
            if native[0] != CANCELLED:
                natively |= addresses
            if queue[0] != CANCELLED:
                reached |= addresses
            if is_opted_out(judged, subject):
                spared |= addresses
        assert reached <= natively <= reached | spared, mailing_id


def mailed_addresses(trace):
    """The addresses that the email of a trace goes to."""
    return set((trace["queue_emails"] or trace["email"]).split("\n"))


def claims_stripped(judged, deviation):
    if deviation.field not in ("envelope recipients", "header To"):
        return False
    trace = judged.queue.traces.get(deviation.subject)
    if not trace or not trace["queue_emails"]:
        return False
    addresses = set(judged.addresses_of(deviation.subject))
    return len(mailed_addresses(trace)) < len(addresses)


def prove_stripped(judged, claimed):
    """Others before have the rest of its addresses; nobody else has these."""
    for deviation in claimed:
        trace = judged.queue.traces[deviation.subject]
        others = [
            other
            for subject, other in judged.queue.traces.items()
            if subject[0] == deviation.subject[0]
            and other is not trace
            and other["trace_status"] != CANCELLED
        ]
        mine = mailed_addresses(trace)
        rest = set(judged.addresses_of(deviation.subject)) - mine
        before = [mailed_addresses(one) for one in others if one["id"] < trace["id"]]
        assert rest and rest <= set().union(*before), deviation
        assert not any(mine & mailed_addresses(one) for one in others), deviation
        if deviation.field == "envelope recipients":
            assert set(deviation.queue) == mine, deviation


def is_opted_out(judged, subject):
    """Whether a recipient counts as opted out here, and not natively."""
    native, queue = judged.results(subject)
    return queue == OPTED_OUT and native not in (None, OPTED_OUT)


def claims_opted_out(judged, deviation):
    return is_outcome(deviation) and is_opted_out(judged, deviation.subject)


def prove_opted_out(judged, claimed):
    """The recipient has several addresses, and opted out wherever it is on the list."""
    for subject in {deviation.subject for deviation in claimed}:
        lists = judged.mailings[subject[0]]["contact_list_ids"]
        first, *others = judged.addresses_of(subject)
        outs = [
            row["opt_out"]
            for row in judged.queue.tables.rows("mailing.subscription")
            if row["contact_id"] == subject[1] and row["list_id"] in lists
        ]
        assert others and outs and all(outs), subject
        assert judged.queue.traces[subject]["email"] == first


def claims_unrendered(judged, deviation):
    if not deviation.subject:
        return mailing_of_row(deviation) in judged.stuck
    return (
        deviation.subject[0] in judged.stuck
        and deviation.field is None
        and deviation.native == MISSING
    )


def prove_unrendered(judged, claimed):
    """Natively nobody gets it; here one recipient fails, with the reason."""
    assert len(judged.native.raised) == len(judged.stuck)
    for mailing_id in judged.stuck:
        assert judged.mailings[mailing_id]["state"] == "done"
        assert mailing_id not in {mailing for mailing, _record in judged.native.traces}
        statuses = Counter()
        for subject, trace in judged.queue.traces.items():
            if subject[0] == mailing_id:
                statuses[trace["trace_status"], trace["failure_type"]] += 1
        assert statuses["error", "unknown"] == 1 and statuses["sent", False] > 1


def is_sampled(judged, mailing_id):
    """Whether a mailing is a version of a test, or the winner."""
    return judged.mailings[mailing_id]["ab_testing_enabled"]


def claims_sample(judged, deviation):
    return bool(
        deviation.subject
        and deviation.field is None
        and is_sampled(judged, deviation.subject[0])
    )


def prove_sample(judged, claimed):
    """As many are drawn as natively, nobody twice; the winner goes to the rest."""
    totals = []
    for side in judged.sides:
        drawn = Counter()
        people = Counter()
        for (mailing_id, record_id), trace in side.traces.items():
            if is_sampled(judged, mailing_id):
                drawn[mailing_id, trace["trace_status"]] += 1
                people[record_id] += 1
        assert set(people.values()) == {1}, side.label
        totals.append((drawn, sorted(people)))
    assert totals[0] == totals[1]


#: What is natively made of a link to a place in the email.
PLACE = re.compile(
    r"http://odoo\.parity\.example/r/\[http://odoo\.parity\.example(#\w*) \([^)]*\)\]"
    r"(?:/m/\[its trace\])?"
)


def is_respelled(judged, subject):
    """Whether a recipient is judged or mailed by another address than is written."""
    judged_by = judged.addresses_of(subject)
    mailed = list(map(spelling.mailable, judged_by))
    return not judged.written_addresses_of(subject) == judged_by == mailed


def claims_respelled(judged, deviation):
    return bool(
        deviation.subject
        and judged.addresses_of(deviation.subject)
        and is_respelled(judged, deviation.subject)
    )


def prove_respelled(judged, claimed):
    """They are judged and mailed by the cleaned address, with a domain in ASCII.

    Natively they fail, or the message is the same but for the address.
    """
    for subject in {deviation.subject for deviation in claimed}:
        addresses = judged.addresses_of(subject)
        trace = judged.queue.traces[subject]
        assert trace["email"] == addresses[0], subject
        natively, here = (side.by_subject.get(subject, []) for side in judged.sides)
        reached = [one for it in here for one in it["envelope recipients"]]
        assert set(reached) <= set(map(spelling.mailable, addresses)), subject
        if judged.results(subject)[1] == ("sent", None):
            assert reached and here, subject
        if not natively:
            native, _queue = judged.results(subject)
            assert native == ("error", "mail_email_invalid") or native[0] == CANCELLED
    for deviation in claimed:
        if deviation.table != MESSAGE or deviation.field is None:
            continue
        if "recipients" in deviation.field or deviation.field == "header To":
            continue
        # With a local part that is not ASCII, names are not encoded (RFC 6532).
        locals_ = [
            it.rpartition("@")[0] for it in judged.addresses_of(deviation.subject)
        ]
        if not "".join(locals_).isascii() and (
            "header " in deviation.field or "filename" in deviation.field
        ):
            continue
        texts = [PLACE.sub(r"\1", str(deviation.native)), str(deviation.queue)]
        for written in judged.written_addresses_of(deviation.subject):
            mailed = spelling.clean(written)
            texts[0] = texts[0].replace(quote(written), quote(mailed))
        assert texts[0] == texts[1], str(deviation)


def claims_unmailable(judged, deviation):
    return bool(
        deviation.subject
        and judged.written_addresses_of(deviation.subject)
        and not judged.addresses_of(deviation.subject)
    )


def prove_unmailable(judged, claimed):
    """Natively each fails when it is sent; here nothing is made for them.

    Unless it is left out for another reason: here this one comes first.
    """
    for subject in {deviation.subject for deviation in claimed}:
        native, queue = judged.results(subject)
        assert native in (
            ("error", "mail_email_invalid"),
            DUPLICATE,
            OPTED_OUT,
        ), (subject, native)
        assert queue == (CANCELLED, "mail_email_invalid"), subject
        assert not any(side.by_subject.get(subject) for side in judged.sides), subject


def claims_place(_judged, deviation):
    if deviation.table in ("link.tracker", "link.tracker.code"):
        return deviation.queue == MISSING and "parity.example#" in deviation.row
    return bool(
        isinstance(deviation.native, str)
        and PLACE.search(deviation.native)
        and PLACE.sub(r"\1", deviation.native) == deviation.queue
    )


def prove_place(judged, claimed):
    """Nothing of the text differs but that link, and no other link is missing."""
    assert {deviation.table for deviation in claimed} > {"link.tracker", MESSAGE}


def claims_encoded(judged, deviation):
    return deviation.field == mime.ENCODED


def prove_encoded(judged, claimed):
    """Natively every link is encoded, here none; what they say is compared apart."""
    assert {(one.native, one.queue) for one in claimed} == {(True, False)}
