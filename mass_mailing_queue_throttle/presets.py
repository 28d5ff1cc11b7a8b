# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What each provider is known to allow. Free of Odoo.

A figure is the vendor's own where the vendor publishes one. Where it does not, a
careful starting rate of our own choice stands in its place and says so, because no
limit at all would mean as fast as the machine can.

What binds only a free plan or a new account of some vendors is told in the note and is
no limit here: it would strangle everybody else.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase

_UNPUBLISHED = "Our own careful start: the vendor publishes no rate."
_GMAIL = "https://support.google.com/a/answer/166852"
_RELAY = "https://support.google.com/a/answer/2956491"
_MICROSOFT = (
    "https://learn.microsoft.com/en-us/exchange/troubleshoot/send-emails/"
    "smtp-submission-improvements"
)
_SENDGRID = (
    "https://www.twilio.com/docs/sendgrid/for-developers/sending-email/"
    "integrating-with-the-smtp-api"
)
_SPARKPOST = (
    "https://support.sparkpost.com/docs/tech-resources/smtp-rest-api-performance"
)


@dataclass(frozen=True)
class Figure:
    """So much in so much time.

    :param amount: messages or recipients in one period
    :param period: ``second``, ``minute``, ``hour``, ``day`` (rolling) or ``month``
    :param unit: ``message`` or ``recipient``
    :param source: where the figure comes from
    :param own: whether it is our own choice for want of a published one
    """

    amount: float
    period: str
    unit: str
    source: str
    own: bool = False


@dataclass(frozen=True)
class Preset:
    """What an account at a provider starts with.

    :param hosts: patterns (``fnmatch``) of the provider's SMTP hosts
    :param limits: :class:`Figure`; all of them hold
    :param capacity: concurrent senders
    :param messages_per_connection: messages after which a connection is renewed,
        0 for no bound
    :param linger: how long an idle connection may be kept (seconds); 0 where its
        place is missed, as with Microsoft's three
    :param quota_api: who can be asked for the account's real figures, or empty
    :param note: what a person who sets the account up should know
    """

    key: str
    name: str
    hosts: tuple[str, ...]
    limits: tuple[Figure, ...]
    capacity: int
    capacity_source: str
    messages_per_connection: int = 0
    connection_source: str = "The vendor publishes no bound."
    linger: float = 60
    quota_api: str = ""
    note: str = "This provider's quota cannot be read: keep the limits up to date."


@dataclass(frozen=True)
class Ramp:
    """How much a new address may send on each day of its warm-up.

    :param period: what the amounts count by, ``hour`` or ``day``
    :param steps: pairs of a day, 0 being the first, and what is allowed from it on
    """

    key: str
    name: str
    period: str
    steps: tuple[tuple[int, int], ...]
    source: str

    def amount(self, day):
        """Return what may be sent in one period.

        :param int day: days since the first one; one before it counts as the first
        :return: an amount, ``None`` once the warm-up is over

        >>> ramp = Ramp("x", "X", "day", ((0, 200), (2, 1000)), "")
        >>> [ramp.amount(day) for day in (-1, 0, 1, 2, 3)]
        [200, 200, 200, 1000, None]
        """
        if day > self.steps[-1][0]:
            return None
        reached = [amount for start, amount in self.steps if start <= day]
        return reached[-1] if reached else self.steps[0][1]


def _by_key(*items):
    return {item.key: item for item in items}


