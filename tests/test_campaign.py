"""Whole campaigns: real workers, real runner, real SMTP."""

import pytest

from . import campaigns
from .support.ledger import compare
from .support.process import free_port, wait_until

pytestmark = pytest.mark.slow

CHANNELS = "root:2,root.mail:2"


def test_a_campaign_with_workers_and_one_recipient_a_job(scope):
    """Everybody gets one message, and a process logs in once and not once per job."""
    database = scope.database(campaigns.MODULES)
    sink = scope.sink(peers=True).start()
    mailing_id = scope.shell(database).run(
        campaigns.build, recipients=120, port=sink.port
    )
    with scope.server(database, workers=3, channels=CHANNELS) as server:
        server.rpc().press("mailing.mailing", "action_launch", [mailing_id])
        campaigns.wait_until_done(database, mailing_id)
        workers = len(server.worker_pids())
    verdict = compare(sink, database, mailing_id, recipients=120)
    assert verdict.flawless, str(verdict)
    jobs = database.query(
        "SELECT count(*) FROM queue_job WHERE method_name = '_job_send'"
    )
    assert jobs == [(120,)]
    assert sink.logins <= 2 * workers
    assert not database.query("SELECT id FROM mail_mail WHERE queue_managed")


def test_an_empty_configuration_sends_and_a_runner_takes_over(scope):
    """Without a runner the scheduled action sends; one that appears repeats nobody.

    So, too, where the mail server wants its commands one by one.
    """
    database = scope.database(campaigns.MODULES)
    sink = scope.sink(pipelining=False).start()
    mailing_id = scope.shell(database).run(
        campaigns.build, recipients=500, port=sink.port
    )
    with scope.server(database) as server:
        server.rpc().press("mailing.mailing", "action_launch", [mailing_id])
        wait_until(
            lambda: campaigns.count(database, mailing_id, "sent") > 50, 120, "50 sent"
        )
        with scope.server(database, label="runner", workers=3, channels=CHANNELS):
            campaigns.wait_until_done(database, mailing_id)
    verdict = compare(sink, database, mailing_id, recipients=500)
    assert verdict.flawless, str(verdict)


def test_an_outage_fails_nobody(scope):
    """H9: with nobody listening, everybody waits until it is back."""
    database = scope.database(campaigns.MODULES)
    port = free_port()
    mailing_id = scope.shell(database).run(campaigns.build, recipients=20, port=port)
    with scope.server(database, workers=3, channels=CHANNELS) as server:
        server.rpc().press("mailing.mailing", "action_launch", [mailing_id])
        wait_until(
            lambda: database.query("SELECT failures FROM mailing_queue_outage"),
            60,
            "the outage is noticed",
        )
        assert campaigns.count(database, mailing_id, "outgoing", "process") == 20
        sink = scope.sink(port=port).start()
        # What the clock would do in a minute.
        database.execute(
            "UPDATE mailing_queue_outage SET retry_at = now() AT TIME ZONE 'utc'"
        )
        database.execute("UPDATE queue_job SET eta = NULL WHERE state = 'pending'")
        campaigns.wait_until_done(database, mailing_id)
    verdict = compare(sink, database, mailing_id, recipients=20)
    assert verdict.flawless, str(verdict)
