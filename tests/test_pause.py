"""Pause and Cancel at full speed, by the SMTP server's own clock."""

import time

import pytest

from . import campaigns
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule

WORKERS = 4
RECIPIENTS = 80
#: Each worker is in the middle of a message when somebody presses (seconds).
DELAY = 0.25


@pytest.fixture
def sending(scope):
    """A campaign that four workers send, a fifth of which has arrived.

    :return: database, sink, the mailing's id, a session
    """
    sink = scope.sink().start()
    database = scope.database(campaigns.MODULES)
    mailing = scope.shell(database).run(
        campaigns.build, recipients=RECIPIENTS, port=sink.port
    )
    server = scope.server(
        database,
        workers=WORKERS + 2,
        channels=f"root:{WORKERS},root.mail:{WORKERS}",
    ).start()
    rpc = server.rpc()
    rpc.set_parameter("mass_mailing_queue.job_size", "20")
    sink.rules(Rule("end", delay=DELAY))
    rpc.press("mailing.mailing", "action_launch", [mailing])
    busy = "SELECT count(DISTINCT queue_claimed_by) FROM mailing_trace"
    wait_until(lambda: database.value(busy) == WORKERS, 60, "all of them to send")
    wait_until(lambda: sink.count() >= RECIPIENTS // 5, 60, "a fifth has arrived")
    return database, sink, mailing, rpc


def press(sending, button):
    """Press it, and see what is under way arrive, and nothing else."""
    _database, sink, mailing, rpc = sending
    rpc.press("mailing.mailing", button, [mailing])
    pressed = time.time()
    # Time for four more of each worker.
    time.sleep(5 * DELAY)
    late = [message for message in sink.messages() if message.at > pressed]
    assert len(late) <= WORKERS
    assert sink.count() < RECIPIENTS


def test_pause_stops_within_one_message_of_each_worker(sending):
    """Resume sends to the rest, and to nobody twice."""
    database, sink, mailing, rpc = sending
    press(sending, "action_queue_pause")
    sink.rules()
    rpc.press("mailing.mailing", "action_queue_resume", [mailing])
    campaigns.wait_until_done(database, mailing)
    verdict = compare(sink, database, mailing, RECIPIENTS)
    assert verdict.flawless, str(verdict)


def test_cancel_stops_within_one_message_of_each_worker(sending):
    """The rest is cancelled, and nobody else is."""
    database, sink, mailing, _rpc = sending
    press(sending, "action_queue_cancel")
    campaigns.wait_until_done(database, mailing)
    verdict = compare(sink, database, mailing, RECIPIENTS)
    assert verdict.statuses == {"sent": sink.count(), "cancel": len(verdict.lost)}
    assert not verdict.duplicates, str(verdict)
