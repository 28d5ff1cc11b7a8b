"""The buckets' arithmetic, on the real statement, in the real PostgreSQL.

Time is the test's own where that is possible: a schema in front of `pg_catalog` has a
`clock_timestamp` that answers what the session is told.
"""

import contextlib
import importlib.util
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .support.process import wait_until
from .throttling import MODULES

ROOT = Path(__file__).resolve().parents[1]
BEGIN = datetime(2026, 1, 30, 21, 0, 0, tzinfo=timezone.utc)
SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
FAR = 1e9


def load(name):
    """A module of an addon that itself needs no Odoo; importing the addon would.

    :param name: as Odoo imports it
    """
    path = ROOT.joinpath(*name.split(".")[2:]).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up, and other modules import it.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


THROTTLE = "odoo.addons.mass_mailing_queue_throttle"
prepared = load("odoo.addons.mass_mailing_queue.prepared")
# Each after those that it imports.
load(f"{THROTTLE}.sql_parts")
sql = load(f"{THROTTLE}.sql")
sql_screens = load(f"{THROTTLE}.sql_screens")
sql_counts = load(f"{THROTTLE}.sql_counts")
sql_jobs = load(f"{THROTTLE}.sql_jobs")
sql_people = load(f"{THROTTLE}.sql_people")
sql_replies = load(f"{THROTTLE}.sql_replies")


class Account:
    """A provider in a database of its own, and a clock to turn.

    :param database: see `support.postgres.Database`
    """

    def __init__(self, database):
        self.database = database
        self.now = BEGIN
        self.connection = self.connect()
        self.cr = self.connection.cursor()
        self.cr.execute(
            """
            CREATE SCHEMA IF NOT EXISTS clock;
            CREATE OR REPLACE FUNCTION clock.clock_timestamp() RETURNS timestamptz
                LANGUAGE sql AS 'SELECT current_setting(''clock.now'')::timestamptz';
            SET search_path = clock, pg_catalog, public;
            """
        )
        self.id = 0

    def connect(self):
        connection = self.database.connect()
        connection.autocommit = True
        return connection

    def reset(self, limits, burst=1.0):
        """A new account with these limits: (amount, period, unit, scope)."""
        self.now = BEGIN
        self.turn()
        self.cr.execute("DELETE FROM mailing_provider")
        self.cr.execute(
            """
            INSERT INTO mailing_provider
                        (name, preset, burst, capacity, margin, share, reserve, active)
                 VALUES ('Account', 'custom', %s, 5, 0, 100, 0, true) RETURNING id
            """,
            [burst],
        )
        self.id = self.cr.fetchone()[0]
        self.limits = []
        for amount, period, unit, scope in limits:
            self.cr.execute(
                """
                INSERT INTO mailing_provider_limit
                            (provider_id, amount, effective, period, unit, scope,
                             origin)
                     VALUES (%s, %s, %s, %s, %s, %s, 'user') RETURNING id
                """,
                [self.id, amount, amount, period, unit, scope],
            )
            self.limits.append(self.cr.fetchone()[0])
        sql.ensure(self.cr, self.id, ["", "a.test", "b.test"])

    def turn(self, seconds=0.0):
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.cr.execute("SELECT set_config('clock.now', %s, false)", [str(self.now)])

    def ask(self, messages=1, recipients=1, domain="a.test", horizon=10.0):
        return sql.permit(self.cr, self.id, domain, messages, recipients, horizon)

    def wait_and_ask(self, **cost):
        """Ask until there is a turn, return when that is (seconds from the begin)."""
        for _attempt in range(300):
            permit = self.ask(**cost)
            if permit.granted:
                return (self.now - BEGIN).total_seconds() + permit.wait
            # A refusal says when to come back: never earlier, never for nothing.
            assert permit.wait > 0
            self.turn(permit.wait)
        raise AssertionError("no turn however long one waits")


@pytest.fixture(scope="module")
def account(module_scope):
    return Account(module_scope.database(MODULES))


limits = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.sampled_from(["second", "minute", "hour", "day", "month"]),
        st.sampled_from(["message", "recipient"]),
        st.sampled_from(["account", "domain"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda limit: limit[1:],
)
requests = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.3, 1.0, 20.0, 700.0, 4_000.0, 90_000.0]),
        st.integers(1, 3),
        st.sampled_from(["a.test", "b.test"]),
    ),
    min_size=1,
    max_size=40,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(limits=limits, requests=requests, burst=st.sampled_from([0.0, 0.5, 1.0, 5.0]))
