# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What an SMTP reply means for a campaign. Free of Odoo.

The class of a reply's code is unreliable: providers report a spent quota as a
permanent failure and a suspended account as a temporary one. So a reply is read by
its text first, then by its enhanced status code (RFC 3463), then by its code and the
command it answered (RFC 5321).
"""

import re
from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What to do with a message after the server's answer."""

    SENT = "sent"
    #: this recipient, for good
    REJECTED = "rejected"
    #: this recipient, try again later
    DEFERRED = "deferred"
    #: the provider wants less from us; nobody's attempt is spent
    SLOW_DOWN = "slow_down"
    #: the server cannot be reached or talked to; nobody's attempt is spent
    UNREACHABLE = "unreachable"
    #: somebody has to repair the server or the account
    BROKEN = "broken"
    #: sent or not, nobody can know
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True)
class Reply:
    """A server's answer.

    :param verdict: what it means
    :param code: the reply's code, 0 if there was none
    :param enhanced: the enhanced status code (``5.1.1``), empty if there was none
    :param text: the answer in the server's words
    :param cause: what was wrong on our side when the server was not even asked
    """

    verdict: Verdict
    code: int = 0
    enhanced: str = ""
    text: str = ""
    cause: str = ""


_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")

# Read in this order: the first text that is found decides. The phrases are those of
# the vendors' own documentation (SES, Google, Microsoft 365, Mailgun, SendGrid, Brevo,
# SparkPost, IONOS, Postfix).
_TEXTS = [
    (Verdict.BROKEN, re.compile(pattern, re.IGNORECASE))
    for pattern in (
        r"sending paused for this account",
        r"account (is |has been )?(suspended|disabled|blocked|locked)",
        r"sandbox subdomains",
        r"not yet activated",
        r"unauthorized ip address",
        r"authorization grant is invalid",
        r"basic authentication is (not supported|disabled)",
        r"bad outbound sender",
        r"(email address|domain|identity|sender) is not verified",
        r"not (allowed|authorized) to send (as|from)",
    )
] + [
    (Verdict.SLOW_DOWN, re.compile(pattern, re.IGNORECASE))
    for pattern in (
        r"throttling failure",
        r"maximum sending rate",
        r"too many (concurrent|simultaneous|connections|login attempts|messages)",
        r"(smtp relay|user sending|customer|sender thread|connections?) limit exceeded",
        r"(daily|hourly|sending|message|messaging|mail send) (limit|quota)s? exceeded",
        r"(daily|message) (user )?(message|sending) quota exceeded",
        r"exceed(ed)? (your )?(sending|messaging) limit",
        r"recipient limit exceeded",
        r"maximum credits exceeded",
        r"submissionquotaexceeded",
        r"too much mail",
        r"rate limit(ed)?\b",
        r"server busy",
        r"temporarily deferred",
    )
]

_CODES = {
    "5.1.90": Verdict.SLOW_DOWN,  # Microsoft 365: recipients of a day
    "5.4.5": Verdict.SLOW_DOWN,  # Google: messages of a day
    "5.7.233": Verdict.SLOW_DOWN,  # Microsoft 365: tenant's quota
    "4.3.2": Verdict.SLOW_DOWN,  # RFC 3463: system not accepting messages
    "5.1.8": Verdict.BROKEN,  # RFC 3463: bad sender's system address
    "5.1.7": Verdict.BROKEN,  # RFC 3463: bad sender's mailbox address
    "5.7.30": Verdict.BROKEN,  # Microsoft 365: basic authentication is gone
    "5.7.705": Verdict.BROKEN,  # Microsoft 365: tenant threshold
    "5.7.708": Verdict.BROKEN,  # Microsoft 365: traffic from this address
    "5.3.4": Verdict.REJECTED,  # RFC 3463: this message is too big
}


def classify(code, text, command):
    """Return what a reply means.

    :param int code: SMTP reply code
    :param str text: the reply in the server's words
    :param str command: what it answered: ``connect``, ``auth``, ``mail``, ``rcpt`` or
        ``data`` (the final reply, after the message)
    :return: a :class:`Reply`

    >>> classify(550, "5.1.1 unknown user", "rcpt").verdict.name
    'REJECTED'
    >>> classify(450, "4.2.0 greylisted", "rcpt").verdict.name
    'DEFERRED'
    >>> classify(454, "Throttling failure: Daily message quota", "data").verdict.name
    'SLOW_DOWN'
    >>> classify(550, "5.4.5 Daily user sending limit exceeded", "data").verdict.name
    'SLOW_DOWN'
    >>> classify(452, "4.2.2 mailbox quota exceeded", "rcpt").verdict.name
    'DEFERRED'
    >>> classify(535, "5.7.8 bad credentials", "auth").verdict.name
    'BROKEN'
    >>> classify(553, "5.7.1 sender not owned by user", "mail").verdict.name
    'BROKEN'
    >>> classify(421, "4.4.2 closing", "rcpt").verdict.name
    'UNREACHABLE'
    >>> classify(-1, "garbage", "data").verdict.name
    'IN_DOUBT'
    """
    text = " ".join((text or "").split())
    found = _ENHANCED.search(text)
    enhanced = found.group(1) if found else ""
    verdict = (
        _by_text(text) or _CODES.get(enhanced) or _by_code(code, enhanced, command)
    )
    return Reply(verdict, max(code, 0), enhanced, text)


def _by_text(text):
    for verdict, pattern in _TEXTS:
        if pattern.search(text):
            return verdict
    return None


def _by_code(code, enhanced, command):
    if not 400 <= code <= 599:
        # Neither yes nor no. After the message that leaves its fate open.
        return Verdict.IN_DOUBT if command == "data" else Verdict.UNREACHABLE
    if code == 421 or command == "connect":
        return Verdict.UNREACHABLE
    if command == "auth":
        return Verdict.BROKEN if code >= 500 else Verdict.UNREACHABLE
    if command == "mail":
        # The sender is the same for everybody: no recipient's fault.
        return Verdict.BROKEN if code >= 500 else Verdict.SLOW_DOWN
    if code >= 500 and not enhanced.startswith("4."):
        return Verdict.REJECTED
    return Verdict.DEFERRED
