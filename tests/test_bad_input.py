"""What a user gets wrong is said in words, over the calls of the web client."""

import pytest

from . import campaigns
from .demo.contacts import ImportFailure, import_file
from .support.rpc import RpcError
from .support.sink_rules import Rule


@pytest.fixture(scope="module")
def server(module_scope):
    database = module_scope.database(campaigns.MODULES)
    channels = "root:2,root.mail:2"
    return module_scope.server(database, workers=3, channels=channels).start()


@pytest.fixture(scope="module")
def shell(module_scope, server):
    return module_scope.shell(server.database)


@pytest.fixture
def served(server, shell, sink):
    """A campaign of three recipients and a session of its marketer."""
    mailing_id = shell.run(campaigns.build, recipients=3, port=sink.port)
    return server.database, sink, mailing_id, server.rpc()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Name;Mail\nAnn;ann@example.com\n", "taken for"),
        (
            b"Name,Email,Mailing Lists\nAnn,ann@example.com,No Such List\n",
            "No Such List",
        ),
    ],
    ids=["columns", "list"],
)
def test_a_malformed_file_imports_nobody(served, tmp_path, content, words):
    """Odoo's own import says what it cannot read; nothing is half imported."""
    database, _sink, _mailing_id, rpc = served
    before = database.query("SELECT count(*) FROM mailing_contact")
    path = tmp_path / "contacts.csv"
    path.write_bytes(content)
    with pytest.raises((ImportFailure, RpcError), match=words):
        import_file(rpc, path, lambda _rows: None)
    assert database.query("SELECT count(*) FROM mailing_contact") == before


def test_what_cannot_be_sent_is_refused_at_send(served):
    """No recipients, no subject, no content, a placeholder that does not exist."""
    database, sink, mailing_id, rpc = served
    for values, words in (
        ({"subject": " "}, "subject"),
        ({"subject": "News", "body_html": "<p><br></p>"}, "empty"),
        ({"body_html": '<p><t t-out="object.nothing"/></p>'}, "placeholder"),
        ({"body_html": "<p>Hello</p>", "contact_list_ids": [(5,)]}, "Nobody"),
    ):
        rpc.write("mailing.mailing", [mailing_id], values)
        with pytest.raises(RpcError, match=words):
            rpc.press("mailing.mailing", "action_launch", [mailing_id])
    assert campaigns.state(database, mailing_id) == "draft"
    assert not sink.messages()


def test_a_refused_sender_pauses_and_says_why(served):
    """Nobody fails for it, and the reason is the server's."""
    database, sink, mailing_id, rpc = served
    sink.rules(Rule("mail", reply="553 5.7.1 not owned by you"))
    rpc.press("mailing.mailing", "action_launch", [mailing_id])
    database.wait_for(
        "SELECT queue_paused FROM mailing_mailing WHERE id = %s", (mailing_id,)
    )
    (reason,) = database.query(
        "SELECT queue_pause_reason FROM mailing_mailing WHERE id = %s", (mailing_id,)
    )[0]
    assert "not owned by you" in reason
    # Another worker may be at it still.
    database.wait_for(
        "SELECT count(*) = 3 FROM mailing_trace "
        "WHERE mass_mailing_id = %s AND trace_status = 'outgoing'",
        (mailing_id,),
    )
    sink.rules()
    rpc.press("mailing.mailing", "action_queue_resume", [mailing_id])
    campaigns.wait_until_done(database, mailing_id)
    assert len(sink.messages()) == 3


def test_each_reply_does_the_right_thing(served):
    """5xx fails one recipient, 4xx keeps one waiting, 250 sends the third."""
    database, sink, mailing_id, rpc = served
    sink.rules(
        Rule("rcpt", match="contact0@", reply="550 5.1.1 unknown user"),
        Rule("rcpt", match="contact1@", reply="450 4.2.0 greylisted", times=1),
    )
    rpc.press("mailing.mailing", "action_launch", [mailing_id])
    mine = "FROM mailing_trace WHERE mass_mailing_id = %s"
    database.wait_for(
        f"SELECT count(*) = 1 {mine} AND trace_status = 'outgoing' "
        "AND queue_attempts = 1 AND queue_next_attempt IS NOT NULL",
        (mailing_id,),
    )
    database.wait_for(
        f"SELECT count(*) = 2 {mine} AND trace_status NOT IN ('outgoing', 'process')",
        (mailing_id,),
    )
    rows = database.query(
        "SELECT email, trace_status, queue_smtp_code, queue_smtp_status "
        f"{mine} ORDER BY email",
        (mailing_id,),
    )
    assert rows == [
        ("contact0@example.com", "error", 550, "5.1.1"),
        ("contact1@example.com", "outgoing", 450, "4.2.0"),
        ("contact2@example.com", "sent", None, None),
    ]
    # What the clock would do in five minutes.
    database.execute("UPDATE mailing_trace SET queue_next_attempt = NULL")
    database.execute(
        "UPDATE queue_job SET eta = now() AT TIME ZONE 'utc' WHERE state = 'pending'"
    )
    campaigns.wait_until_done(database, mailing_id)
    assert campaigns.count(database, mailing_id, "sent") == 2
