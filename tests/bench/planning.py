"""From Send to jobs: how fast, in how much memory, and when the first email leaves."""

import time

from .. import campaigns
from ..support.process import wait_until

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
BLACKLIST = 100_000
SECONDS = 3_000


def crowd(env, step, draft, recipients, blacklist):
    """Give the draft's list an audience as lists are after some years.

    Runs inside Odoo. One address in 100 stands there twice, two contacts in 100 have
    opted out, and somebody has filled the blacklist.
    """
    env.cr.execute(
        """
        WITH contact AS (
            INSERT INTO mailing_contact (name, email, email_normalized, create_date)
                 SELECT 'Reader ' || number, address, address, now()
                   FROM generate_series(1, %(recipients)s) number, LATERAL (
                        SELECT 'reader' || number - (number %% 100 = 0)::int
                               || '@example.com' AS address) made
              RETURNING id)
        INSERT INTO mailing_subscription (contact_id, list_id, opt_out)
             SELECT id, %(list)s, id %% 50 = 0 FROM contact
        """,
        {
            "list": env["mailing.mailing"].browse(draft).contact_list_ids.id,
            "recipients": recipients,
        },
    )
    env.cr.execute(
        """
        INSERT INTO mail_blacklist (email, active)
             SELECT 'black' || number || '@example.com', true
               FROM generate_series(1, %s) number
        """,
        [blacklist],
    )


def plan(env, step, draft):
    """Plan a copy of the draft as the job does, and nothing else; runs inside Odoo.

    :return: seconds, and the process's peak memory (MiB)
    """
    import resource
    import time

    from odoo.addons.queue_job.exception import RetryableJobError

    mailing = env["mailing.mailing"].browse(draft).copy()
    mailing.action_launch()
    env.cr.commit()
    begun = time.perf_counter()
    while not mailing.queue_planned:
        try:
            mailing._queue_for_jobs()._job_plan()
        except RetryableJobError:
            # A job ends after some time, and another one goes on.
            env.invalidate_all()
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(scope):
    """Return the figures by name."""
    figures = {}
    for label, recipients in SIZES.items():
        database, draft, sink = _draft(scope, recipients)
        if label == "1m":
            figures.update(_first_email(scope, database, draft, sink))
        seconds, peak = scope.shell(database).run(plan, SECONDS, draft=draft)
        figures[f"plan_rate_{label}"] = round(recipients / seconds)
        figures[f"planner_peak_mb_{label}"] = round(peak, 1)
        print(f"planning {label}: {recipients / seconds:.0f}/s, {peak:.0f} MiB")
    figures["planner_peak_mb"] = figures["planner_peak_mb_1m"]
    return figures


def _draft(scope, recipients):
    sink = scope.sink().start()
    database = scope.database(campaigns.MODULES)
    shell = scope.shell(database)
    draft = shell.run(campaigns.build, recipients=0, port=sink.port)
    shell.run(crowd, SECONDS, draft=draft, recipients=recipients, blacklist=BLACKLIST)
    database.execute("ANALYZE")
    return database, draft, sink


def _first_email(scope, database, draft, sink):
    """Press Send as a person does, and look at the clock; the rest is not sent.

    The first time is not measured: workers that have just started have neither routes
    nor caches, and take seconds for their first request, whatever it is.
    """
    server = scope.server(database, workers=6, channels="root:4,root.mail:4").start()
    rpc = server.rpc()
    for _time in range(2):
        (mailing,) = rpc.call("mailing.mailing", "copy", [[draft]])
        before = sink.count()
        begun = time.time()
        rpc.press("mailing.mailing", "action_launch", [mailing])
        returned = time.time() - begun
        wait_until(lambda before=before: sink.count() > before, 300, "an email")
        first = sink.messages()[before].at - begun
        rpc.press("mailing.mailing", "action_queue_pause", [mailing])
        # What is under way arrives.
        time.sleep(5)
    server.stop()
    return {
        "send_returns_seconds": round(returned, 2),
        "first_email_seconds": round(first, 2),
    }
