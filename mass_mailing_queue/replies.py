# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What an SMTP reply means for a campaign. Free of Odoo.

The class of a reply's code is unreliable: providers report a spent quota as a
permanent failure and a suspended account as a temporary one. So a reply is read by
its text first, then by its enhanced status code (RFC 3463), then by its code and the
command it answered (RFC 5321).
"""

from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum

from .reply_rules import CODES, RULES
from .reply_times import stated_time
from .reply_words import (
    ENHANCED,
    MAX_LENGTH,
    MAX_TEXT,
    fold,
    signature,
    without_recipients,
)


class Verdict(Enum):
    """What to do with a message after the server's answer."""

    SENT = "sent"
    #: this recipient, for good
    REJECTED = "rejected"
    #: this recipient, try again later
    DEFERRED = "deferred"
    #: others first, then this recipient again; no attempt is spent
    PASSED_OVER = "passed_over"
    #: this sender is refused: its recipients wait for somebody, the others go on
    HELD = "held"
    #: the provider wants less from us; nobody's attempt is spent
    SLOW_DOWN = "slow_down"
    #: the server cannot be reached or talked to; nobody's attempt is spent
    UNREACHABLE = "unreachable"
    #: somebody has to repair the server or the account
    BROKEN = "broken"
    #: sent or not, nobody can know
    IN_DOUBT = "in_doubt"


def clean(text, length=MAX_TEXT):
    """Return a text as it can be shown on a line and stored by PostgreSQL.

    >>> clean("one\\ttwo\\0\\udcff\\n"), clean("x" * 9, 5)
    ('one two ?', 'xxxxx')
    """
    text = text[:length].replace("\0", " ").encode(errors="replace").decode()
    return " ".join(text.split())


@dataclass(frozen=True)
class Reply:
    """A server's answer.

    :param verdict: what it means
    :param code: the reply's code, 0 if there was none
    :param enhanced: the enhanced status code (``5.1.1``), empty if there was none
    :param text: the answer in the server's words
    :param cause: what was wrong on our side when the server was not even asked
    :param limit: what a provider that says slow down limits: ``rate`` (a second or a
        minute), ``connections``, ``hour``, ``day`` or ``month``
    :param until: when to try again (aware, UTC), if the reply says so
    :param account: whether something broken concerns everything that is sent through
        the account or server, and not just this sender's address
    :param own: whether the words say that only this recipient has to wait: greylisting,
        a full mailbox
    :param signature: the same for the same refusal of other recipients (see
        :func:`~.reply_words.signature`), empty if no server said anything
    :param everybody: whether the same refusal of many recipients made it ours
    :param trouble: what ended the attempt and has to end the job, if that was neither
        the server nor the recipient
    """

    verdict: Verdict
    code: int = 0
    enhanced: str = ""
    text: str = ""
    cause: str = ""
    limit: str = ""
    until: datetime | None = None
    account: bool = False
    own: bool = False
    signature: str = ""
    everybody: bool = False
    trouble: BaseException | None = None

    def __post_init__(self):
        object.__setattr__(self, "text", clean(self.text))


# RFC 4954: 530 authentication required, 534 too weak, 535 invalid, 538 not encrypted
_AUTH_CODES = (530, 534, 535, 538)


