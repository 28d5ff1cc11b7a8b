"""What one worker holds on to while it sends: transactions, memory, locks."""

import dataclasses

import pytest

from . import campaigns, sending
from .test_races import planned

RECIPIENTS = 7
CHUNK = 2


@dataclasses.dataclass
class Watched:
    """What was seen of a worker that sent a campaign, chunk by chunk.

    :param chunks: for each one when the transaction began in which its messages left,
        how the second connection rested meanwhile, and how many bodies of emails the
        cache had
    :param composed: how many bodies it had after composing each chunk
    :param commits: how often the ORM's cursor was committed
    :param settled: how often a chunk's mails were settled, tries that failed included
    """

    chunks: list
    composed: list
    commits: int
    settled: int


def send_watched(env, step, mailing_id, chunk):
    """Send to everybody who waits, and note what is held at each message."""
    from odoo.addons.mass_mailing_queue.models import mailing_mailing_job

    deliver = type(env["mailing.mailing"])
    mailing_mailing_job.CHUNK_SIZE = chunk
    bodies = env["mail.mail"]._fields["body_html"]
    seen = {"chunks": [], "composed": [], "commits": 0, "settled": 0}
    orm = env.cr.connection.get_backend_pid()
    ledgers = []

    def cached():
        return len(env.transaction.field_data.get(bodies, ()))

    def compose(self, ledger, trace_ids, original=deliver._queue_compose):
        seen["chunks"].append([])
        return original(self, ledger, trace_ids)

    def prepare(self, mails, original=deliver._queue_prepare_routes):
        routes = original(self, mails)
        seen["composed"].append(cached())
        return routes

    def claim(self, ledger, parcel, token, original=deliver._queue_claim):
        ledgers[:] = [ledger]
        return original(self, ledger, parcel, token)

    def transmit(self, session, route, messages, original=deliver._queue_transmit):
        pids = [orm, ledgers[0]._cr.connection.get_backend_pid()]
        with env.registry.cursor() as cr:
            cr.execute(
                "SELECT pid, state, xact_start::text FROM pg_stat_activity "
                "WHERE pid = ANY(%s)",
                [pids],
            )
            rows = {pid: (state, begun) for pid, state, begun in cr.fetchall()}
        seen["chunks"][-1].append((rows[pids[0]][1], rows[pids[1]][0], cached()))
        return original(self, session, route, messages)

    def settle(self, *args, original=deliver._queue_settle_mails):
        seen["settled"] += 1
        return original(self, *args)

    def commit(original=env.cr.commit):
        seen["commits"] += 1
        original()

    deliver._queue_compose = compose
    deliver._queue_prepare_routes = prepare
    deliver._queue_claim = claim
    deliver._queue_transmit = transmit
    deliver._queue_settle_mails = settle
    env.cr.commit = commit
    sent = env["mailing.mailing"].browse(mailing_id).mailing_trace_ids._send()
    del env.cr.commit
    return seen | {"sent": sent}


@pytest.fixture(scope="module")
def watched(module_scope):
    """One worker that sent to 7 recipients in chunks of 1, 2, 2 and 2."""
    database, sink, shell, mailing_id = sending.prepare(module_scope, RECIPIENTS)
    seen = shell.run(send_watched, mailing_id=mailing_id, chunk=CHUNK)
    assert seen.pop("sent") == RECIPIENTS == sink.count()
    assert [len(chunk) for chunk in seen["chunks"]] == [1, 2, 2, 2]
    assert not database.query("SELECT id FROM mail_mail")
    return Watched(**seen)


def test_h19_no_transaction_outlives_its_chunk(watched):
    """H19: vacuum waits for a chunk, not for the job; the ledger is in none at all."""
    begun = [{message[0] for message in chunk} for chunk in watched.chunks]
    assert all(len(moments) == 1 for moments in begun)
    assert len(set.union(*begun)) == len(watched.chunks)
    assert {state for chunk in watched.chunks for _begun, state, _n in chunk} == {
        "idle"
    }


