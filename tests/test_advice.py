"""Every line that pages and screens tell people to configure, given to a real Odoo.

Whoever pastes it has a server that starts, answers and keeps what was configured
before; and no screen finds anything wrong with what another one has proposed.
"""

import ast
import os
import re
import xmlrpc.client

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import campaigns
from .support import pages
from .support.environment import ROOT
from .support.process import wait_until
from .test_diagnosis import Clinic
from .test_fuzz_modules import load

#: Of the servers that are configured by their own advice; and the account's senders.
WORKERS = 6
SENDERS = 2

(capacities,) = load("mass_mailing_queue", "capacities")

ADDONS = ROOT / "tests" / "addons"
LINE = re.compile(r"`(\w+) = ([^`]+)`")
#: Settings of PostgreSQL, and of PgBouncer, of which pages tell.
POSTGRESQL = ("client_connection_check_interval", "synchronous_commit")
PGBOUNCER = ("pool_mode",)
#: What the pages say of options that Odoo does not have.
UNKNOWN = ("mail_mass_mailing_batch_size",)
#: Options of which texts on screens give values, and these values.
ON_SCREENS = {"limit_time_real": "120", "max_cron_threads": "1"}


@pytest.fixture(scope="module")
def clinic(module_scope):
    """A database with a campaign, and no server yet."""
    return Clinic(module_scope)


def answers(server):
    """Assert that other programs reach it, as without us."""
    proxy = xmlrpc.client.ServerProxy(f"{server.url}/xmlrpc/2/common")
    name = server.database.name
    assert proxy.authenticate(name, "admin", "admin", {})


def complaints(server):
    """What it says about its configuration, and each error."""
    lines = [line for line in server.errors() if "Unable to find" not in line]
    text = server.log.read_text(errors="replace")
    return lines + re.findall(r"^.*unknown option.*$", text, re.MULTILINE)


# ----------------------------------------------------------------------
# Pages
# ----------------------------------------------------------------------


@pytest.mark.parametrize("block", pages.blocks("ini"), ids=str)
def test_odoo_starts_with_what_pages_tell_people_to_paste(block, clinic, scope):
    """It answers, and its job runner leads where there is to be one."""
    # Alone, a section [queue_job] goes into a file that already has a runner.
    channels = None if "[options]" in block.text else "root:1"
    server = scope.server(clinic.database, channels=channels, pasted=block.text)
    if "http_enable = False" in block.text:
        server.start(ready=lambda: server.says("WorkerCron"))
    else:
        server.start()
        answers(server)
    modules = server.config.sections()["options"]["server_wide_modules"].split(",")
    assert {"base", "rpc", "web"} <= set(modules)
    if "queue_job" in modules:
        clinic.wait_for_runner()
    assert not complaints(server)


def test_odoo_starts_with_single_lines_of_pages(clinic, scope):
    """Those in the text, be they advice or what somebody else advises."""
    lines = {
        match.groups()
        for page in pages.fragments()
        for match in LINE.finditer(page.read_text())
        if match[1] not in (*POSTGRESQL, *PGBOUNCER)
    }
    assert {"db_maxconn", "limit_memory_hard"} <= {name for name, _value in lines}
    pasted = "\n".join(
        f"{name} = {value}" for name, value in sorted(dict(lines).items())
    )
    server = scope.server(clinic.database, pasted=f"[options]\n{pasted}").start()
    answers(server)
    assert not [
        line for line in complaints(server) if not any(name in line for name in UNKNOWN)
    ]


def test_postgresql_takes_its_settings(clinic):
    """Whether they are advice or not, they are spelled as it knows them."""
    found = {
        match
        for page in pages.fragments()
        for match in LINE.findall(page.read_text())
        if match[0] in POSTGRESQL
    }
    assert {name for name, _value in found} == set(POSTGRESQL)
    for name, value in found:
        clinic.database.execute(f"SET {name} = '{value}'")


# ----------------------------------------------------------------------
# Screens
# ----------------------------------------------------------------------


