"""When campaigns are sent: real workers, real runner, real SMTP."""

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
    draft = scope.shell(database).run(campaigns.build, recipients=150, port=sink.port)
    with scope.server(database, workers=3, channels=CHANNELS) as server:
        rpc = server.rpc()
        normal = copy_and_launch(rpc, draft)
        sink.wait_for_messages(5)
        low = copy_and_launch(rpc, draft, queue_priority="0")
        wait_until(lambda: jobs(database, low) == 150, 60, "all are planned")
        before = len(arrived(sink))
        sink.wait_for_messages(before + 5)
        assert set(arrived(sink)) == {normal}
        rpc.write("mailing.mailing", [low], {"queue_priority": "3"})
        for mailing in (normal, low):
            campaigns.wait_until_done(database, mailing)
    order = arrived(sink)
    assert order.count(normal) == order.count(low) == 150
    first = order.index(low)
    last = len(order) - order[::-1].index(low)
    # A job or two had been chosen already.
    assert order[first:last].count(normal) <= 2
    assert order[last:].count(normal) > 50
