# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

"""What delivery holds in memory of the emails of a chunk."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Parcel:
    """One recipient's messages, ready to leave: all that delivery needs in memory."""

    trace_id: int
    mail_id: int
    message_id: str
    emails: list
    email_from: str
    list_ids: list
    #: before this one, once it is claimed
    attempts: int = 0
    #: how often it ended without an attempt although others were accepted
    passed_over: int = 0
    #: when it was claimed before this time (naive, UTC), ``None`` if it was not
    last_end: datetime | None = None

    def addresses(self):
        """Return the addresses (normalized) that its emails go to, as a set."""
        return {to for email in self.emails for to in email["email_to_normalized"]}


@dataclass
class Route:
    """Parcels that leave through the same server with the same envelope sender."""

    mail_server_id: int
    smtp_from: str
    session_key: tuple
    context: dict
    parcels: list = field(default_factory=list)
    #: see ``smtp.set_boundaries``
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))
    #: ``time.monotonic()`` after which the next message cannot start
    until: float = float("inf")
