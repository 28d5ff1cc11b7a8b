"""One run: a campaign is sent while its plan's faults happen; then it is judged."""

import dataclasses
import random
import time

from .. import campaigns
from ..support.process import WaitFailure, wait_until
from . import audience, verdict
from .faults_people import press_at_once
from .watch import Watch
from .world import SENDERS, TIME_LIMIT, WORKERS, World

#: How long a run may take (seconds): its waits are shortened, so it is stuck then.
PATIENCE = 900
HURRY_SECONDS = 2

#: How long what is left may take (seconds). After a crash of PostgreSQL, Odoo's pool
#: lends each connection that was idle then once more, and the request fails; where it
#: was to start a job, the runner needs ten seconds to see that nobody did.
LEFT_SECONDS = 240


@dataclasses.dataclass
class Result:
    """What became of one run, as it is kept and merged.

    :param explained: of those in doubt, for how many a fault is the reason
    :param problems: what must not be; none in a good run
    """

    seed: int
    faults: list
    recipients: int
    sent: int = 0
    duplicates: int = 0
    lost: int = 0
    in_doubt: int = 0
    explained: int = 0
    failed: int = 0
    inflight_kills: int = 0
    seconds: float = 0
    problems: list = dataclasses.field(default_factory=list)
    events: list = dataclasses.field(default_factory=list)
    logs: str = ""


def execute(scope, plan, draft, mailing_id, recipients, extra_addons=()):
    """Send one campaign under fire.

    :param draft: database with the campaign, which is copied
    :return: `Result`
    """
    world = _prepare(scope, plan, draft, mailing_id, recipients, extra_addons)
    result = Result(plan.seed, [], recipients, logs=str(world.node.folder))
    try:
        _send(world, plan, result)
        _clean_up(world)
    except WaitFailure as failure:
        result.problems.append(str(failure))
    result.seconds = round(time.time() - world.begun, 1)
    result.inflight_kills = world.inflight_kills
    result.problems += world.problems
    verdict.judge(world, result)
    result.events = world.events
    return result


def _prepare(scope, plan, draft, mailing_id, recipients, extra_addons):
    database = scope.copy(draft, f"chaos{plan.seed}")
    sink = scope.sink(tls=plan.tls, peers=True).start()
    database.execute(
        "UPDATE ir_mail_server SET smtp_port = %s, smtp_encryption = %s",
        (sink.port, "starttls" if plan.tls else "none"),
    )
    database.execute(
        "INSERT INTO ir_config_parameter (key, value) "
        "VALUES ('mass_mailing_queue.job_size', %s) "
        "ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        (str(plan.job_size),),
    )
    node = scope.server(
        database,
        workers=WORKERS,
        channels=f"root:{SENDERS + 1},root.mail:{SENDERS}",
        options={"limit_time_real": TIME_LIMIT, "limit_time_real_cron": 60},
        extra_addons=extra_addons,
    )
    chance = random.Random(plan.seed)
    world = World(scope, database, sink, node, mailing_id, recipients, chance)
    if plan.clock:
        world.give_clock()
    node.start()
    return world


def _send(world, plan, result):
    """Press Send, and let each fault happen at its moment and end after its time."""
    watch = Watch(world, plan.innocent, plan.pauses)
    press_at_once(world, "action_launch")
    waiting, active = list(plan.faults), []
    deadline = time.monotonic() + PATIENCE
    hurried = 0
    while True:
        state, _paused = world.state()
        progress = world.progress()
        # Faults that nobody is left for happen all the same: nothing may come of them.
        while waiting and (progress >= waiting[0][0] or state == "done"):
            _moment, fault = waiting.pop(0)
            if state == "done":
                world.note(f"{fault.name} comes too late")
            else:
                result.faults.append(fault.name)
            active.append((time.monotonic() + fault.hold, fault, fault.begin(world)))
        for entry in [entry for entry in active if entry[0] <= time.monotonic()]:
            active.remove(entry)
            entry[1].end(world, entry[2])
        watch.look()
        if time.monotonic() > hurried + HURRY_SECONDS:
            hurried = time.monotonic()
            world.hurry(waits=watch.may_hurry())
            if not active:
                world.supervise()
                world.operate()
        if state == "done" and not waiting and not active:
            return
        if time.monotonic() > deadline:
            for _until, fault, entered in active:
                fault.end(world, entered)
            raise WaitFailure(f"not done after {PATIENCE} s: {counts(world)}")
        time.sleep(0.1)


def counts(world):
    """Where the recipients are, and the jobs."""
    traces = dict(
        world.query(
            "SELECT trace_status, count(*) FROM mailing_trace "
            "WHERE mass_mailing_id = %s GROUP BY 1",
            (world.mailing_id,),
        )
    )
    jobs = dict(world.query("SELECT state, count(*) FROM queue_job GROUP BY 1"))
    return f"{world.state()}, traces {traces}, jobs {jobs}"


def _clean_up(world):
    """Nothing is left behind, once the reconciler had its minute.

    :raises WaitFailure: mails or jobs are
    """

    def left():
        world.operate()
        world.age_mails()
        return world.query(
            "SELECT (SELECT count(*) FROM mail_mail WHERE queue_managed "
            "        AND state = 'outgoing'), "
            "(SELECT count(*) FROM queue_job WHERE state NOT IN ('done', 'cancelled'))"
        )[0]

    try:
        wait_until(
            lambda: left() == (0, 0), LEFT_SECONDS, "nothing is left", interval=1
        )
    except WaitFailure as failure:
        jobs = world.query(
            "SELECT state, method_name, retry, eta, worker_pid, exc_name, exc_message "
            "FROM queue_job WHERE state NOT IN ('done', 'cancelled')"
        )
        raise WaitFailure(f"{failure}: (mails, jobs) {left()} {jobs}") from None


def add_history(env, step, mailing_id, sent):
    """An earlier campaign: in a new database no table is large; runs inside Odoo."""
    earlier = env["mailing.mailing"].browse(mailing_id).copy({"state": "done"})
    env.cr.execute(
        """
        INSERT INTO mailing_trace (mass_mailing_id, trace_type, trace_status, model,
                                   res_id, email, sent_datetime)
             SELECT %s, 'mail', 'sent', 'mailing.contact', number,
                    'reader' || number || '@example.net', now()
               FROM generate_series(1, %s) number
        """,
        [earlier.id, sent],
    )


def build(scope, modules, recipients, extra_addons=()):
    """A database with a campaign to so many, for `execute` to copy."""
    database = scope.database(modules, extra_addons)
    shell = scope.shell(database, extra_addons=extra_addons)
    mailing_id = shell.run(campaigns.build, recipients=recipients, port=1)
    audience.prepare(shell, mailing_id)
    shell.run(add_history, mailing_id=mailing_id, sent=10_000)
    # In a new database everything is due at once, for minutes.
    database.execute("UPDATE ir_cron SET nextcall = now() + interval '1 day'")
    # A database with a connection cannot be copied.
    database.close()
    return database, mailing_id
