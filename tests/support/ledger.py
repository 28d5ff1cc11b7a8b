"""The judge: what arrived at the sink against what Odoo says about it.

Odoo's traces are a claim, the sink's ledger is the evidence. A recipient is known by
the address in the envelope and by the record that the message is about; the latter is
in the List-Unsubscribe header, which Odoo puts into every message of a mailing and
which, unlike a Message-ID, is the same when a message is composed again.
"""

import dataclasses
import re
from collections import Counter
from email.header import decode_header, make_header

DELIVERED = {"sent", "open", "reply", "bounce"}
IN_DOUBT = "queue_in_doubt"
LINK = re.compile(r"/mailing/(\d+)/\w+\?[^>]*?\bdocument_id=(\d+)")
EXAMPLES = 5


def identity(header):
    """The mailing and the record of a message by its List-Unsubscribe header.

    :return: (mailing id, record id), or None when the message is of no mailing

    >>> identity("<http://x/mailing/3/unsubscribe_oneclick?document_id=7&email=a>")
    (3, 7)
    >>> identity("<http://x/mailing/3/unsubscribe_oneclick?email=a&document_id=7>")
    (3, 7)
    >>> identity("=?utf-8?q?=3Chttp=3A//x/mailing/3/uns?= "
    ...          "=?utf-8?q?ubscribe=5Foneclick=3Fdocument=5Fid=3D7=3E?=")
    (3, 7)
    >>> identity("") is None
    True
    """
    if "=?" in header:
        # Python folds a long link by encoding it.
        header = str(make_header(decode_header(header)))
    match = LINK.search(header)
    return match and (int(match[1]), int(match[2]))


@dataclasses.dataclass(frozen=True)
class Trace:
    """What Odoo says about one recipient."""

    res_id: int
    email: str | None
    status: str
    failure_type: str | None = None

    @property
    def delivered(self):
        return self.status in DELIVERED

    @property
    def in_doubt(self):
        return self.status == "error" and self.failure_type == IN_DOUBT

    @property
    def settled(self):
        """Whether it explains why nothing arrived."""
        return self.status in ("error", "cancel")


@dataclasses.dataclass
class Verdict:
    """What became of one mailing's recipients. Each list holds record ids.

    :param recipients: how many there were
    :param sent: messages that arrived
    :param unique: recipients that got one
    :param duplicates: of those whose message was not the first one, once per message
    :param lost: of those who got nothing, while their trace does not say that it
        failed, was cancelled or is in doubt, or there is no trace (None when only
        their number is known)
    :param in_doubt: of those whose trace says so, whether they got something or not
    :param unrecorded: of those who got something, while their trace neither says so
        nor that it is in doubt
    :param strangers: of those who got something and were no recipients
    :param statuses: how many traces have which status
    """

    recipients: int = 0
    sent: int = 0
    unique: int = 0
    duplicates: list = dataclasses.field(default_factory=list)
    lost: list = dataclasses.field(default_factory=list)
    in_doubt: list = dataclasses.field(default_factory=list)
    unrecorded: list = dataclasses.field(default_factory=list)
    strangers: list = dataclasses.field(default_factory=list)
    statuses: Counter = dataclasses.field(default_factory=Counter)

    @property
    def flawless(self):
        """Whether everybody got one message, and Odoo knows."""
        return (
            self.sent == self.unique == self.recipients
            and not self.in_doubt
            and self.exactly_once
        )

    @property
    def exactly_once(self):
        """Whether nobody got two and nobody was forgotten; some may have failed."""
        return not (self.duplicates or self.lost or self.unrecorded or self.strangers)

    def summary(self):
        """The figures on one line."""
        return (
            f"recipients={self.recipients} sent={self.sent} unique={self.unique} "
            f"duplicates={len(self.duplicates)} lost={len(self.lost)} "
            f"in_doubt={len(self.in_doubt)}"
        )

    def __str__(self):
        parts = [self.summary(), f"statuses={dict(self.statuses)}"]
        for name in ("duplicates", "lost", "in_doubt", "unrecorded", "strangers"):
            ids = getattr(self, name)
            if ids:
                parts.append(f"{name}: {len(ids)}, such as {ids[:EXAMPLES]}")
        return "; ".join(parts)


def judge(messages, traces, mailing_id, recipients=None):
    """Compare a mailing's messages with its traces.

    :param messages: `sink.Message`s, of other mailings and refused ones too
    :param traces: its `Trace`s
    :param recipients: ids of the records that should get a message, or how many these
        are; by default those that have a trace which is not cancelled
    """
    by_record = {trace.res_id: trace for trace in traces}
    planned = {trace.res_id for trace in traces if trace.status != "cancel"}
    if isinstance(recipients, int):
        expected, unplanned = recipients, max(recipients - len(planned), 0)
        recipients = planned
    else:
        recipients = planned if recipients is None else set(recipients)
        expected, unplanned = len(recipients), 0
    verdict = Verdict(
        recipients=expected,
        lost=[None] * unplanned,
        in_doubt=[trace.res_id for trace in traces if trace.in_doubt],
        statuses=Counter(trace.status for trace in traces),
    )
    reached, addresses = set(), set()
    for message in messages:
        found = message.accepted and identity(message.identity)
        if not found or found[0] != mailing_id:
            continue
        record = found[1]
        envelope = {address.lower() for address in message.recipients}
        verdict.sent += 1
        if record in reached or addresses & envelope:
            verdict.duplicates.append(record)
        else:
            verdict.unique += 1
        reached.add(record)
        addresses |= envelope
    for record in sorted(recipients - reached):
        trace = by_record.get(record)
        if not trace or not trace.settled:
            verdict.lost.append(record)
    for record in sorted(reached):
        trace = by_record.get(record)
        if record not in recipients:
            verdict.strangers.append(record)
        elif not trace or not (trace.delivered or trace.in_doubt):
            verdict.unrecorded.append(record)
    return verdict


def read_traces(database, mailing_id):
    """The mailing's traces as they are committed."""
    rows = database.query(
        "SELECT res_id, email, trace_status, failure_type FROM mailing_trace "
        "WHERE mass_mailing_id = %s AND is_test_trace IS NOT TRUE",
        (mailing_id,),
    )
    return [Trace(*row) for row in rows]


def compare(sink, database, mailing_id, recipients=None):
    """The verdict on a mailing from a running sink and a database."""
    # The traces first: a message that comes meanwhile must not look unrecorded.
    traces = read_traces(database, mailing_id)
    return judge(sink.stream(), traces, mailing_id, recipients)
