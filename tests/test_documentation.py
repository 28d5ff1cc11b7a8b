"""What the pages tell people to run does what they say."""

import configparser
import dataclasses
import datetime
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from . import sending, throttling
from .support import pages
from .support.environment import ROOT

READ = {block.title: block for block in pages.blocks("sql") if "SELECT" in block.text}
WRITE = {block.title: block for block in pages.blocks("sql") if "UPDATE" in block.text}
INI = pages.blocks("ini")
OPERATIONS = (ROOT / "mass_mailing_queue/readme/OPERATIONS.md").read_text()
MIGRATION = (ROOT / "mass_mailing_queue/readme/MIGRATION.md").read_text()

#: What the campaign below lets each query find. A time or a duration is `TIME`.
TIME = "a time"
RUNNER_LOCK = 2293787760715711918
SUBJECT = "News for {{ object.name }}"


def expected(campaign):
    """The rows that the page promises, by the query's title."""
    mailing, paused, traces = campaign.mailing, campaign.paused, campaign.traces
    return {
        "Mailings under way": [
            (mailing, SUBJECT, "sending", False, 2, 7, 2, 1),
            (paused, SUBJECT, "in_queue", True, 0, 0, 0, 0),
        ],
        "Recipients of one mailing by status": [
            ("cancel", "mail_bl", 1),
            ("error", "queue_in_doubt", 1),
            ("error", "unknown", 1),
            ("outgoing", None, 6),
            ("process", None, 1),
            ("sent", None, 2),
        ],
        "Why emails failed": [
            ("unknown", 550, "5.1.1", "No such user", 1),
            ("queue_in_doubt", None, None, "The worker stopped", 1),
        ],
        "Emails a minute, the last ten minutes": [(TIME, 2)],
        "Who is sending, and for how long": [("node:7", TIME)],
        "Whom waiting recipients wait for": [
            ("a job: the reconciler", 2, None),
            ("a person: Resume", 1, None),
            ("a worker", 1, None),
            ("their job's time", 1, TIME),
            ("their next attempt", 1, TIME),
        ],
        "Jobs of one mailing": [
            ("_job_plan", "root.mail", "pending", 1, None),
            ("_job_send", "root.mail.custom", "failed", 1, None),
            ("_job_send", "root.mail.custom", "pending", 11, TIME),
        ],
        "Mail servers that are not used at the moment": [
            (0, TIME, TIME, 3, "Connection refused")
        ],
        "When mailings were last repaired": [(TIME,)],
        "Scheduled actions without which mailings stop": [
            ("mass_mailing", "ir_cron_mass_mailing_queue", True, TIME, 0),
            ("mass_mailing_queue", "ir_cron_queue_alert", True, TIME, 0),
            ("mass_mailing_queue", "ir_cron_queue_reconcile", True, TIME, 0),
            ("mass_mailing_queue_throttle", "ir_cron_provider_hourly", True, TIME, 0),
        ],
        "Sending accounts that hold back": [
            ("Sink", False, None, "Quota used up", TIME, None)
        ],
        "Addresses that a mailing reached more than once": [
            ("contact0@example.com", 2, traces[:2])
        ],
        "All mailings that sent to the address of a recipient": [
            (mailing, SUBJECT, trace, "sent", TIME, campaign.message_ids[trace])
            for trace in traces[:2]
        ],
        "Emails in doubt": [(mailing, "node:9", TIME, 1, "The worker stopped")],
        "Paused mailings": [(paused, "in_queue", "Paused by OdooBot.")],
        "The runner that leads": [("a runner", None, TIME)],
        "Jobs that are due for minutes": [("root.mail.custom", "pending", 1, TIME)],
        "Failed jobs": [(mailing, "_job_send", "builtins.ValueError", 1, TIME)],
    }


@dataclasses.dataclass
class Campaign:
    """A campaign with a recipient in each state, and what is known of it."""

    database: object
    shell: object
    sink: object
    mailing: int
    paused: int
    traces: list

    @property
    def message_ids(self):
        return self.database.counts("SELECT id, message_id FROM mailing_trace")