def texts():
    """Whatever the addons' Python code may show."""
    for addon in pages.ADDONS:
        for path in (ROOT / addon).rglob("*.py"):
            if "tests" not in path.relative_to(ROOT).parts:
                for node in ast.walk(ast.parse(path.read_text())):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield node.value


def test_every_option_that_a_screen_gives_a_value_is_known_here(clinic):
    """A new one is to be given to Odoo below."""

    def options(env, step):
        from odoo.tools import config

        return list(config.options_index)

    found = {
        name
        for text in texts()
        for name in re.findall(r"\b([a-z_]+) = (?:\d|%\()", text)
    }
    assert found.intersection(clinic.shell.run(options)) == set(ON_SCREENS)


def groups(advice, details):
    """What Diagnose says is to be done: [(sentence, its lines)]."""
    found = [(advice, [])]
    for line in details:
        if line.endswith(":"):
            found.append((line, []))
        else:
            found[-1][1].append(line)
    return found


def follow(server, advice, lines):
    """Do it as somebody does who takes it literally, and does no more."""
    section, option = (
        (re.search(pattern, advice) or [None, None])[1]
        for pattern in (r"section \[(\w+)\]", r"Replace (\w+) in")
    )
    text = server.path.read_text()
    if "environment variable" in advice:
        name, _equals, value = lines[0].partition("=")
        server.environ = {**(server.environ or os.environ), name: value}
    elif "at the end of" in advice:
        text = "\n".join([text, *lines, ""])
    elif advice.startswith("Add this line to the section"):
        assert text.count(f"[{section}]\n") == 1
        text = text.replace(f"[{section}]\n", f"[{section}]\n{lines[0]}\n")
    else:
        assert option, advice
        setting = re.compile(rf"^{option}\s*=.*\n([ \t]+.*\n)*", re.MULTILINE)
        text, count = setting.subn(f"{lines[0]}\n", text)
        assert count == 1
    server.path.write_text(text)


def untouched(server, text):
    """Nobody has configured anything that concerns us."""
    return re.sub(r"^server_wide_modules.*\n", "", text, flags=re.MULTILINE)


def modules_of_others(server, text):
    """Another addon is loaded, too, and a section has other settings."""
    text = re.sub(r"(?<=^server_wide_modules = ).*", "rpc,web,bus", text, flags=re.M)
    return f"{text}\n[queue_job]\nport = {server.port}\n"


def empty_section(server, text):
    """Somebody has begun."""
    return f"{untouched(server, text)}\n[queue_job]\n"


def channels_of_others(server, text):
    """Several lines of channels, which others need."""
    return (
        re.sub(r"(?<=^server_wide_modules = ).*", "rpc,web,queue_job", text, flags=re.M)
        + "\n[queue_job]\nchannels = root:1,\n    root.other:1\n"
        + f"host = 127.0.0.1\nport = {server.port}\n"
    )


def environment(server, text):
    """Variables instead of lines."""
    server.environ = {
        **os.environ,
        "ODOO_SERVER_WIDE_MODULES": "base,rpc,web,bus",
        "ODOO_QUEUE_JOB_CHANNELS": "root:1,root.other:1",
    }
    return untouched(server, text)


class Office:
    """A server that was configured somehow, and what its screens say.

    :param before: makes its configuration file
    """

    def __init__(self, clinic, before):
        self.clinic = clinic
        self.server = clinic.server = clinic.scope.server(
            clinic.database, workers=WORKERS
        )
        self.server.config.write(self.server.path)
        text = before(self.server, self.server.path.read_text())
        self.server.path.write_text(text)
        self.start()
        # Fewer than workers, so that the account needs a channel of its own.
        clinic.account(capacity=SENDERS)

    def start(self):
        self.server.start(edited=True)
        self.clinic.rpc = self.server.rpc()
        answers(self.server)

    def restart(self):
        self.server.stop()
        self.start()

    def diagnose(self):
        """What is to be changed, as Diagnose says: of runner and channels."""
        return [
            groups(finding["advice"], finding["details"])
            for finding in self.clinic.diagnose(self.clinic.draft)
            if any(
                word in finding["title"]
                for word in ("job runner", "Mailings may", "channel")
            )
        ]

    def account(self):
        """What is to be changed, as the account's form says."""
        ids = self.clinic.rpc.search("mailing.provider", [("server_ids", "!=", False)])
        (row,) = self.clinic.rpc.read(
            "mailing.provider", ids, ["channel_hint", "channel_advice", "channel_lines"]
        )
        if not row["channel_hint"]:
            return []
        lines = row["channel_lines"].split("\n")
        return [groups(row["channel_advice"], lines)]

    def setting(self, name, option):
        """What is in force in the end."""
        variable = (self.server.environ or {}).get(name)
        match = re.search(rf"^{option} = (.*)$", self.server.path.read_text(), re.M)
        return variable or (match and match[1]) or ""


