"""Whose fault it is when something goes wrong: a recipient fails for its own only."""

from pathlib import Path

import pytest

from . import campaigns
from .support.rpc import RpcError
from .support.sink_rules import Rule

ADDONS = Path(__file__).parent / "addons"
PROBE = "mass_mailing_queue_probe"
RECIPIENTS = 15
BROKEN = '<p>Dear <t t-out="object.nmae"/></p>'
MINE = "FROM mailing_trace WHERE mass_mailing_id = %s"
#: Bytes of address space that a worker of the test below may use.
MEMORY = 1 << 30


class Faulty:
    """A campaign on a server whose addon suffers what is wanted."""

    def __init__(self, scope, **options):
        self.sink = scope.sink().start()
        self.database = scope.database(
            (*campaigns.MODULES, PROBE), extra_addons=(ADDONS,)
        )
        self.shell = scope.shell(self.database, extra_addons=(ADDONS,))
        self.server = scope.server(
            self.database,
            workers=4,
            channels="root:2,root.mail:2",
            extra_addons=(ADDONS,),
            options=options,
        ).start()
        self.rpc = self.server.rpc()

    def prepare(self, recipients=RECIPIENTS):
        """Make another campaign."""
        self.database.execute(
            "DELETE FROM ir_config_parameter WHERE key LIKE 'fault.%'"
        )
        self.sink.rules()
        self._arrived = self.sink.count()
        self.mailing = self.shell.run(
            # One of them is no recipient, says the addon.
            campaigns.build,
            recipients=recipients + 1,
            port=self.sink.port,
        )
        return self

    def want(self, place, what):
        """Have something go wrong at a place."""
        self.database.execute(
            "INSERT INTO ir_config_parameter (key, value) VALUES (%s, %s)",
            (f"fault.{place}", what),
        )

    def press(self, button):
        self.rpc.press("mailing.mailing", button, [self.mailing])

    def wait(self, statement):
        self.database.wait_for(statement, (self.mailing,))

    def wait_until_paused(self):
        """Wait for it, and return why."""
        self.wait("SELECT queue_paused FROM mailing_mailing WHERE id = %s")
        return self.database.value(
            "SELECT queue_pause_reason FROM mailing_mailing WHERE id = %s",
            (self.mailing,),
        )

    def wait_until_done(self):
        campaigns.wait_until_done(self.database, self.mailing, seconds=150)

    def arrived(self):
        """How many emails of this campaign the server has accepted."""
        return self.sink.count() - self._arrived

    def statuses(self):
        """How many of its recipients have which status."""
        return self.database.counts(
            f"SELECT trace_status, count(*) {MINE} GROUP BY trace_status",
            (self.mailing,),
        )


@pytest.fixture(scope="module")
def module_faulty(module_scope):
    return Faulty(module_scope, limit_memory_hard=MEMORY, limit_time_cpu=6)


@pytest.fixture
def faulty(module_faulty):
    return module_faulty.prepare()


def test_content_that_breaks_while_it_pauses_is_refused_at_resume(faulty):
    """Nobody fails, nothing leaves, and who resumes is told what is wrong."""
    faulty.sink.rules(Rule("end", delay=0.5))
    faulty.press("action_launch")
    faulty.wait(f"SELECT count(*) = {RECIPIENTS} {MINE}")
    faulty.press("action_queue_pause")
    faulty.wait(f"SELECT count(*) = 0 {MINE} AND trace_status = 'process'")
    before = faulty.statuses()
    assert before["outgoing"] > 5
    faulty.rpc.write("mailing.mailing", [faulty.mailing], {"body_html": BROKEN})
    with pytest.raises(RpcError, match="nmae"):
        faulty.press("action_queue_resume")
    assert faulty.statuses() == before
    faulty.rpc.write("mailing.mailing", [faulty.mailing], {"body_html": "<p>Right</p>"})
    faulty.sink.rules()
    faulty.press("action_queue_resume")
    faulty.wait_until_done()
    assert faulty.statuses() == {"sent": RECIPIENTS} and faulty.arrived() == RECIPIENTS


@pytest.mark.parametrize("place", ["compose", "build", "send"])
def test_what_breaks_for_everybody_pauses_the_mailing(faulty, place):
    """Each recipient has a job of its own; and yet nobody fails."""
    faulty.want(place, "broken")
    faulty.press("action_launch")
    reason = faulty.wait_until_paused()
    faulty.wait(f"SELECT count(*) = {RECIPIENTS} {MINE} AND trace_status = 'outgoing'")
    assert "out of order" in reason


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("compose", "memory"),
        ("build", "memory"),
        ("send", "memory"),
        ("compose", "cpu"),
        ("send", "cpu"),
        ("compose", "exit"),
        ("send", "exit"),
        ("compose", "files"),
        ("send", "files"),
        ("build", "disk"),
        ("compose", "unique"),
    ],
)
def test_what_is_nobodys_fault_fails_nobody(faulty, place, what):
    """The job ends and goes on later; at most one message is in doubt."""
    faulty.want(place, f"once {what}")
    faulty.press("action_launch")
    faulty.wait_until_done()
    assert not faulty.database.value(
        f"SELECT count(*) FROM ir_config_parameter WHERE key = 'fault.{place}'"
    ), "it happened"
    rows = faulty.database.query(
        "SELECT trace_status, failure_type, failure_reason, queue_attempts "
        f"{MINE} AND (trace_status <> 'sent' OR queue_attempts <> 1)",
        (faulty.mailing,),
    )
    in_doubt = [row for row in rows if row[1] == "queue_in_doubt"]
    assert rows == in_doubt
    assert len(in_doubt) <= ((place, what) == ("send", "cpu"))
    assert faulty.arrived() == RECIPIENTS - len(in_doubt)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("values", "cancel"),
        ("dynamic", "cancel"),
        ("unlink", "cancel"),
        ("cancel", "cancel"),
        ("exception", "error"),
        ("sent", "sent"),
        ("trace", "cancel"),
        ("server", "cancel"),
        ("list", "cancel"),
        ("nobody", "error"),
    ],
)
def test_whom_another_addon_leaves_out_is_settled_once(faulty, how, status):
    """The others get theirs, and the mailing ends."""
    faulty.database.execute(
        "UPDATE mailing_contact SET company_name = %s WHERE id IN ("
        "SELECT max(id) FROM mailing_contact)",
        (how,),
    )
    faulty.press("action_launch")
    faulty.wait_until_done()
    rows = faulty.database.query(
        f"SELECT trace_status, failure_type, failure_reason {MINE} "
        "AND res_id = (SELECT max(id) FROM mailing_contact)",
        (faulty.mailing,),
    )
    assert rows[0][0] == status
    assert status == "sent" or rows[0][1] or rows[0][2]
    assert faulty.arrived() == RECIPIENTS - 1
