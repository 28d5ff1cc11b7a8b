"""Rows of one database, ids and dates replaced with what they mean.

A row is known by its meaning, such as `trace of mailing 3 for mailing.contact 7`, and
so is whatever refers to it: rows made while sending have other ids on the other side.
"""

import datetime
import re
from collections import Counter

from . import statistics

#: Not a field of Odoo's: what its fields say together.
EARLY = "[done before its last email left]"


class Tables:
    """One side's tables.

    :param data: see `collect.collect`
    :param meanings: its `meanings.Meanings`
    :param messages: its messages, see `mime.read`
    """

    def __init__(self, data, meanings, messages):
        self.models = data["models"]
        self.baseline = data["baseline"]
        self.since = data["since"]
        self.meanings = meanings
        self.arrived = {message["raw_id"]: message["subject"] for message in messages}
        self.subjects = {}
        self.names = {}
        self._find_subjects()
        for model in self.models:
            self._name_rows(model)

    def rows(self, model):
        """Raw rows of a model."""
        return list(self.models.get(model, {"rows": {}})["rows"].values())

    def view(self, model):
        """The rows of a model as they are compared: name → field → value.

        :return: dict of name → (subject or None, fields)
        """
        found = {}
        for row in self.rows(model):
            values = {field: self._value(model, row, field) for field in row}
            if model == "mailing.mailing":
                values[EARLY] = self._is_done_early(row)
            found[self.names[model, row["id"]]] = (
                self.subjects.get((model, row["id"])),
                values,
            )
        return found

    def _is_done_early(self, mailing):
        """Whether a mailing was declared done before its last email left."""
        return bool(mailing["sent_date"]) and any(
            trace["sent_datetime"] and trace["sent_datetime"] > mailing["sent_date"]
            for trace in self.rows("mailing.trace")
            if trace["mass_mailing_id"] == mailing["id"]
        )

    # What a row is about, and what it is called

    def _find_subjects(self):
        """Find out whose rows the rows are: (mailing id, record id)."""
        by_message_id = {}
        for trace in self.rows("mailing.trace"):
            subject = trace["mass_mailing_id"], trace["res_id"]
            self.subjects["mailing.trace", trace["id"]] = subject
            if trace["message_id"]:
                by_message_id[trace["message_id"]] = subject
        for mail in self.rows("mail.mail"):
            if mail["mailing_id"]:
                subject = mail["mailing_id"], mail["res_id"]
                self.subjects["mail.mail", mail["id"]] = subject
        for message in self.rows("mail.message"):
            if subject := by_message_id.get(message["message_id"]):
                self.subjects["mail.message", message["id"]] = subject
        for attachment in self.rows("ir.attachment"):
            for message in self.rows("mail.message"):
                if attachment["id"] in message["attachment_ids"]:
                    subject = self.subjects.get(("mail.message", message["id"]))
                    self.subjects["ir.attachment", attachment["id"]] = subject

    def _name_rows(self, model):
        taken = Counter()
        for row in self.rows(model):
            name = self._own_name(model, row)
            taken[name] += 1
            if taken[name] > 1:
                name += f" no. {taken[name]}"
            self.names[model, row["id"]] = name

    def _own_name(self, model, row):
        if row["id"] <= self.baseline.get(model, 0) or model == "mailing.mailing":
            return f"{model} {row['id']}"
        if subject := self.subjects.get((model, row["id"])):
            record = f"{row['model']} " if "model" in row else ""
            name = f"{model} of mailing {subject[0]} for {record}{subject[1]}"
            return f"{name}, {row['name']}" if model == "ir.attachment" else name
        if model == "ir.attachment":
            return f"{model} {row['name']} of {row['res_model']} {row['res_id']}"
        if model == "link.tracker":
            return (
                f"link of mailing {row['mass_mailing_id']}: {row['label']} {row['url']}"
            )
        if model == "link.tracker.code":
            return f"code of {self.names.get(('link.tracker', row['link_id']))}"
        if model == "mail.message":
            return f"{row['message_type']} on {row['model']} {row['res_id']}"
        if model == "mail.tracking.value":
            message = self.names.get(("mail.message", row["mail_message_id"]))
            return f"{row['field_id']} {row['new_value_char']} in {message}"
        return model

    def name(self, model, record_id):
        """What a record is called, whoever refers to it."""
        if not record_id:
            return record_id
        if record_id <= self.baseline.get(model, 0):
            return f"{model} {record_id}"
        return self.names.get((model, record_id), f"{model} [gone]")

    # Values

    def _value(self, model, row, field):
        value = row[field]
        kind = self.models[model]["fields"].get(field, {})
        if field == "id":
            return "[id]"
        if statistics.is_counted(self, model, row, field):
            return "[as counted]"
        if model == "mailing.trace" and field in ("message_id", "mail_mail_id_int"):
            return self._trace_value(row, field)
        if relation := kind.get("relation"):
            if isinstance(value, list):
                return sorted(self.name(relation, one) for one in value)
            return self.name(relation, value)
        if kind.get("type") == "many2one_reference":
            return self.name(row.get("model") or row.get("res_model"), value)
        if field.endswith("_int") and value == row.get(field.removesuffix("_int")):
            return f"[{field.removesuffix('_int')}]"
        if kind.get("type") in ("datetime", "date"):
            return self._date(field, value)
        if isinstance(value, str):
            if field in ("display_name", "local_url", "image_src"):
                value = self._without_own_id(row["id"], value)
            if model.startswith("link.tracker") and value in self.meanings.links:
                return f"[code of {self.meanings.links[value]}]"
            return self.meanings.text(value, self.subjects.get((model, row["id"])))
        return value

    def _without_own_id(self, record_id, value):
        own = rf"(?<=[(,/]){record_id}(?=[)?-]|$)"
        return re.sub(own, "[its id]", value)

    def _date(self, field, value):
        """A date, unless it is of the time in which this side sent.

        Odoo's dates have whole seconds, its own two columns excepted.
        """
        if not value or not self.since <= value <= self._now:
            return value
        whole = len(value) <= 19 or field in ("create_date", "write_date")
        return "[while sending]" if whole else "[while sending, with a fraction]"

    @property
    def _now(self):
        return str(datetime.datetime.now(datetime.UTC).replace(tzinfo=None))

    def _trace_value(self, trace, field):
        """Whether a trace knows its message and its mail."""
        value = trace[field]
        if not value:
            return value
        subject = trace["mass_mailing_id"], trace["res_id"]
        if field == "message_id":
            own = self.arrived.get(value) == subject
            return "[that of the message that arrived]" if own else "[of no message]"
        mail = self.models.get("mail.mail", {"rows": {}})["rows"].get(str(value))
        if mail is None:
            return "[of a mail that is gone]"
        own = (mail["mailing_id"], mail["res_id"]) == subject
        return "[of its mail]" if own else value
