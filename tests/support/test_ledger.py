"""The judge tells apart what went right, twice, wrong, missing and unknown."""

import doctest

import pytest

from . import ledger
from .ledger import Trace, judge
from .sink import Message

MAILING = 3


def message(record, address=None, mailing=MAILING, accepted=True):
    link = f"<http://x/mailing/{mailing}/unsubscribe_oneclick?document_id={record}>"
    return Message(
        at=0.0,
        connection=1,
        sender="news@sender.test",
        recipients=[address or f"r{record}@one.test"],
        message_id=f"<{record}@sender.test>",
        identity=link if mailing else "",
        size=1,
        accepted=accepted,
        reply="250 OK",
        spooled=None,
    )


def trace(record, status="sent", failure_type=None):
    return Trace(record, f"r{record}@one.test", status, failure_type)


def figures(verdict):
    return {
        name: value
        for name, value in vars(verdict).items()
        if value and name in ("duplicates", "lost", "in_doubt", "unrecorded")
    }


def test_examples():
    assert doctest.testmod(ledger).failed == 0


def test_everybody_got_one():
    verdict = judge([message(1), message(2)], [trace(1), trace(2, "open")], MAILING)
    assert verdict.summary() == (
        "recipients=2 sent=2 unique=2 duplicates=0 lost=0 in_doubt=0"
    )
    assert verdict.flawless


@pytest.mark.parametrize(
    ("messages", "traces", "expected"),
    [
        ([message(1), message(1)], [trace(1)], {"duplicates": [1]}),
        # Two records with one address: the person got two.
        (
            [message(1), message(2, "R1@one.test")],
            [trace(1), trace(2)],
            {"duplicates": [2]},
        ),
        # One record whose address changed between: the person got two.
        ([message(1), message(1, "new@one.test")], [trace(1)], {"duplicates": [1]}),
        ([], [trace(1)], {"lost": [1]}),
        ([], [trace(1, "outgoing")], {"lost": [1]}),
        ([], [trace(1, "process")], {"lost": [1]}),
        ([], [trace(1, "error", "mail_smtp")], {}),
        ([message(1)], [trace(1, "bounce")], {}),
        ([message(1)], [trace(1, "outgoing")], {"unrecorded": [1]}),
        ([message(1)], [trace(1, "error", "mail_smtp")], {"unrecorded": [1]}),
        ([message(1)], [trace(1, "error", "queue_in_doubt")], {"in_doubt": [1]}),
        ([], [trace(1, "error", "queue_in_doubt")], {"in_doubt": [1]}),
    ],
)
def test_what_can_go_wrong(messages, traces, expected):
    verdict = judge(messages, traces, MAILING)
    assert figures(verdict) == expected
    assert verdict.exactly_once == (not expected or "in_doubt" in expected)
    assert not verdict.flawless or traces[0].delivered


def test_cancelled_ones_are_no_recipients():
    verdict = judge([message(1)], [trace(1), trace(2, "cancel")], MAILING)
    assert verdict.recipients == 1
    assert verdict.flawless


def test_recipients_without_a_trace_are_lost():
    verdict = judge([message(1)], [trace(1)], MAILING, recipients=[1, 2])
    assert verdict.lost == [2]
    verdict = judge([message(1)], [trace(1)], MAILING, recipients=2)
    assert verdict.lost == [None]
    assert verdict.recipients == 2


def test_somebody_who_was_no_recipient():
    verdict = judge([message(1), message(9)], [trace(1)], MAILING)
    assert verdict.strangers == [9]
    assert not verdict.exactly_once


def test_other_mail_does_not_count():
    messages = [message(1), message(2, mailing=4), message(3, mailing=None)]
    messages.append(message(1, accepted=False))
    verdict = judge(messages, [trace(1)], MAILING)
    assert verdict.sent == 1
    assert verdict.flawless