def test_h24_no_more_emails_in_memory_than_a_chunk_has(watched):
    """H24: composing fills the cache with its chunk's, delivery finds it empty."""
    assert watched.composed == [len(chunk) for chunk in watched.chunks]
    assert {cached for chunk in watched.chunks for *_rest, cached in chunk} == {0}


def test_h26_settling_collides_with_no_record(watched):
    """H26: its snapshot is newer than what the second connection wrote."""
    assert watched.settled == len(watched.chunks)


def test_h27_commits_are_per_chunk_and_not_per_email(watched):
    """H27: as many of the ORM's cursor for any chunk, however many emails are in it."""
    # Upstream's own after it composed, ours after composing, sending and settling; and
    # one before all of them, and one when the account's admission is had.
    assert watched.commits == 2 + 4 * len(watched.chunks)


def test_h24_planning_keeps_no_slice_in_memory(scope):
    """H24: each slice finds the cache without the recipients of the one before."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 20, sending.start)

    def plan_watched(env, step, mailing_id):
        from odoo.addons.mass_mailing_queue import slicing
        from odoo.addons.mass_mailing_queue.models import mailing_mailing_plan

        slicing.SLICE_SIZE = 5
        plan = mailing_mailing_plan.MailingMailing
        fields = (
            env["mailing.trace"]._fields["email"],
            env["mailing.contact"]._fields["email"],
            env["queue.job"]._fields["uuid"],
        )
        before, after = [], []

        def count():
            return [len(env.transaction.field_data.get(field, ())) for field in fields]

        def plan_slice(self, ledger, original=plan._queue_plan_slice):
            before.append(sum(count()))
            more = original(self, ledger)
            after.append(count())
            return more

        plan._queue_plan_slice = plan_slice
        env["mailing.mailing"].browse(mailing_id)._job_plan()
        return before, after

    before, after = shell.run(plan_watched, mailing_id=mailing_id)
    assert planned(database, mailing_id) == 20
    assert set(before) == {0}
    assert max(max(counts) for counts in after) <= 5
    assert any(sum(counts) for counts in after), "there was something to forget"


def test_h25_a_trace_is_inserted_while_the_mailing_is_planned_and_finished(scope):
    """H25: and the other way round; neither waits for the other's lock."""
    database, _sink, shell, mailing_id = sending.prepare(scope, 1, step=None)
    for number, hold in enumerate((plan_and_hold, finish_and_hold), start=90):
        with shell.start(hold, mailing_id=mailing_id) as run:
            run.wait_for("ready")
            # A transaction that has inserted a trace is open meanwhile …
            before = insert_trace(database, mailing_id, number)
            run.go_on()
            run.wait_for("written")
            # … and one inserts a trace while the mailing's row is written.
            during = insert_trace(database, mailing_id, number + 10)
            run.go_on()
            run.result()
        for connection in (before, during):
            connection.rollback()
            connection.close()
    assert campaigns.state(database, mailing_id) == "done"


def plan_and_hold(env, step, mailing_id):
    """Plan everybody, and stay in the transaction that wrote the mailing."""
    from odoo.addons.mass_mailing_queue.ledger import Ledger

    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.action_send_mail()
    env.cr.commit()
    env.cr.execute("SET lock_timeout = '5s'")
    step("ready")
    with Ledger(env) as ledger:
        mailing._queue_plan_slice(ledger)
    env.flush_all()
    step("written")


def finish_and_hold(env, step, mailing_id):
    """Finish the mailing, and stay in the transaction that wrote it."""
    env.cr.execute("UPDATE mailing_trace SET trace_status = 'sent'")
    env.cr.execute("SET lock_timeout = '5s'")
    step("ready")
    env["mailing.mailing"].browse(mailing_id)._job_finish()
    env.flush_all()
    step("written")


def insert_trace(database, mailing_id, res_id):
    """Insert a trace as another addon may, and leave the transaction open."""
    connection = database.connect()
    cursor = connection.cursor()
    cursor.execute("SET lock_timeout = '5s'")
    cursor.execute(
        "INSERT INTO mailing_trace (mass_mailing_id, model, res_id, trace_type, "
        "trace_status) VALUES (%s, 'mailing.contact', %s, 'mail', 'sent')",
        (mailing_id, res_id),
    )
    return connection
