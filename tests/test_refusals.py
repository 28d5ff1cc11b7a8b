"""What a mail server refuses: everybody, some, some of the senders, or the connection.

The scripted server speaks a language that nobody knows: its words tell nothing.
"""

from pathlib import Path

import pytest

from . import campaigns, sending
from .chaos.world import HURRY
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule
from .throttling import MODULES as LIMITS
from .throttling import Bench

pytestmark = pytest.mark.slow

ADDONS = Path(__file__).parent / "addons"
OWNERS = "mass_mailing_queue_owners"

RECIPIENTS = 200
#: Far more than it takes, also where many things run at once (seconds).
SECONDS = 240
#: How long a known outage keeps everybody waiting at least (seconds).
OUTAGE = 60
#: Five attempts; as many ends of connections that had delivered to others, of which
#: each of four workers has one; and one more while others are sent to.
MOST_KNOCKS = 15

WORDS = "vlorn takka emel"
LANGUAGE = f"<{{text}}> {WORDS} nurr ({{id}})"

#: One recipient a job, as is the default for so few, and jobs of many.
SIZES = {"job-of-one": 0, "job-of-100": 100}


class Refused(Bench):
    """One server and one list, for a mailing that is refused, one after the other."""

    def __init__(self, scope, modules, size):
        self.modules = modules
        super().__init__(scope, RECIPIENTS, job_size=size, workers=6, slots=4)
        self.before = 0

    def launch(self):
        """Send a new mailing."""
        self.before = self.sink.count()
        return super().launch()

    def paused(self, mailing):
        """Why it is paused, or None."""
        return self.database.value(
            "SELECT queue_pause_reason FROM mailing_mailing "
            "WHERE id = %s AND queue_paused",
            (mailing,),
        )

    def was_paused(self, mailing):
        """Whether somebody was told that it paused."""
        return self.database.value(
            "SELECT count(*) > 0 FROM mail_activity "
            "WHERE res_model = 'mailing.mailing' AND res_id = %s",
            (mailing,),
        )

    def outcomes(self, mailing):
        """How many recipients have which status after how many attempts."""
        rows = self.database.query(
            "SELECT trace_status, COALESCE(queue_attempts, 0), count(*) "
            "FROM mailing_trace WHERE mass_mailing_id = %s GROUP BY 1, 2",
            (mailing,),
        )
        return {(status, attempts): count for status, attempts, count in rows}

    def wait_for_arrivals(self, count):
        """Wait until so many of this mailing have arrived, and return them."""
        return self.sink.wait_for_messages(self.before + count, SECONDS)[self.before :]

    def wait_for(self, condition, what):
        return wait_until(condition, SECONDS, what, interval=0.2)

    def wait_until_idle(self, mailing):
        """Wait until nobody is at work."""
        busy = "SELECT count(*) FROM queue_job WHERE state IN ('enqueued', 'started')"
        self.wait_for(
            lambda: not campaigns.count(self.database, mailing, "process")
            and not self.database.value(busy),
            "nobody is at work",
        )

    def hurry(self):
        """Let what is due later be due now."""
        for statement in HURRY:
            self.database.execute(statement)

    def hurry_until_done(self, mailing):
        def done():
            self.hurry()
            return campaigns.state(self.database, mailing) == "done"

        wait_until(done, SECONDS, "it is done", interval=1)

    def resume(self, mailing):
        self.rpc.press("mailing.mailing", "action_queue_resume", [mailing])

    def repair(self):
        """Leave nothing for the next mailing."""
        self.sink.rules()
        for mailing in self.rpc.search("mailing.mailing", [("state", "=", "sending")]):
            self.rpc.press("mailing.mailing", "action_queue_cancel", [mailing])
            self.hurry_until_done(mailing)
        self.database.execute("DELETE FROM mailing_queue_outage")
        if self.account:
            self.rpc.press("mailing.provider", "action_resume", [self.account])


@pytest.fixture(
    scope="module",
    params=zip([campaigns.MODULES, LIMITS], SIZES.values(), strict=True),
    ids=["job-of-one", "job-of-100-with-limits"],
)
def served(request, module_scope):
    return Refused(module_scope, *request.param)


@pytest.fixture
def bench(served):
    """A server that nobody is refused by, yet."""
    yield served
    served.repair()


