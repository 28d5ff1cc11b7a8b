"""What a permit costs: by itself, and in a campaign."""

import statistics
import time

from .. import campaigns, throttling
from ..support.process import wait_until
from ..test_buckets import Account, prepared, sql
from .contenders import processor_seconds

PERMITS = 3_000
RECIPIENTS = 600
ROUNDS = 3


class Counting:
    """A ledger's cursor that counts its statements."""

    def __init__(self, cursor):
        self._cursor = cursor
        self.statements = 0
        self.prepared = prepared.Prepared()

    def execute(self, *args):
        self.statements += 1
        return self._cursor.execute(*args)

    def __getattr__(self, name):
        return getattr(self._cursor, name)


def measure(scope):
    """Return the figures by name: microseconds, statements, emails a second."""
    figures = alone(scope)
    figures.update(in_a_campaign(scope))
    return figures


def alone(scope):
    """One worker that does nothing but ask, with a rate and two quotas."""
    account = Account(scope.database(throttling.MODULES))
    account.reset(
        [
            (1_000_000, "second", "message", "account"),
            (100_000_000, "hour", "recipient", "account"),
            (100_000_000, "day", "message", "account"),
        ]
    )
    account.cr.execute("SET search_path = public")
    cursor = Counting(account.cr)
    begun = time.perf_counter()
    for _number in range(PERMITS):
        sql.permit(cursor, account.id, "a.test", 1, 1, 10)
    seconds = time.perf_counter() - begun
    return {
        "permit_us": round(seconds / PERMITS * 1e6, 1),
        "permit_sql": cursor.statements / PERMITS,
    }


def in_a_campaign(scope):
    """The same campaign with and without the addon that limits, taking turns."""
    benches = {
        "unthrottled": Plain(scope, RECIPIENTS, 100, workers=4, slots=2),
        "throttled": throttling.Bench(scope, RECIPIENTS, 100, workers=4, slots=2),
    }
    benches["throttled"].limit(throttling.UNLIMITED)
    rates = {name: [] for name in benches}
    cpu = {name: [] for name in benches}
    for _round in range(ROUNDS + 1):
        for name, bench in benches.items():
            before, spent = bench.sink.count(), processor_seconds(bench.server)
            mailing = bench.launch()
            wait_until(
                lambda bench=bench, mailing=mailing: (
                    campaigns.state(bench.database, mailing) == "done"
                ),
                300,
                "done",
                0.2,
            )
            rates[name].append(throttling.rate(bench.arrivals(before)))
            cpu[name].append((processor_seconds(bench.server) - spent) / RECIPIENTS)
    figures = {}
    for name in benches:
        # The first round warms up.
        figures[f"{name}_rate"] = round(statistics.median(rates[name][1:]), 1)
        figures[f"{name}_cpu_ms"] = round(statistics.median(cpu[name][1:]) * 1e3, 2)
    return figures


class Plain(throttling.Bench):
    """Without the addon that limits."""

    modules = campaigns.MODULES
