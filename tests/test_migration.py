"""From the first version to this one, in the middle of a campaign."""

import subprocess

from . import campaigns, sending
from .support.ledger import compare

#: What a database of 19.0.1.0.0 lacks.
BACK_TO_THE_FIRST = """
    UPDATE ir_module_module SET latest_version = '19.0.1.0.0'
     WHERE name = 'mass_mailing_queue';
    ALTER TABLE mailing_mailing DROP COLUMN queue_resumes;
    DELETE FROM queue_job_function WHERE method IN ('_send', '_send_one');
    DELETE FROM ir_model_data WHERE module = 'mass_mailing_queue'
       AND name LIKE 'job_function_%\\_send%' AND name NOT LIKE '%job_send';
    DELETE FROM ir_model_fields WHERE name = 'queue_resumes';
"""


def send_some(env, step, mailing_id):
    """Send to three of them, and have a channel of one's own for the others."""
    env["mailing.mailing"].browse(mailing_id).mailing_trace_ids.sorted()[:3]._send()
    root = env.ref("queue_job.channel_root")
    channel = env["queue.job.channel"].create({"name": "own", "parent_id": root.id})
    function = env.ref("mass_mailing_queue.job_function_mailing_mailing_job_send")
    function.channel_id = channel
    return channel.id


def test_an_update_in_the_middle_loses_and_repeats_nobody(scope, workspace):
    """What is new is there, what people changed stays, and the rest is sent."""
    database, sink, shell, mailing_id = sending.prepare(scope, 8)
    channel = shell.run(send_some, mailing_id=mailing_id)
    database.execute(BACK_TO_THE_FIRST)
    command = [workspace.environment.odoo, "-d", database.name]
    command += ["-c", shell.config.write(shell.folder / "update.conf")]
    command += ["-u", "mass_mailing_queue", "--stop-after-init", "--no-http"]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    assert (
        database.value(
            "SELECT latest_version FROM ir_module_module "
            "WHERE name = 'mass_mailing_queue'"
        )
        != "19.0.1.0.0"
    )
    functions = dict(
        database.query("SELECT method, channel_id FROM queue_job_function")
    )
    assert functions["_job_send"] == channel, "somebody's own"
    assert {"_send", "_send_one"} <= set(functions)
    shell = scope.shell(database)
    shell.run(sending.run_jobs)
    assert campaigns.state(database, mailing_id) == "done"
    verdict = compare(sink, database, mailing_id, recipients=8)
    assert verdict.flawless, str(verdict)
