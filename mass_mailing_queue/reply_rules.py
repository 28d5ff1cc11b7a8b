# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Meanings of phrases and enhanced codes in SMTP replies. Data only, no Odoo.

Read in this order: the first rule that matches decides. The phrases are those of the
vendors' own documentation and sources, or of replies that their customers published.
They are matched against text in lower case (:func:`~.reply_words.fold`) from which the
recipients were taken out.
"""

import re
from dataclasses import dataclass, field

_TRANSIENT, _PERMANENT = "4", "5"

_RECIPIENT_COMMANDS = ("rcpt", "data")
_ACCOUNT_COMMANDS = ("connect", "auth", "mail")


@dataclass(frozen=True)
class Rule:
    """The meaning of a phrase in a reply.

    :param verdict: the name of a :class:`~.replies.Verdict`; empty to leave the reply
        to its codes
    :param phrases: regular expressions of which one has to be found
    :param limit, account, own: see :class:`~.replies.Reply`
    :param commands: the commands that have to be answered, empty for any
    :param codes: the first digit of the codes for which it counts
    """

    verdict: str
    phrases: tuple
    limit: str = ""
    account: bool = False
    own: bool = False
    commands: tuple = ()
    codes: str = "45"
    pattern: re.Pattern = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "pattern", re.compile("|".join(self.phrases)))

    def matches(self, code, text, command):
        """Return whether it counts for a reply; text is folded."""
        return (
            400 <= code <= 599
            and str(code)[0] in self.codes
            and (not self.commands or command in self.commands)
            and self.pattern.search(text) is not None
        )


def _exceeded(period, letter):
    """Return phrases of a limit for a period that they name.

    :param str period: regular expression, such as ``hours?``
    :param str letter: what stands for it behind a number, such as ``h``
    """
    each = (
        rf"(?:(?:per|each|every|this|last|/) ?(?:\d{{1,4}} ?)?(?:{period})"
        rf"|(?:per|/) ?\d{{1,4}} ?{letter})\b"
    )
    return (
        rf"\bexceed\w*\b.{{0,80}}\b{each}",
        rf"\b{each}.{{0,40}}\b(?:exceed|reached|limit|quota)",
        rf"\b(?:only|max\w*|limit\w*|quota|too many)\b.{{0,60}}\b{each}",
        # Not "24-hour sending limit"
        rf"(?<!\d\d[ -])\b(?:{period})(?:ly)? (?:\w+ ){{0,2}}(?:limit|quota)",
    )


#: A mailbox has limits of its own.
_MAILBOX = (
    r"(?<![\d.])[45]\.2\.[0-4](?![\d.]).{0,80}\b(mail ?box|recipient)\b",
    r"\brecipient's\b.{0,40}\b(quota|limit)",
)

RULES = (
    # ---- What the recipient's own server or provider says
    Rule(  # Postfix (address verification) and Exim (callouts) quote it
        "",
        (
            r"\brecipient address rejected\b.{0,300}\bsaid:",
            r"\bcall(out|back)\b.{0,300}\brecipient",
            r"\brecipient\b.{0,80}\bcall(out|back)",
        ),
        commands=("rcpt",),
    ),
    Rule(
        "DEFERRED",
        (
            # Postgrey, SQLgrey, milter-greylist, Exim, cbpolicyd, Rspamd, MDaemon
            r"gr[ae]y-?list",
            # Microsoft 365: one mailbox
            r"\brecipient thread limit\b",
            # Google, Yandex: one mailbox that gets too much
            r"\b(recipient|user)\b.{0,60}\breceiving mail (too quickly|at a rate)",
            r"\brecipient has exceeded\b",
            # Google: a policy of the recipient's domain
            r"\brcpt domain\b",
        ),
        own=True,
        commands=_RECIPIENT_COMMANDS,
        codes=_TRANSIENT,
    ),
    Rule(
        "",
        (
            # Microsoft 365: what one mailbox gets in an hour
            r"\brecipient has exceeded\b",
            r"(?<![\d.])5\.2\.12[12](?!\.?\d)",
            r"\b(to|for) this (recipient|mailbox|user)\b",
        ),
        commands=_RECIPIENT_COMMANDS,
    ),
    # ---- Words that only a provider says to its customer
    Rule(  # Microsoft 365: the mailbox's recipients of a day
        "SLOW_DOWN",
        (r"submissionquotaexceeded",),
        limit="day",
    ),
    Rule(  # Mailgun: the cap of a new account, with a date
        "SLOW_DOWN",
        (r"not allowed to send: recipient limit exceeded",),
        limit="hour",
    ),
    Rule(
        "BROKEN",
        (
            # Amazon SES
            r"sending (paused|suspended) for this account",
            r"not authorized to perform",
            # Mailgun: sandbox, activation, termination
            r"sandbox subdomains",
            r"\bdomain \S+ is not allowed to send\b(?! (as|from)\b)",
            # Postmark
            r"account is pending approval",
            # Brevo
            r"\b(your|smtp) account is not yet activated",
            r"unauthorized ip address",
            # SendGrid
            r"authorization grant is invalid",
            r"unauthenticated senders not allowed",
            # SparkPost: the few messages that its test domain may ever send
            r"exceed\w* sending limit \(sandbox",
            # Microsoft 365: also a sender's mailbox that is full of sent mail
            r"basic authentication is (not supported|disabled)",
            r"smtpclientauthentication is disabled",
            r"submission has been disabled for this account",
            r"bad outbound sender",
            r"mapiexception\w*quotaexceeded",
            r"outboundspamexception",
            r"sender throttled due to continuous invalid license",
            r"blocked from sending from unregistered domains",
            r"tenantattribution",
            # Zoho
            r"unusual sending activity detected",
            r"\be-?mail outgoing blocked",
            # cPanel
            r"\bhas an outgoing mail (suspension|hold)",
            r"\boutgoing mail from \S+ has been suspended",
        ),
        account=True,
    ),
    Rule(
        "BROKEN",
        (
            # Amazon SES, SendGrid, Postmark
            r"(email address|domain|identity|sender) is not verified",
            r"verified sender identity",
            r"not a sender signature",
            # SparkPost
            r"unconfigured sending domain",
            # Microsoft 365
            r"not (allowed|authorized) to send (as|from)",
            r"permissions? to send as",
            r"sendasdenied",
            # Zoho
            r"relaying disallowed as\b",
            # IONOS, iCloud
            r"\bsender address is not allowed",
            r"\bfrom address is not one of your addresses",
            # qmail
            r"\benvelope sender (is in my badmailfrom|has been denied)",
            # Exim
            r"\bsender verify failed",
        ),
        codes=_PERMANENT,
    ),
    Rule(  # as Postfix says it when MAIL announces the size
        "REJECTED",
        (
            r"message (is |was )?too (big|large)",
            r"message (\w+ )?size exceeds",
        ),
        codes=_PERMANENT,
    ),
    Rule(  # the next connection takes more: Exim, Postfix, Yahoo
        "UNREACHABLE",
        (
            r"\btoo many (messages|mails|emails)"
            r" (in|on|per|for|from) (this|one|the|a|a single|your) (\w+ )?"
            r"(connection|session)",
        ),
        codes=_TRANSIENT,
    ),
    # ---- What the code (RFC 3463, 3.3) and the words say of a mailbox, and not of us
    Rule(
        "DEFERRED",
        _MAILBOX,
        own=True,
        commands=_RECIPIENT_COMMANDS,
        codes=_TRANSIENT,
    ),
    Rule("", _MAILBOX, commands=_RECIPIENT_COMMANDS),
    # ---- A quota of ours, whatever the code says
    Rule(
        "SLOW_DOWN",
        (
            # Google, Microsoft 365
            r"too many login attempts",
            r"concurrent connections? limit",
            r"number of concurrent connections has exceeded",
            r"sender thread limit exceeded",
            # Amazon SES, Postfix, Sendmail
            r"too many (\w+ ){0,2}(connections|sessions)",
            r"connections? (rate )?limit exceeded",
        ),
        limit="connections",
    ),
    Rule(
        "SLOW_DOWN",
        (
            r"mail send limit exceeded",  # IONOS
            r"exceed\w* sending limit \(hourly",  # SparkPost
            # cPanel; policies of Postfix such as policyd, cbpolicyd, postfwd
            *_exceeded(r"hours?|hrs?", "h"),
        ),
        limit="hour",
    ),
    Rule(
        "SLOW_DOWN",
        (
            r"maximum credits exceeded",  # SendGrid, as an answer to AUTH
            r"exceed\w* sending limit \(monthly",  # SparkPost
            r"\bthe email limit is reached",  # Mailtrap
            r"\bnot enough credit",  # Elastic Email
            *_exceeded(r"months?", "mo"),
        ),
        limit="month",
    ),
    Rule(
        "SLOW_DOWN",
        (
            r"daily (message|smtp relay|user|sending)\b.{0,40}\b(limit|quota)",
            r"daily limit for (message recipients|sending)",  # Microsoft 365
            r"exceed\w* sending limit \(daily",  # SparkPost
            r"exceeded your messaging limits?",  # SendGrid
            r"24[- ]hours? (sending|messag\w+) (limit|quota)",  # GoDaddy
            r"reached (a|your|the) (limit for sending|(\w+ )?sending limit)",  # Google
            *_exceeded(r"days?|24 ?h\w*", "d"),
        ),
        limit="day",
    ),
    Rule(
        "SLOW_DOWN",
        (
            r"throttling failure",  # Amazon SES
            r"maximum sending rate",
            r"peak smtp relay limit",  # Google
            r"too much mail",  # Postfix
            r"\bratelimit\b",  # Rspamd
            r"submission rate\b.{0,40}\bexceeded",  # Microsoft 365
            r"\bpolicy rejection\W{1,3}.{0,40}quota exceeded",  # policyd, cbpolicyd
            r"number of allowed outgoing messages",  # Plesk
            r"\b(connection|ip|domain|sender) frequency limited",  # QQ
            r"\btoo busy\b",
            *_exceeded(r"min(?:ute)?s?|sec(?:ond)?s?", "[ms]"),
        ),
        limit="rate",
    ),
    # ---- Whom a server means that judges all at RCPT
    Rule(  # Postfix, also of a recipient
        "UNREACHABLE",
        (r"\bserver configuration (error|problem)",),
        codes=_TRANSIENT,
    ),
    Rule("", (r"recipient address rejected",), commands=_RECIPIENT_COMMANDS),
    Rule(
        "BROKEN",
        (
            r"sender address rejected",  # Postfix
            r"sender address \[\S+\] blocked using",
            r"(?<![\d.])5\.7\.(9|23|26|50[239])(?!\.?\d)",  # SPF, DMARC, banned sender
        ),
        codes=_PERMANENT,
    ),
    Rule(
        "BROKEN",
        (
            # Postfix
            r"\b(client host|helo command) (\S{1,80} )?(rejected|blocked)",
            # Postfix, Exim, Sendmail, qmail, Microsoft Exchange, hMailServer, SparkPost
            r"\brelay(ing)? (access |is )?(denied|prohibited|not (permitted|allowed))",
            r"\b(unable|not permitted|not allowed) to relay",
            r"\bmail relay denied|credentials for relay",
            r"\bisn't in my list of allowed rcpthosts",
            r"\bdelivery is not allowed to this address",
            r"\bplease turn on smtp authentication",
            # Google
            r"not authorized to send email directly to our servers",
            # Microsoft 365: unknown or banned clients
            r"(?<![\d.])5\.7\.(25|50[16]|51[01]|57|6[0-4]\d|64|750)(?!\.?\d)",
        ),
        account=True,
        codes=_PERMANENT,
    ),
    Rule(
        "UNREACHABLE",
        (
            # Postfix
            r"\b(client host|helo command|sender address) (\S{1,80} )?"
            r"(rejected|blocked)",
            r"\brelay(ing)? (access |is )?(denied|prohibited|not (permitted|allowed))",
            r"\b(unable|not permitted|not allowed) to relay",
            # Postfix, Microsoft Exchange, Sendmail
            r"\binsufficient (system (storage|resources)|disk space)",
            r"\btemporary server error",
            # Sendmail: the sender's domain
            r"\bdomain of sender address\b",
            r"(?<![\d.])4\.(1\.[78]|7\.25)(?!\.?\d)",
        ),
        codes=_TRANSIENT,
    ),
    # ---- The recipient's mailbox: what follows would mistake it for our account
    Rule(
        "DEFERRED",
        (
            r"mailbox\b.{0,30}\b(full|limit|quota)",
            r"over ?quota",
            r"\brecipient('s)? (\w+ )?(mailbox|quota)",
            r"(?<![\d.])4\.2\.2(?!\.?\d)",
        ),
        own=True,
        commands=_RECIPIENT_COMMANDS,
        codes=_TRANSIENT,
    ),
    Rule(
        "",
        (
            r"mailbox\b.{0,30}\b(full|limit|quota|disabled|inactive|suspended)",
            r"over ?quota",
            r"\b(user|recipient|account)\b.{0,40}\byou (are trying|tried) to",
            r"\brecipient('s)? (\w+ )?(account|mailbox|quota)",
            r"(?<![\d.])[45]\.(1\.[0-6]|2\.[0-4])(?!\.?\d)",
        ),
        commands=_RECIPIENT_COMMANDS,
    ),
    # ---- Words that others use, too
    Rule(
        "BROKEN",
        (r"account\b.{0,20}\b(suspended|disabled|blocked|locked|terminated)",),
        account=True,
        commands=_ACCOUNT_COMMANDS,
    ),
    Rule(
        "BROKEN",
        (
            r"\b(your|sender'?s?|sending|smtp) (\w+ )?account\b.{0,20}"
            r"\b(suspended|disabled|blocked|locked|terminated)",
        ),
        account=True,
        commands=_RECIPIENT_COMMANDS,
    ),
    Rule("SLOW_DOWN", (r"\bhourly\b.{0,30}\b(limit|quota)",), limit="hour"),
    Rule("SLOW_DOWN", (r"\bdaily\b.{0,30}\b(limit|quota)",), limit="day"),
    Rule("SLOW_DOWN", (r"\bmonthly\b.{0,30}\b(limit|quota)",), limit="month"),
    Rule(
        "SLOW_DOWN",
        (r"(smtp relay|user sending|customer) (limit|quota) exceeded",),
        limit="day",
    ),
    Rule(
        "SLOW_DOWN",
        (
            r"too many (concurrent|simultaneous)",
            r"too many (messages|mails|emails)\b",
            r"(sending|message|messaging|e-?mail) (limit|quota)s? exceeded",
            r"exceed(ed)? (your |the )?(sending|messaging) (limit|quota)",
            r"rate limit(ed|ing)?\b",
            r"unusual rate",  # Google
            r"server busy",
            r"temporarily deferred",  # Yahoo
        ),
        limit="rate",
    ),
    Rule(
        # Postfix: this client's recipients of a minute. Not what Google says of one
        # message, which would have too many for ever.
        "SLOW_DOWN",
        (r"(?<!has )too many recipients", r"recipient limit exceeded"),
        limit="rate",
        codes=_TRANSIENT,
    ),
)

#: Enhanced status code → verdict, what is limited, whether it is the whole account
CODES = {
    "5.1.90": ("SLOW_DOWN", "day", False),  # Microsoft 365: recipients
    "5.4.5": ("SLOW_DOWN", "day", False),  # Google: messages
    "5.7.232": ("SLOW_DOWN", "day", False),  # Microsoft 365: trial tenant
    "5.7.233": ("SLOW_DOWN", "day", False),  # Microsoft 365: tenant
    "4.3.2": ("SLOW_DOWN", "rate", False),  # RFC 3463: system not accepting
    "5.1.8": ("BROKEN", "", False),  # RFC 3463: bad sender's system address
    "5.1.7": ("BROKEN", "", False),  # RFC 3463: bad sender's mailbox address
    "5.7.30": ("BROKEN", "", True),  # Microsoft 365: basic authentication
    "5.7.705": ("BROKEN", "", True),  # Microsoft 365: tenant threshold
    "5.7.708": ("BROKEN", "", True),  # Microsoft 365: traffic from this address
    "5.2.253": ("BROKEN", "", True),  # Microsoft 365: no license
    "5.3.4": ("REJECTED", "", False),  # RFC 3463: this message is too big
}