@pytest.fixture(scope="module")
def campaign(module_scope):
    """Two of twelve recipients are sent to, each of the others is somewhere else."""
    database, sink, shell, mailing = sending.prepare(
        module_scope, 12, modules=throttling.MODULES
    )

    def begin(env, step, mailing):
        mailing = env["mailing.mailing"].browse(mailing)
        traces = mailing.mailing_trace_ids.sorted()
        traces[:2]._send()
        other = mailing.copy()
        other.action_put_in_queue()
        other.action_queue_pause()
        return other.id, traces.ids

    paused, traces = shell.run(begin, mailing=mailing)
    database.execute(
        "UPDATE mailing_trace SET sent_datetime = now() AT TIME ZONE 'utc'"
        " WHERE trace_status = 'sent'"
    )
    for number, values in enumerate(
        (
            "email = 'contact0@example.com'",
            "trace_status = 'process', queue_claimed_by = 'node:7', "
            "queue_claimed_at = now() AT TIME ZONE 'utc'",
            "trace_status = 'error', failure_type = 'unknown', queue_smtp_code = 550, "
            "queue_smtp_status = '5.1.1', failure_reason = 'No such user'",
            "trace_status = 'error', failure_type = 'queue_in_doubt', "
            "queue_claimed_by = 'node:9', failure_reason = 'The worker stopped', "
            "queue_claimed_at = now() AT TIME ZONE 'utc'",
            "queue_next_attempt = now() AT TIME ZONE 'utc' + interval '5 minutes'",
            "queue_held = true",
            "queue_job_uuid = NULL",
        ),
        start=1,
    ):
        set_trace(database, traces[number], values)
    set_job(database, traces[8], "eta = now() AT TIME ZONE 'utc' + interval '1 hour'")
    set_job(database, traces[9], "state = 'failed', exc_name = 'builtins.ValueError'")
    set_trace(database, traces[10], "trace_status = 'cancel', failure_type = 'mail_bl'")
    set_job(
        database,
        traces[11],
        "date_created = now() AT TIME ZONE 'utc' - interval '5 minutes'",
    )
    database.execute(
        "INSERT INTO mailing_queue_outage (server_ref, since, retry_at, failures, "
        "reply) VALUES (0, now(), now(), 3, 'Connection refused')"
    )
    rest(database, 3600)
    return Campaign(database, shell, sink, mailing, paused, traces)


def set_trace(database, trace, values):
    database.execute(f"UPDATE mailing_trace SET {values} WHERE id = {trace}")


def set_job(database, trace, values):
    database.execute(
        f"UPDATE queue_job SET {values} WHERE uuid = "
        f"(SELECT queue_job_uuid FROM mailing_trace WHERE id = {trace})"
    )


def rest(database, seconds):
    """Let the account rest for so long."""
    database.execute(
        "UPDATE mailing_provider_state SET rest_reason = 'Quota used up', "
        "rest_until = EXTRACT(EPOCH FROM now()) + %s "
        "WHERE provider_id IN (SELECT queue_provider_id FROM ir_mail_server)",
        (seconds,),
    )


def fill_in(block, campaign):
    """A query with the ids that its reader writes into it."""
    ids = {"mailing": campaign.mailing, "trace": campaign.traces[0]}
    return re.sub(
        r"(?<!:):(mailing|trace)\b", lambda name: str(ids[name[1]]), block.text
    )


def without_times(rows):
    kinds = datetime.datetime | datetime.timedelta
    return [
        tuple(TIME if isinstance(value, kinds) else value for value in row)
        for row in rows
    ]


@pytest.fixture
def runner(campaign):
    """What a leading job runner looks like to PostgreSQL."""
    connection = campaign.database.connect()
    cursor = connection.cursor()
    cursor.execute("SET application_name = 'a runner'")
    cursor.execute("SELECT pg_advisory_lock(%s)", (RUNNER_LOCK,))
    yield
    connection.close()


def test_every_statement_has_a_title_of_its_own():
    """It is what this file and the pages call it by."""
    statements = pages.blocks("sql")
    assert all(block.text.startswith("-- ") for block in statements)
    assert len(READ) + len(WRITE) == len(statements)


def test_every_query_is_expected_to_find_something(campaign):
    """A query that is new on a page says here what it finds."""
    assert set(READ) == set(expected(campaign))
    assert set(WRITE) == {"Stop everything", "This database was restored"}


