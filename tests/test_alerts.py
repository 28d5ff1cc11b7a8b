"""Alerts of a real server: a runner that goes and comes back, a campaign at rest."""

import pytest

from . import campaigns, sending
from .support.odoo import RUNNER
from .support.process import wait_until


class Watched:
    """A campaign for five that is planned, and the alerts about it."""

    def __init__(self, scope):
        self.scope = scope
        self.database, self.sink, self.shell, self.mailing = sending.prepare(scope, 5)
        # Nothing is sent but what a test sends.
        self.database.execute("UPDATE queue_job SET eta = now() + interval '1 hour'")

    def check(self):
        """Run the scheduled action that watches."""
        self.shell.run(check)

    def raised(self):
        return self.database.column(
            "SELECT kind FROM mailing_queue_alert WHERE state = 'raised' ORDER BY kind"
        )

    def told(self):
        """What the administrator was told, oldest first."""
        return self.database.column(
            "SELECT subject FROM mail_message WHERE message_type = 'user_notification' "
            "ORDER BY id"
        )

    def age(self, minutes):
        """Let so many minutes pass for the campaign."""
        self.database.execute(
            "UPDATE mailing_mailing SET queue_resumed_at = queue_resumed_at "
            "- %s * interval '1 minute'",
            (minutes,),
        )


def check(env, step):
    env["mailing.queue.alert"]._cron_check()


@pytest.fixture
def watched(scope):
    return Watched(scope)


def test_the_runner_goes_and_comes_back(watched):
    """Nobody is told of one that was never there, and once of one that is missed."""
    watched.check()
    watched.check()
    assert not watched.raised()
    server = watched.scope.server(
        watched.database, workers=2, channels="root:1", cron_threads=0
    )
    with server:
        server.wait_for_worker(RUNNER)
        wait_until(lambda: watched.shell.run(present), 60, "a runner")
        watched.check()
    watched.check()
    assert not watched.raised(), "it may restart"
    watched.check()
    watched.check()
    assert watched.raised() == ["runner"]
    assert watched.told() == ["No job runner"]
    with server:
        wait_until(lambda: watched.shell.run(present), 60, "a runner")
        watched.check()
    assert not watched.raised()
    assert watched.told() == ["No job runner", "Over: No job runner"]


def present(env, step):
    return env["mailing.mailing"]._queue_runner_is_present()


def test_nothing_is_sent_and_then_it_is(watched):
    """Ten minutes without an email; the next one ends it."""
    watched.age(9)
    watched.check()
    assert not watched.raised()
    watched.age(2)
    watched.check()
    watched.check()
    assert watched.raised() == ["stalled"]
    assert watched.told() == ["Nothing is sent"]
    sending.send_all(watched.shell, watched.mailing)
    assert campaigns.count(watched.database, watched.mailing, "sent") == 5
    watched.check()
    assert not watched.raised()
    assert watched.told() == ["Nothing is sent", "Over: Nothing is sent"]
