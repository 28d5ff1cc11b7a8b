"""Two workers at once, and workers and connections that die at the worst moments."""

import time

from . import campaigns, sending, throttling
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule


def test_two_workers_over_the_same_recipients(scope):
    """H1, H17: one delivery each and one link, however many workers try."""
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
    assert database.query("SELECT count(*) FROM link_tracker") == [(1,)]
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


def test_a_worker_killed_while_it_books_other_mail(scope):
    """What other mail of the account was counted is spent later, and not lost."""
    database, _sink, shell, _mailing = sending.prepare(
        scope, 1, step=None, modules=throttling.MODULES
    )
    database.execute(
        "INSERT INTO mailing_provider_tally "
        "(provider_id, domain, sent_at, messages, recipients) "
        "SELECT id, 'example.org', now(), 7, 7 FROM mailing_provider "
        "ORDER BY id LIMIT 1"
    )

    def fold(env, step):
        from odoo.addons.mass_mailing_queue.ledger import Ledger
        from odoo.addons.mass_mailing_queue_throttle import sql_counts

        ensure = sql_counts.ensure

        def slow(*args):
            step("deleted")
            return ensure(*args)

        sql_counts.ensure = slow
        provider = env["mailing.provider"].search([], order="id", limit=1)
        with Ledger(env) as ledger:
            return ledger.run_as_one(sql_counts.fold, provider.id)

    with shell.start(fold) as worker:
        worker.wait_for("deleted")
        worker.kill()
    with shell.start(fold) as worker:
        worker.wait_for("deleted")
        worker.go_on()
        assert worker.result() == 7
    assert database.value("SELECT count(*) FROM mailing_provider_tally") == 0


def test_h8_connection_lost_before_the_answer(scope):
    """H8, H11: whoever may have the email is listed, and not mailed again by itself."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    sink.rules(Rule("end", action="accept-drop", times=1))
    sending.send_all(shell, mailing_id)

    def retry(env, step, mailing_id):
        env["mailing.mailing"].browse(mailing_id).action_retry_failed()

    shell.run(retry, mailing_id=mailing_id)
    # What the clock would do in a few minutes.
    database.execute("DELETE FROM mailing_queue_outage")
    database.execute("UPDATE mailing_trace SET queue_next_attempt = NULL")
    sending.send_all(shell, mailing_id)
    verdict = compare(sink, database, mailing_id, recipients=3)
    assert verdict.exactly_once and verdict.sent == 3, str(verdict)
    assert len(verdict.in_doubt) == 1