def classify(code, text, command, now=None, recipients=(), sender=()):
    """Return what a reply means.

    Nobody can choose an address that changes it for others: the recipients' addresses
    and their parts are not read. For the line between an address and the reply's own
    words see :func:`~.reply_words.without_recipients`.

    :param int code: SMTP reply code; what is none counts as no code
    :param str text: the reply in the server's words
    :param str command: what it answered: ``connect``, ``auth``, ``mail``, ``rcpt`` or
        ``data`` (the final reply, after the message)
    :param datetime now: the time of the reply (aware), by default the current time
    :param recipients: the addresses that the message goes to
    :param sender: the address that it comes from, for the signature
    :return: a :class:`Reply`

    >>> classify(550, "5.1.1 unknown user", "rcpt").verdict.name
    'REJECTED'
    >>> classify(450, "4.2.0 greylisted", "rcpt").verdict.name
    'DEFERRED'
    >>> classify(454, "Throttling failure: Daily message quota", "data").verdict.name
    'SLOW_DOWN'
    >>> classify(550, "5.4.5 Daily user sending limit exceeded", "data").limit
    'day'
    >>> classify(452, "4.2.2 mailbox quota exceeded", "rcpt").verdict.name
    'DEFERRED'
    >>> classify(535, "5.7.8 bad credentials", "auth").verdict.name
    'BROKEN'
    >>> reply = classify(553, "5.7.1 sender not owned by user", "mail")
    >>> reply.verdict.name, reply.account
    ('BROKEN', False)
    >>> classify(421, "4.4.2 closing", "rcpt").verdict.name
    'UNREACHABLE'
    >>> classify(-1, "garbage", "data").verdict.name
    'IN_DOUBT'
    >>> now = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    >>> str(classify(450, "4.7.1 greylisted, retry in 5 minutes", "rcpt", now).until)
    '2026-03-01 12:05:00+00:00'
    """
    if not isinstance(code, int) or not 0 <= code <= 999:
        code = 0
    # An address that is cut off at the end is none any more.
    text = clean(text or "", MAX_TEXT + MAX_LENGTH)
    folded = fold(text)[: len(text)]
    words = without_recipients(folded, recipients)[:MAX_TEXT]
    reading = _read(code, words, command)
    if reading[0] in _OURS and recipients:
        # A name that happens to be a word of the reply makes it blame us for no more.
        others = without_recipients(folded, recipients, "none")[:MAX_TEXT]
        reading = min(reading, _read(code, others, command), key=_severity)
    verdict, limit, account, own, enhanced = reading
    until = None
    until = None
    if verdict in (Verdict.SLOW_DOWN, Verdict.DEFERRED, Verdict.UNREACHABLE):
        until = stated_time(words, now or datetime.now(timezone.utc))
    return Reply(
        verdict,
        code,
        enhanced,
        text,
        limit=limit,
        until=until,
        account=account,
        own=own,
        signature=signature(code, text, command, recipients, sender) if code else "",
    )


# What concerns everybody, by how much it stops
_OURS = (Verdict.SLOW_DOWN, Verdict.BROKEN)


def _severity(reading):
    verdict, _limit, account, *_rest = reading
    return _OURS.index(verdict) + account if verdict in _OURS else -1


def _read(code, words, command):
    """Return (verdict, limit, account, own, enhanced) of what is read of a reply."""
    found = ENHANCED.search(words)
    enhanced = found[1] if found else ""
    rule = _find_rule(code, words, command)
    if rule is not None and rule.verdict:
        meaning = Verdict[rule.verdict], rule.limit, rule.account
    else:
        meaning = _by_enhanced(code, enhanced) or _by_code(code, enhanced, command)
    return *meaning, rule is not None and rule.own, enhanced


def _find_rule(code, words, command):
    for rule in RULES:
        if rule.matches(code, words, command):
            return rule
    return None


def _by_enhanced(code, enhanced):
    if not 400 <= code <= 599 or enhanced not in CODES:
        return None
    verdict, limit, account = CODES[enhanced]
    return Verdict[verdict], limit, account


def _by_code(code, enhanced, command):
    verdict, limit, account = Verdict.DEFERRED, "", False
    if not 400 <= code <= 599:
        # Neither yes nor no. After the message that leaves its fate open.
        verdict = Verdict.IN_DOUBT if command == "data" else Verdict.UNREACHABLE
    elif code == 421 or command == "connect":
        verdict = Verdict.UNREACHABLE
    elif command == "auth" or code in _AUTH_CODES:
        verdict = Verdict.BROKEN if code >= 500 else Verdict.UNREACHABLE
        account = code >= 500
    elif command == "mail":
        # The sender is the same for everybody: no recipient's fault.
        verdict, limit = (
            (Verdict.BROKEN, "") if code >= 500 else (Verdict.SLOW_DOWN, "rate")
        )
    elif code >= 500 and not enhanced.startswith("4."):
        verdict = Verdict.REJECTED
    return verdict, limit, account
