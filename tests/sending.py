"""Functions that the suites run inside Odoo, each in a process of its own."""

from . import campaigns


def start(env, step, mailing_id):
    """Send, up to the fan-out job."""
    env["mailing.mailing"].browse(mailing_id).action_send_mail()


def plan(env, step, mailing_id):
    """Plan everybody, without anybody to run the jobs."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.action_send_mail()
    env.cr.commit()
    step("ready")
    mailing._job_plan()


def send(env, step, mailing_id):
    """Send to everybody who waits, as a job would."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    step("ready")
    mailing.mailing_trace_ids._send()


def compose(env, step, mailing_id):
    """Compose for everybody who waits, commit, and die before sending."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing._queue_compose_chunk(mailing.mailing_trace_ids.ids)


def run_jobs(env, step):
    """Run whatever jobs wait, as the scheduled action does without a runner."""
    env["mailing.mailing"]._queue_run_without_runner()


def reconcile(env, step):
    """Run the reconciler now, as if what it judges were old enough."""
    env.cr.execute(
        "UPDATE mailing_trace SET queue_claimed_at = queue_claimed_at "
        "- interval '1 minute' WHERE trace_status = 'process'"
    )
    env.cr.execute(
        "UPDATE mail_message SET create_date = create_date - interval '5 minutes' "
        "WHERE id IN (SELECT mail_message_id FROM mail_mail WHERE queue_managed)"
    )
    env.cr.commit()
    env["mailing.mailing"]._cron_queue_reconcile()


def prepare(scope, recipients, step=plan, sink=None, modules=campaigns.MODULES, **kw):
    """A database with a campaign that has come up to ``step``.

    :return: database, sink, shell, the mailing's id
    """
    sink = sink or scope.sink().start()
    database = scope.database(modules, **kw)
    shell = scope.shell(database, **kw)
    mailing_id = shell.run(campaigns.build, recipients=recipients, port=sink.port)
    if step is plan:
        with shell.start(plan, mailing_id=mailing_id) as run:
            run.wait_for("ready")
            run.go_on()
            run.result()
    elif step:
        shell.run(step, mailing_id=mailing_id)
    return database, sink, shell, mailing_id


def send_all(shell, mailing_id):
    """Send to everybody who waits, in one process."""
    with shell.start(send, mailing_id=mailing_id) as run:
        run.wait_for("ready")
        run.go_on()
        run.result()