@pytest.mark.parametrize("title", READ)
@pytest.mark.usefixtures("runner")
def test_queries_find_what_the_page_says(title, campaign):
    """Each one runs as it stands there, and finds what there is."""
    rows = campaign.database.query(fill_in(READ[title], campaign))
    assert without_times(rows) == expected(campaign)[title], str(READ[title])


@pytest.fixture
def copy(campaign, scope):
    """A copy that may send, and whose account does not rest: its database and shell."""
    campaign.shell.close()
    database = scope.copy(campaign.database)
    shell = scope.shell(database, label="copy")

    def accept(env, step):
        env["mailing.queue.guard"]._accept()

    shell.run(accept)
    rest(database, -1)
    return database, shell


def test_everything_stops_at_once(campaign, copy):
    """Nothing is sent after the statement, and Resume goes on."""
    database, shell = copy
    before = campaign.sink.count()
    database.execute(WRITE["Stop everything"].text)
    shell.run(sending.run_jobs)
    assert campaign.sink.count() == before

    def resume(env, step, mailing):
        env["mailing.mailing"].browse(mailing).action_queue_resume()

    shell.run(resume, mailing=campaign.mailing)
    shell.run(sending.run_jobs)
    # All that wait but one: Resume calls the jobs, and not the next attempt.
    assert campaign.sink.count() == before + 5


def test_a_restored_database_pauses_once_it_is_told(campaign, copy):
    """Told that it is another one, it sends nothing and asks."""
    database, shell = copy
    before = campaign.sink.count()
    database.execute(WRITE["This database was restored"].text)
    shell.run(sending.reconcile)
    shell.run(sending.run_jobs)
    assert campaign.sink.count() == before
    reasons = database.column(
        "SELECT queue_pause_reason FROM mailing_mailing WHERE queue_paused ORDER BY id"
    )
    assert len(reasons) == 2 and "copy" in reasons[0]


def sections(block):
    """A configuration as Odoo reads its file."""
    parser = configparser.RawConfigParser()
    parser.read_string(block.text)
    return {name: dict(parser[name]) for name in parser.sections()}


def read_as_odoo_does(env, step, options):
    """Return the values of options; one that Odoo does not know has none."""
    from odoo.tools import config

    known = {
        name: option
        for name, option in config.options_index.items()
        if option.file_loadable
    }
    return {
        name: config.parse(name, value)
        for name, value in options.items()
        if name in known
    }


def read_as_the_runner_does(env, step, section):
    """Return what queue_job's runner makes of its section."""
    from odoo.addons.queue_job import jobrunner
    from odoo.addons.queue_job.jobrunner.runner import (
        QueueJobRunner,
        _connection_info_for,
    )

    jobrunner.queue_job_config.clear()
    jobrunner.queue_job_config.update(section)
    runner = QueueJobRunner.from_environ_or_config()
    database = _connection_info_for(env.cr.dbname)
    names = [part.partition(":")[0].strip() for part in section["channels"].split(",")]
    return {
        "host": runner.host,
        "port": runner.port,
        "channels": ",".join(
            f"{name}:{runner.channel_manager.get_channel_by_name(name).capacity}"
            for name in names
        ),
        **{f"jobrunner_db_{name}": database.get(name) for name in ("host", "port")},
    }


@pytest.mark.parametrize("block", INI, ids=str)
def test_configurations_are_read_as_they_are_meant(block, campaign):
    """Odoo knows each option, and queue_job each line of its section."""
    found = sections(block)
    options = found.pop("options", {})
    read = campaign.shell.run(read_as_odoo_does, options=options)
    assert set(read) == set(options), str(block)
    section = found.pop("queue_job", {})
    if section:
        section.setdefault("channels", "root:1")
        read = campaign.shell.run(read_as_the_runner_does, section=section)
        assert {name: read.get(name) for name in section} == section, str(block)
    assert not found, str(block)


def test_defaults_are_what_the_pages_say(campaign):
    """A default that changes with Odoo is to change on the pages, too."""

    def read(env, step):
        from odoo.tools import config

        return {name: config._default_options[name] for name in config.options_index}

    defaults = campaign.shell.run(read)
    said = re.findall(r"^- \*\*`(\w+)`\*\* \((-?\d+) by default", OPERATIONS, re.M)
    said += re.findall(
        r"^\| `(\w+) = (\d+)` +\| no effect +\| that is the default", MIGRATION, re.M
    )
    assert len(said) == 7
    assert {name: int(value) for name, value in said} == {
        name: defaults[name] for name, _value in said
    }
    assert (defaults["limit_memory_soft"], defaults["limit_memory_hard"]) == (
        2 * 2**30,
        2.5 * 2**30,
    )
    assert "`mail_mass_mailing_batch_size = 200`" in MIGRATION
    assert "mail_mass_mailing_batch_size" not in defaults


