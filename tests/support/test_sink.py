"""The sink gives exactly the answers that it is told to give."""

import os
import smtplib
import ssl
import time

import pytest

from .sink import Rule, Sink

SENDER = "news@sender.test"
ALICE = "alice@one.test"
BOB = "bob@two.test"
TEXT = "Subject: Hello\nMessage-ID: <1@sender.test>\n\nHello\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with Sink(tmp_path_factory.mktemp("sink"), spool=True, peers=True) as sink:
        yield sink


@pytest.fixture
def sink(shared):
    """The shared one, with no rules and only new messages in sight."""
    shared.rules()
    return shared


@pytest.fixture
def client(sink):
    with sink.client(timeout=2) as client:
        client.ehlo()
        yield client
        client.close()


def send(client, recipients=(ALICE,), text=TEXT):
    return client.sendmail(SENDER, list(recipients), text)


def count(sink):
    return len(sink.messages())


def test_accepts_and_records(sink, client):
    text = TEXT.replace("\n\n", "\nList-Unsubscribe:\n <http://x.test/u?a=1>\n\n", 1)
    send(client, [ALICE, BOB], text)
    message = sink.messages()[-1]
    assert message.sender == SENDER
    assert message.recipients == [ALICE, BOB]
    assert message.message_id == "<1@sender.test>"
    assert message.identity == "<http://x.test/u?a=1>"
    assert message.reply.startswith("250")
    assert abs(message.at - time.time()) < 5


@pytest.mark.parametrize("text", [TEXT, "", "\n", "one line", ".\n..\n.x\n", "a\n."])
def test_a_message_arrives_as_it_left(sink, client, text):
    send(client, text=text)
    message = sink.messages()[-1]
    with open(message.spooled, "rb") as stream:
        received = stream.read()
    expected = text if text.endswith("\n") else f"{text}\n"
    assert received == expected.replace("\n", "\r\n").encode()
    assert message.size == len(received)


@pytest.mark.parametrize(
    ("stage", "error"),
    [
        ("mail", smtplib.SMTPSenderRefused),
        ("rcpt", smtplib.SMTPRecipientsRefused),
        ("data", smtplib.SMTPDataError),
        ("end", smtplib.SMTPDataError),
    ],
)
@pytest.mark.parametrize(
    "reply",
    ["550 5.1.1 No such user", "450 4.2.0 Try later", "452 4.5.3 Slow down"],
)
def test_refuses_at_every_stage(sink, client, stage, error, reply):
    sink.rules(Rule(stage, reply=reply))
    before = count(sink)
    with pytest.raises(error) as raised:
        send(client)
    assert reply[:3] in str(raised.value)
    assert reply[4:] in str(raised.value)
    assert count(sink) == before
    sink.rules()
    if stage == "data":
        # The one refusal after which smtplib does not end the transaction.
        with pytest.raises(smtplib.SMTPSenderRefused, match="nested"):
            send(client)
    send(client)
    assert count(sink) == before + 1


def test_refuses_one_recipient_of_two(sink, client):
    sink.rules(Rule("rcpt", match="^bob@", reply="550 5.1.1 No such user"))
    assert list(send(client, [ALICE, BOB])) == [BOB]
    assert sink.messages()[-1].recipients == [ALICE]


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "end"])
def test_an_answer_quotes_the_recipient_and_a_number(sink, client, stage):
    sink.rules(Rule(stage, reply="554 <{text}> is refused, {id}"))
    answers = []
    for _attempt in range(2):
        with pytest.raises(smtplib.SMTPException) as raised:
            send(client)
        client.rset()
        answers.append(str(raised.value))
    quoted = SENDER if stage == "mail" else ALICE
    assert all(f"<{quoted}> is refused" in answer for answer in answers)
    assert answers[0] != answers[1]


def test_knows_at_mail_whom_the_same_piece_names(sink, client):
    sink.rules(Rule("mail", match="^bob@", action="drop"))
    send(client, [ALICE])
    known = sink.knocks("^bob@").total()
    client.send(f"mail FROM:<{SENDER}>\r\nrcpt TO:<{BOB}>\r\ndata\r\n")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.getreply()
    assert sink.knocks("^bob@").total() == known + 1


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "end"])
def test_421_closes_the_connection(sink, client, stage):
    sink.rules(Rule(stage, reply="421 4.7.0 Closing"))
    with pytest.raises(smtplib.SMTPException, match="421"):
        send(client)
    with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
        for _attempt in range(2):
            client.sock or client.ehlo()
            client.noop()


@pytest.mark.parametrize("reply", ["421 4.7.0 Too busy", "554 5.7.1 Go away"])
def test_refuses_a_connection(sink, reply):
    sink.rules(Rule("connect", reply=reply))
    with pytest.raises(smtplib.SMTPConnectError, match=reply[:3]):
        sink.client()


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "end"])
def test_drops_the_connection(sink, client, stage):
    sink.rules(Rule(stage, action="drop"))
    before = count(sink)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(client)
    assert count(sink) == before


