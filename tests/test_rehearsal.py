"""A rehearsal at full size: real workers, real runner, two real SMTP servers."""

import pytest

from .support import ledger
from .support.process import wait_until
from .throttling import Bench, busiest

pytestmark = pytest.mark.slow

RECIPIENTS = 400
RATE = 20

#: What a server writes while it serves, whoever sends what; jobs; and the report.
NOT_THE_MAILINGS = {
    "bus_bus",
    "ir_config_parameter",
    "ir_cron",
    "ir_cron_progress",
    "ir_cron_trigger",
    "mailing_provider_state",
    "mailing_queue_alert",
    "mailing_queue_guard",
    "mailing_queue_rehearsal",
    "orm_signaling_default",
    "queue_job",
    "queue_job_lock",
    "res_device_log",
    "res_users_log",
}


def contents(database):
    """A digest of each table's rows."""
    names = database.query(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    )
    digest = "count(*), md5(string_agg(t::text, '' ORDER BY t::text))"
    return {
        name: database.query(f'SELECT {digest} FROM "{name}" t')[0] for (name,) in names
    }


def test_all_arrive_at_the_rehearsal_server_and_nothing_is_changed(scope):
    """At the account's limit, of which it takes nothing; then everybody is mailed."""
    bench = Bench(scope, RECIPIENTS, job_size=20, workers=6, slots=4)
    stand_in = scope.sink().start()
    bench.limit(RATE)
    rpc, database = bench.rpc, bench.database
    rpc.set_parameter(
        "mass_mailing_queue.rehearsal_server", f"{stand_in.host}:{stand_in.port}"
    )
    before = contents(database)
    state = bench.state("tat", "taken", "refused")

    action = rpc.press("mailing.mailing", "action_queue_rehearse", [bench.draft])
    model, rehearsal = action["res_model"], action["res_id"]
    wait_until(
        lambda: not database.query(
            "SELECT 1 FROM mailing_mailing WHERE queue_rehearsal"
        ),
        300,
        "the rehearsal is over and cleared away",
    )

    (report,) = rpc.read(
        model, [rehearsal], ["state", "total", "sent", "failed", "waiting", "rate"]
    )
    assert report["state"] == "done"
    assert report["total"] == report["sent"] == RECIPIENTS
    assert report["failed"] == report["waiting"] == 0
    arrivals = sorted(message.at for message in stand_in.messages())
    assert len(arrivals) == RECIPIENTS
    recipients = {tuple(message.recipients) for message in stand_in.messages()}
    assert len(recipients) == RECIPIENTS
    # The burst of an account is less than a second of its rate.
    assert busiest(arrivals, 10) <= RATE * 11
    assert 0 < report["rate"] <= RATE * 1.1
    assert not stand_in.logins
    assert not bench.sink.messages()

    after = contents(database)
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= NOT_THE_MAILINGS
    assert bench.state("tat", "taken", "refused") == state

    bench.limit(100_000)
    rpc.press("mailing.mailing", "action_launch", [bench.draft])
    bench.finish(bench.draft)
    verdict = ledger.compare(bench.sink, database, bench.draft, recipients=RECIPIENTS)
    assert verdict.flawless, str(verdict)
    assert stand_in.count() == RECIPIENTS
