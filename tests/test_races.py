"""C1 and C7 from outside: a fan-out that dies, and two people at the same button."""

from . import campaigns
from .support.ledger import compare
from .support.process import wait_until


def plan_slowly(env, step, mailing_id, slice_size):
    """Plan slice by slice, and say when one is committed."""
    from odoo.addons.mass_mailing_queue import slicing
    from odoo.addons.mass_mailing_queue.ledger import transaction

    slicing.SLICE_SIZE = slice_size
    mailing = env["mailing.mailing"].browse(mailing_id)
    more = True
    while more:
        with transaction(env):
            more = mailing._queue_plan_slice()
        step("planned")


def press(env, step, mailing_id, action):
    """Press a button in a transaction that both users have begun."""
    from odoo.service.model import retrying

    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.read(["state", "queue_paused", "queue_cancelled"])
    step("ready")

    def pressed():
        getattr(mailing, action)()
        env.cr.flush()

    # As the web client's request: a serialization failure is tried again.
    retrying(pressed, env)


def start(env, step, mailing_id):
    """Send, up to the fan-out job."""
    env["mailing.mailing"].browse(mailing_id).action_send_mail()


def run_jobs(env, step):
    """Run whatever jobs wait, as the scheduled action does without a runner."""
    env["mailing.mailing"]._queue_run_without_runner()


def prepare(scope, recipients):
    database = scope.database(campaigns.MODULES)
    sink = scope.sink().start()
    shell = scope.shell(database)
    mailing_id = shell.run(campaigns.build, recipients=recipients, port=sink.port)
    shell.run(start, mailing_id=mailing_id)
    return database, sink, shell, mailing_id


def planned(database, mailing_id):
    query = "SELECT count(*) FROM mailing_trace WHERE mass_mailing_id = %s"
    return database.query(query, (mailing_id,))[0][0]


def press_twice(shell, mailing_id, action):
    """Two sessions press the button at the same moment."""
    with (
        shell.start(press, mailing_id=mailing_id, action=action) as first,
        shell.start(press, mailing_id=mailing_id, action=action) as second,
    ):
        for run in (first, second):
            run.wait_for("ready")
        for run in (first, second):
            run.go_on()
        for run in (first, second):
            run.result()


def test_fan_out_killed_after_any_slice_goes_on(scope):
    """Each slice that was committed stays planned, once; the rest follows."""
    database, sink, shell, mailing_id = prepare(scope, 40)
    for slices in (1, 2, 1):
        before = planned(database, mailing_id)
        with shell.start(plan_slowly, mailing_id=mailing_id, slice_size=5) as run:
            for number in range(slices):
                if number:
                    run.go_on()
                run.wait_for("planned")
            run.kill()
        assert planned(database, mailing_id) == before + 5 * slices
    shell.run(run_jobs)
    wait_until(
        lambda: campaigns.state(database, mailing_id) == "done", 30, "it is done"
    )
    verdict = compare(sink, database, mailing_id, recipients=40)
    assert verdict.flawless, str(verdict)


def test_two_fan_outs_do_not_overlap(scope):
    """While one plans, the other finds the lock taken and leaves."""
    database, _sink, shell, mailing_id = prepare(scope, 20)

    def hold(env, step, mailing_id):
        from odoo.addons.mass_mailing_queue import sql

        sql.try_lock(env.cr, sql.LOCK_PLAN, mailing_id)
        step("holding")

    with shell.start(hold, mailing_id=mailing_id) as holder:
        holder.wait_for("holding")
        with shell.start(plan_slowly, mailing_id=mailing_id, slice_size=5) as other:
            other.wait_for("planned")
            assert planned(database, mailing_id) == 0
            other.kill()
        holder.go_on()
        holder.result()


def test_two_people_press_each_button_at_once(scope):
    """Send, Pause, Resume, Cancel and Retry by two people do what one would."""
    database, sink, shell, mailing_id = prepare(scope, 10)
    press_twice(shell, mailing_id, "action_queue_pause")
    shell.run(run_jobs)
    assert not sink.messages()
    press_twice(shell, mailing_id, "action_queue_resume")
    shell.run(run_jobs)
    assert campaigns.state(database, mailing_id) == "done"
    verdict = compare(sink, database, mailing_id, recipients=10)
    assert verdict.flawless, str(verdict)

    database.execute(
        "UPDATE mailing_trace SET trace_status = 'error', failure_type = 'unknown' "
        "WHERE mass_mailing_id = %s AND res_id = (SELECT min(res_id) "
        "FROM mailing_trace WHERE mass_mailing_id = %s)",
        (mailing_id, mailing_id),
    )
    press_twice(shell, mailing_id, "action_retry_failed")
    shell.run(run_jobs)
    assert len(sink.messages()) == 11, "one more for the one that failed"
    assert planned(database, mailing_id) == 10

    other = shell.run(campaigns.build, recipients=10, port=sink.port)
    press_twice(shell, other, "action_launch")
    press_twice(shell, other, "action_queue_cancel")
    shell.run(run_jobs)
    assert campaigns.count(database, other, "outgoing", "process") == 0
    assert len(sink.messages()) == 11
