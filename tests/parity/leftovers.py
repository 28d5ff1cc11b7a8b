"""Differences in what is written, said and left behind: claims and proofs."""

import re

from .comparison import MISSING
from .judged import CANCELLED, is_outcome, mailing_of_row
from .tables import EARLY

#: What the addons keep for themselves, besides their columns.
OWN_TABLES = ("queue.job", "mailing.queue.", "mailing.provider")

#: The columns of a trace that was sent at the first attempt.
SENT = {
    "queue_planned": True,
    "queue_held": False,
    "queue_attempts": 1,
    "queue_next_attempt": False,
    "queue_smtp_code": 0,
    "queue_smtp_status": False,
}


def claims_own(_judged, deviation):
    own_field = (deviation.field or "").startswith("queue_")
    own_table = deviation.table.startswith(OWN_TABLES) and deviation.field is None
    return (own_field or own_table) and deviation.native == MISSING


def prove_own(judged, claimed):
    """The columns say what the traces' outcomes say, and no job is left to run."""
    for subject, trace in judged.queue.traces.items():
        if trace["trace_status"] == "sent":
            assert {name: trace[name] for name in SENT} == SENT, subject
            assert trace["queue_claimed_at"] and trace["queue_job_uuid"], subject
        assert trace["queue_planned"], subject
    states = {job["state"] for job in judged.queue.tables.rows("queue.job")}
    assert states == {"done"}


def claims_triggers(_judged, deviation):
    return deviation.table == "ir.cron.trigger"


def prove_triggers(judged, claimed):
    """The same scheduled actions are triggered, only more often."""
    crons = [
        {trigger["cron_id"] for trigger in side.tables.rows("ir.cron.trigger")}
        for side in judged.sides
    ]
    assert crons[0] == crons[1]


def claims_reason(_judged, deviation):
    return (
        deviation.field == "failure_reason"
        and deviation.queue is not False
        and deviation.table in ("mailing.trace", "mail.mail")
    )


def prove_reason(judged, claimed):
    """Natively the trace has none; the mail's has the server's words in it, too."""
    for deviation in claimed:
        if deviation.table == "mailing.trace":
            assert deviation.native is False, str(deviation)
            assert judged.results(deviation.subject)[1][0] == "error", str(deviation)
        else:
            assert deviation.queue in deviation.native, str(deviation)


def claims_unmade(_judged, deviation):
    if deviation.table == "mailing.trace" and deviation.field == "message_id":
        return deviation.queue is False
    unmade = ("ir.attachment", "link.tracker", "link.tracker.code")
    return deviation.table in unmade and deviation.queue == MISSING


def prove_unmade(judged, claimed):
    """The traces are cancelled, the links are theirs, the attachments are nobody's."""
    attached = {
        judged.native.tables.name("ir.attachment", attachment_id)
        for message in judged.native.tables.rows("mail.message")
        for attachment_id in message["attachment_ids"]
    }
    for deviation in claimed:
        if deviation.table == "mailing.trace":
            assert deviation.native == "[of no message]", str(deviation)
            assert judged.results(deviation.subject)[1][0] == CANCELLED, str(deviation)
        elif deviation.table == "ir.attachment":
            assert deviation.row not in attached, str(deviation)
        else:
            found = re.search(r"mailing (\d+): .*/for/(\d+)\)?$", deviation.row)
            subject = tuple(int(number) for number in found.groups())
            assert judged.results(subject)[1][0] == CANCELLED, str(deviation)


def claims_company(judged, deviation):
    if is_outcome(deviation):
        return False
    mailing_id = (deviation.subject or [mailing_of_row(deviation)])[0]
    return judged.contents.get(mailing_id, {}).get("user") == "elsewhere"


def prove_company(judged, claimed):
    """Only the company and its alias domain differ."""
    for deviation in claimed:
        expected = str(deviation.native)
        for own, other in (
            ("@parity.example", "@else.example"),
            ("res.company 1", "res.company 2"),
            ("mail.alias.domain 1", "mail.alias.domain 2"),
        ):
            expected = expected.replace(own, other)
        # What the marketer wrote stays.
        found = str(deviation.queue).replace("@parity.example", "@else.example")
        assert expected == found, str(deviation)


def claims_early(_judged, deviation):
    return deviation.field == EARLY


def prove_early(judged, claimed):
    """Natively a mailing is done while its emails wait in the mail queue."""
    for deviation in claimed:
        assert deviation.native is True and deviation.queue is False, str(deviation)
