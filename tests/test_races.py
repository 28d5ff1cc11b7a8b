"""A fan-out that dies, and two people at the same button."""

from . import campaigns, sending
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule


def plan_slowly(env, step, mailing_id, slice_size):
    """Plan slice by slice, and say when one is committed."""
    from odoo.addons.mass_mailing_queue import slicing
    from odoo.addons.mass_mailing_queue.ledger import Ledger, transaction

    slicing.SLICE_SIZE = slice_size
    mailing = env["mailing.mailing"].browse(mailing_id)
    more = True
    with Ledger(env) as ledger:
        while more:
            with transaction(env):
                more = mailing._queue_plan_slice(ledger)
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
    database, sink, shell, mailing_id = sending.prepare(scope, 40, sending.start)
    for slices in (1, 2, 1):
        before = planned(database, mailing_id)
        with shell.start(plan_slowly, mailing_id=mailing_id, slice_size=5) as run:
            for number in range(slices):
                if number:
                    run.go_on()
                run.wait_for("planned")
            run.kill()
        assert planned(database, mailing_id) == before + 5 * slices
    shell.run(sending.run_jobs)
    wait_until(
        lambda: campaigns.state(database, mailing_id) == "done", 30, "it is done"
    )
    verdict = compare(sink, database, mailing_id, recipients=40)
    assert verdict.flawless, str(verdict)


def test_two_fan_outs_do_not_overlap(scope):
    """While one plans, the other finds the lock taken and leaves."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 20, sending.start)

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


def test_a_fan_out_that_looked_before_another_planned(scope):
    """Its snapshot is older than its lock: it looks again, and plans nobody twice."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 20, sending.start)

    def look_and_plan(env, step, mailing_id):
        mailing = env["mailing.mailing"].browse(mailing_id)
        mailing.read(["queue_cursor"])
        step("looked")
        mailing._job_plan()

    with shell.start(look_and_plan, mailing_id=mailing_id) as late:
        late.wait_for("looked")
        with shell.start(plan_slowly, mailing_id=mailing_id, slice_size=5) as first:
            first.wait_for("planned")
            first.kill()
        assert planned(database, mailing_id) == 5
        late.go_on()
        late.result()
    assert planned(database, mailing_id) == 20


def test_cancelled_while_a_worker_composes(scope):
    """The worker cancels those whom Cancel passed over: nobody waits for a cron."""
    database, sink, shell, mailing_id = sending.prepare(scope, 10)

    def compose_and_send(env, step, mailing_id):
        mailing = env["mailing.mailing"].browse(mailing_id)
        traces = mailing.mailing_trace_ids
        mailing._queue_compose_chunk(traces.ids[:5])
        env.flush_all()
        step("composing")
        env.cr.commit()
        mailing._job_send(traces.ids)
        env.cr.commit()

    def cancel(env, step, mailing_id):
        env["mailing.mailing"].browse(mailing_id).action_queue_cancel()

    with shell.start(compose_and_send, mailing_id=mailing_id) as worker:
        worker.wait_for("composing")
        shell.run(cancel, mailing_id=mailing_id)
        shell.run(sending.run_jobs)
        assert campaigns.count(database, mailing_id, "outgoing") == 5
        worker.go_on()
        worker.result()
    assert campaigns.count(database, mailing_id, "cancel") == 10
    shell.run(sending.run_jobs)
    assert campaigns.state(database, mailing_id) == "done"
    assert not sink.messages()


