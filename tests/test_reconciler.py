"""Each repair of the reconciler, after what a crash leaves in a real database."""

from . import campaigns, sending
from .support.ledger import compare


def finish(shell):
    shell.run(sending.reconcile)
    shell.run(sending.run_jobs)


def check(database, sink, mailing_id, recipients):
    assert campaigns.state(database, mailing_id) == "done"
    verdict = compare(sink, database, mailing_id, recipients=recipients)
    assert verdict.flawless, str(verdict)


def test_waiting_recipients_without_a_job(scope):
    """Their jobs are gone: they get new ones."""
    database, sink, shell, mailing_id = sending.prepare(scope, 10)
    database.execute("DELETE FROM queue_job WHERE method_name = '_job_send'")
    finish(shell)
    check(database, sink, mailing_id, 10)


def test_a_plan_that_stopped(scope):
    """The fan-out job is gone before it began: it is enqueued again."""
    database, sink, shell, mailing_id = sending.prepare(scope, 10, sending.start)
    database.execute("DELETE FROM queue_job")
    finish(shell)
    check(database, sink, mailing_id, 10)


def test_jobs_with_nobody_to_send_to(scope):
    """Jobs that wait for tomorrow with nobody left are cancelled today."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 3)
    database.execute("UPDATE queue_job SET eta = now() + interval '1 day'")
    database.execute("UPDATE mailing_trace SET trace_status = 'cancel'")
    shell.run(sending.reconcile)
    states = database.query(
        "SELECT DISTINCT state FROM queue_job WHERE method_name = '_job_send'"
    )
    assert states == [("cancelled",)]
    shell.run(sending.run_jobs)
    assert campaigns.state(database, mailing_id) == "done"


def test_mails_of_settled_recipients(scope):
    """Recorded as sent and never settled: the mails go, nobody is mailed again."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    shell.run(sending.compose, mailing_id=mailing_id)
    database.execute(
        "UPDATE mailing_trace SET trace_status = 'sent', sent_datetime = now()"
    )
    finish(shell)
    assert database.query("SELECT count(*) FROM mail_mail") == [(0,)]
    assert campaigns.state(database, mailing_id) == "done"
    assert not sink.messages()


def test_a_mailing_that_nobody_finished(scope):
    """Everybody is settled and the finishing job is gone."""
    database, sink, shell, mailing_id = sending.prepare(scope, 5)
    sending.send_all(shell, mailing_id)
    database.execute("DELETE FROM queue_job")
    assert campaigns.state(database, mailing_id) == "sending"
    finish(shell)
    check(database, sink, mailing_id, 5)


def test_a_live_claim_is_left_alone(scope):
    """However old it looks, a claim whose worker lives is not in doubt."""
    database, sink, shell, mailing_id = sending.prepare(scope, 1)

    def hold(env, step, mailing_id):
        from odoo.addons.mass_mailing_queue import sql
        from odoo.addons.mass_mailing_queue.ledger import Ledger

        trace = env["mailing.mailing"].browse(mailing_id).mailing_trace_ids
        sql.try_lock(env.cr, sql.LOCK_CLAIM, 77)
        with Ledger(env) as ledger:
            ledger.run(sql.claim, trace.id, 77, "node:1", "<id>", 1, [])
        step("claimed")

    with shell.start(hold, mailing_id=mailing_id) as worker:
        worker.wait_for("claimed")
        shell.run(sending.reconcile)
        assert campaigns.count(database, mailing_id, "process") == 1
        worker.kill()
    shell.run(sending.reconcile)
    assert campaigns.count(database, mailing_id, "error") == 1
    assert not sink.messages()


def test_a_dead_job_of_a_node_with_a_fast_clock(scope):
    """It seems to start in an hour: it is dated back, unless somebody runs it."""
    database, _sink, shell, _mailing = sending.prepare(scope, 2)
    database.execute(
        "UPDATE queue_job SET state = 'started', "
        "date_enqueued = now() AT TIME ZONE 'utc' + interval '1 hour' "
        "WHERE method_name = '_job_send'"
    )
    live, dead = database.column(
        "SELECT id FROM queue_job WHERE method_name = '_job_send' ORDER BY id"
    )
    database.execute("INSERT INTO queue_job_lock (queue_job_id) VALUES (%s)", (live,))
    worker = database.connect()
    worker.cursor().execute("SELECT 1 FROM queue_job_lock FOR UPDATE")
    shell.run(sending.reconcile)
    worker.close()
    future = database.column(
        "SELECT id FROM queue_job WHERE date_enqueued > now() AT TIME ZONE 'utc'"
    )
    assert future == [live], f"not {dead}"
