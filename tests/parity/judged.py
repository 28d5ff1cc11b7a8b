"""Both sides of a comparison together, for those who judge a deviation."""

import re

from ..test_fuzz_modules import load

(spelling,) = load("mass_mailing_queue", "addresses")

CANCELLED = "cancel"
DUPLICATE = (CANCELLED, "mail_dup")
OPTED_OUT = (CANCELLED, "mail_optout")

#: What a trace says about its outcome: these fields differ together.
OUTCOME = {
    "trace_status",
    "failure_type",
    "failure_reason",
    "sent_datetime",
    "mail_mail_id",
    "mail_mail_id_int",
    "message_id",
}


class Judged:
    """Two outcomes, and what was sent.

    :param native: the native `comparison.Outcome`
    :param queue: the other one
    :param world: see `world.Builder`
    :param ids: key of a mailing → its id
    """

    def __init__(self, native, queue, world, ids):
        self.native = native
        self.queue = queue
        contents = {values["key"]: values for values in world["mailings"]}
        self.contents = {ids[key]: values for key, values in contents.items()}
        self.addresses = {
            (model, record_id): addresses
            for model, record_id, addresses in queue.data["addresses"]
        }
        self.mailings = {row["id"]: row for row in queue.tables.rows("mailing.mailing")}
        #: Mailings that native Odoo never got sent.
        self.stuck = {
            mailing["id"]
            for mailing in native.tables.rows("mailing.mailing")
            if mailing["state"] != "done"
        }

    def results(self, subject):
        """Status and failure type of a recipient on both sides, None for no trace."""
        return tuple(
            (trace["trace_status"], trace["failure_type"] or None) if trace else None
            for trace in (side.traces.get(subject) for side in self.sides)
        )

    @property
    def sides(self):
        return self.native, self.queue

    def recipients(self):
        """Everybody who has a trace of any mailing."""
        traces = [trace for side in self.sides for trace in side.traces.values()]
        return {(trace["model"], trace["res_id"]) for trace in traces}

    def addresses_of(self, subject):
        """The addresses of a recipient that can be mailed, cleaned, in their order."""
        cleaned = map(spelling.clean, self.written_addresses_of(subject))
        return list(filter(spelling.mailable, cleaned))

    def written_addresses_of(self, subject):
        """The addresses of a recipient as Odoo reads them, in their order."""
        trace = self.queue.traces.get(subject) or self.native.traces[subject]
        return self.addresses[trace["model"], subject[1]]


def is_outcome(deviation):
    """Whether a deviation is about a recipient's outcome, or a row that follows it."""
    if not deviation.subject:
        return False
    if deviation.field is None:
        return True
    return deviation.table == "mailing.trace" and deviation.field in OUTCOME


def mailing_of_row(deviation):
    """The id of the mailing that a row is, or whose chatter it belongs to."""
    match = re.search(r"\bmailing\.mailing (\d+)", deviation.row)
    return match and int(match[1])
