"""What another addon overrides is called, for every recipient."""

from email import message_from_bytes
from pathlib import Path

from . import campaigns, sending

ADDONS = Path(__file__).parent / "addons"


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