SITUATIONS = [
    untouched,
    modules_of_others,
    empty_section,
    channels_of_others,
    environment,
]


@pytest.mark.parametrize("before", SITUATIONS, ids=lambda one: one.__name__)
def test_diagnose_is_followed(before, clinic):
    """Odoo starts, a runner leads, others' settings are there, nobody finds fault."""
    office = Office(clinic, before)
    if before is channels_of_others:
        clinic.wait_for_runner()
    advised = office.diagnose()[0]
    for advice, lines in advised:
        print(advice, lines)
        follow(office.server, advice, lines)
    office.restart()
    clinic.wait_for_runner()
    assert not office.diagnose()
    assert not office.account()
    modules = office.setting("ODOO_SERVER_WIDE_MODULES", "server_wide_modules")
    assert {"rpc", "web", "queue_job"} <= set(modules.split(","))
    assert ("bus" in modules) == (before in (modules_of_others, environment))
    channels = office.setting("ODOO_QUEUE_JOB_CHANNELS", "channels").split(",")
    assert channels[0] == f"root:{WORKERS - 2}"
    assert re.fullmatch(rf"root\.mail\..*:{SENDERS}", channels[-1])
    others = before in (channels_of_others, environment)
    assert ("root.other:1" in channels) == others
    office.server.close()


@pytest.mark.parametrize(
    "before", [untouched, channels_of_others], ids=lambda one: one.__name__
)
def test_the_account_is_followed(before, clinic):
    """What its form proposes is what Diagnose wants, too."""
    office = Office(clinic, before)
    (advised,) = office.account()
    for advice, lines in advised:
        follow(office.server, advice, lines)
    for name, value in ON_SCREENS.items():
        text = office.server.path.read_text()
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.M)
        if not count:
            text = text.replace("[options]\n", f"[options]\n{name} = {value}\n", 1)
        office.server.path.write_text(text)
    office.restart()
    assert not office.account()
    if before is untouched:
        # There is still no runner; its line is all that is missing.
        (((advice, lines),),) = office.diagnose()
        assert lines == ["server_wide_modules = base,rpc,web,queue_job"]
        assert "section [options]" in advice
    else:
        # The runner that it starts has to be seen first.
        wait_until(lambda: not office.diagnose(), 60, "nothing is found")
    assert not complaints(office.server)
    office.server.close()


# ----------------------------------------------------------------------
# Channels in the database
# ----------------------------------------------------------------------


def follow_in_database(env, step, most, rules, capacities):
    """Read what is advised, do it, and read it again; runs inside Odoo.

    :param most: `max_capacity` of the server
    :param rules: its `db_max_capacity`
    :param capacities: channel → capacity
    :return: what was advised at first, and then; and senders of the account
    """
    import os
    from unittest.mock import patch

    from odoo.tools import config

    from odoo.addons.mass_mailing_queue import channels

    model = env["queue.job.channel"]
    account = env["mailing.provider"].search([("server_ids", "!=", False)])
    account.capacity = 4
    # Whoever calls the newer one's without `channels` gets nothing.
    newer = patch.object(channels, "_channels", lambda: None)
    workers = patch.dict(config.options, {"workers": 8})
    values = {
        "ODOO_QUEUE_JOB_MAX_CAPACITY": most,
        "ODOO_QUEUE_JOB_DB_MAX_CAPACITY": rules.format(env.cr.dbname),
    }
    advised = []
    with newer, workers, patch.dict(os.environ, values):
        model.search([]).capacity = 0
        for name, capacity in capacities.items():
            model.search([("complete_name", "=", name)]).capacity = capacity
        for _time in range(2):
            env.invalidate_all()
            found = model._queue_describe_recommended()
            finding = env["mailing.queue.diagnosis"]._check_channel(None)
            advised.append([found, bool(finding), bool(account.channel_hint)])
            for _advice, lines in found:
                for line in lines:
                    name, _equals, value = line.partition("=")
                    if value:
                        os.environ[name] = value
                    else:
                        name, value = line.split(": ")
                        channel = model.search([("complete_name", "=", name)])
                        channel.capacity = int(value)
        senders = account._parallel_senders()
    return advised, senders, account._channel_name(), env.cr.dbname


