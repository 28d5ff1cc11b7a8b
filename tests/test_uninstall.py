"""Leaving: native Odoo takes over what is not sent yet, and only that."""

import subprocess

from . import campaigns, sending
from .support.ledger import compare


def test_uninstalling_in_the_middle_loses_and_repeats_nobody(scope, workspace):
    """Three are sent, one is composed, the rest waits; native sends these, once."""
    database, sink, shell, mailing_id = sending.prepare(scope, 8)

    def send_some(env, step, mailing_id):
        traces = env["mailing.mailing"].browse(mailing_id).mailing_trace_ids.sorted()
        traces[:3]._send()
        env["mailing.mailing"].browse(mailing_id)._queue_compose_chunk(traces[3:5].ids)

    shell.run(send_some, mailing_id=mailing_id)
    command = [workspace.environment.odoo, "module", "uninstall"]
    command += ["-c", shell.config.write(shell.folder / "uninstall.conf")]
    command += ["-d", database.name, "mass_mailing_queue"]
    subprocess.run(command, check=True, timeout=300, capture_output=True)

    def native(env, step, mailing_id):
        env["mailing.mailing"]._process_mass_mailing_queue()
        env["mail.mail"].process_email_queue()
        return env["mailing.mailing"].browse(mailing_id).state

    assert shell.run(native, mailing_id=mailing_id) == "done"
    assert "queue_planned" not in database.column(
        "SELECT column_name::text FROM information_schema.columns "
        "WHERE table_name = 'mailing_trace'"
    )
    assert campaigns.count(database, mailing_id, "sent") == 8
    verdict = compare(sink, database, mailing_id, recipients=8)
    assert verdict.flawless, str(verdict)
