"""When campaigns are sent: real workers, real runner, real SMTP."""

import time

import pytest

from . import campaigns
from .support import ledger
from .support.process import wait_until

pytestmark = pytest.mark.slow

#: One email at a time, so that the order of the arrivals is that of the jobs.
CHANNELS = "root:2,root.mail:1"


def copy_and_launch(rpc, draft, **values):
    """Press Send on a copy of the campaign, return its id."""
    (mailing,) = rpc.call("mailing.mailing", "copy", [[draft], values])
    rpc.press("mailing.mailing", "action_launch", [mailing])
    return mailing


def arrived(sink):
    """The mailing of each message, in the order of their arrival."""
    return [ledger.identity(message.identity)[0] for message in sink.messages()]


def jobs(database, mailing):
    query = "SELECT count(*) FROM queue_job WHERE mailing_id = %s AND method_name = %s"
    return database.query(query, (mailing, "_job_send"))[0][0]


def test_an_urgent_campaign_overtakes_and_a_change_is_taken_up(scope):
    """Low waits for what is under way; made urgent it goes before the rest of it."""
    database = scope.database(campaigns.MODULES)
    sink = scope.sink().start()
    draft = scope.shell(database).run(campaigns.build, recipients=80, port=sink.port)
    with scope.server(database, workers=3, channels=CHANNELS) as server:
        rpc = server.rpc()
        normal = copy_and_launch(rpc, draft)
        sink.wait_for_messages(5)
        low = copy_and_launch(rpc, draft, queue_priority="0")
        wait_until(lambda: jobs(database, low) == 80, 60, "all are planned")
        before = len(arrived(sink))
        sink.wait_for_messages(before + 5)
        assert set(arrived(sink)) == {normal}
        rpc.write("mailing.mailing", [low], {"queue_priority": "3"})
        for mailing in (normal, low):
            campaigns.wait_until_done(database, mailing)
    order = arrived(sink)
    assert order.count(normal) == order.count(low) == 80
    first = order.index(low)
    last = len(order) - order[::-1].index(low)
    # A job or two had been chosen already.
    assert order[first:last].count(normal) <= 2
    assert order[last:].count(normal) > 20


def hours_until(moment):
    """The values of hours that are open until then, in seconds since the epoch."""
    hour = moment / 3600 % 24
    return {
        "tz": "UTC",
        "hour_from": (hour - 12) % 24,
        "hour_to": hour,
        "sat": True,
        "sun": True,
    }


def waiting(database, mailing):
    """How many send jobs wait for a time that is minutes away."""
    query = (
        "SELECT count(*) FROM queue_job WHERE mailing_id = %s AND state = 'pending' "
        "AND method_name = '_job_send' "
        "AND eta > now() AT TIME ZONE 'utc' + interval '5 minutes'"
    )
    return database.query(query, (mailing,))[0][0]


def test_nothing_leaves_outside_of_the_sending_hours(scope):
    """It begins when they begin, and stops within one message a worker when they end.

    Meanwhile all jobs wait together; nobody is mailed twice or forgotten in the end.
    """
    workers = 4
    database = scope.database(campaigns.MODULES)
    sink = scope.sink().start()
    draft = scope.shell(database).run(campaigns.build, recipients=300, port=sink.port)
    channels = f"root:{workers + 1},root.mail:{workers}"
    with scope.server(database, workers=workers + 2, channels=channels) as server:
        rpc = server.rpc()
        over = {"name": "Hours", **hours_until(time.time() - 3600)}
        hours = rpc.save("mailing.queue.hours", over)
        mailing = copy_and_launch(rpc, draft, queue_hours_id=hours)
        wait_until(lambda: waiting(database, mailing) == 300, 120, "all jobs wait")
        assert not sink.messages()

        end = time.time() + 6
        rpc.save("mailing.queue.hours", hours_until(end), hours)
        sink.wait_for_messages(10)
        wait_until(
            lambda: (
                waiting(database, mailing)
                == campaigns.count(database, mailing, "outgoing")
                > 0
            ),
            120,
            "all jobs wait again",
        )
        assert sum(message.at > end for message in sink.messages()) <= workers
        arrived_by_then = sink.count()
        reconciler = rpc.reference("mass_mailing_queue.ir_cron_queue_reconcile")
        rpc.press("ir.cron", "method_direct_trigger", [reconciler])
        left = campaigns.count(database, mailing, "outgoing")
        assert waiting(database, mailing) == left
        assert sink.count() == arrived_by_then == 300 - left

        rpc.write("mailing.mailing", [mailing], {"queue_hours_id": False})
        campaigns.wait_until_done(database, mailing)
    verdict = ledger.compare(sink, database, mailing, recipients=300)
    assert verdict.flawless, str(verdict)
    attempts = database.query("SELECT max(queue_attempts) FROM mailing_trace")
    assert attempts == [(1,)]