def test_drops_with_the_message_accepted(sink, client):
    sink.rules(Rule("end", match="^alice@", action="accept-drop"))
    before = count(sink)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(client)
    assert count(sink) == before + 1
    assert sink.messages()[-1].reply is None


@pytest.mark.parametrize(("action", "delivered"), [("hang", 0), ("accept-hang", 1)])
def test_says_nothing(sink, client, action, delivered):
    sink.rules(Rule("end", action=action))
    before = count(sink)
    client.sock.settimeout(0.2)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        send(client)
    assert count(sink) == before + delivered


def test_waits_before_it_answers(sink, client):
    sink.rules(Rule("rcpt", delay=0.3))
    start = time.monotonic()
    send(client)
    assert time.monotonic() - start >= 0.3


def test_waits_after_it_accepted(sink, client):
    sink.rules(Rule("end", reply_delay=5))
    before = count(sink)
    client.sock.settimeout(0.2)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        send(client)
    assert count(sink) == before + 1


def test_a_rule_is_spent(sink, client):
    sink.rules(Rule("rcpt", reply="450 4.2.0 Try later", times=2))
    for _attempt in range(2):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(client)
    send(client)


def test_a_grey_list(sink, client):
    sink.rules(Rule("rcpt", reply="450 4.2.0 Greylisted", times=1, each=True))
    for recipient in (ALICE, BOB):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(client, [recipient])
        send(client, [recipient])


def test_the_first_rule_that_matches_decides(sink, client):
    sink.rules(Rule("rcpt", match="alice"), Rule("rcpt", reply="550 5.1.1 No"))
    send(client)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(client, [BOB])


def test_any_login_is_good(sink, client):
    before = sink.logins
    client.login("somebody", "something")
    assert sink.logins == before + 1


def test_refuses_a_login_when_told(sink, client):
    before = sink.logins
    sink.rules(Rule("auth", reply="535 5.7.8 Bad credentials"))
    with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
        client.login("somebody", "something")
    assert sink.logins == before


def test_knows_who_connects(sink, client):
    connections = [row for row in sink.sessions() if row["event"] == "connection"]
    assert connections[-1]["pid"] == os.getpid()


def test_one_password(tmp_path):
    with Sink(tmp_path, password="right") as sink, sink.client() as client:
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            client.login("somebody", "wrong")
        client.login("somebody", "right")
        assert sink.logins == 1


def test_stops_and_comes_back_on_its_port_with_its_ledger(tmp_path):
    sink = Sink(tmp_path)
    with sink, sink.client() as client:
        send(client)
        port = sink.port
        sink.stop()
        with pytest.raises(OSError):
            sink.client()
        client.close()
    with sink, sink.client() as client:
        assert sink.port == port
        send(client)
        assert count(sink) == 2


@pytest.mark.parametrize(
    "values",
    [
        {"stage": "body"},
        {"stage": "rcpt", "action": "explode"},
        {"stage": "rcpt", "action": "accept-drop"},
        {"stage": "rcpt", "reply": "no"},
    ],
)
def test_a_rule_that_cannot_work_is_refused(values):
    with pytest.raises(ValueError, match="stage|action|accepted|reply"):
        Rule(**values)


def test_a_limit_is_enforced_within_its_window(sink, client):
    # What others sent has left the window.
    time.sleep(0.5)
    sink.rules(Rule("end", over=2, window=0.5, reply="454 Throttling failure"))
    send(client)
    send(client)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(client)
    assert refused.value.smtp_code == 454
    time.sleep(0.5)
    assert send(client) == {}


def test_garbage_is_no_reply(sink, client):
    sink.rules(Rule("end", action="garbage", times=1))
    before = count(sink)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        send(client)
    assert refused.value.smtp_code == -1
    assert count(sink) == before


def test_tls_is_offered_and_breaks_on_demand(tmp_path):
    with Sink(tmp_path, tls=True) as sink:
        for rule, error in (
            (Rule("tls", reply="454 4.7.0 No TLS"), smtplib.SMTPResponseException),
            (Rule("tls", action="garbage"), ssl.SSLError),
            (Rule("tls", action="drop"), smtplib.SMTPServerDisconnected),
        ):
            sink.rules(rule)
            client = sink.client(timeout=2)
            with pytest.raises(error):
                client.starttls()
            client.close()
        sink.rules()
        with sink.client(timeout=2) as client:
            assert client.starttls()[0] == 220
            client.login("sender", "secret")
            send(client)
        (message,) = sink.messages()
        assert message.connection == sink.connections == 4
