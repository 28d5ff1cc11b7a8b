"""What is filled into a header stays in it, seen from the SMTP server."""

import re
from email import message_from_bytes
from html import unescape
from pathlib import Path

import pytest

from . import campaigns, sending
from .support.ledger import compare
from .support.rpc import RpcError

# Values that end a header's line here or there: in Python's parser of text, in its
# writer of encoded words, in a server's reading.
BREAKS = [
    "A\r\nBcc: victim@evil.test",
    "B\nX-Evil: 1",
    "C\rX-Evil: 1",
    "D\r\n\r\n<b>another body</b>",
    "E\u2028X-Evil: 1",
    "F\x85X-Evil: 1",
    "G\x0bX-Evil: 1",
    "H\x1cX-Evil: 1",
    "I\r\n.\r\nMAIL FROM:<x@evil.test>\r\nRCPT TO:<victim@evil.test>",
    "=?utf-8?q?J=0D=0ABcc=3A_victim=40evil.test?=",
    "=?utf-8?b?Sw0KDQo8Yj5hbm90aGVyIGJvZHk8L2I+?=",
    "=?utf-8?q?L=0D=0A_X=3A_folded=0D=0AX-Evil=3A_1?=",
]
HARMLESS = [
    "Plain",
    "Ünïcode 😀 \u202egnp.exe",
    "M" * 3000,
    'N", victim@evil.test, "',
    "O <victim@evil.test>",
    "P\tTab \x01",
    "=?utf-8?q?Q?=",
    "{{ object.email }} <t t-out='object.email'/>",
    "..",
]
LINE_BREAK = "line ?(break|feed)"


@pytest.fixture(scope="module")
def served(module_scope):
    """A server and a mailing to one recipient, to copy."""
    database, sink, _shell, mailing_id = sending.prepare(
        module_scope, 1, step=None, sink=module_scope.sink(spool=True).start()
    )
    server = module_scope.server(
        database, workers=2, channels="root:1,root.mail:1"
    ).start()
    rpc = server.rpc()
    # Most of these recipients fail, and all of them are to be tried.
    rpc.set_parameter("mass_mailing_queue.pause_failures", "0")
    return database, sink, rpc, mailing_id


def invite(rpc, values):
    """A list with a contact for each value, as its name or its company by turns.

    :return: the list's id, and the value of each address
    """
    contacts = rpc.create("mailing.list", {"name": "Attackers"})
    value_of = {
        f"attacker{number}@example.com": value for number, value in enumerate(values)
    }
    rpc.create(
        "mailing.contact",
        [
            {
                "name": "Ann",
                "company_name": "Acme",
                "email": email,
                "list_ids": [(4, contacts)],
                "company_name" if number % 2 else "name": value,
            }
            for number, (email, value) in enumerate(value_of.items())
        ],
    )
    return contacts, value_of


def launch(served, **values):
    """Send a copy of the mailing to its end, return its id and what arrived."""
    database, sink, rpc, mailing_id = served
    before = len(sink.messages())
    draft = rpc.call("mailing.mailing", "copy", [[mailing_id]])[0]
    rpc.write("mailing.mailing", [draft], values)
    rpc.press("mailing.mailing", "action_launch", [draft])
    campaigns.wait_until_done(database, draft)
    found = {}
    for message in sink.messages()[before:]:
        (recipient,) = message.recipients
        assert recipient not in found
        found[recipient] = Path(message.spooled).read_bytes()
    return draft, found


def headers(raw):
    return sorted(name.lower() for name in message_from_bytes(raw).keys())


def check_headers(messages):
    """Each message has the headers of the others, once, and nothing in between."""
    (names,) = {tuple(headers(raw)) for raw in messages.values()}
    assert "bcc" not in names and len(set(names)) == len(names)
    line = re.compile("|".join(["[ \t]", *(f"{re.escape(name)}:" for name in names)]))
    for raw in messages.values():
        head = raw.partition(b"\r\n\r\n")[0].decode("ascii", "replace")
        for text in re.split(r"\r\n|\r|\n", head):
            assert line.match(text.lower()), text


