"""What another addon overrides is called, for every recipient."""

from email import message_from_bytes
from pathlib import Path

from . import campaigns, sending

ADDONS = Path(__file__).parent / "addons"


def make_jobs(env, step, mailing_id):
    """Make a job for each recipient, as code that is found on the web does."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    for trace in mailing.mailing_trace_ids[:2]:
        mailing.with_delay()._send_one(trace.id)
    mailing.mailing_trace_ids[2].with_delay()._send()
    mailing.with_delay()._send(mailing.mailing_trace_ids[3:].mapped("res_id"))


def send_in_a_job(env, step, mailing_id):
    """Send where no commit is allowed, as in a job of another addon's method."""
    traces = env["mailing.mailing"].browse(mailing_id).mailing_trace_ids

    def forbidden():
        raise RuntimeError("Commit is forbidden")

    env.cr.commit = forbidden
    try:
        traces._send()
    except RuntimeError as error:
        return str(error)
    finally:
        del env.cr.commit


def test_another_addons_overrides_take_effect(scope):
    """Recipients, composer, outgoing list, building, sending and settling."""
    database, sink, shell, mailing_id = sending.prepare(
        scope,
        6,
        sending.start,
        sink=scope.sink(spool=True).start(),
        modules=(*campaigns.MODULES, "mass_mailing_queue_probe"),
        extra_addons=(ADDONS,),
    )
    shell.run(sending.run_jobs)
    assert campaigns.state(database, mailing_id) == "done"
    messages = [
        message_from_bytes(Path(message.spooled).read_bytes())
        for message in sink.messages()
    ]
    assert len(messages) == 5, "Contact 3 is left out"
    for message in messages:
        assert message["Subject"].startswith("[probe] News for Contact")
        assert message["X-Probe-Build"] and message["X-Probe-Send"]
        assert int(message["X-Probe-List"])
    query = "SELECT value FROM ir_config_parameter WHERE key = 'probe.postprocessed'"
    assert database.query(query) == [("5",)]


def test_jobs_of_ones_own_send(scope):
    """On the channel of mailings, each recipient once."""
    database, sink, shell, mailing_id = sending.prepare(scope, 5)
    # Nobody else's.
    database.execute("DELETE FROM queue_job")
    shell.run(make_jobs, mailing_id=mailing_id)
    channels = database.column("SELECT DISTINCT channel FROM queue_job")
    assert channels == ["root.mail"]
    scope.server(database, workers=2, channels="root:2,root.mail:2").start()
    campaigns.wait_until_done(database, mailing_id)
    assert campaigns.count(database, mailing_id, "sent") == 5
    assert len({message.recipients[0] for message in sink.messages()}) == 5
    assert sink.count() == 5
    database.wait_for("SELECT bool_and(state = 'done') FROM queue_job")


def test_where_committing_is_forbidden_nobody_fails_for_it(scope):
    """The caller is told; the recipients wait for who may."""
    database, sink, shell, mailing_id = sending.prepare(scope, 2)
    told = shell.run(send_in_a_job, mailing_id=mailing_id)
    assert told == "Commit is forbidden"
    assert campaigns.count(database, mailing_id, "outgoing") == 2
    assert not sink.messages()


def resume_and_send(env, step, mailing_id):
    """What a caller may do in one transaction; runs inside Odoo."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.queue_paused = False
    return env["mailing.trace"].search([("mass_mailing_id", "=", mailing_id)])._send()


def test_what_the_caller_has_just_written_decides(scope):
    """Also where others, who see only what is committed, are asked."""
    database, sink, shell, mailing_id = sending.prepare(scope, 2)
    database.execute("UPDATE mailing_mailing SET queue_paused = true")
    assert shell.run(resume_and_send, mailing_id=mailing_id) == 2
    assert len(sink.messages()) == 2
