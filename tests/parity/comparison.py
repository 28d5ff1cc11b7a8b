"""Where two sides that should be equal deviate."""

import dataclasses

from . import mime
from .meanings import Meanings
from .tables import Tables

MISSING = "[missing]"
MESSAGE = "message"


@dataclasses.dataclass(frozen=True)
class Deviation:
    """One value that is not the same on both sides.

    :param table: a model, or "message"
    :param row: what the row or the message is called
    :param field: None when one side has no such row at all
    :param subject: (mailing id, record id) if it is about one recipient
    """

    table: str
    row: str
    field: str | None
    native: object
    queue: object
    subject: tuple | None

    def __str__(self):
        native, queue = (repr(value)[:300] for value in (self.native, self.queue))
        return f"{self.row}: {self.field or 'row'}\n  native {native}\n  queue  {queue}"


class Outcome:
    """What one side did, in comparable form.

    :param side: a `pair.Side`
    """

    def __init__(self, side):
        self.label = side.label
        self.raised = side.raised
        self.data = side.data
        meanings = Meanings(side.data)
        self.messages = mime.read(side.sink, meanings)
        self.tables = Tables(side.data, meanings, self.messages)
        self.by_subject = mime.by_subject(self.messages)
        self.traces = {
            (trace["mass_mailing_id"], trace["res_id"]): trace
            for trace in self.tables.rows("mailing.trace")
        }

    def views(self):
        """Every table with its rows, messages included."""
        found = {model: self.tables.view(model) for model in self.tables.models}
        found[MESSAGE] = {
            f"message {number} of mailing {subject[0]} for {subject[1]}": (subject, one)
            for subject, messages in self.by_subject.items()
            for number, one in enumerate(messages, start=1)
        }
        return found


@dataclasses.dataclass
class Comparison:
    """All deviations, and how much was compared.

    :param rows: how many rows were on both sides, by table
    :param values: how many values were compared in them, by table
    """

    deviations: list
    rows: dict
    values: dict


def compare(native, queue):
    """Compare two `Outcome`s row by row and field by field."""
    comparison = Comparison([], {}, {})
    views = native.views(), queue.views()
    names = [{row for rows in view.values() for row in rows} for view in views]
    one_sided = names[0] ^ names[1]
    for table in sorted({*views[0], *views[1]}):
        pair = [view.get(table, {}) for view in views]
        rows = values = 0
        for row in sorted({*pair[0], *pair[1]}):
            sides = [view.get(row) for view in pair]
            if None in sides:
                (subject, _fields) = sides[0] or sides[1]
                states = [MISSING if one is None else "[a row]" for one in sides]
                comparison.deviations.append(
                    Deviation(table, row, None, *states, subject)
                )
                continue
            rows += 1
            fields = [fields for _subject, fields in sides]
            for field in sorted({*fields[0], *fields[1]}):
                values += 1
                found = [one.get(field, MISSING) for one in fields]
                if found[0] != found[1] and not _follows(found, one_sided):
                    comparison.deviations.append(
                        Deviation(table, row, field, *found, sides[0][0])
                    )
        comparison.rows[table], comparison.values[table] = rows, values
    return comparison


def _follows(found, one_sided):
    """Whether two lists of rows deviate only in rows that one side does not have.

    :param one_sided: names of these rows; they are deviations of their own
    """
    if not all(isinstance(value, list) for value in found):
        return False
    different = {*map(str, found[0])} ^ {*map(str, found[1])}
    return bool(different) and different <= one_sided