def test_a_value_that_breaks_out_fails_its_recipient_only(served):
    """Twelve attacks in one job: who arrives is safe, who does not knows why."""
    database, sink, rpc, _mailing_id = served
    rpc.set_parameter("mass_mailing_queue.job_size", "50")
    values = [*BREAKS, "Plain", *BREAKS, *HARMLESS]
    contacts, value_of = invite(rpc, values)
    to_them = {"contact_list_ids": [(6, 0, [contacts])]}
    mailing_id, messages = launch(
        served, subject="{{ object.name }}, {{ object.company_name }}: news", **to_them
    )
    verdict = compare(sink, database, mailing_id, recipients=len(values))
    assert verdict.exactly_once, str(verdict)
    assert {value_of[address] for address in messages} == set(HARMLESS)
    check_headers(messages)
    failures = database.query(
        "SELECT email, failure_reason FROM mailing_trace "
        "WHERE mass_mailing_id = %s AND trace_status = 'error'",
        (mailing_id,),
    )
    assert {value_of[address] for address, _reason in failures} == set(BREAKS)
    for _address, reason in failures:
        assert re.search(LINE_BREAK, reason), reason

    # In a body none of them does anything: everybody gets one, with its words.
    mailing_id, messages = launch(
        served,
        subject="News",
        body_html='<p><t t-out="object.name"/> <t t-out="object.company_name"/></p>',
        **to_them,
    )
    verdict = compare(sink, database, mailing_id, recipients=len(values))
    assert verdict.flawless, str(verdict)
    check_headers(messages)
    for address, raw in messages.items():
        (body,) = (
            part.get_payload(decode=True).decode()
            for part in message_from_bytes(raw).walk()
            if part.get_content_type() == "text/html"
        )
        shown = " ".join(unescape(body).split())
        assert " ".join(value_of[address].split()) in shown


@pytest.mark.parametrize(
    "values",
    [
        {"subject": "News\r\nBcc: victim@evil.test"},
        {"subject": "=?utf-8?q?News=0D=0ABcc=3A_victim=40evil.test?="},
        {"email_from": "news@example.org\nBcc: victim@evil.test"},
        {"email_from": '"=?utf-8?q?A=0ABcc=3A_v=40evil.test?=" <news@example.org>'},
        {"reply_to": "news@example.org\r\nBcc: victim@evil.test"},
    ],
    ids=["subject", "encoded subject", "sender", "encoded sender", "reply-to"],
)
def test_a_header_of_all_is_refused_at_send(served, values):
    """What would fail everybody is said to the marketer before anybody is planned."""
    database, _sink, rpc, mailing_id = served
    draft = rpc.call("mailing.mailing", "copy", [[mailing_id], values])[0]
    with pytest.raises(RpcError, match="line break") as caught:
        rpc.press("mailing.mailing", "action_launch", [draft])
    assert caught.value.name == "odoo.exceptions.UserError"
    assert campaigns.state(database, draft) == "draft"


@pytest.mark.parametrize("name", ["a\r\nX-Evil: 1.txt", "=?utf-8?q?a=0AX-Evil=3A_1?="])
def test_an_attachments_name_stays_in_its_header(served, name):
    """Nobody gets an email with a header that the name of a file made.

    It is the same for everybody, so that nobody fails: the mailing pauses.
    """
    database, sink, rpc, mailing_id = served
    before = len(sink.messages())
    file = rpc.create("ir.attachment", {"name": name, "raw": "x"})
    draft = rpc.call("mailing.mailing", "copy", [[mailing_id]])[0]
    rpc.write("mailing.mailing", [draft], {"attachment_ids": [(6, 0, [file])]})
    rpc.press("mailing.mailing", "action_launch", [draft])
    reason = database.wait_for(
        "SELECT queue_pause_reason FROM mailing_mailing WHERE id = %s AND queue_paused",
        (draft,),
    )
    assert re.search(LINE_BREAK, reason)
    assert len(sink.messages()) == before
    status = "SELECT trace_status FROM mailing_trace WHERE mass_mailing_id = %s"
    assert database.column(status, (draft,)) == ["outgoing"]
