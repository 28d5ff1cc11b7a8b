"""What an email costs: statements, commits, calls of functions, processor time."""

from .contenders import Ours, processor_seconds

RECIPIENTS = 2_000
PROFILED = 500
#: What jobs of larger campaigns carry.
JOB_SIZE = 100

#: The steps of a recipient's way, and the functions that are them.
STEPS = {
    "plan": "_job_plan",
    "compose": "_queue_compose",
    "permit": "_queue_permit",
    "claim": "_queue_claim",
    "build": "_queue_build",
    "transmit": "_queue_transmit",
    "record": "_queue_record",
    "settle": "_queue_settle",
}


def send_profiled(env, step, draft, steps):
    """Send two copies of a campaign in this process, the second one profiled.

    Runs inside Odoo. The first one fills caches, as a worker's first minute does.

    :return: dict: counts of the whole campaign; `steps`, each one's share of the time
    """
    import cProfile
    import pstats

    def send():
        mailing = env["mailing.mailing"].browse(draft).copy()
        mailing.action_launch()
        env.cr.commit()
        while mailing.state != "done":
            mailing._queue_run_without_runner()
            env.invalidate_all()

    send()
    profile = cProfile.Profile()
    profile.runcall(send)
    stats = pstats.Stats(profile).stats
    found = {}
    for (file, _line, name), values in stats.items():
        if "/mass_mailing_queue" in file or name.startswith("<method '"):
            calls, seconds = found.get(name, (0, 0))
            found[name] = calls + values[1], seconds + values[3]

    def count(name):
        return found.get(name, (0, 0))[0]

    def driver(method, of):
        return count(f"<method '{method}' of 'psycopg2.extensions.{of}' objects>")

    def share(name):
        return found.get(name, (0, 0))[1] / found["_queue_run_job"][1]

    return {
        "statements": driver("execute", "cursor"),
        # What goes over the ledger is committed by itself.
        "commits": driver("commit", "connection") + count("run"),
        "calls": sum(values[1] for values in stats.values()),
        "steps": {one: share(name) for one, name in steps.items()},
    }


def measure(scope):
    """Return the figures of both contents by name."""
    figures = {}
    for content in ("plain", "newsletter"):
        suffix = "" if content == "plain" else f"_{content}"
        for name, value in _measure(scope, content).items():
            figures[f"{name}{suffix}"] = value
    return figures


def _measure(scope, content):
    ours = Ours(scope, RECIPIENTS, content)
    # The first campaign warms up.
    ours.send()
    spent = processor_seconds(ours.server)
    ours.send()
    spent = processor_seconds(ours.server) - spent
    ours.server.stop()
    ours = Ours(scope, PROFILED, content, job_size=JOB_SIZE)
    ours.server.stop()
    seen = profiled(scope, ours.database, ours.draft)
    return {
        "cpu_ms_per_email": round(spent / RECIPIENTS * 1e3, 2),
        "sql_per_email": round(seen["statements"] / PROFILED, 2),
        "commits_per_email": round(seen["commits"] / PROFILED, 2),
        "calls_per_email": round(seen["calls"] / PROFILED),
        **{
            f"{name}_percent": round(share * 100, 1)
            for name, share in seen["steps"].items()
        },
    }


def profiled(scope, database, draft):
    """See `send_profiled`."""
    shell = scope.shell(database)
    return shell.run(send_profiled, seconds=900, draft=draft, steps=STEPS)
