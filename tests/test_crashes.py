"""C4 from outside: two workers at once, and workers that die at the worst moments."""

import time

from . import campaigns, sending
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule


def test_two_workers_over_the_same_recipients(scope):
    """H1: one delivery each, however many workers try."""
    database, sink, shell, mailing_id = sending.prepare(scope, 100)
    with (
        shell.start(sending.send, mailing_id=mailing_id) as first,
        shell.start(sending.send, mailing_id=mailing_id) as second,
    ):
        first.wait_for("ready")
        second.wait_for("ready")
        first.go_on()
        second.go_on()
        first.result()
        second.result()
    assert campaigns.count(database, mailing_id, "sent") == 100
    verdict = compare(sink, database, mailing_id, recipients=100)
    assert verdict.flawless, str(verdict)


def kill_during(scope, rule):
    """Kill a worker while the server obeys ``rule``; recover; send the rest."""
    database, sink, shell, mailing_id = sending.prepare(scope, 5)
    sink.rules(rule)
    with shell.start(sending.send, mailing_id=mailing_id) as run:
        run.wait_for("ready")
        run.go_on()
        sink_waits(database, mailing_id)
        run.kill()
    sink.rules()
    shell.run(sending.reconcile)
    assert campaigns.count(database, mailing_id, "process") == 0
    sending.send_all(shell, mailing_id)
    return database, sink, mailing_id


def sink_waits(database, mailing_id):
    """Wait until a recipient is claimed and its message is with the server."""
    wait_until(
        lambda: campaigns.count(database, mailing_id, "process") == 1, 60, "a claim"
    )
    # The claim is committed just before the message leaves; the server then holds it.
    time.sleep(1)


def test_worker_killed_before_the_server_accepts(scope):
    """The one under way is in doubt, the others get theirs once."""
    database, sink, mailing_id = kill_during(scope, Rule("end", action="hang", times=1))
    assert campaigns.count(database, mailing_id, "sent") == 4
    assert campaigns.count(database, mailing_id, "error") == 1
    assert len(sink.messages()) == 4


def test_h11_worker_killed_after_the_server_accepted(scope):
    """H11: accepted, unrecorded, and yet not sent a second time."""
    database, sink, mailing_id = kill_during(
        scope, Rule("end", reply_delay=30, times=1)
    )
    assert campaigns.count(database, mailing_id, "sent") == 4
    assert campaigns.count(database, mailing_id, "error") == 1
    verdict = compare(sink, database, mailing_id, recipients=5)
    assert len(sink.messages()) == 5
    assert verdict.exactly_once, str(verdict)