def test_what_is_there_and_what_is_not(campaign):
    """Methods, columns and names that the page on migration tells of."""

    def look(env, step):
        from odoo.addons.queue_job import job

        mailing, trace = env["mailing.mailing"], env["mailing.trace"]
        cron = env.ref("mail.ir_cron_mail_scheduler_action")
        return {
            "mailing": [
                name
                for name in (
                    "action_send_mail",
                    "action_send_mail_async",
                    "_send",
                    "_send_one",
                )
                if callable(getattr(mailing, name, None))
            ],
            "traces": callable(getattr(trace, "_send", None)),
            "stored": [
                name
                for name in ("state", "subject", "sent", "total")
                if mailing._fields[name].store
            ],
            "decorator": hasattr(job, "job"),
            "cron": cron.name,
        }

    found = campaign.shell.run(look)
    called = re.findall(r"^\| `mailing\.(\w+)\(", MIGRATION, re.M)
    assert set(called) == set(found["mailing"])
    assert found["traces"]
    assert found["stored"] == ["state", "subject"]
    assert not found["decorator"]
    assert f"_{found['cron']}_" in MIGRATION


@pytest.mark.parametrize(
    "page", pages.pages(), ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page):
    """Each relative link names a file that is there, and an anchor that it has."""
    assert not pages.broken_links(page)


def test_no_block_is_forgotten():
    """Whatever pages tell people to paste or run, a test does."""
    assert not pages.unknown_blocks()
    for name in {*pages.COMMANDS.values(), *pages.LANGUAGES.values()}:
        assert (ROOT / "tests" / name).exists(), name


def test_the_load_balancer_takes_its_configuration(environment, tmp_path):
    """HAProxy reads it without a complaint."""
    if not environment.haproxy:
        pytest.skip("HAProxy is missing: python3 setup/environment balancer")
    (block,) = pages.blocks("cfg")
    path = tmp_path / "haproxy.cfg"
    path.write_text(block.text)
    done = subprocess.run(
        [environment.haproxy, "-c", "-f", path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr


def test_what_prometheus_is_told_is_where_figures_are():
    """Its path is our route's."""
    (block,) = pages.blocks("yaml")
    (job,) = yaml.safe_load(block.text)["scrape_configs"]
    controller = ROOT / "mass_mailing_queue" / "controllers" / "metrics.py"
    assert f'"{job["metrics_path"]}"' in controller.read_text()


def commands(beginning):
    """What pages tell people to run that begins so."""
    lines = [
        line for block in pages.blocks("console") for line in block.text.splitlines()
    ]
    return [shlex.split(line) for line in lines if line.startswith(beginning)]


def test_what_is_searched_in_the_log_is_what_is_written_there(environment, tmp_path):
    """Each alternative is a text of Odoo's server or of ours."""
    server = next(
        path / "odoo" / "service" / "server.py"
        for path in Path(environment.addons_path[0]).parents
        if (path / "odoo" / "service" / "server.py").exists()
    )
    ours = ROOT / "mass_mailing_queue" / "models" / "mailing_mailing_pause.py"
    text = "".join(path.read_text() for path in (server, ours))
    (tmp_path / "odoo.log").write_text(text)
    found = commands("grep ")
    assert found
    for command in found:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        for pattern in command[-2].split("|"):
            assert pattern in done.stdout, pattern


def test_contributors_can_run_one_test():
    """The tests that the page names are there."""
    chosen, inside = commands("build/environment/venv/bin/python -m ")
    collect = [sys.executable, *chosen[1:], "--collect-only", "-q"]
    assert subprocess.run(collect, cwd=ROOT, capture_output=True).returncode == 0
    addon, _colon, name = inside[-1].strip("/").partition(":")
    tests = (ROOT / addon / "tests").glob("test_*.py")
    assert any(f"class {name}(" in path.read_text() for path in tests)