PRESETS = _by_key(
    Preset(
        key="ses",
        name="Amazon SES",
        hosts=("email-smtp.*.amazonaws.com", "email-smtp-fips.*.amazonaws.com"),
        limits=(
            Figure(
                14,
                "second",
                "recipient",
                "Our own start, the rate that accounts outside the sandbox used to "
                "begin with: Amazon sets quotas by account and region, and counts "
                "recipients (https://docs.aws.amazon.com/ses/latest/dg/quotas.html).",
                own=True,
            ),
        ),
        capacity=10,
        capacity_source="Our own choice: Amazon publishes no number of connections, "
        "but refuses too many (https://docs.aws.amazon.com/ses/latest/dg/"
        "troubleshoot-smtp.html).",
        quota_api="ses",
        note="Amazon sets a rate and a quota of 24 hours for each account and region: "
        "enter an access key to read the real ones. In the sandbox they are 1 a second "
        "and 200 a day, and only verified addresses get mail.",
    ),
    Preset(
        key="gmail",
        name="Gmail and Google Workspace",
        hosts=("smtp.gmail.com", "smtp.googlemail.com"),
        limits=(
            Figure(100, "minute", "message", _UNPUBLISHED, own=True),
            Figure(2_000, "day", "message", _GMAIL),
            Figure(10_000, "day", "recipient", _GMAIL),
        ),
        capacity=5,
        capacity_source="Our own choice: Google publishes no number of connections.",
        messages_per_connection=50,
        connection_source="Our own choice, after the rules that the mail server "
        "KumoMTA ships for Google's servers.",
        note="Google has no interface to read the quota. Set 500 messages a day for a "
        "free Gmail address or a trial of Workspace.",
    ),
    Preset(
        key="workspace_relay",
        name="Google Workspace SMTP relay",
        hosts=("smtp-relay.gmail.com",),
        limits=(
            Figure(
                31_944,
                "minute",
                "recipient",
                f"A tenth of the organization's 319,444 in 10 minutes: {_RELAY}",
            ),
            Figure(4_600_000, "day", "recipient", f"The organization's: {_RELAY}"),
            Figure(10_000, "day", "message", f"A user's: {_RELAY}"),
        ),
        capacity=5,
        capacity_source="Our own choice: Google publishes no number of connections.",
        messages_per_connection=50,
        connection_source="Our own choice, after the rules that the mail server "
        "KumoMTA ships for Google's servers.",
        note="Google has no interface to read the quota, and may lower the "
        "organization's. The 10,000 messages a day are those of one user: remove that "
        "limit if the envelope sender (the bounce address) is no user of the "
        "organization.",
    ),
    Preset(
        key="microsoft365",
        name="Microsoft 365",
        hosts=("smtp.office365.com", "smtp.outlook.com", "smtp-mail.outlook.com"),
        limits=(
            Figure(30, "minute", "message", _MICROSOFT),
            Figure(10_000, "day", "recipient", _MICROSOFT),
        ),
        capacity=3,
        capacity_source=f"Connections of one mailbox: {_MICROSOFT}",
        linger=0,
        note="Microsoft has no interface to read the quota, and means this for the "
        "mail of a mailbox and not for bulk mail. A tenant's quota for recipients "
        "outside it depends on its licences.",
    ),
    Preset(
        key="mailgun",
        name="Mailgun",
        hosts=("smtp.mailgun.org", "smtp.*.mailgun.org", "smtp.mailgun.com"),
        limits=(Figure(10, "second", "message", _UNPUBLISHED, own=True),),
        capacity=10,
        capacity_source="Our own choice, far below the 7,000 that Mailgun gave the "
        "makers of the mail server KumoMTA (shaping.toml).",
        messages_per_connection=3,
        connection_source="What Mailgun gave the makers of the mail server KumoMTA "
        "(shaping.toml, https://github.com/KumoCorp/kumomta).",
        note="The quota is not read. Mailgun limits new accounts by the hour until it "
        "knows them (https://help.mailgun.com/hc/en-us/articles/115001124753), and a "
        "sandbox domain to 300 messages a day; when that is used up, sending waits for "
        "the time that Mailgun names.",
    ),
    Preset(
        key="sendgrid",
        name="Twilio SendGrid",
        hosts=("smtp.sendgrid.net", "smtp.*.sendgrid.net"),
        limits=(Figure(20, "second", "message", _UNPUBLISHED, own=True),),
        capacity=10,
        capacity_source="Our own choice, far below the 10,000 that SendGrid bears from "
        f"one server: {_SENDGRID}",
        messages_per_connection=5_000,
        connection_source=_SENDGRID,
        quota_api="sendgrid",
        note="Enter an API key to read the credits that are left. The free plan allows "
        "100 messages a day. A new dedicated address needs a warm-up.",
    ),
    Preset(
        key="postmark",
        name="Postmark",
        hosts=("smtp.postmarkapp.com", "smtp-broadcasts.postmarkapp.com"),
        limits=(Figure(10, "second", "message", _UNPUBLISHED, own=True),),
        capacity=10,
        capacity_source="https://postmarkapp.com/support/article/"
        "do-we-have-rate-limits-for-smtp",
        note="Postmark has no quota of a day and no interface to read the one of a "
        "month. The free plan allows 100 messages a month.",
    ),
    Preset(
        key="brevo",
        name="Brevo",
        hosts=("smtp-relay.brevo.com", "smtp-relay.sendinblue.com"),
        limits=(Figure(5, "second", "message", _UNPUBLISHED, own=True),),
        capacity=5,
        capacity_source="Our own choice: Brevo publishes no number of connections.",
        note="The quota is not read. The free plan allows 300 messages a day.",
    ),
    Preset(
        key="mailjet",
        name="Mailjet",
        hosts=("in.mailjet.com", "in-v3.mailjet.com"),
        limits=(Figure(5, "second", "message", _UNPUBLISHED, own=True),),
        capacity=5,
        capacity_source="Our own choice: Mailjet publishes no number of connections.",
        note="Mailjet's quota cannot be read. The free plan allows 200 messages a day "
        "and 6,000 a month; Mailjet limits an account by the hour if many of its "
        "messages bounce.",
    ),
    Preset(
        key="sparkpost",
        name="SparkPost (Bird)",
        hosts=("smtp.sparkpostmail.com", "smtp.*.sparkpostmail.com"),
        limits=(
            Figure(10, "second", "message", _UNPUBLISHED, own=True),
            Figure(
                1_000,
                "day",
                "message",
                "SparkPost's support pages: what a new paid account starts with.",
            ),
        ),
        capacity=10,
        capacity_source=_SPARKPOST,
        linger=0,
        messages_per_connection=100,
        connection_source=_SPARKPOST,
        note="The quota is not read. The 1,000 messages a day are those of a new "
        "account and grow in its first week: set what SparkPost's dashboard shows as "
        "the daily limit. A new dedicated address needs a warm-up.",
    ),
    Preset(
        key="ionos",
        name="IONOS",
        hosts=("smtp.ionos.*", "smtp.1and1.*", "smtp.1und1.de"),
        limits=(
            Figure(
                5,
                "minute",
                "message",
                "Our own choice, so that an hour's mail does not leave at once.",
                own=True,
            ),
            Figure(
                50,
                "hour",
                "recipient",
                "The first 7 days of a contract: https://www.ionos.com/help/email/"
                "general-topics/what-are-the-mass-mailing-limits/",
            ),
        ),
        capacity=2,
        capacity_source="Our own choice: IONOS publishes no number of connections.",
        note="IONOS's quota cannot be read. It grows with the contract: set 100 an "
        "hour from its 8th day on, 400 from the 15th, 500 after the 30th, and raise "
        "the 5 a minute with it.",
    ),
    Preset(
        key="ovh",
        name="OVHcloud",
        hosts=("ssl0.ovh.net", "*.mail.ovh.net"),
        limits=(Figure(3, "minute", "message", _UNPUBLISHED, own=True),),
        capacity=2,
        capacity_source="Our own choice: OVHcloud publishes no number of connections.",
        note="OVHcloud's hourly quota is neither published nor to be read. It blocks "
        "accounts that send what it takes for spam, and then refuses their password.",
    ),
    Preset(
        key="postfix",
        name="Own Postfix",
        hosts=("localhost",),
        limits=(
            Figure(
                20,
                "second",
                "message",
                "Our own careful start: Postfix limits no rate unless told to "
                "(https://www.postfix.org/postconf.5.html"
                "#smtpd_client_message_rate_limit).",
                own=True,
            ),
        ),
        capacity=20,
        capacity_source="Our own choice, below the 50 connections that Postfix allows "
        "one client (https://www.postfix.org/postconf.5.html"
        "#smtpd_client_connection_count_limit).",
        connection_source="Postfix sets no bound.",
        note="Your own server takes mail fast, but who receives it judges your "
        "address: keep to a rate that its reputation bears. A new address needs a "
        "warm-up.",
    ),
    Preset(
        key="custom",
        name="Other",
        hosts=(),
        limits=(
            Figure(
                10,
                "second",
                "message",
                "Our own careful start: nothing is known of this server.",
                own=True,
            ),
        ),
        capacity=5,
        capacity_source="Our own choice: nothing is known of this server.",
        messages_per_connection=100,
        connection_source="Our own choice: many servers close a connection after some "
        "hundred messages.",
        note="Nothing is known of this server: ask its operator what it allows.",
    ),
)

