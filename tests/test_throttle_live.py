"""What people change takes effect at once, and waiting costs nothing."""

import contextlib
import time

import psutil
import pytest

from . import campaigns, sending
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule
from .throttling import MODULES, UNLIMITED, Bench, within

#: Seats that are taken in a database; others on its server have their own.
SEATS = """
    pg_locks WHERE locktype = 'advisory' AND classid = 7221904 AND granted
       AND database = (SELECT oid FROM pg_database
                        WHERE datname = current_database())
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(module_scope):
    """600 recipients, jobs of 25."""
    return Bench(module_scope, 600, job_size=25)


def test_changes_take_effect_at_once(bench):
    """A new rate, a pause and a resume, within 3 s and without a restart."""
    bench.set(capacity=4)
    bench.limit(2)
    mailing = bench.launch()
    before = len(bench.arrivals())
    wait_until(lambda: bench.sink.count() > before + 4, 60, "messages")

    def counted(seconds=3):
        """Messages in the seconds that begin 3 s after now."""
        begin = time.time() + 3
        time.sleep(3 + seconds)
        return within(bench.arrivals(), begin, begin + seconds)

    assert counted() <= 2 * 3 + 3
    bench.limit(10)
    assert counted() >= 0.8 * 10 * 3
    bench.rpc.press("mailing.provider", "action_pause", [bench.account])
    assert counted() == 0
    bench.rpc.press("mailing.provider", "action_resume", [bench.account])
    assert counted() >= 0.8 * 10 * 3
    # A slow server: the number of senders is the rate.
    bench.limit(UNLIMITED)
    bench.sink.rules(Rule("end", delay=0.5))
    bench.set(capacity=1)
    assert counted() <= 2 * 3 + 1
    bench.set(capacity=4)
    assert counted() >= 2 * 3 * 3
    bench.set(capacity=1)
    assert counted() <= 2 * 3 + 1
    bench.sink.rules()
    bench.cancel(mailing)


def test_a_killed_sender_frees_its_seat(bench):
    """At most one turn is lost, and the seat is free within a second."""
    bench.limit(UNLIMITED)
    bench.set(capacity=1)
    bench.sink.rules(Rule("end", action="hang", times=1))
    before = bench.sink.count()
    taken = bench.state("taken")[0]
    mailing = bench.launch()
    wait_until(
        lambda: campaigns.count(bench.database, mailing, "process"), 60, "a claim"
    )
    time.sleep(1)
    (claimed_by,) = bench.database.query(
        "SELECT queue_claimed_by FROM mailing_trace "
        "WHERE trace_status = 'process' AND mass_mailing_id = %s",
        (mailing,),
    )[0]
    seats = f"SELECT count(*) FROM {SEATS}"
    # Jobs of the mailing before leave theirs.
    wait_until(lambda: bench.database.query(seats) == [(1,)], 30, "one seat")
    accepted = bench.sink.count() - before
    assert bench.state("taken")[0] - taken - accepted <= 1
    holder = bench.database.query(f"SELECT pid FROM {SEATS}")
    killed = time.monotonic()
    bench.server.kill_worker(int(claimed_by.rpartition(":")[2]))
    wait_until(
        lambda: bench.database.query(f"SELECT pid FROM {SEATS}") != holder,
        10,
        "the seat",
        interval=0.02,
    )
    assert time.monotonic() - killed < 1
    bench.sink.rules()
    wait_until(lambda: bench.sink.count() > before + accepted + 50, 120, "the others")
    # What the clock would do in a minute; live claims are left alone.
    bench.database.execute(
        "UPDATE mailing_trace SET queue_claimed_at = queue_claimed_at "
        "- interval '1 minute' WHERE trace_status = 'process'"
    )
    bench.rpc.press("ir.cron", "method_direct_trigger", [bench.reconciler])
    bench.cancel(mailing)
    assert campaigns.count(bench.database, mailing, "error") == 1


def test_a_throttled_campaign_is_idle(scope):
    """2/s with 5,000 waiting: processes sleep, and jobs are not started in vain."""
    bench = Bench(scope, 5_000, workers=6, slots=4)
    bench.limit(2)
    bench.database.execute(
        """
        CREATE TABLE job_start (at timestamptz DEFAULT clock_timestamp());
        CREATE FUNCTION note_start() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO job_start DEFAULT VALUES; RETURN NULL; END';
        CREATE TRIGGER note_start AFTER UPDATE ON queue_job FOR EACH ROW
            WHEN (NEW.state = 'started' AND OLD.state <> 'started'
                  AND NEW.method_name = '_job_send') EXECUTE FUNCTION note_start();
        """
    )
    mailing = bench.launch()
    wait_until(
        lambda: bench.database.query(
            "SELECT queue_planned FROM mailing_mailing WHERE id = %s", (mailing,)
        )[0][0],
        120,
        "everybody is planned",
    )
    time.sleep(3)
    family = psutil.Process(bench.server.pid)
    processes = [family, *family.children(recursive=True)]

    def cpu():
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    begun, before, sent = time.monotonic(), cpu(), bench.sink.count()
    time.sleep(20)
    seconds = time.monotonic() - begun
    load = (cpu() - before) / seconds
    sent = bench.sink.count() - sent
    starts = bench.database.query("SELECT count(*) FROM job_start")[0][0]
    sizes = bench.database.query(
        "SELECT count(*)::float / count(DISTINCT queue_job_uuid) FROM mailing_trace"
    )[0][0]
    needed = -(-bench.sink.count() // sizes)
    print(f"load={load:.3f} sent={sent} starts={starts} needed={needed} size={sizes}")
    assert sent >= 0.95 * 2 * seconds - 2
    assert load < 0.10
    # Those that are under way have been started, too.
    assert starts <= 1.5 * needed + 4
    bench.cancel(mailing)
    verdict = compare(bench.sink, bench.database, mailing)
    assert not verdict.duplicates


def test_other_mail_counts_and_is_not_held_back(bench):
    """Transactional mail leaves at once, and campaigns make room for it."""
    bench.limit(2)
    bench.set(capacity=2)
    mailing = bench.launch()
    before = len(bench.arrivals())
    wait_until(lambda: bench.sink.count() > before + 2, 60, "the campaign")
    begun = time.time()
    mails = bench.rpc.create(
        "mail.mail",
        [
            {
                "email_from": "shop@example.org",
                "email_to": f"buyer{number}@example.net",
                "subject": "Your order",
                "body_html": "<p>Thank you</p>",
            }
            for number in range(20)
        ],
    )
    bench.rpc.press("mail.mail", "send", mails)
    buyers = [
        message
        for message in bench.sink.messages()
        if message.recipients[0].startswith("buyer")
    ]
    assert len(buyers) == 20
    time.sleep(12)
    campaign = [
        message.at
        for message in bench.sink.messages()[before:]
        if message.recipients[0].startswith("contact")
    ]
    # Twenty orders are ten seconds of the account's rate.
    assert within(campaign, begun + 3, begun + 9) <= 2
    bench.cancel(mailing)


def test_no_more_connections_than_the_account_takes(scope):
    """Over all workers, and with those that rest between two jobs."""
    bench = Bench(scope, 60, job_size=1, workers=6, slots=4)
    bench.limit(UNLIMITED)
    bench.set(capacity=2)
    mailing = bench.launch()
    bench.finish(mailing)
    verdict = compare(bench.sink, bench.database, mailing, 60)
    assert verdict.exactly_once and verdict.sent == 60, str(verdict)
    assert bench.sink.most_open == 2


def send_to(env, step, trace_id, stays):
    """Send to one recipient and rest; runs inside Odoo.

    :param stays: wait for the test while the message is being sent, too
    """
    trace = env["mailing.trace"].browse(trace_id)
    mailings = type(env["mailing.mailing"])

    def transmit(self, *args, original=mailings._queue_transmit):
        if stays:
            step("sends")
        return original(self, *args)

    mailings._queue_transmit = transmit
    sent = trace._send()
    step("rests")
    return sent


def test_a_connection_that_rests_keeps_nobody_waiting(scope):
    """It has a seat while nobody lacks one, and gives it to whoever does."""
    database, sink, shell, mailing = sending.prepare(scope, 3, modules=MODULES)
    database.execute("UPDATE mailing_provider SET capacity = 2")
    first, second, third = database.column("SELECT id FROM mailing_trace ORDER BY id")
    seats = f"SELECT count(*) FROM {SEATS}"
    with contextlib.ExitStack() as runs:

        def start(trace_id, stays):
            run = shell.start(send_to, trace_id=trace_id, stays=stays)
            return runs.enter_context(run)

        resting = start(first, stays=False)
        resting.wait_for("rests")
        assert database.value(seats) == 1, "one that rests keeps its seat"
        working = start(second, stays=True)
        working.wait_for("sends")
        assert database.value(seats) == 2
        coming = start(third, stays=False)
        # In vain after half a minute, were it to wait for either.
        coming.wait_for("rests")
        assert sink.count() == 2
        assert database.value(seats) == 1, "none is free, so it is not kept"
        working.go_on()
        working.wait_for("rests")
        for run in (resting, working, coming):
            run.go_on()
            assert run.result() == 1
    assert sink.most_open == 2


def test_a_connection_that_lost_its_seat_ends(scope):
    """With its connection to PostgreSQL; and whoever closes those goes on."""
    database, sink, shell, _mailing = sending.prepare(scope, 2, modules=MODULES)
    database.execute("UPDATE mailing_provider SET capacity = 2")
    first, second = database.column("SELECT id FROM mailing_trace ORDER BY id")

    def send_both(env, step, trace_ids):
        sent = 0
        for trace in env["mailing.trace"].browse(trace_ids):
            sent += trace._send()
            step("rests")
        return sent

    def is_connected():
        return any(
            one.raddr and one.raddr.port == sink.port
            for one in psutil.Process(run.pid).net_connections("tcp")
        )

    with shell.start(send_both, trace_ids=[first, second]) as run:
        for _time in range(2):
            run.wait_for("rests")
            assert is_connected()
            database.query(f"SELECT pg_terminate_backend(pid) FROM {SEATS}")
            wait_until(lambda: not is_connected(), 30, "the end of the connection")
            run.go_on()
        assert run.result() == 2


def test_the_next_job_goes_on_with_a_connection_that_rests(scope):
    """It takes its seat over with it."""
    database, sink, shell, mailing = sending.prepare(scope, 3, modules=MODULES)
    database.execute("UPDATE mailing_provider SET capacity = 2")

    def send_each(env, step, mailing_id):
        traces = env["mailing.mailing"].browse(mailing_id).mailing_trace_ids
        return sum(trace._send() for trace in traces)

    assert shell.run(send_each, mailing_id=mailing) == 3
    assert sink.connections == 1