@pytest.mark.parametrize("command", ["rcpt", "end"])
@pytest.mark.parametrize("code", [454, 554])
def test_the_same_refusal_for_everybody_pauses(bench, code, command):
    """Nobody has failed, no attempt is spent, and the reason is the server's.

    Whoever has repaired it presses Resume, and everybody gets the email once. The
    server takes its time, so that several workers are answered at the same moment.
    """
    bench.sink.rules(Rule(command, reply=f"{code} {LANGUAGE}", delay=0.1))
    mailing = bench.launch()
    reason = bench.wait_for(lambda: bench.paused(mailing), "it pauses")
    bench.wait_until_idle(mailing)
    assert bench.outcomes(mailing) == {("outgoing", 0): RECIPIENTS}
    assert WORDS in reason
    assert "@" not in reason
    bench.sink.rules()
    bench.resume(mailing)
    campaigns.wait_until_done(bench.database, mailing, SECONDS)
    verdict = compare(bench.sink, bench.database, mailing, RECIPIENTS)
    assert verdict.flawless, str(verdict)


@pytest.mark.parametrize("command", ["rcpt", "end"])
def test_who_is_refused_for_good_among_others_has_failed(bench, command):
    """One in ten: just these have failed, with the server's words."""
    bench.sink.rules(Rule(command, r"contact\d*7@", f"554 {LANGUAGE}"))
    mailing = bench.launch()
    campaigns.wait_until_done(bench.database, mailing, SECONDS)
    failed = RECIPIENTS // 10
    verdict = compare(bench.sink, bench.database, mailing, RECIPIENTS)
    assert verdict.exactly_once, str(verdict)
    assert verdict.statuses == {"sent": RECIPIENTS - failed, "error": failed}
    assert not bench.was_paused(mailing)
    told = bench.database.query(
        "SELECT email, failure_reason FROM mailing_trace "
        "WHERE mass_mailing_id = %s AND trace_status = 'error'",
        (mailing,),
    )
    assert all("7@" in email and WORDS in reason for email, reason in told)


@pytest.mark.parametrize("command", ["rcpt", "end"])
def test_who_is_refused_for_now_among_others_is_tried_later(bench, command):
    """One in ten, and those again when it is only they who are left."""
    bench.sink.rules(Rule(command, r"contact\d*7@", f"454 {LANGUAGE}"))
    mailing = bench.launch()
    later = RECIPIENTS // 10
    for attempt in (1, 2):
        expected = {("sent", 1): RECIPIENTS - later, ("outgoing", attempt): later}
        bench.wait_for(
            lambda: bench.outcomes(mailing) == expected,  # noqa: B023
            f"attempt {attempt} of each",
        )
        bench.wait_until_idle(mailing)
        assert not bench.was_paused(mailing)
        if attempt == 1:
            bench.hurry()
    bench.sink.rules()
    bench.hurry_until_done(mailing)
    verdict = compare(bench.sink, bench.database, mailing, RECIPIENTS)
    assert verdict.flawless, str(verdict)
    assert not bench.was_paused(mailing)


def test_who_is_refused_for_now_to_the_end_has_failed(bench):
    """Nobody pauses for the few that are left, and each has their attempts."""
    bench.sink.rules(Rule("rcpt", r"contact\d*7@", f"454 {LANGUAGE}"))
    mailing = bench.launch()
    bench.hurry_until_done(mailing)
    failed = RECIPIENTS // 10
    outcomes = bench.outcomes(mailing)
    assert outcomes == {("sent", 1): RECIPIENTS - failed, ("error", 5): failed}
    assert not bench.was_paused(mailing)


@pytest.mark.parametrize(
    "who", ["contact(0|1)@", "contact(40|41)@", "contact(40|150)@"]
)
@pytest.mark.parametrize(
    "answer",
    [
        {"action": "drop"},
        {"reply": "421 4.7.0 TLS required for RCPT domain, closing connection."},
    ],
    ids=["drop", "421"],
)
def test_two_who_break_each_connection_hold_nobody_up(bench, answer, who):
    """All others are sent without an outage, and these two are bounded."""
    bench.sink.rules(Rule("rcpt", who, **answer))
    known = bench.sink.knocks(who)
    mailing = bench.launch()
    arrived = [message.at for message in bench.wait_for_arrivals(RECIPIENTS - 2)]
    pauses = [later - one for one, later in zip(arrived, arrived[1:], strict=False)]
    assert max(pauses) < OUTAGE
    bench.hurry_until_done(mailing)
    verdict = compare(bench.sink, bench.database, mailing, RECIPIENTS)
    assert verdict.exactly_once, str(verdict)
    assert verdict.statuses == {"sent": RECIPIENTS - 2, "error": 2}
    assert not verdict.in_doubt
    assert not bench.was_paused(mailing)
    knocks = bench.sink.knocks(who) - known
    assert len(knocks) == 2
    assert max(knocks.values()) <= MOST_KNOCKS


