# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What an SMTP reply means for a campaign. Free of Odoo.

The class of a reply's code is unreliable: providers report a spent quota as a
permanent failure and a suspended account as a temporary one. So a reply is read by
its text first, then by its enhanced status code (RFC 3463), then by its code and the
command it answered (RFC 5321).
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from enum import Enum

#: What is read of a reply (characters). The rest says nothing new.
MAX_TEXT = 2000


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
    """

    verdict: Verdict
    code: int = 0
    enhanced: str = ""
    text: str = ""
    cause: str = ""
    limit: str = ""
    until: datetime | None = None
    account: bool = False

    def __post_init__(self):
        object.__setattr__(self, "text", clean(self.text))


#: A reply that wants us back later than that is not believed. The longest quota that
#: providers reset is a month's.
MAX_WAIT = timedelta(days=32)

# Not a part of an IP address
_ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")

_TRANSIENT, _PERMANENT = range(400, 500), range(500, 600)

_RECIPIENT_COMMANDS = ("rcpt", "data")
_ACCOUNT_COMMANDS = ("connect", "auth", "mail")


@dataclass(frozen=True)
class _Rule:
    """What a phrase in a reply means.

    :param verdict: ``None`` to leave the reply to its codes
    :param phrases: regular expressions of which one has to be found
    :param commands: the commands that have to be answered, empty for any
    :param codes: the reply codes for which it counts
    """

    verdict: Verdict | None
    phrases: tuple
    limit: str = ""
    account: bool = False
    commands: tuple = ()
    codes: range = range(400, 600)
    pattern: re.Pattern = field(init=False)

    def __post_init__(self):
        pattern = re.compile("|".join(self.phrases), re.IGNORECASE)
        object.__setattr__(self, "pattern", pattern)

    def matches(self, code, text, command):
        return (
            code in self.codes
            and (not self.commands or command in self.commands)
            and self.pattern.search(text) is not None
        )


# Read in this order: the first rule that matches decides. The phrases are those of the
# vendors' own documentation, or of replies that their customers published.
_RULES = (
    # ---- Words that only a provider says to its customer
    _Rule(  # Microsoft 365: the mailbox's recipients of a day
        Verdict.SLOW_DOWN,
        (r"submissionquotaexceeded",),
        limit="day",
    ),
    _Rule(  # Mailgun: the cap of a new account, with a date
        Verdict.SLOW_DOWN,
        (r"not allowed to send: recipient limit exceeded",),
        limit="hour",
    ),
    _Rule(
        Verdict.BROKEN,
        (
            # Amazon SES
            r"sending paused for this account",
            r"not authorized to perform",
            # Mailgun: sandbox, activation, termination
            r"sandbox subdomains",
            r"\bdomain \S+ is not allowed to send\b(?! (as|from)\b)",
            # Brevo
            r"\b(your|smtp) account is not yet activated",
            r"unauthorized ip address",
            # SendGrid
            r"authorization grant is invalid",
            # SparkPost: the few messages that its test domain may ever send
            r"exceed\w* sending limit \(sandbox",
            # Microsoft 365: also a sender's mailbox that is full of sent mail
            r"basic authentication is (not supported|disabled)",
            r"smtpclientauthentication is disabled",
            r"bad outbound sender",
            r"mapiexception\w*quotaexceeded",
        ),
        account=True,
    ),
    _Rule(
        Verdict.BROKEN,
        (
            # Amazon SES, SendGrid, Postmark
            r"(email address|domain|identity|sender) is not verified",
            r"verified sender identity",
            r"not a sender signature",
            # Microsoft 365
            r"not (allowed|authorized) to send (as|from)",
            r"permissions? to send as",
        ),
    ),
    _Rule(  # Postfix answers to RCPT what it has against MAIL
        Verdict.BROKEN,
        (r"^(?!.*recipient address rejected).*sender address rejected",),
        codes=_PERMANENT,
    ),
    _Rule(  # as Postfix says it when MAIL announces the size
        Verdict.REJECTED,
        (
            r"message (is |was )?too (big|large)",
            r"message (\w+ )?size exceeds",
        ),
        codes=_PERMANENT,
    ),
    # ---- A quota of ours, whatever the code says
    _Rule(
        Verdict.SLOW_DOWN,
        (
            # Google, Microsoft 365
            r"too many login attempts",
            r"concurrent connections? limit",
            r"sender thread limit exceeded",
            # Amazon SES, Postfix
            r"too many (\w+ ){0,2}(connections|sessions)",
            r"connections? (rate )?limit exceeded",
        ),
        limit="connections",
    ),
    _Rule(
        Verdict.SLOW_DOWN,
        (
            r"mail send limit exceeded",  # IONOS
            r"exceed\w* sending limit \(hourly",  # SparkPost
            r"exceeded\b.{0,60}\bper hour",  # cPanel
        ),
        limit="hour",
    ),
    _Rule(
        Verdict.SLOW_DOWN,
        (
            r"maximum credits exceeded",  # SendGrid, as an answer to AUTH
            r"exceed\w* sending limit \(monthly",  # SparkPost
        ),
        limit="month",
    ),
    _Rule(
        Verdict.SLOW_DOWN,
        (
            r"daily (message|smtp relay|user|sending)\b.{0,40}\b(limit|quota)",
            r"daily limit for (message recipients|sending)",  # Microsoft 365
            r"exceed\w* sending limit \(daily",  # SparkPost
            r"exceeded your messaging limits?",  # SendGrid
            r"24[- ]hour (sending|messag\w+) (limit|quota)",
            r"reached (a|your|the) (limit for sending|(\w+ )?sending limit)",  # Google
        ),
        limit="day",
    ),
    _Rule(
        Verdict.SLOW_DOWN,
        (
            r"throttling failure",  # Amazon SES
            r"maximum sending rate",
            r"peak smtp relay limit",  # Google
            r"too much mail",  # Postfix
        ),
        limit="rate",
    ),
    # ---- The recipient's mailbox: what follows would mistake it for our account
    _Rule(
        None,
        (
            r"recipient address rejected",
            r"mailbox\b.{0,30}\b(full|limit|quota|disabled|inactive|suspended)",
            r"over ?quota",
            r"\b(user|recipient|account)\b.{0,40}\byou (are trying|tried) to",
            r"\brecipient('s)? (\w+ )?(account|mailbox|quota)",
            r"(?<![\d.])[45]\.(1\.[0-6]|2\.[0-4])(?!\.?\d)",
        ),
        commands=_RECIPIENT_COMMANDS,
    ),
    # ---- Words that others use, too
    _Rule(
        Verdict.BROKEN,
        (r"account\b.{0,20}\b(suspended|disabled|blocked|locked|terminated)",),
        account=True,
        commands=_ACCOUNT_COMMANDS,
    ),
    _Rule(
        Verdict.BROKEN,
        (
            r"\b(your|sender'?s?|sending|smtp) (\w+ )?account\b.{0,20}"
            r"\b(suspended|disabled|blocked|locked|terminated)",
        ),
        account=True,
        commands=_RECIPIENT_COMMANDS,
    ),
    _Rule(Verdict.SLOW_DOWN, (r"\bhourly\b.{0,30}\b(limit|quota)",), limit="hour"),
    _Rule(Verdict.SLOW_DOWN, (r"\bdaily\b.{0,30}\b(limit|quota)",), limit="day"),
    _Rule(Verdict.SLOW_DOWN, (r"\bmonthly\b.{0,30}\b(limit|quota)",), limit="month"),
    _Rule(
        Verdict.SLOW_DOWN,
        (r"(smtp relay|user sending|customer) (limit|quota) exceeded",),
        limit="day",
    ),
    _Rule(
        Verdict.SLOW_DOWN,
        (
            r"too many (concurrent|simultaneous)",
            r"too many (messages|mails|emails)\b",
            r"(sending|message|messaging) (limit|quota)s? exceeded",
            r"exceed(ed)? (your )?(sending|messaging) limit",
            r"per (second|minute) (limit|quota)",
            r"rate limit(ed|ing)?\b",
            r"unusual rate",  # Google
            r"server busy",
            r"temporarily deferred",
        ),
        limit="rate",
    ),
    _Rule(
        # Postfix: this client's recipients of a minute. Not what Google says of one
        # message, which would have too many for ever.
        Verdict.SLOW_DOWN,
        (r"(?<!has )too many recipients", r"recipient limit exceeded"),
        limit="rate",
        codes=_TRANSIENT,
    ),
)

#: Enhanced status code → verdict, what is limited, whether it is the whole account
_CODES = {
    "5.1.90": (Verdict.SLOW_DOWN, "day", False),  # Microsoft 365: recipients
    "5.4.5": (Verdict.SLOW_DOWN, "day", False),  # Google: messages
    "5.7.232": (Verdict.SLOW_DOWN, "day", False),  # Microsoft 365: trial tenant
    "5.7.233": (Verdict.SLOW_DOWN, "day", False),  # Microsoft 365: tenant
    "4.3.2": (Verdict.SLOW_DOWN, "rate", False),  # RFC 3463: system not accepting
    "5.1.8": (Verdict.BROKEN, "", False),  # RFC 3463: bad sender's system address
    "5.1.7": (Verdict.BROKEN, "", False),  # RFC 3463: bad sender's mailbox address
    "5.7.30": (Verdict.BROKEN, "", True),  # Microsoft 365: basic authentication
    "5.7.705": (Verdict.BROKEN, "", True),  # Microsoft 365: tenant threshold
    "5.7.708": (Verdict.BROKEN, "", True),  # Microsoft 365: traffic from this address
    "5.3.4": (Verdict.REJECTED, "", False),  # RFC 3463: this message is too big
}

# RFC 4954: 530 authentication required, 534 too weak, 535 invalid, 538 not encrypted
_AUTH_CODES = (530, 534, 535, 538)

_WAIT = re.compile(
    r"\b(?:try|retry|resend|again)(?:[ -]again)?[ -](?:in|after):? (?:about )?"
    r"(\d{1,7}) ?(s|m|h|d)(?:ec|econd|in|inute|r|our|ay)?s?\b",
    re.IGNORECASE,
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DATE = re.compile(
    r"\b(?:again|retry) (?:after|at) "
    r"((?:[a-z]{3}, ?)?\d{1,2} [a-z]{3} \d{4} \d{1,2}:\d\d(?::\d\d)?"
    r"(?: (?:[a-z]{1,5}|[+-]\d{4}))?)",
    re.IGNORECASE,
)


def classify(code, text, command, now=None):
    """Return what a reply means.

    :param int code: SMTP reply code; what is none counts as no code
    :param str text: the reply in the server's words
    :param str command: what it answered: ``connect``, ``auth``, ``mail``, ``rcpt`` or
        ``data`` (the final reply, after the message)
    :param datetime now: the time of the reply (aware), by default the current time
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
    text = clean(text or "")
    found = _ENHANCED.search(text)
    enhanced = found.group(1) if found else ""
    verdict, limit, account = (
        _by_text(code, text, command)
        or _by_enhanced(code, enhanced)
        or _by_code(code, enhanced, command)
    )
    until = None
    if verdict in (Verdict.SLOW_DOWN, Verdict.DEFERRED, Verdict.UNREACHABLE):
        until = _until(text, now or datetime.now(timezone.utc))
    return Reply(
        verdict,
        code,
        enhanced,
        text,
        limit=limit,
        until=until,
        account=account,
    )


def _by_text(code, text, command):
    for rule in _RULES:
        if rule.matches(code, text, command):
            return rule.verdict and (rule.verdict, rule.limit, rule.account)
    return None


def _by_enhanced(code, enhanced):
    return _CODES.get(enhanced) if 400 <= code <= 599 else None


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


def _until(text, now):
    """Return when a reply wants us back, ``None`` if it does not say or is absurd."""
    if found := _WAIT.search(text):
        wait = timedelta(seconds=int(found[1]) * _UNITS[found[2].lower()])
    elif found := _DATE.search(text):
        try:
            date = parsedate_to_datetime(found[1])
            if date.tzinfo is None:
                date = date.replace(tzinfo=timezone.utc)
            wait = date - now
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return None
    else:
        return None
    if not timedelta(0) < wait <= MAX_WAIT:
        return None
    return (now + wait).astimezone(timezone.utc)
