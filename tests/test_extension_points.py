"""Each extension point is documented, and an example addon overrides it with effect."""

import ast
import re
from pathlib import Path

from . import campaigns, sending
from .support.environment import ROOT

ADDONS = Path(__file__).parent / "addons"
EXAMPLE = "mass_mailing_queue_example"
ROW = re.compile(r"^\| `(?P<model>[\w.]+)` +\| `(?P<method>\w+)` +\|", re.MULTILINE)


def methods(folder):
    """Model, method and docstring of all methods of an addon's models."""
    for path in folder.rglob("*.py"):
        for model in ast.walk(ast.parse(path.read_text())):
            if not isinstance(model, ast.ClassDef):
                continue
            names = [
                statement.value.value
                for statement in model.body
                if isinstance(statement, ast.Assign)
                and statement.targets[0].id in ("_name", "_inherit")
            ]
            for method in model.body:
                if names and isinstance(method, ast.FunctionDef):
                    yield names[0], method.name, ast.get_docstring(method) or ""


def marked():
    """Those whose docstrings say that they are extension points."""
    addon = ROOT / "mass_mailing_queue"
    return {
        (model, name)
        for folder in (addon / "models", addon / "wizards")
        for model, name, text in methods(folder)
        if "xtension point" in text
    }


def use_all(env, step, mailing_id, stand_in):
    """Do what a campaign's people and jobs do; runs inside Odoo.

    :param stand_in: the port of the server to rehearse with
    :return: what was to be seen, by name
    """
    import os

    from odoo.addons.mass_mailing_queue_example.models.mailing_mailing import SEEN

    seen = {}
    mailing = env["mailing.mailing"].browse(mailing_id)
    native = mailing.copy({"subject": "[native] News"})
    native.action_put_in_queue()
    seen["native"] = not native.queue_managed
    seen["server"] = mailing._queue_describe_server()
    seen["expected"] = mailing._queue_expected_seconds(2)
    seen["obstacle"] = mailing._queue_obstacle()
    os.environ["ODOO_QUEUE_JOB_CHANNELS"] = "root:9"
    recommended = env["queue.job.channel"]._queue_recommended()
    seen["bound"] = recommended["root.mail.example"].capacity
    del os.environ["ODOO_QUEUE_JOB_CHANNELS"]
    mailing.action_launch()
    env.cr.commit()
    mailing._job_plan()
    env.cr.commit()
    row = mailing.queue_progress(waits=True)[0]
    seen["waits_for"], seen["seconds_left"] = row["waits_for"], row["seconds_left"]
    jobs = env["queue.job"].search(
        [("mailing_id", "=", mailing_id), ("method_name", "=", "_job_send")]
    )
    seen["jobs"] = jobs.mapped("channel")
    diagnosis = env["mailing.queue.diagnosis"].create({"mailing_id": mailing_id})
    seen["finding"] = diagnosis._find()[0]["title"]
    for _check in range(2):
        env["mailing.queue.alert"]._cron_check()
    seen["alert"] = env["mailing.queue.alert"].search([("kind", "=", "post")]).state
    seen["figure"] = env["mailing.queue.metrics"]._collect()[-1][0]
    env.cr.commit()
    mailing._queue_run_without_runner()
    env.invalidate_all()
    seen["state"] = mailing.state
    env["ir.config_parameter"].set_param(
        "mass_mailing_queue.rehearsal_server", f"127.0.0.1:{stand_in}"
    )
    action = mailing.copy().action_queue_rehearse()
    copy = env[action["res_model"]].browse(action["res_id"]).copy_id
    env.cr.commit()
    while copy.state != "done":
        mailing._queue_run_without_runner()
        env.invalidate_all()
    copy._job_clean_rehearsal()
    seen["rehearsal is gone"] = not copy.exists()
    return {**seen, "counts": dict(SEEN)}


def test_the_page_lists_them_and_the_example_uses_them():
    """Nobody has to search, and what is listed can be overridden."""
    page = (ROOT / "mass_mailing_queue" / "readme" / "DEVELOP.md").read_text()
    listed = {(row["model"], row["method"]) for row in ROW.finditer(page)}
    example = {(model, name) for model, name, _text in methods(ADDONS / EXAMPLE)}
    assert marked() == listed
    assert listed <= example


def test_each_of_them_takes_effect(scope):
    """In one campaign to five, and its rehearsal."""
    stand_in = scope.sink().start()
    _database, sink, shell, mailing_id = sending.prepare(
        scope,
        5,
        None,
        sink=scope.sink(spool=True).start(),
        modules=(*campaigns.MODULES, EXAMPLE),
        extra_addons=(ADDONS,),
    )
    seen = shell.run(use_all, mailing_id=mailing_id, stand_in=stand_in.port)
    counts = seen.pop("counts")
    assert seen["native"]
    assert seen["server"] == "Sink and a postman"
    assert seen["expected"] == 120
    assert "No job runner" in seen["obstacle"] and "No job runner" in seen["waits_for"]
    assert seen["seconds_left"] == 1
    assert seen["bound"] == 3
    assert seen["jobs"] == ["root.mail.example"] * 3
    assert seen["finding"] == "The post is closed today."
    assert seen["alert"] == "raised"
    assert seen["figure"] == "odoo_mailing_post"
    assert seen["state"] == "done"
    assert seen["rehearsal is gone"]
    for message in sink.messages():
        assert b"X-Shop: example" in Path(message.spooled).read_bytes()
    # Five real ones and five rehearsed ones.
    for name in ("create_jobs", "permit", "transmit", "heed SENT", "settle"):
        assert counts[name] == 10, name
    assert counts["entered"] == counts["left"] >= 6
    for name in (
        "adopt next_records channel next_eta job_size check_hours compose open_session "
        "take_session keep_session may_stall start"
    ).split():
        assert counts[name], name
    assert counts["delete Rehearsed"] == 1
