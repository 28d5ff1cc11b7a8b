# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What all readers of quotas share: their result, their error, their checks."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

#: Beyond these a figure is taken for an error. They are our own choice, far above what
#: any provider publishes: 100,000 a second, ten thousand million in a period.
HIGHEST_RATE = 100_000
HIGHEST_AMOUNT = 10_000_000_000


class QuotaError(Exception):
    """The provider's quota could not be read, or what was read cannot be trusted.

    Its text is one sentence for whoever set the provider up. It never contains a
    credential, nor text of the provider's answer. Raised by the readers, caught by
    whoever asked for the quota, who keeps the limits there were.
    """


@dataclass(frozen=True)
class Credentials:
    """What a reader needs to ask a provider. Neither shown nor logged in full.

    :param key_id: public half of a pair of keys (SES: access key ID), else empty
    :param secret: secret access key or API key
    :param region: the provider's region (SES: ``eu-west-1``), else empty
    :param endpoint: base address of the API, empty for the provider's own
    """

    key_id: str = ""
    secret: str = field(default="", repr=False)
    region: str = ""
    endpoint: str = ""


@dataclass(frozen=True)
class Quota:
    """What a provider allows an account, and how much of it is used.

    A figure is None when the provider tells none or sets no limit. It is 0 only if
    `sending` is false.

    :param rate: units per second
    :param day: units per rolling 24 hours
    :param day_used: units in the last 24 hours
    :param month: units per month, as the provider counts months
    :param month_used: units in this month
    :param unit: what is counted: ``recipient`` or ``message``
    :param sending: whether the account may send at all
    :param problem: why it may not, or what threatens it, in words; else empty
    :param details: more to show: of the last day ``delivery_attempts``, ``bounces``,
        ``complaints`` and ``rejects``, and whatever else the reader documents
    :raises QuotaError: a figure is negative, absurd, or 0 though sending is allowed
    """

    rate: float | None = None
    day: float | None = None
    day_used: float | None = None
    month: float | None = None
    month_used: float | None = None
    unit: Literal["recipient", "message"] = "recipient"
    sending: bool = True
    problem: str = ""
    details: dict[str, float | str] = field(default_factory=dict)

    def __post_init__(self):
        for name, highest in (
            ("rate", HIGHEST_RATE),
            ("day", HIGHEST_AMOUNT),
            ("day_used", HIGHEST_AMOUNT),
            ("month", HIGHEST_AMOUNT),
            ("month_used", HIGHEST_AMOUNT),
        ):
            value = getattr(self, name)
            if value is None:
                continue
            check_figure("The provider", name, value, highest)
            if not value and self.sending and not name.endswith("_used"):
                raise QuotaError(
                    f"The provider allows to send and gives 0 as {name}: this cannot "
                    "be a limit."
                )


#: A callable that asks a provider with the credentials and raises QuotaError.
Reader: TypeAlias = Callable[[Credentials], Quota]


def check_figure(provider, name, value, highest=HIGHEST_AMOUNT):
    """Return a figure of an answer as a float.

    :param str provider: who answered, for the sentence
    :param str name: what the figure is called, for the sentence
    :param value: what stood in the answer, of any type
    :param float highest: the largest value that is believed
    :raises QuotaError: the value is no number from 0 to `highest`

    >>> check_figure("Acme", "daily quota", 200)
    200.0
    >>> for value in (None, "200", True, -1, float("nan"), 1e30, 10**400):
    ...     try:
    ...         check_figure("Acme", "daily quota", value)
    ...     except QuotaError as error:
    ...         print(error)
    Acme did not answer a number as daily quota.
    Acme did not answer a number as daily quota.
    Acme did not answer a number as daily quota.
    Acme answered an impossible daily quota, which is ignored.
    Acme answered an impossible daily quota, which is ignored.
    Acme answered an impossible daily quota, which is ignored.
    Acme answered an impossible daily quota, which is ignored.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QuotaError(f"{provider} did not answer a number as {name}.")
    # Also false for NaN, which compares as neither.
    if not 0 <= value <= highest:
        raise QuotaError(f"{provider} answered an impossible {name}, which is ignored.")
    return float(value)


def check_key(name, value):
    """Return a key that can be put into a request.

    HTTP libraries refuse others with exceptions that quote them.

    :param str name: what the key is called, for the sentence
    :raises QuotaError: the key is empty, or has spaces or characters that no key has

    >>> check_key("API key", "SG.abc")
    'SG.abc'
    >>> for value in ("", "SG.abc\\n", "SG.\u2026"):
    ...     try:
    ...         check_key("API key", value)
    ...     except QuotaError as error:
    ...         print(error)
    There is no API key: without one the quota cannot be read.
    The API key has spaces or characters that no such key has: enter it again.
    The API key has spaces or characters that no such key has: enter it again.
    """
    if not value:
        raise QuotaError(f"There is no {name}: without one the quota cannot be read.")
    if not re.fullmatch(r"[!-~]+", value):
        raise QuotaError(
            f"The {name} has spaces or characters that no such key has: enter it again."
        )
    return value


def check_endpoint(address):
    """Return the base address of an API without its final slash.

    Whoever may set an endpoint makes this server send requests, with the account's key,
    to where they choose. Of that, this function takes away what is spoken without
    encryption: the key on the wire, and the services inside a network that hand out
    secrets to whoever reaches them, like the metadata of cloud machines
    (http://169.254.169.254). It cannot tell an inside host that speaks HTTPS from an
    outside one, so the field belongs to administrators. This machine itself may be
    asked over plain HTTP: a proxy may be there.

    :param str address: what was entered; an empty one is returned as it is
    :raises QuotaError: the address is not one to be asked

    >>> check_endpoint("https://api.eu.sendgrid.com/")
    'https://api.eu.sendgrid.com'
    >>> check_endpoint("http://127.0.0.1:8080"), check_endpoint("http://[::1]/v")
    ('http://127.0.0.1:8080', 'http://[::1]/v')
    >>> for address in (
    ...     "http://api.sendgrid.com", "http://169.254.169.254/latest",
    ...     "http://127.0.0.1.nip.test", "http://localhost@evil.test/",
    ...     "https://user:word@api.sendgrid.com", "https://a.test/?q", "https://a b",
    ...     "file:///etc/passwd", "https://", "https://a.test:99999", "https://[",
    ...     "api.sendgrid.com",
    ... ):
    ...     try:
    ...         print(check_endpoint(address))
    ...     except QuotaError:
    ...         pass
    """
    if not address:
        return ""
    try:
        parts = urlsplit(address)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or not re.fullmatch(r"[!-~]+", address) or "\\" in address:
        raise QuotaError("The endpoint is not a web address such as https://host.")
    if "@" in parts.netloc or "?" in address or "#" in address:
        raise QuotaError(
            "The endpoint may only have a host and a path, and neither a user nor "
            "parameters."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise QuotaError(
            "The endpoint must begin with https://, as the key would travel in the "
            "clear otherwise."
        )
    return address.rstrip("/")


def _is_loopback(host):
    try:
        return ip_address(host).is_loopback
    except ValueError:
        # Names are not resolved: what they resolve to can change before the request.
        return host == "localhost"
