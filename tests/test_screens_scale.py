"""What the screens of a campaign of 100,000 cost: statements and plans, no seconds."""

import pytest

from . import campaigns, throttling

pytestmark = pytest.mark.slow

RECIPIENTS = 100_000
SMALL = 300
#: Large campaigns in the database, the one that is looked at included.
CAMPAIGNS = 3

#: A campaign that is under way: of each hundred recipients 60 are sent, and so on. The
#: jobs of the others have ended long ago.
FILL = """
    INSERT INTO mailing_trace (
           mass_mailing_id, trace_type, model, res_id, email, trace_status,
           failure_type, sent_datetime, queue_planned, queue_job_uuid, create_date)
    SELECT %(mailing)s, 'mail', 'mailing.contact', number,
           'contact' || number || '@example.com',
           CASE WHEN part < 60 THEN 'sent' WHEN part < 95 THEN 'outgoing'
                WHEN part < 98 THEN 'error' ELSE 'cancel' END,
           CASE WHEN part = 95 THEN 'queue_in_doubt' END,
           CASE WHEN part < 60 THEN now() AT TIME ZONE 'utc'
                     - (%(recipients)s - number) * interval '0.1 second' END,
           true, md5(%(mailing)s || '-' || number / 100), now() AT TIME ZONE 'utc'
      FROM (SELECT number, number %% 100 AS part
              FROM generate_series(1, %(recipients)s) AS number) AS numbers
"""
FILL_JOBS = """
    INSERT INTO queue_job (
           uuid, name, model_name, method_name, records, state, mailing_id, priority,
           user_id, company_id, date_created, date_done, channel)
    SELECT md5(%(mailing)s || '-' || number), 'Send', 'mailing.mailing', '_job_send',
           '{}', CASE WHEN number %% 3 = 0 THEN 'pending' ELSE 'done' END, %(mailing)s,
           10, 1, 1, now() AT TIME ZONE 'utc',
           CASE WHEN number %% 3 > 0 THEN now() AT TIME ZONE 'utc' - interval '1 day'
           END, %(channel)s
      FROM generate_series(1, %(recipients)s / 100) AS number
"""


def look(env, step, mailing_id):
    """Open each screen as a marketer does; returns its statements and their plans."""
    import re
    import threading
    from datetime import datetime, timezone

    from odoo.addons.mass_mailing_queue.sql_runner import RUNNER_LOCK

    user = env["res.users"].create(
        {
            "name": "Marketer",
            "login": f"marketer{mailing_id}",
            "group_ids": [(6, 0, env.ref("mass_mailing.group_mass_mailing_user").ids)],
        }
    )
    # A job runner leads: what the mailing waits for is its account.
    env.cr.execute("SELECT pg_advisory_xact_lock(%s)", [RUNNER_LOCK])
    env = env(user=user.id, context={"lang": "en_US", "tz": "Europe/Paris"})
    mailing = env["mailing.mailing"].browse(mailing_id)
    statements = []
    hooks = [lambda cr, query, params, *_times: statements.append((query, params))]

    def fields_of(model, xmlid, kind):
        view = env.ref(xmlid).sudo()
        names = re.findall(
            r'<field name="(\w+)"', model.get_view(view.id, kind)["arch"]
        )
        return {name: {} for name in names if name in model._fields}

    traces = env["mailing.trace"]
    form = fields_of(mailing, "mass_mailing.view_mail_mass_mailing_form", "form")
    card = fields_of(mailing, "mass_mailing.view_mail_mass_mailing_kanban", "kanban")
    row = fields_of(traces, "mass_mailing.mailing_trace_view_tree_mail", "list")
    assert "queue_progress_data" in form and "queue_progress_data" in card
    screens = {
        "progress": lambda: mailing.queue_progress(waits=True),
        "progress of all": lambda: mailing.search([]).queue_progress(),
        "chart": mailing.queue_pace,
        "form": lambda: mailing.web_read(form),
        "cards": lambda: mailing.web_search_read([("id", "=", mailing_id)], card),
        "traces": lambda: traces.web_search_read(
            [("mass_mailing_id", "=", mailing_id)], row, limit=80, count_limit=10001
        ),
        "waiting": lambda: traces.web_search_read(
            [
                ("mass_mailing_id", "=", mailing_id),
                ("trace_status", "in", ("outgoing", "process")),
            ],
            row,
            limit=80,
            count_limit=10001,
        ),
    }

    def outage():
        server = mailing.sudo()._queue_find_server().id or 0
        env.cr.execute(
            "INSERT INTO mailing_queue_outage (server_ref, since, retry_at, failures) "
            "VALUES (%s, now(), now() AT TIME ZONE 'utc' + interval '1 minute', 1)",
            [server],
        )

    def closed():
        env.cr.execute("DELETE FROM mailing_queue_outage")
        now = datetime.now(timezone.utc)
        hours = (
            mailing.env["mailing.queue.hours"]
            .sudo()
            .create(
                {
                    "name": "In two hours",
                    **dict.fromkeys(("sat", "sun"), True),
                    "hour_from": (now.hour + 2) % 24,
                    "hour_to": (now.hour + 2) % 24 + 0.5,
                    "tz": "UTC",
                }
            )
        )
        mailing.sudo().queue_hours_id = hours

    prepare = {"progress in an outage": outage, "progress out of hours": closed}
    for name in prepare:
        screens[name] = screens["progress"]
    screens["scrape"] = env["mailing.queue.metrics"].sudo()._collect
    found = {}
    for name, screen in screens.items():
        prepare.get(name, lambda: None)()
        # The first time fills the caches of the process.
        for _time in range(2):
            env.flush_all()
            env.invalidate_all()
            statements.clear()
            threading.current_thread().query_hooks = hooks
            shown = screen()
            threading.current_thread().query_hooks = ()
        plans = []
        for query, params in list(statements):
            env.cr.execute(f"EXPLAIN {query}", params)
            plans += [line for (line,) in env.cr.fetchall()]
        scans = [
            line.strip()
            for line in plans
            if re.search(r"Seq Scan on (mailing_trace|queue_job)\b", line)
        ]
        index = {match for line in plans for match in re.findall(r"using (\w+)", line)}
        found[name] = {
            "statements": len(statements),
            "scans": scans,
            "indexes": sorted(index),
            "shown": str(shown) if name.startswith("progress") else "",
        }
    return found