def test_two_jobs_pause_at_once(scope):
    """One pauses it and tells its responsible; the other finds it paused."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 1)

    def pause(env, step, mailing_id):
        from odoo.service.model import retrying

        mailing = env["mailing.mailing"].browse(mailing_id)
        mailing.read(["state", "queue_paused"])
        step("ready")
        retrying(lambda: mailing._job_pause("account", "535 Who are you?"), env)

    with (
        shell.start(pause, mailing_id=mailing_id) as first,
        shell.start(pause, mailing_id=mailing_id) as second,
    ):
        for run in (first, second):
            run.wait_for("ready")
        for run in (first, second):
            run.go_on()
        for run in (first, second):
            run.result()
    told = "SELECT count(*) FROM mail_activity WHERE res_model = 'mailing.mailing'"
    assert database.value(told) == 1


def test_two_workers_that_finish_a_mailing_at_once(scope):
    """H16: one does, the other leaves; no conflict, and what follows happens once."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 3)
    database.execute("UPDATE mailing_trace SET trace_status = 'sent'")

    def finish(env, step, mailing_id):
        mailing = env["mailing.mailing"].browse(mailing_id)
        step("ready")
        result = mailing._job_finish()
        env.flush_all()
        step("finished", result)

    with (
        shell.start(finish, mailing_id=mailing_id) as first,
        shell.start(finish, mailing_id=mailing_id) as second,
    ):
        for run in (first, second):
            run.wait_for("ready")
        first.go_on()
        assert first.wait_for("finished") == "Done."
        # The first has not committed yet: a second one that wrote the mailing, too,
        # would wait for it and then collide with it.
        second.go_on()
        assert second.wait_for("finished", seconds=30) is None
        for run in (first, second):
            run.go_on()
            run.result()
    assert campaigns.state(database, mailing_id) == "done"
    assert database.query("SELECT kpi_mail_required FROM mailing_mailing") == [(True,)]
    told = "SELECT count(*) FROM mail_tracking_value WHERE new_value_char = 'Sent'"
    assert database.query(told) == [(1,)]


def test_two_people_press_each_button_at_once(scope):
    """Send, Pause, Resume, Cancel and Retry by two people do what one would."""
    database, sink, shell, mailing_id = sending.prepare(scope, 10, sending.start)
    press_twice(shell, mailing_id, "action_queue_pause")
    shell.run(sending.run_jobs)
    assert not sink.messages()
    press_twice(shell, mailing_id, "action_queue_resume")
    shell.run(sending.run_jobs)
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
    shell.run(sending.run_jobs)
    assert len(sink.messages()) == 11, "one more for the one that failed"
    assert planned(database, mailing_id) == 10

    other = shell.run(campaigns.build, recipients=10, port=sink.port)
    press_twice(shell, other, "action_launch")
    press_twice(shell, other, "action_queue_cancel")
    shell.run(sending.run_jobs)
    assert campaigns.count(database, other, "outgoing", "process") == 0
    assert len(sink.messages()) == 11


def finish(env, step, mailing_id):
    """Finish the mailing as its job does, and wait once nobody is seen to wait."""
    from odoo.service.model import retrying

    mailing = env["mailing.mailing"].browse(mailing_id)
    looks = type(mailing)._queue_has_open_traces
    steps = ["looked"]

    def look(self):
        found = looks(self)
        if steps:
            step(steps.pop())
        return found

    type(mailing)._queue_has_open_traces = look
    # As queue_job does, a conflict is tried again.
    return retrying(mailing._job_finish, env)


def test_who_is_put_back_while_the_mailing_is_finished_is_sent(scope):
    """The finalizer, which did not see them, collides with the person."""
    database, sink, shell, mailing_id = sending.prepare(scope, 2)
    sink.rules(Rule("rcpt", reply="550 5.1.1 No such user", times=1))
    sending.send_all(shell, mailing_id)
    assert campaigns.count(database, mailing_id, "error") == 1
    with shell.start(finish, mailing_id=mailing_id) as run:
        run.wait_for("looked")
        action = "action_retry_failed"
        with shell.start(press, mailing_id=mailing_id, action=action) as person:
            person.wait_for("ready")
            person.go_on()
            person.result()
        run.go_on()
        assert run.result() == "Not finished yet."
    assert campaigns.state(database, mailing_id) == "sending"
    assert campaigns.count(database, mailing_id, "outgoing") == 1
