"""C4 from outside: two workers at once, and workers that die at the worst moments."""

import time

from . import campaigns
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule


def plan(env, step, mailing_id):
    """Plan everybody, without anybody to run the jobs."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.action_send_mail()
    env.cr.commit()
    mailing._job_plan()
    return mailing.mailing_trace_ids.ids


def send(env, step, mailing_id):
    """Send to everybody who waits, as a job would."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    step("ready")
    mailing.mailing_trace_ids._send()


def reconcile(env, step):
    """Run the reconciler now, as if claims were old enough to be judged."""
    env.cr.execute(
        "UPDATE mailing_trace SET queue_claimed_at = queue_claimed_at "
        "- interval '1 minute' WHERE trace_status = 'process'"
    )
    env.cr.commit()
    env["mailing.mailing"]._cron_queue_reconcile()


def prepare(scope, recipients):
    database = scope.database(campaigns.MODULES)
    sink = scope.sink().start()
    shell = scope.shell(database)
    mailing_id = shell.run(campaigns.build, recipients=recipients, port=sink.port)
    shell.run(plan, mailing_id=mailing_id)
    return database, sink, shell, mailing_id


def test_two_workers_over_the_same_recipients(scope):
    """H1: one delivery each, however many workers try."""
    database, sink, shell, mailing_id = prepare(scope, 100)
    with (
        shell.start(send, mailing_id=mailing_id) as first,
        shell.start(send, mailing_id=mailing_id) as second,
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
    database, sink, shell, mailing_id = prepare(scope, 5)
    sink.rules(rule)
    with shell.start(send, mailing_id=mailing_id) as run:
        run.wait_for("ready")
        run.go_on()
        sink_waits(database, mailing_id)
        run.kill()
    sink.rules()
    shell.run(reconcile)
    assert campaigns.count(database, mailing_id, "process") == 0
    with shell.start(send, mailing_id=mailing_id) as run:
        run.wait_for("ready")
        run.go_on()
        run.result()
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