@pytest.fixture(scope="module", params=["alone", "with-limits"])
def found(request, module_scope):
    """What the screens of a large and of a small campaign cost, by screen."""
    limits = request.param == "with-limits"
    modules = throttling.MODULES if limits else campaigns.MODULES
    database = module_scope.database(modules)
    shell = module_scope.shell(database)
    first = shell.run(campaigns.build, recipients=3, port=0)
    sizes = {first: SMALL}
    for _number in range(CAMPAIGNS):
        mailing = shell.run(copy, mailing_id=first)
        sizes[mailing] = RECIPIENTS
    database.execute(
        "UPDATE mailing_mailing SET state = 'sending', queue_managed = true, "
        "queue_planned = true, queue_recipients = 100000"
    )
    for mailing, recipients in sizes.items():
        channel = shell.run(channel_of, mailing_id=mailing)
        values = {"mailing": mailing, "recipients": recipients, "channel": channel}
        database.execute(FILL, values)
        database.execute(FILL_JOBS, values)
    for table in ("mailing_trace", "queue_job"):
        database.execute(f"VACUUM ANALYZE {table}")
    return [shell.run(look, mailing_id=mailing) for mailing in (mailing, first)]


def copy(env, step, mailing_id):
    """Copy a mailing."""
    return env["mailing.mailing"].browse(mailing_id).copy().id


def channel_of(env, step, mailing_id):
    """Return the channel of the mailing's jobs, as the fan-out does."""
    return env["mailing.mailing"].browse(mailing_id)._queue_channel() or "root.mail"


def test_no_screen_reads_a_table_of_recipients_whole(found):
    """Traces and jobs are found by an index, on every screen."""
    large, _small = found
    scans = {name: cost["scans"] for name, cost in large.items() if cost["scans"]}
    assert not scans, scans
    assert "mailing_trace_queue_progress_idx" in large["progress"]["indexes"]
    assert "mailing_trace_queue_decide_idx" in large["progress"]["indexes"]
    assert "mailing_trace_queue_progress_idx" in large["chart"]["indexes"]


def test_as_many_statements_for_a_hundred_thousand_as_for_a_few(found):
    """What is looked at decides how many there are, and no screen asks many."""
    large, small = found
    counts = {name: cost["statements"] for name, cost in large.items()}
    assert counts == {name: cost["statements"] for name, cost in small.items()}
    for name in ("progress", "progress in an outage", "progress out of hours"):
        assert counts[name] <= 3, name
    assert "is not reachable" in large["progress in an outage"]["shown"]
    assert "Sending hours: goes on" in large["progress out of hours"]["shown"]
    assert counts["progress of all"] <= 3
    # Whether the user may read it, and what is drawn.
    assert counts["chart"] == 2