def test_two_who_break_each_connection_hold_nobody_up_in_one_process(scope):
    """Where nobody else could knock, this one goes on with the others."""
    database, sink, shell, mailing_id = sending.prepare(scope, 20)
    sink.rules(Rule("rcpt", "contact(0|1)@", action="drop"))
    for _call in range(2):
        sending.send_all(shell, mailing_id)
    assert sink.count() == 18
    verdict = compare(sink, database, mailing_id, 20)
    assert not verdict.duplicates, str(verdict)


@pytest.mark.parametrize("recipients", [1, 2])
def test_the_last_who_break_each_connection_are_bounded(scope, recipients):
    """With nobody left to compare with: it is their fault or the server's, in the end.

    Of a server that is out of reach, people are told.
    """
    database, sink, shell, mailing_id = sending.prepare(scope, recipients)
    sink.rules(Rule("rcpt", action="drop"))
    # It is only suspected for an hour: as if they had knocked each five minutes.
    passing = "UPDATE mailing_queue_outage SET since = since - interval '5 minutes'"
    for _knock in range(MOST_KNOCKS):
        sending.send_all(shell, mailing_id)
        for statement in (*HURRY, passing):
            database.execute(statement)
    outage = "SELECT count(*) > 0 FROM mailing_queue_outage WHERE failures > 0"
    failed = campaigns.count(database, mailing_id, "error")
    assert failed == recipients or database.value(outage)


OWNED = [f"contact{number}@example.com" for number in range(3, 40, 4)]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("mail", "^owner3@", "553 5.7.1 <{text}>: sender not owned"), "not owned"),
        (
            Rule(
                "rcpt",
                f"^({'|'.join(OWNED)})$",
                "553 5.7.1 <owner3@owners.example>: Sender address rejected: not "
                "owned by user sender",
            ),
            "not owned",
        ),
        (
            Rule(
                "end",
                f"^({'|'.join(OWNED)})$",
                "554 Message rejected: Email address is not verified. The following "
                "identities failed the check: owner3@owners.example",
            ),
            "not verified",
        ),
    ],
    ids=["mail", "rcpt", "end"],
)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_refused_sender_holds_only_who_is_mailed_by_it(scope, rule, words, size):
    """Three of four owners send, and the fourth when its address is verified."""
    sink = scope.sink().start()
    modules = (*campaigns.MODULES, OWNERS)
    database = scope.database(modules, extra_addons=(ADDONS,))
    shell = scope.shell(database, extra_addons=(ADDONS,))
    mailing = shell.run(campaigns.build, recipients=40, port=sink.port)
    server = scope.server(
        database, workers=6, channels="root:5,root.mail:4", extra_addons=(ADDONS,)
    ).start()
    rpc = server.rpc()
    rpc.set_parameter("mass_mailing_queue.job_size", str(size))
    sink.rules(rule)
    rpc.press("mailing.mailing", "action_launch", [mailing])
    sink.wait_for_messages(30, SECONDS)
    query = (
        "SELECT count(*) FROM mailing_trace WHERE mass_mailing_id = %s AND email = "
        "ANY(%s) AND trace_status = 'outgoing' AND COALESCE(queue_attempts, 0) = 0 "
        "AND failure_reason LIKE %s"
    )
    database.wait_for(
        query.replace("count(*)", "count(*) > 0"), (mailing, OWNED, f"%{words}%")
    )
    assert campaigns.count(database, mailing, "error") == 0
    sink.rules()
    rpc.press("mailing.mailing", "action_queue_resume", [mailing])
    campaigns.wait_until_done(database, mailing, SECONDS)
    verdict = compare(sink, database, mailing, 40)
    assert verdict.flawless, str(verdict)
    assert {message.sender for message in sink.messages()} == {
        f"owner{number}@owners.example" for number in range(4)
    }
