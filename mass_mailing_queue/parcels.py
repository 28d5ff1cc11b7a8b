# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

"""What delivery holds in memory of the emails of a chunk."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

#: What the emails of a chunk may take in memory together (bytes). The rest of the chunk
#: is composed next. Far below what Odoo leaves to a worker (``limit_memory_soft``, 2
#: GiB), and more than a hundred emails take without attachments.
CHUNK_BYTES = 64 * 2**20


class Cargo:
    """The memory that the emails of a chunk take: equal attachments are held once."""

    def __init__(self, limit=CHUNK_BYTES):
        """
        :param int limit: bytes
        """
        self.limit = limit
        self.size = 0
        self._contents = {}

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        # A reference that is kept elsewhere holds nothing any more.
        self._contents = {}

    def load(self, emails):
        """Take the emails of a recipient in, if there is room.

        The first ones always find room.

        :param list emails: as of ``mail.mail._prepare_outgoing_list``; attachments
            are replaced by equal ones that are held already
        :return: whether they are taken in
        """
        texts = sum(
            len(email["body"] or "") + len(email["body_alternative"] or "")
            for email in emails
        )
        files = {
            content
            for email in emails
            for _name, content, _kind in email["attachments"]
            if content not in self._contents
        }
        size = texts + sum(map(len, files))
        if self.size and self.size + size > self.limit:
            return False
        self.size += size
        self._contents.update((content, content) for content in files)
        for email in emails:
            email["attachments"] = [
                (name, self._contents.get(content, content), kind)
                for name, content, kind in email["attachments"]
            ]
        return True


@dataclass
class Parcel:
    """One recipient's messages, ready to leave: all that delivery needs in memory."""

    trace_id: int
    mail_id: int
    message_id: str
    emails: list
    email_from: str
    list_ids: list
    #: of its record, normalized, the first one first, as it was composed for them
    found: list = field(default_factory=list)
    #: as the trace has it: the address that was judged
    email: str | None = None
    #: as the trace has it: those that it goes to, if it is not just that one
    queue_emails: str | None = None
    #: nobody is left whom it could go to
    left_out: bool = False
    #: before this one, once it is claimed
    attempts: int = 0
    #: how often it ended without an attempt although others were accepted
    passed_over: int = 0
    #: when it was claimed before this time (naive, UTC), ``None`` if it was not
    last_end: datetime | None = None

    def addresses(self):
        """Return the addresses (normalized) that its emails go to, as a set."""
        return {to for email in self.emails for to in email["email_to_normalized"]}

    def is_judged(self):
        """Return whether it goes to the one address that its trace has."""
        return not self.found or (self.found == [self.email] and not self.queue_emails)

    def leave_out(self, addresses, normalize):
        """Send to none of these addresses.

        :param normalize: returns the address, as it is judged, of what is mailed
        """
        for email in self.emails:
            email["email_to"] = [
                to for to in email["email_to"] if normalize(to) not in addresses
            ]
            email["email_to_normalized"] = [
                to
                for to in email["email_to_normalized"]
                if normalize(to) not in addresses
            ]
        self.emails = [
            email for email in self.emails if email["email_to"] or email["email_cc"]
        ]


@dataclass
class Route:
    """Parcels that leave through the same server with the same envelope sender."""

    mail_server_id: int
    smtp_from: str
    session_key: tuple
    context: dict
    parcels: list = field(default_factory=list)
    #: traces whose emails had no room in memory any more: they are composed next
    later: list = field(default_factory=list)
    #: see ``smtp.set_boundaries``
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))
    #: ``time.monotonic()`` after which the next message cannot start
    until: float = float("inf")