def test_never_more_than_a_limit_in_any_window(account, limits, requests, burst):
    """Whatever is asked when, no window of any limit has more than it allows."""
    account.reset(limits, burst)
    sent = []
    for pause, recipients, domain in requests:
        account.turn(pause)
        at = account.wait_and_ask(recipients=recipients, domain=domain)
        sent.append((at, recipients, domain))
    for amount, period, unit, scope in limits:
        for one in ("a.test", "b.test") if scope == "domain" else (None,):
            mail = sorted(
                (at, recipients if unit == "recipient" else 1)
                for at, recipients, domain in sent
                if one in (None, domain)
            )
            check_windows(mail, amount, period, burst)


def check_windows(mail, amount, period, burst):
    """No window may hold more than the amount; an email alone always passes."""
    if period == "month":
        months = {}
        for at, cost in mail:
            when = BEGIN + timedelta(seconds=at)
            months.setdefault((when.year, when.month), []).append(cost)
        windows = list(months.values())
    elif period in ("hour", "day"):
        width = SECONDS[period]
        windows = [
            [cost for at, cost in mail if begin <= at < begin + width]
            for begin, _cost in mail
        ]
    else:
        spacing = SECONDS[period] / amount
        for first, (begin, _cost) in enumerate(mail):
            total = 0
            for at, cost in mail[first:]:
                # All but the last must have had their time, but for the burst.
                assert total * spacing <= at - begin + max(burst, spacing) + 1e-3
                total += cost
        return
    for costs in windows:
        assert sum(costs) <= amount or len(costs) == 1


def test_a_refusal_reserves_nothing(account):
    account.reset([(1, "minute", "message", "account")], burst=0)
    assert account.ask().granted
    first, second = account.ask(), account.ask()
    assert not first.granted and first.wait == second.wait == pytest.approx(60)
    account.turn(50)
    assert account.ask().granted, "near enough to be reserved"


def test_turns_are_reserved_one_behind_the_other(account):
    account.reset([(2, "second", "message", "account")], burst=0)
    waits = [account.ask().wait for _number in range(5)]
    assert waits == pytest.approx([0, 0.5, 1, 1.5, 2], abs=1e-3)


def test_the_burst_makes_up_for_missed_turns_only(account):
    account.reset([(10, "second", "message", "account")], burst=1)
    account.turn(100)
    at_once = 0
    while account.ask(horizon=0).granted:
        at_once += 1
    assert at_once == 10


def test_the_tightest_limit_binds_and_is_named(account):
    account.reset(
        [(100, "second", "message", "account"), (3, "hour", "recipient", "account")]
    )
    for _number in range(3):
        assert account.ask().granted
    permit = account.ask()
    assert (permit.granted, permit.limit_id) == (False, account.limits[1])
    assert 3_540 <= permit.wait <= 3_661


def test_domains_have_their_own_buckets(account):
    account.reset([(1, "hour", "message", "domain")])
    assert account.ask(domain="a.test").granted
    assert not account.ask(domain="a.test").granted
    assert account.ask(domain="b.test").granted


def test_mail_larger_than_a_limit_is_not_stuck(account):
    account.reset([(2, "hour", "recipient", "account")])
    assert account.ask(recipients=3).granted
    assert not account.ask(recipients=1).granted


def test_what_is_tallied_is_spent(account):
    """Other mail counts, beyond what a limit has if need be, and is counted once."""
    account.reset(
        [(2, "second", "message", "account"), (50, "day", "message", "account")]
    )
    for _number in range(20):
        sql_counts.tally(account.cr, account.id, "shop.test", 1, 1)
    assert sql_counts.fold(account.cr, account.id) == 20
    assert sql_counts.fold(account.cr, account.id) == 0
    assert account.ask(horizon=FAR).wait == pytest.approx(9.2, abs=1.1)
    used = {
        limit: count
        for limit, _domain, count in sql_screens.usage(account.cr, account.id)
    }
    assert used[account.limits[1]] == 21


def test_a_person_changes_the_rate_and_reserved_turns_are_given_up(account):
    account.reset([(1, "second", "message", "account")], burst=0)
    for _number in range(8):
        account.ask()
    before = account.ask(horizon=-1)
    account.cr.execute("UPDATE mailing_provider_limit SET effective = 10")
    sql_people.rewind(account.cr, [account.id])
    after = account.ask(horizon=-1)
    assert before.wait > 7 and after.wait <= 0.1
    assert after.version > before.version


def live(account):
    return sql_screens.account(account.cr, account.id)["live"]


def test_refusals_reduce_the_rate_and_time_restores_it(account):
    account.reset([(100, "second", "message", "account")])
    for _number in range(100):
        account.ask(horizon=FAR)
    for _refusal in range(50):
        sql_replies.slow_down(account.cr, account.id, "454 Throttling failure")
    first = live(account)["rate"]
    assert first == pytest.approx(97.02), "echoes of one moment are one refusal"
    account.turn(4)
    for _number in range(10):
        account.ask(horizon=FAR)
    for _refusal in range(6):
        sql_replies.slow_down(account.cr, account.id, "454 Throttling failure")
        account.turn(0.1)
    assert live(account)["rate"] < first
    account.turn(3_600)
    assert live(account)["rate"] > 100
    assert account.ask().limit_id == 0


