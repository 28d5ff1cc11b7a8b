"""A copy of a database sends nothing by itself, however it was made."""

import subprocess

import pytest

from . import campaigns, sending
from .support.ledger import compare


@pytest.fixture
def copied(scope):
    """A campaign under way and a copy of its database, as a restored backup is."""
    database, sink, shell, mailing_id = sending.prepare(scope, 5)
    return database, scope.copy(database), sink, shell, mailing_id


def test_a_restored_copy_pauses_and_asks(copied, scope):
    """It keeps even the database's uuid, and yet notices; the original goes on."""
    database, copy, sink, shell, mailing_id = copied
    other = scope.shell(copy, label="copy")
    other.run(sending.run_jobs)
    other.run(sending.reconcile)
    other.run(sending.run_jobs)
    assert not sink.messages()
    assert copy.query("SELECT queue_paused FROM mailing_mailing") == [(True,)]
    shell.run(sending.run_jobs)
    verdict = compare(sink, database, mailing_id, recipients=5)
    assert verdict.flawless, str(verdict)


def test_a_neutralized_copy_sends_nothing(copied, scope, workspace):
    """Odoo's own neutralization pauses the mailing and cancels its jobs."""
    _database, copy, sink, _shell, _mailing_id = copied
    other = scope.shell(copy, label="copy")
    command = [workspace.environment.odoo, "neutralize", "-d", copy.name]
    command += ["-c", other.config.write(other.folder / "neutralize.conf")]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    other.run(sending.run_jobs)
    other.run(sending.reconcile)
    other.run(sending.run_jobs)
    assert not sink.messages()
    live = "SELECT count(*) FROM queue_job WHERE state IN ('pending', 'enqueued')"
    assert copy.query(live) == [(0,)]
    assert campaigns.count(copy, 1, "outgoing") == 5
