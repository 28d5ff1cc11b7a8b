"""What a crash of PostgreSQL must not take back, where commits are not waited for."""

import pytest

from . import campaigns, sending
from .conftest import BUILD
from .support.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own_scope():
    """A PostgreSQL that may crash, and that leaves what it may in its memory."""
    settings = {"wal_writer_delay": "10s", "bgwriter_delay": "10s", "autovacuum": "off"}
    with Workspace(BUILD / "durability", own=True, settings=settings) as workspace:
        with workspace.scope() as scope:
            yield scope


@pytest.fixture
def planned(own_scope):
    """A mailing to three, in a database that does not wait for its commits.

    :return: database, shell, the mailing's id
    """
    database, _sink, shell, mailing_id = sending.prepare(own_scope, 3)
    database.execute(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    # What is there so far is not in question.
    database.close()
    database.execute("SET synchronous_commit = on")
    database.execute("CREATE TABLE so_far ()")
    database.close()
    return database, shell, mailing_id


def crash(database):
    database.close()
    database.postgres.restart(immediate=True)


def claim(env, step, mailing_id):
    """Claim a recipient, and stay there; runs inside Odoo."""
    from odoo.addons.mass_mailing_queue import sql
    from odoo.addons.mass_mailing_queue.ledger import Ledger

    trace = env["mailing.mailing"].browse(mailing_id).mailing_trace_ids[0]
    with Ledger(env) as ledger:
        status, *_rest = ledger.run(
            sql.claim, trace.id, 7, "here:1", "<m@example.com>", 0, []
        )
        step(status)


def decide(env, step, mailing_id, method):
    """Press a button, commit, and stay there; runs inside Odoo."""
    getattr(env["mailing.mailing"].browse(mailing_id), method)()
    env.cr.commit()
    step("decided")


def write(env, step, mailing_id):
    """Write what nobody decided, commit, and stay there; runs inside Odoo."""
    env.cr.execute(
        "UPDATE mailing_mailing SET preview = 'x' WHERE id = %s", [mailing_id]
    )
    env.cr.commit()
    step("written")


def test_a_claim_survives(planned):
    """Otherwise its recipient would be mailed again; what is only written does not."""
    database, shell, mailing_id = planned
    with shell.start(claim, mailing_id=mailing_id) as run:
        run.wait_for("process")
        crash(database)
    assert campaigns.count(database, mailing_id, "process") == 1
    with shell.start(write, mailing_id=mailing_id) as run:
        run.wait_for("written")
        crash(database)
    assert database.value("SELECT preview FROM mailing_mailing") is None


@pytest.mark.parametrize(
    "method, column",
    [
        ("action_queue_pause", "queue_paused"),
        ("action_queue_cancel", "queue_cancelled"),
    ],
)
def test_a_decision_survives(planned, method, column):
    """Nobody goes on sending what somebody was told had stopped."""
    database, shell, mailing_id = planned
    with shell.start(decide, mailing_id=mailing_id, method=method) as run:
        run.wait_for("decided")
        crash(database)
    assert database.value(f"SELECT {column} FROM mailing_mailing")


@pytest.mark.parametrize(
    "method, before, after",
    [
        ("action_retry_failed", "unknown", "outgoing"),
        ("action_queue_send_again", "queue_in_doubt", "outgoing"),
        ("action_queue_count_as_sent", "queue_in_doubt", "sent"),
    ],
)
def test_a_decision_about_recipients_survives(planned, method, before, after):
    """Of all of a mailing, or of a few."""
    database, shell, mailing_id = planned
    database.execute("SET synchronous_commit = on")
    database.execute(
        "UPDATE mailing_trace SET trace_status = 'error', failure_type = %s, "
        "queue_claimed_at = now() AT TIME ZONE 'utc'",
        (before,),
    )
    database.close()
    with shell.start(decide, mailing_id=mailing_id, method=method) as run:
        run.wait_for("decided")
        crash(database)
    assert campaigns.count(database, mailing_id, after) == 3


def settings(env, step):
    """What the ledger's connection has, and who borrows it next; runs inside Odoo.

    :return: synchronous_commit of the ledger's, of its next borrower, and whether that
        is the same connection
    """
    from odoo.addons.mass_mailing_queue.ledger import Ledger

    def show(cr):
        cr.execute(
            "SELECT current_setting('synchronous_commit'), "
            "current_setting('lock_timeout'), pg_backend_pid()"
        )
        return cr.fetchone()

    with Ledger(env) as ledger:
        first = ledger.run(show)
    with env.registry.cursor() as cr:
        return first, show(cr)


@pytest.mark.parametrize(
    "chosen, ours",
    [
        ("off", "on"),
        ("on", "on"),
        ("local", "local"),
        ("remote_write", "remote_write"),
        ("remote_apply", "remote_apply"),
    ],
)
def test_only_off_is_changed_and_only_for_us(planned, chosen, ours):
    """What is as strong or stronger stays, and the next borrower has what it chose."""
    database, shell, _mailing_id = planned
    database.execute(
        f"ALTER DATABASE {database.name} SET synchronous_commit = {chosen}"
    )
    (first, *_, backend), (second, timeout, other) = shell.run(settings)
    assert (first, second, timeout) == (ours, chosen, "0")
    assert backend == other
