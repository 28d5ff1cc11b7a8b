"""What goes wrong while emails are delivered."""

from ...support.process import wait_until
from ...support.sink_rules import Rule
from . import Seen, native
from .bench import Bench, deliver


@native("H1")
def two_senders(scope):
    """Two senders at once over the same mails."""
    bench = Bench(scope, 10)
    bench.compose()
    # Both are in the middle of the first mail for as long as it takes.
    bench.sink.rules(Rule("end", delay=5, times=2))
    with bench.shell.start(deliver) as first, bench.shell.start(deliver) as second:
        for run in (first, second):
            run.wait_for("ready")
        for run in (first, second):
            run.go_on()
        for run in (first, second):
            run.result()
    return Seen(
        bench.twice() > 0, f"10 mails, 2 senders: {bench.sink.count()} deliveries"
    )


@native("H2")
def bounce_in_flight(scope):
    """A bounce arrives while its email waits for the server's answer."""
    bench = Bench(scope, 3)
    bench.compose()
    bench.sink.rules(Rule("end", reply_delay=4, times=1))
    with bench.shell.start(deliver) as run:
        run.wait_for("ready")
        run.go_on()
        (message,) = bench.sink.wait_for_messages(1)
        address = message.recipients[0]
        bench.database.execute(
            "UPDATE mailing_trace SET trace_status = 'bounce' WHERE email = %s",
            (address,),
        )
        run.result()
    bench.deliver()
    times = bench.delivered()[address]
    status = bench.database.value(
        "SELECT trace_status FROM mailing_trace WHERE email = %s", (address,)
    )
    return Seen(
        times > 1 or status != "bounce",
        f"the address that bounced got {times} emails, and its trace says {status}",
    )


@native("H3")
def batch_of_the_mail_queue(scope):
    """The scheduled action that sends mails, with more of them than one batch."""
    bench = Bench(scope, 12)
    bench.compose()
    bench.database.execute(
        "INSERT INTO ir_config_parameter (key, value) "
        "VALUES ('mail.mail.queue.batch.size', '5')"
    )
    cron = (
        "id = (SELECT res_id FROM ir_model_data WHERE module = 'mail' "
        "AND name = 'ir_cron_mail_scheduler_action')"
    )
    bench.database.execute(f"UPDATE ir_cron SET nextcall = now() WHERE {cron}")
    begun = bench.database.value("SELECT now() AT TIME ZONE 'utc'")
    with scope.server(bench.database):
        minutes = wait_until(
            lambda: bench.database.value(
                "SELECT round(EXTRACT(EPOCH FROM nextcall - lastcall) / 60) "
                f"FROM ir_cron WHERE {cron} AND lastcall >= %s AND nextcall > lastcall",
                (begun,),
            ),
            120,
            "the scheduled action has run",
        )
    sent = bench.sink.count()
    return Seen(
        sent < 12,
        f"12 mails, batches of 5: {sent} sent, the next run is {minutes} min later",
    )


@native("H8")
def dropped_connection(scope):
    """The server drops a connection in the middle of a message."""
    bench = Bench(scope, 5)
    bench.compose()
    bench.sink.rules(Rule("end", action="drop", times=1))
    bench.deliver()
    bench.deliver()
    mails, traces = bench.mails(), bench.traces()

    def read_failed(env, step, mailing_id):
        return env["mailing.mailing"].browse(mailing_id).failed

    failed = bench.shell.run(read_failed, mailing_id=bench.mailing_id)
    return Seen(
        mails == {"exception": 1} and traces.get("outgoing") == 1 and not failed,
        f"{bench.sink.count()} of 5 sent by two runs; mails {mails}, traces {traces}, "
        f"{failed} failed, so no button to retry",
    )


@native("H9")
def nobody_listens(scope):
    """The server is down when the mail queue runs."""
    bench = Bench(scope, 20)
    bench.compose()
    bench.sink.stop()
    bench.deliver()
    traces = bench.traces()
    query = "SELECT message_id FROM mailing_trace"
    before = set(bench.database.column(query))

    def retry(env, step, mailing_id):
        mailing = env["mailing.mailing"].browse(mailing_id)
        mailing.action_retry_failed()
        env.cr.commit()
        mailing._process_mass_mailing_queue()

    bench.shell.run(retry, mailing_id=bench.mailing_id)
    kept = len(before.intersection(bench.database.column(query)))
    return Seen(
        traces.get("error") == 20,
        f"a server that was down failed {traces.get('error', 0)} of 20 recipients; "
        f"Retry kept {kept} of their Message-IDs",
    )


@native("H28")
def whatever_the_trace_says(scope):
    """Mails whose recipients were sent to, or cancelled, by somebody else."""
    bench = Bench(scope, 10)
    bench.compose()
    bench.database.execute(
        "UPDATE mailing_trace SET trace_status = "
        "CASE id % 2 WHEN 0 THEN 'sent' ELSE 'cancel' END"
    )
    before = bench.traces()
    bench.deliver()
    return Seen(
        bench.sink.count() > 0,
        f"traces {before}: the mail queue delivered {bench.sink.count()} emails",
    )