RAMPS = _by_key(
    Ramp(
        key="sendgrid",
        name="SendGrid's, by the hour",
        period="hour",
        steps=tuple(
            enumerate(
                # fmt: off
                (
                    20,
                    28,
                    39,
                    55,
                    77,
                    108,
                    151,
                    211,
                    295,
                    413,
                    579,
                    810,
                    1_000,
                    1_587,
                    2_222,
                    3_111,
                    4_356,
                    6_098,
                    8_583,
                    11_953,
                    16_734,
                    23_427,
                    32_798,
                    45_917,
                    64_284,
                    89_998,
                    125_997,
                    176_395,
                    246_953,
                    345_735,
                    484_029,
                )
                # fmt: on
            )
        ),
        source="Messages of one address: https://www.twilio.com/docs/sendgrid/ui/"
        "sending-email/warming-up-an-ip-address",
    ),
    Ramp(
        key="sparkpost",
        name="SparkPost's, by the day",
        period="day",
        # SparkPost counts the days from 1.
        steps=(
            (0, 200),
            (1, 500),
            (2, 1_000),
            (3, 2_000),
            (4, 5_000),
            (5, 10_000),
            (6, 20_000),
            (7, 40_000),
            (8, 50_000),
            (9, 75_000),
            (10, 100_000),
            (19, 1_000_000),
        ),
        source="Messages of one address: SparkPost's support pages, IP warm-up "
        "overview. From the 12th day to the 19th we stay at the amount of the 11th.",
    ),
)


def match(host):
    """Return the :class:`Preset` for an SMTP host, ``custom`` if none is known.

    :param str host: the host's name as it is configured, may be empty

    >>> match("email-smtp.eu-west-1.amazonaws.com").key
    'ses'
    >>> match("SMTP.Gmail.com.").key
    'gmail'
    >>> match(None).key, match("mail.exämple.org").key
    ('custom', 'custom')
    """
    name = str(host or "").strip().lower().rstrip(".")
    for preset in PRESETS.values():
        if any(fnmatchcase(name, pattern) for pattern in preset.hosts):
            return preset
    return PRESETS["custom"]
