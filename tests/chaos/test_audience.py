"""What the judge of edited audiences finds, and lets pass."""

import time

import pytest

from ..support.ledger import Trace
from ..support.sink import Message
from .audience import LATE, Audience

ANNE, BEN = (1, "anne@example.com"), (2, "ben@example.com")


class Contacts(dict):
    """Addresses that somebody edits."""

    def read(self, records):
        return [(record, self.get(record)) for record in records]


@pytest.fixture
def contacts():
    return Contacts([ANNE, BEN])


@pytest.fixture
def audience(contacts):
    return Audience(7, [ANNE, BEN], [(9, "paula@inside.example")], contacts.read)


def edit(audience, contacts, record, email):
    with audience.edits([record]):
        contacts[record] = email


def message(record, address, reply="250 OK", accepted=True):
    link = f"<http://x/mailing/7/unsubscribe_oneclick?document_id={record}>"
    return Message(
        time.time(),
        1,
        "news@example.org",
        [address],
        "",
        link,
        1,
        accepted,
        reply,
        None,
    )


def judge(audience, *messages, claims=None, traces=()):
    return " ".join(audience.judge(messages, claims or {}, traces))


def test_everybody_once_is_no_problem(audience):
    assert not judge(audience, message(*ANNE), message(*BEN))


def test_an_address_of_two_contacts_gets_one(audience, contacts):
    edit(audience, contacts, 2, "Anne <ANNE@example.com>")
    assert "mailed for 1 and 2" in judge(
        audience, message(*ANNE), message(2, "anne@example.com")
    )
    assert not judge(audience, message(*ANNE))


def test_whose_address_is_edited_is_mailed_there_and_not_long_before(
    audience, contacts
):
    edit(audience, contacts, 1, "new@example.com")
    assert not judge(
        audience, message(1, "new@example.com"), claims={1: time.time() + 99}
    )
    old = message(*ANNE)
    assert not judge(audience, old, claims={1: time.time()})
    assert "that was another one" in judge(
        audience, old, claims={1: time.time() + LATE + 9}
    )


def test_nobody_is_mailed_at_an_address_of_nobody(audience, contacts):
    assert "not theirs" in judge(audience, message(1, "outside@example.com"))
    assert "not theirs" in judge(audience, message(3, "third@example.com"))
    edit(audience, contacts, 2, "nobody at example")
    assert "not theirs" in judge(audience, message(2, "nobody"))


def test_who_is_excluded_is_not_claimed_any_more(audience):
    audience.exclude(["anne@example.com"])
    assert "excluded" in judge(audience, message(*ANNE), claims={1: time.time() + 9})
    assert not judge(audience, message(*ANNE), claims={1: time.time() - 9})


def test_no_contact_is_mailed_while_the_mailing_is_for_partners(audience):
    reopen = audience.close()
    partner = message(9, "paula@inside.example")
    assert not judge(audience, partner, claims={9: time.time() + 9})
    assert "for partners" in judge(
        audience, message(*ANNE), claims={1: time.time() + 9}
    )
    reopen()
    assert not judge(audience, message(*ANNE), claims={1: time.time() + 9})


def test_what_was_not_answered_is_not_sent_again(audience):
    lost = message(*ANNE, reply=None, accepted=False)
    assert "after no answer" in judge(audience, lost, message(*ANNE))


def test_who_is_left_out_needs_a_reason(audience, contacts):
    traces = [Trace(*ANNE, "cancel"), Trace(*BEN, "cancel")]
    assert "cancelled without" in judge(audience, traces=traces)
    edit(audience, contacts, 2, "anne@example.com")
    assert not judge(audience, traces=traces[1:])
