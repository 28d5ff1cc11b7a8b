"""What goes wrong natively, each with real processes and a real SMTP server."""

import time

from . import campaigns, sending
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule


def test_h2_bounce_during_delivery_is_kept_and_nobody_mailed_twice(scope):
    """A bounce that commits while its email is in flight stays, and costs nothing."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    sink.rules(Rule("end", reply_delay=4, times=1))
    with shell.start(sending.send, mailing_id=mailing_id) as run:
        run.wait_for("ready")
        run.go_on()
        wait_until(
            lambda: campaigns.count(database, mailing_id, "process"), 60, "a claim"
        )
        time.sleep(1)
        database.execute(
            "UPDATE mailing_trace SET trace_status = 'bounce', "
            "failure_type = 'mail_bounce' WHERE trace_status = 'process'"
        )
        run.result()
    assert campaigns.count(database, mailing_id, "bounce") == 1
    assert campaigns.count(database, mailing_id, "sent") == 2
    verdict = compare(sink, database, mailing_id, recipients=3)
    assert len(sink.messages()) == 3 and not verdict.duplicates, str(verdict)


def test_h3_no_batch_makes_the_rest_wait(scope):
    """However small the mail queue's batches are, nobody waits for its next hour."""
    database, sink, shell, mailing_id = sending.prepare(scope, 12, step=None)

    def small_batches(env, step):
        for name in ("mail.batch_size", "mail.mail.queue.batch.size"):
            env["ir.config_parameter"].set_param(name, "3")

    shell.run(small_batches)
    # Without a job runner, too: there the scheduled action sends.
    with scope.server(database) as server:
        server.rpc().press("mailing.mailing", "action_launch", [mailing_id])
        campaigns.wait_until_done(database, mailing_id)
    verdict = compare(sink, database, mailing_id, recipients=12)
    assert verdict.flawless, str(verdict)


def test_h4_small_batches_send_nothing_while_composing(scope):
    """A worker that dies after composing has sent nothing; the next one sends once."""
    database, sink, shell, mailing_id = sending.prepare(scope, 10)
    shell.run(sending.compose, mailing_id=mailing_id)
    assert not sink.messages()
    sending.send_all(shell, mailing_id)
    verdict = compare(sink, database, mailing_id, recipients=10)
    assert verdict.flawless, str(verdict)
    assert database.query("SELECT count(*) FROM mail_mail WHERE queue_managed") == [
        (0,)
    ]


def test_h5_nobody_is_not_everybody(scope):
    """An empty list of records sends to nobody."""
    database, sink, shell, mailing_id = sending.prepare(scope, 5, step=None)

    def send_to_nobody(env, step, mailing_id):
        env["mailing.mailing"].browse(mailing_id).action_send_mail(res_ids=[])

    shell.run(send_to_nobody, mailing_id=mailing_id)
    shell.run(sending.run_jobs)
    assert not sink.messages()
    assert campaigns.state(database, mailing_id) == "draft"


def test_h6_parallel_plans_and_equal_addresses_mail_each_once(scope):
    """Two fan-outs at once, every address in twice: one email for each address."""
    database, sink, shell, mailing_id = sending.prepare(scope, 30, step=None)

    def double(env, step, mailing_id):
        for contact in env["mailing.contact"].search([]):
            contact.copy({"name": contact.name})

    def fan_out(env, step, mailing_id):
        step("ready")
        env["mailing.mailing"].browse(mailing_id)._job_plan()

    shell.run(double, mailing_id=mailing_id)
    shell.run(sending.start, mailing_id=mailing_id)
    with (
        shell.start(fan_out, mailing_id=mailing_id) as first,
        shell.start(fan_out, mailing_id=mailing_id) as second,
    ):
        for run in (first, second):
            run.wait_for("ready")
        for run in (first, second):
            run.go_on()
        for run in (first, second):
            run.result()
    shell.run(sending.run_jobs)
    assert campaigns.count(database, mailing_id, "sent") == 30
    assert campaigns.count(database, mailing_id, "cancel") == 30
    addresses = [message.recipients[0] for message in sink.messages()]
    assert sorted(set(addresses)) == sorted(addresses)


def test_h7_a_resumed_ab_test_keeps_its_sample(scope):
    """Paused, drafted and sent again, an A/B test mails the people drawn first."""
    database, sink, shell, mailing_id = sending.prepare(scope, 40, step=None)

    def sample(env, step, mailing_id):
        env["mailing.mailing"].browse(mailing_id).write(
            {"ab_testing_enabled": True, "ab_testing_pc": 25}
        )

    def draft(env, step, mailing_id):
        env["mailing.mailing"].browse(mailing_id).write({"state": "draft"})

    shell.run(sample, mailing_id=mailing_id)
    with shell.start(sending.plan, mailing_id=mailing_id) as run:
        run.wait_for("ready")
        run.go_on()
        run.result()
    shell.run(draft, mailing_id=mailing_id)
    shell.run(sending.start, mailing_id=mailing_id)
    shell.run(sending.run_jobs)
    assert campaigns.state(database, mailing_id) == "done"
    assert len(sink.messages()) == 10


def test_h13_done_means_sent_and_h16_workers_do_not_collide(scope):
    """The mailing is sending while its last email is, and its row is left alone."""
    database, sink, shell, mailing_id = sending.prepare(scope, 60, step=None)
    sink.rules(Rule("end", match="contact59@", delay=5, times=1))
    with scope.server(database, workers=4, channels="root:3,root.mail:3") as server:
        server.rpc().press("mailing.mailing", "action_launch", [mailing_id])
        wait_until(
            lambda: campaigns.count(database, mailing_id, "sent") == 59, 120, "59 sent"
        )
        assert campaigns.state(database, mailing_id) == "sending"
        campaigns.wait_until_done(database, mailing_id)
        assert campaigns.count(database, mailing_id, "sent") == 60
        assert not [line for line in server.errors() if "serialize" in line]
    finished = database.query(
        "SELECT count(*) FROM queue_job WHERE method_name = '_job_finish' "
        "AND result = 'Done.'"
    )
    assert finished == [(1,)], "done, once"


def test_h28_native_senders_leave_composed_mails_alone(scope):
    """A worker died with its mails composed: the mail queue sends none of them."""
    database, sink, shell, mailing_id = sending.prepare(scope, 10)
    shell.run(sending.compose, mailing_id=mailing_id)

    def native(env, step):
        mails = env["mail.mail"].search([("queue_managed", "=", True)])
        env["mail.mail"].process_email_queue()
        mails.send()
        # Those that were sent are deleted.
        kept = mails.exists()
        kept.state = "exception"
        kept.action_retry()
        env["mail.mail"].process_email_queue()
        return len(kept)

    assert shell.run(native) == 10
    assert not sink.messages()
    sending.send_all(shell, mailing_id)
    verdict = compare(sink, database, mailing_id, recipients=10)
    assert verdict.flawless, str(verdict)


def test_a_larger_audience_has_larger_jobs(scope):
    """Above 1,000 recipients a job carries a hundred."""
    database, _sink, _shell, _mailing_id = sending.prepare(scope, 1_050)
    jobs = database.query(
        "SELECT queue_job_uuid, count(*) FROM mailing_trace "
        "GROUP BY queue_job_uuid ORDER BY 2"
    )
    # Slices of 500: five jobs each, and one for the last fifty.
    assert [count for _uuid, count in jobs] == [50] + 10 * [100]