def test_the_rate_has_a_floor(account):
    account.reset([(100, "second", "message", "account")])
    for _reaction in range(60):
        sql_replies.slow_down(account.cr, account.id, "454 Throttling failure")
        account.turn(5)
    assert live(account)["rate"] == pytest.approx(1)
    refusing = sql_replies.slow_down(account.cr, account.id, "454 Throttling failure")
    assert refusing == pytest.approx(300), "nothing was accepted since"


def test_connections_and_rests(account):
    account.reset([(100, "second", "message", "account")])
    sql_replies.fewer_senders(account.cr, account.id, "421 too many connections")
    sql_replies.fewer_senders(account.cr, account.id, "421 too many connections")
    assert account.ask().capacity == 4
    account.turn(301)
    assert account.ask().capacity == 5
    sql_replies.rest(account.cr, account.id, 600, "daily quota", "550 quota")
    permit = account.ask(horizon=FAR)
    assert (permit.state, permit.granted) == ("rest", False)
    assert permit.wait == pytest.approx(600)
    account.turn(601)
    assert account.ask().granted
    sql_replies.stop(account.cr, account.id, "554 suspended")
    assert account.ask().state == "stopped"
    sql_people.clear(account.cr, [account.id])
    assert account.ask().granted


def race(account, threads, work):
    """Run `work(cursor)` in threads with connections of their own, real time."""
    results, barrier = [], threading.Barrier(threads)

    def run():
        with contextlib.closing(account.connect()) as connection:
            cursor = connection.cursor()
            barrier.wait()
            results.extend(work(cursor))

    workers = [threading.Thread(target=run) for _number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


def test_a_counter_that_many_race_for_is_exact(account):
    account.reset([(100, "day", "message", "account")])

    def take(cursor):
        return [
            sql.permit(cursor, account.id, "a.test", 1, 1, 10).granted
            for _number in range(50)
        ]

    assert sum(race(account, 8, take)) == 100


def test_turns_that_many_race_for_are_all_different(account):
    """No turn is given twice and none is lost: they follow each other evenly."""
    # Far fewer a second than any machine gives: otherwise its own rate would count.
    account.reset([(100, "second", "message", "account")], burst=0)
    account.cr.execute("SET search_path = public")
    account.cr.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8")
    begun = account.cr.fetchone()[0]

    def take(cursor):
        return [
            sql.permit(cursor, account.id, "a.test", 1, 1, 1_000).granted
            for _number in range(200)
        ]

    granted = race(account, 8, take)
    account.cr.execute("SELECT max(tat) FROM mailing_provider_bucket")
    last = account.cr.fetchone()[0]
    account.cr.execute("SET search_path = clock, pg_catalog, public")
    assert all(granted)
    assert last - begun >= len(granted) / 100 - 0.01, "a turn was given twice"
    assert last - begun <= len(granted) / 100 + 1, "turns were lost"


def test_who_adds_rows_waits_for_who_holds_the_account(account):
    """All take the account's row first: two of them cannot lock each other out."""
    account.reset([(100, "day", "message", "account")])
    account.cr.execute("UPDATE mailing_provider_limit SET unit = 'recipient'")
    with contextlib.closing(account.database.connect()) as holder:
        held = holder.cursor()
        held.execute("SELECT 1 FROM mailing_provider_state FOR UPDATE")
        other = threading.Thread(
            target=race,
            args=(account, 1, lambda cr: sql.ensure(cr, account.id, ["a.test"]) or ()),
        )
        other.start()

        def waits():
            account.cr.execute(
                "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))",
                [holder.info.backend_pid],
            )
            return account.cr.fetchone()

        wait_until(lambda: waits() or not other.is_alive(), 30, "it to wait or to end")
        assert waits()
        # Would wait for each other if it had begun with these.
        held.execute("SELECT 1 FROM mailing_provider_bucket FOR UPDATE NOWAIT")
    other.join()


def test_other_mail_is_charged_when_it_left(account):
    """What the account sent an hour ago has long been earned again."""
    account.reset([(1, "second", "message", "account")])
    account.cr.execute(
        "INSERT INTO mailing_provider_tally "
        "(provider_id, domain, messages, recipients, sent_at) "
        "SELECT %s, '', 1, 1, %s FROM generate_series(1, 100)",
        [account.id, BEGIN.replace(tzinfo=None) - timedelta(hours=1)],
    )
    assert sql_counts.fold(account.cr, account.id) == 100
    assert account.ask(horizon=FAR).wait == 0


def test_a_new_limit_holds_for_those_who_send_already(account):
    account.reset([(1_000, "second", "message", "account")])
    assert account.ask().granted
    account.cr.execute("DELETE FROM mailing_provider_limit")
    account.cr.execute(
        "INSERT INTO mailing_provider_limit "
        "(provider_id, amount, effective, period, unit, scope, origin) "
        "VALUES (%s, 1, 1, 'minute', 'message', 'account', 'user')",
        [account.id],
    )
    sql_people.rewind(account.cr, [account.id])
    assert account.ask().granted
    assert not account.ask().granted


def test_a_limit_of_a_domain_says_so(account):
    account.reset(
        [(1, "day", "message", "domain"), (100, "second", "message", "account")]
    )
    assert account.ask(domain="a.test").granted
    permit = account.ask(domain="a.test")
    assert (permit.granted, permit.of_domain) == (False, True)
    assert account.ask(domain="b.test").granted


def test_a_limit_that_counts_something_else_begins_anew(account):
    account.reset([(15, "month", "message", "account")])
    for _number in range(15):
        assert account.ask().granted
    account.cr.execute("UPDATE mailing_provider_limit SET period = 'day'")
    sql_people.rewind(account.cr, [account.id])
    assert account.ask().granted
    account.cr.execute("UPDATE mailing_provider_limit SET scope = 'domain'")
    sql_people.rewind(account.cr, [account.id])
    sql.ensure(account.cr, account.id, ["a.test", "b.test"])
    for _number in range(15):
        assert account.ask(domain="a.test").granted
    assert account.ask(domain="b.test").granted


def test_an_old_refusal_is_no_evidence_of_a_broken_account(account):
    account.reset([(100, "second", "message", "account")])
    account.ask()
    for _refusal in range(2):
        sql_replies.slow_down(account.cr, account.id, "454 Throttling failure")
    for _number in range(30):
        account.ask(horizon=FAR)
    account.turn(25 * 3_600)
    account.ask()
    assert (
        sql_replies.slow_down(account.cr, account.id, "454 Throttling failure") < 3_600
    )


def test_a_clock_that_steps_back_lifts_no_limit(account):
    account.reset([(5, "hour", "message", "account")])
    for _number in range(5):
        assert account.ask().granted
    account.turn(-1_800)
    assert not account.ask().granted
    account.turn(1_800)
    assert not account.ask().granted


def test_what_the_provider_counted_is_counted(account):
    account.reset([(100, "day", "recipient", "account")])
    for _number in range(10):
        account.ask()
    sql_counts.count_as_used(account.cr, account.id, "day", 99)
    assert account.ask().granted
    assert not account.ask().granted
    sql_counts.count_as_used(account.cr, account.id, "day", 50)
    assert [
        used for _limit, _domain, used in sql_screens.usage(account.cr, account.id)
    ] == [100]


def test_jobs_are_not_postponed_for_what_a_person_has_changed(account):
    account.reset([(1, "hour", "message", "account")])
    account.cr.execute(
        "INSERT INTO queue_job (uuid, state, channel, method_name, mailing_id, "
        "date_created) VALUES ('1', 'pending', 'root.mail.x', '_job_send', 7, now())"
    )
    permit = account.ask(horizon=-1)
    sql_people.rewind(account.cr, [account.id])
    call = (account.cr, account.id, permit.version, "root.mail.x", 600)
    assert sql_jobs.postpone_jobs(*call) == 0
    call = (account.cr, account.id, account.ask().version, "root.mail.x", 600)
    assert sql_jobs.postpone_jobs(*call, mailing_id=8) == 0
    assert sql_jobs.postpone_jobs(*call, mailing_id=7) == 1
    assert sql_jobs.postpone_jobs(*call) == 0, "moved already"
    assert sql_jobs.pull_jobs(account.cr, ["root.mail.x"]) == 1


class LedgerCursor(psycopg2.extensions.cursor):
    """As the ledger's: nothing is prepared on its connection but what is known."""

    def __init__(self, *args):
        super().__init__(*args)
        self.prepared = prepared.Prepared()


def test_a_turn_is_planned_once(account):
    """Where the connection is always the same one, and it goes on where it is not."""
    account.reset([(1_000, "second", "message", "account")])
    planned = (
        "SELECT generic_plans + custom_plans FROM pg_prepared_statements "
        "WHERE name = 'mailing_provider_permit'"
    )
    cursor = account.connect().cursor(cursor_factory=LedgerCursor)
    for _number in range(3):
        assert sql.permit(cursor, account.id, "a.test", 1, 1, 10).granted
    cursor.execute(planned)
    assert cursor.fetchall() == [(2,)], "from the second time on"
    # As another of a pooler's connections.
    cursor.execute("DEALLOCATE ALL")
    for _number in range(3):
        assert sql.permit(cursor, account.id, "a.test", 1, 1, 10).granted
    cursor.execute(planned)
    assert not cursor.fetchall(), "it is not tried again"
    cursor.connection.close()
