"""Messages as they arrived, taken apart into fields that can be compared."""

import email
import email.policy
import hashlib
import itertools
import re
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path

from tests.support.ledger import identity

#: Not a header: whether the link of one is encoded.
ENCODED = "header List-Unsubscribe is encoded"
BOUNDARY = re.compile(r'boundary="?([^";]+)"?')


def read(sink, meanings):
    """The messages of a sink.

    :param meanings: a `meanings.Meanings`
    :return: list of dicts: `subject` is (mailing id, record id), `raw_id` the
        Message-ID, `fields` what is compared
    """
    found = []
    for message in sink.messages():
        content = Path(message.spooled).read_bytes()
        subject = identity(message.identity)
        parsed = email.message_from_bytes(content, policy=email.policy.compat32)
        fields = {
            "envelope sender": message.sender,
            "envelope recipients": message.recipients,
            **_headers("", parsed, meanings, subject),
            **_parts(parsed, meanings, subject),
        }
        found.append(
            {"subject": subject, "raw_id": parsed["Message-Id"], "fields": fields}
        )
    return found


def _parts(parsed, meanings, subject):
    """The tree of parts, each with its headers and its decoded content."""
    fields = {}
    for number, part in enumerate(parsed.walk()):
        prefix = f"part {number} "
        if number:
            fields.update(_headers(prefix, part, meanings, subject))
        fields[f"{prefix}type"] = part.get_content_type()
        fields[f"{prefix}charset"] = part.get_content_charset()
        fields[f"{prefix}filename"] = part.get_filename()
        fields[f"{prefix}disposition"] = part.get_content_disposition()
        fields[f"{prefix}defects"] = [type(one).__name__ for one in part.defects]
        fields[f"{prefix}around"] = [part.preamble, part.epilogue]
        if part.is_multipart():
            fields[f"{prefix}content"] = len(part.get_payload())
        else:
            fields[f"{prefix}content"] = _content(part, meanings, subject)
    return fields


def _content(part, meanings, subject):
    if part.get_content_maintype() == "text":
        return meanings.text(_text(part), subject)
    content = part.get_payload(decode=True)
    return f"{len(content)} bytes {hashlib.sha256(content).hexdigest()}"


def _text(part):
    charset = part.get_content_charset() or "utf-8"
    return part.get_payload(decode=True).decode(charset, "backslashreplace")


def _usual_encoding(part):
    """What Python takes for a text: the shorter one, which depends on ids in it."""
    if part.get_content_maintype() != "text":
        return None
    fresh = EmailMessage(policy=email.policy.SMTP)
    fresh.set_content(_text(part), charset=part.get_content_charset() or "utf-8")
    return fresh["Content-Transfer-Encoding"]


def _headers(prefix, part, meanings, subject):
    """Each header as a field, and the order of all of them."""
    fields = {}
    order = []
    for name, value in part.items():
        order.append(name)
        fields.setdefault(f"{prefix}header {name}", []).append(
            _value(name.lower(), str(value), part, meanings, subject)
        )
        if name.lower() == "list-unsubscribe":
            fields[ENCODED] = "=?" in str(value)
    return {f"{prefix}header order": order, **fields}


def _value(name, value, part, meanings, subject):
    if name == "date":
        # Raises for what is no date.
        return f"[date] {parsedate_to_datetime(value).tzinfo}"
    if name == "content-type":
        return BOUNDARY.sub("boundary=[boundary]", value)
    if name == "references" and value == part["Message-Id"]:
        return "[its Message-Id]"
    if name == "content-transfer-encoding" and value == _usual_encoding(part):
        return "[as Python chooses for this text]"
    if name == "list-unsubscribe":
        # Python folds a link by encoding it; see ENCODED.
        value = str(make_header(decode_header(value)))
    return meanings.text(value, subject)


def by_subject(messages):
    """Messages by whom they are for: (mailing id, record id) → list of fields."""
    key = lambda message: message["subject"] or (0, 0)  # noqa: E731
    ordered = sorted(messages, key=key)
    return {
        subject: [message["fields"] for message in group]
        for subject, group in itertools.groupby(ordered, key)
    }