@pytest.mark.parametrize(
    ("most", "rules", "capacities", "expected"),
    [
        (
            "1",
            "",
            {},
            ["ODOO_QUEUE_JOB_MAX_CAPACITY=6", "root.mail: 6", "{account}: 4"],
        ),
        ("6", "", {"root": 2}, ["root: 6", "root.mail: 6", "{account}: 4"]),
        ("9", "{}:2,*:1", {}, None),
        ("6", "", {"root.mail": 3}, ["root.mail: 6", "{account}: 4"]),
        ("6", "", {"root.mail": 6, "{account}": 2}, ["{account}: 4"]),
    ],
)
def test_channels_in_the_database_are_advised(most, rules, capacities, expected, scope):
    """Read from the records, and said of them; with a fake of a newer queue_job."""
    database = scope.database(
        ["mass_mailing_queue_newer_channels"], extra_addons=(ADDONS,)
    )
    shell = scope.shell(database, extra_addons=(ADDONS,))
    shell.run(campaigns.build, recipients=1, port=25)
    name = shell.run(account_channel)
    named = {key.format(account=name): value for key, value in capacities.items()}
    (first, then), senders, _name, dbname = shell.run(
        follow_in_database, most=most, rules=rules, capacities=named
    )
    found, _finding, _hint = first
    lines = [line for _advice, lines in found for line in lines]
    if expected is None:
        expected = [
            f"ODOO_QUEUE_JOB_DB_MAX_CAPACITY={dbname}:6,{dbname}:2,*:1",
            "root.mail: 6",
            "{account}: 4",
        ]
    assert lines == [line.replace("{account}", name) for line in expected]
    assert any("Job Queue / Channels" in advice for advice, _lines in found)
    assert then == [[], False, False]
    assert senders == 4


def account_channel(env, step):
    account = env["mailing.provider"].search([("server_ids", "!=", False)])
    return account._channel_name()


# ----------------------------------------------------------------------
# Any configuration
# ----------------------------------------------------------------------

NAMES = ("root", "root.mail", "root.mail.a", "root.mail.b", "root.c", "root.c.d")
CAPACITIES = st.sampled_from((0, 1, 1, 2, 3, 5, 8, 20))
CHANNEL = st.one_of(
    CAPACITIES.map(capacities.Channel),
    st.just(capacities.Channel(1, "sequential")),
)
CONFIGURED = st.dictionaries(st.sampled_from(NAMES), CHANNEL)


@given(
    CONFIGURED,
    st.sampled_from((None, 0, 1, 2, 3, 4, 8, 16)),
    st.dictionaries(st.sampled_from(NAMES), st.integers(1, 12)),
    st.booleans(),
)
def test_what_is_recommended_needs_no_change(channels, workers, bounds, shared):
    """No screen has anything to say about what another one has proposed.

    Nobody's channel is lost, nor one job after the other.
    """
    found = capacities.recommended(channels, workers, bounds, shared)
    assert capacities.recommended(found, workers, bounds, shared) == found
    assert capacities.parse(capacities.unparse(found)) == found
    assert set(channels) <= set(found)
    for name, channel in channels.items():
        assert found[name].options == channel.options
        assert not channel.sequential or found[name].capacity == 1
    if workers:
        # Two are left for people, if there are so many.
        mail = capacities.effective_capacity(found, capacities.MAIL)
        assert mail <= max(workers - 1, 1)
