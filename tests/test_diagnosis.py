"""Faults that somebody made, and what Diagnose names first."""

from datetime import datetime, timedelta, timezone

import pytest

from . import campaigns, sending, throttling
from .support.process import free_port, wait_until
from .support.rpc import RpcError
from .support.sink_rules import Rule

#: The line that suits four workers.
CHANNELS = "root:2,root.mail:2"
WORKERS = 4


def people(env, step):
    """A marketer and somebody else, whose passwords are their logins."""
    for login, group in (
        ("marketer", "mass_mailing.group_mass_mailing_user"),
        ("internal", "base.group_user"),
    ):
        env["res.users"].create(
            {
                "name": login,
                "login": login,
                "password": login,
                "group_ids": [(6, 0, env.ref(group).ids)],
            }
        )


class Clinic:
    """A database with a campaign for five, an SMTP server, an Odoo to be started."""

    recipients = 5

    def __init__(self, scope):
        self.scope = scope
        self.sink = scope.sink(password="secret").start()
        self.database = scope.database(throttling.MODULES)
        self.shell = scope.shell(self.database)
        self.draft = self.shell.run(
            campaigns.build, recipients=self.recipients, port=self.sink.port
        )
        self.shell.run(people)
        self.server = self.rpc = None

    def start(self, **settings):
        """Start Odoo as it should be, but for these settings."""
        settings = {"workers": WORKERS, "channels": CHANNELS, **settings}
        self.server = self.scope.server(self.database, **settings).start()
        self.rpc = self.server.rpc()
        # However busy this machine is.
        self.slow_after(60_000)
        return self

    def slow_after(self, milliseconds):
        self.rpc.set_parameter(
            "mass_mailing_queue.slow_milliseconds", str(milliseconds)
        )

    def stop(self):
        self.server.close()

    def new(self):
        mailing = self.rpc.call("mailing.mailing", "copy", [[self.draft]])
        return mailing[0] if isinstance(mailing, list) else mailing

    def launch(self):
        mailing = self.new()
        self.rpc.press("mailing.mailing", "action_launch", [mailing])
        return mailing

    def wait_for_runner(self):
        wait_until(
            lambda: self.database.value(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
                "AND objsubid = 1 AND granted AND classid::bigint << 32 "
                "| objid::bigint = 2293787760715711918 AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            ),
            60,
            "a leading runner",
        )

    def wait_until_paused(self, mailing):
        wait_until(
            lambda: self.database.value(
                "SELECT queue_paused FROM mailing_mailing WHERE id = %s", (mailing,)
            ),
            120,
            "it pauses",
        )

    def cancel(self, mailing):
        self.rpc.press("mailing.mailing", "action_queue_cancel", [mailing])

    def open(self, mailing=False, rpc=None):
        """Press Diagnose on a mailing, or choose it in the menu."""
        rpc = rpc or self.rpc
        if mailing:
            return rpc.press("mailing.mailing", "action_queue_diagnose", [mailing])
        return rpc.call("mailing.queue.diagnosis", "action_open")

    def diagnose(self, mailing=False, rpc=None):
        """What is found, the gravest first."""
        rpc = rpc or self.rpc
        action = self.open(mailing, rpc)
        (row,) = rpc.read(
            "mailing.queue.diagnosis", [action["res_id"]], ["findings", "report"]
        )
        for finding in row["findings"]:
            assert finding["title"] in row["report"] or "&" in row["report"]
        return row["findings"]

    def first(self, mailing=False):
        found = self.diagnose(mailing)
        for finding in found:
            print(finding["gravity"], finding["title"], "|", finding["advice"])
        return found[0]["title"], " ".join([found[0]["advice"], *found[0]["details"]])

    def account(self, method=None, **values):
        (account,) = self.rpc.search("mailing.provider", [("server_ids", "!=", False)])
        if values:
            self.rpc.save("mailing.provider", values, account)
        if method:
            self.rpc.press("mailing.provider", method, [account])

    def limit(self, amount, period):
        row = {"amount": amount, "period": period, "unit": "message"}
        self.account(margin=0, limit_ids=[(5, 0, 0), (0, 0, row)])


@pytest.fixture(scope="module")
def clinic(module_scope):
    """Everything as it should be."""
    clinic = Clinic(module_scope).start()
    clinic.wait_for_runner()
    return clinic


@pytest.fixture(autouse=True)
def well(request):
    """Leave the server well behind."""
    yield
    if "clinic" in request.fixturenames:
        request.getfixturevalue("clinic").sink.rules()


def test_nothing_is_wrong(clinic):
    """No finding is grave, and one says so; nobody is told of it."""
    before = clinic.sink.count()
    found = clinic.diagnose(clinic.new())
    assert found[0]["level"] in ("info", "success"), found[0]
    assert found[-1]["title"] == "Nothing is in the way of sending."
    (times,) = [one for one in found if one["title"].startswith("One email takes")]
    steps = {line.partition(":")[0] for line in times["details"]}
    assert steps >= {
        "rendering",
        "building",
        "connecting",
        "login",
        "encryption",
        "sender accepted",
    }
    assert "delivery" not in steps
    assert clinic.sink.count() == before
    assert not clinic.database.value("SELECT count(*) FROM mailing_trace")
    assert not clinic.database.value("SELECT count(*) FROM mail_mail")


def test_delivery_is_measured_to_an_address_that_somebody_enters(clinic):
    """An email as large as the mailing's, and with nothing of it."""
    mailing = clinic.new()
    action = clinic.open(mailing)
    clinic.rpc.write(
        "mailing.queue.diagnosis", [action["res_id"]], {"test_email": "me@example.net"}
    )
    before = len(clinic.sink.messages())
    clinic.rpc.press("mailing.queue.diagnosis", "action_diagnose", [action["res_id"]])
    (message,) = clinic.sink.messages()[before:]
    assert message.recipients == ["me@example.net"]
    assert not message.identity, "no link to leave for somebody else"
    (row,) = clinic.rpc.read(
        "mailing.queue.diagnosis", [action["res_id"]], ["findings"]
    )
    lines = [line for one in row["findings"] for line in one["details"]]
    assert any(line.startswith("delivery: ") for line in lines)
    clinic.rpc.write(
        "mailing.queue.diagnosis", [action["res_id"]], {"test_email": "nobody"}
    )
    with pytest.raises(RpcError, match="not an email address"):
        clinic.rpc.press(
            "mailing.queue.diagnosis", "action_diagnose", [action["res_id"]]
        )


def test_paused_provider(clinic):
    clinic.account("action_pause")
    mailing = clinic.new()
    title, advice = clinic.first(mailing)
    found = clinic.diagnose(mailing, clinic.server.rpc("marketer", "marketer"))
    clinic.account("action_resume")
    assert "Sink: Paused by" in title
    assert advice.strip() == "Resume the account."
    assert found[0]["advice"] == "For the administrator: Resume the account."
    assert "Sending account" not in str(found[1:]), "said once"


def test_outside_of_the_sending_hours(clinic):
    """It waits as somebody wished, and it says for what."""
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    values = {"name": "Tomorrow", "tz": "UTC", "hour_from": 9, "hour_to": 17}
    days = {f"{tomorrow + timedelta(days=n):%a}".lower(): n == 0 for n in range(7)}
    hours = clinic.rpc.save("mailing.queue.hours", {**values, **days})
    mailing = clinic.new()
    clinic.rpc.write("mailing.mailing", [mailing], {"queue_hours_id": hours})
    clinic.rpc.press("mailing.mailing", "action_launch", [mailing])
    title, advice = clinic.first(mailing)
    clinic.cancel(mailing)
    assert title == f"Sending hours: goes on {tomorrow:%A} 09:00."
    assert "remove the sending hours" in advice


def test_quota_spent(clinic):
    clinic.limit(2, "hour")
    mailing = clinic.launch()
    # Other mail of the account spends it, too.
    wait_until(
        lambda: "is reached" in clinic.diagnose(mailing)[0]["title"],
        60,
        "the limit",
        interval=1,
    )
    title, _advice = clinic.first(mailing)
    clinic.cancel(mailing)
    clinic.limit(throttling.UNLIMITED, "second")
    assert "The limit of" in title and "hour" in title and "is reached" in title


def test_454(clinic):
    """The provider says slow down: its words are named."""
    clinic.limit(5, "second")
    clinic.sink.rules(Rule("end", reply="454 Throttling failure: Maximum sending rate"))
    mailing = clinic.launch()
    wait_until(
        lambda: (
            "Throttling"
            in str(
                clinic.database.column("SELECT last_reply FROM mailing_provider_state")
            )
        ),
        60,
        "a refusal",
    )
    title, _advice = clinic.first(mailing)
    clinic.sink.rules()
    clinic.cancel(mailing)
    clinic.account("action_resume")
    clinic.limit(throttling.UNLIMITED, "second")
    assert "Throttling failure: Maximum sending rate" in title


@pytest.mark.parametrize(
    ("stage", "step", "words"),
    [
        ("connect", "connecting", "greets slowly"),
        ("auth", "login", "check the password"),
        ("mail", "sender accepted", "check the sender"),
    ],
)
def test_slow_server(clinic, stage, step, words):
    """It names the step that is slow."""
    clinic.slow_after(500)
    clinic.sink.rules(Rule(stage, delay=3))
    title, advice = clinic.first(clinic.new())
    clinic.slow_after(60_000)
    assert f"slowest step is {step}:" in title
    assert words in advice


def test_wrong_password(clinic):
    """Before anything is sent, and after it made the mailing pause."""
    clinic.rpc.write(
        "ir.mail_server",
        clinic.rpc.search("ir.mail_server", []),
        {"smtp_pass": "wrong-password"},
    )
    mailing = clinic.new()
    title, advice = clinic.first(mailing)
    assert "refuses us: 535" in title
    assert "password" in advice
    clinic.rpc.press("mailing.mailing", "action_launch", [mailing])
    clinic.wait_until_paused(mailing)
    title, advice = clinic.first(mailing)
    assert "paused" in title and "credentials invalid" in title
    found = str(clinic.diagnose(mailing, clinic.server.rpc("marketer", "marketer")))
    assert "wrong-password" not in found
    clinic.rpc.write(
        "ir.mail_server",
        clinic.rpc.search("ir.mail_server", []),
        {"smtp_pass": "secret"},
    )
    clinic.cancel(mailing)
    clinic.account("action_resume")


def test_archived_server(clinic):
    (server,) = clinic.rpc.search("ir.mail_server", [])
    mailing = clinic.new()
    clinic.rpc.write("mailing.mailing", [mailing], {"mail_server_id": server})
    clinic.database.execute("UPDATE ir_mail_server SET active = false")
    title, advice = clinic.first(mailing)
    clinic.database.execute("UPDATE ir_mail_server SET active = true")
    assert "mail server Sink is archived" in title
    assert "restore it" in advice


def test_inactive_cron(clinic):
    cron = clinic.rpc.reference("mass_mailing_queue.ir_cron_queue_reconcile")
    clinic.rpc.write("ir.cron", [cron], {"active": False})
    title, advice = clinic.first()
    clinic.rpc.write("ir.cron", [cron], {"active": True})
    assert "repair the job queue is inactive" in title
    assert "Activate" in advice


def test_everyone_blacklisted(clinic):
    emails = clinic.database.column(
        "SELECT email FROM mailing_contact WHERE email > ''"
    )
    ids = clinic.rpc.create("mail.blacklist", [{"email": email} for email in emails])
    mailing = clinic.launch()
    campaigns.wait_until_done(clinic.database, mailing)
    title, _advice = clinic.first(mailing)
    clinic.rpc.call("mail.blacklist", "unlink", [ids])
    assert f"Nobody receives the mailing: {clinic.recipients} × Blacklist" in title


def test_who_sees_what(clinic):
    """Without marketing rights: nothing. With them: no credentials, no one else's."""
    mailing = clinic.new()
    internal = clinic.server.rpc("internal", "internal")
    action = clinic.open(mailing)
    for target in (mailing, False):
        with pytest.raises(RpcError, match="AccessError"):
            clinic.open(target, internal)
    for method, args in (
        ("action_diagnose", [[action["res_id"]]]),
        ("action_diagnose", [[]]),
        ("read", [[action["res_id"]], ["findings"]]),
        ("create", [{"mailing_id": mailing}]),
    ):
        with pytest.raises(RpcError):
            internal.call("mailing.queue.diagnosis", method, args)
    marketer = clinic.server.rpc("marketer", "marketer")
    with pytest.raises(RpcError, match="AccessError"):
        marketer.read("mailing.queue.diagnosis", [action["res_id"]], ["findings"])
    found = str(clinic.diagnose(mailing, marketer))
    assert "secret" not in found
    servers = clinic.rpc.search("ir.mail_server", [])
    for model, ids, names in (
        ("ir.mail_server", servers, ["smtp_pass"]),
        ("ir.config_parameter", [1], ["value"]),
        ("queue.job", [1], ["name"]),
    ):
        with pytest.raises(RpcError, match="AccessError"):
            marketer.read(model, ids, names)


# ----------------------------------------------------------------------
# Configurations of their own
# ----------------------------------------------------------------------


@pytest.fixture
def ward(scope):
    """A clinic that starts with what is wrong."""
    return Clinic(scope)


def test_no_runner(ward):
    ward.start(channels=None, cron_threads=0)
    mailing = ward.launch()
    title, advice = ward.first(mailing)
    assert "No job runner is active" in title
    assert "server_wide_modules = base,rpc,web,queue_job" in advice
    assert f"channels = {CHANNELS}" in advice


def test_a_runner_that_reaches_nobody(ward):
    port = free_port()
    ward.start(runner_url=("127.0.0.1", port))
    ward.wait_for_runner()
    mailing = ward.launch()
    title, advice = ward.first(mailing)
    assert f"calls 127.0.0.1:{port}, where nobody answers" in title
    assert "host and port" in advice


def test_root_1(ward):
    ward.start(channels="root:1")
    ward.wait_for_runner()
    title, advice = ward.first(ward.new())
    assert "only 1 of this server's 4 workers (root:1)" in title
    assert f"channels = {CHANNELS}" in advice


def test_a_job_killed_at_limit_time_real(ward):
    """The server answers later than a worker may live."""
    ward.start(options={"limit_time_real": 8})
    ward.wait_for_runner()
    ward.sink.rules(Rule("end", action="hang", times=1))
    mailing = ward.launch()
    wait_until(
        lambda: campaigns.count(ward.database, mailing, "process"), 60, "a claim"
    )
    (worker,) = ward.database.column(
        "SELECT queue_claimed_by FROM mailing_trace WHERE trace_status = 'process'"
    )[:1]
    pid = int(worker.rpartition(":")[2])
    wait_until(lambda: pid not in ward.server.worker_pids(), 60, "its worker is killed")
    title, advice = ward.first(mailing)
    assert "worker is gone" in title or "limit_time_real" in title
    assert "limit_time_real = 120" in advice and worker.rpartition(":")[2] in advice
    ward.shell.run(sending.reconcile)
    title, advice = ward.first(mailing)
    assert "in doubt" in title and "limit_time_real" in title
    assert "limit_time_real = 120" in advice and worker.rpartition(":")[2] in advice
