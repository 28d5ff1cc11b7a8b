# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The credits of a SendGrid account.

Source: "Retrieve your credit balance", GET /v3/user/credits, in Twilio's reference of
the SendGrid API.
"""

import json
import re
import time

import requests

from .base import Quota, QuotaError, check_endpoint, check_figure, check_key

PROVIDER = "SendGrid"
ENDPOINT = "https://api.sendgrid.com"
PATH = "/v3/user/credits"

#: Seconds to connect, and between two bytes of the answer.
TIMEOUTS = (5, 10)

#: Seconds for the whole body: a server can keep its silences shorter than a timeout
#: for ever.
DEADLINE = 20

#: A true answer has less than 200 bytes.
LARGEST_ANSWER = 16 * 1024

SENTENCES = {
    401: "SendGrid does not accept the API key: check it, or make a new one.",
    403: "SendGrid does not let this API key read the credits: give it the permission "
    "user.credits.read.",
    404: "There is no SendGrid at this endpoint: check its address.",
    429: "SendGrid was asked too often: try again in a minute.",
}


class _Bearer(requests.auth.AuthBase):
    """The key, as an authorization that a file `.netrc` does not replace."""

    def __init__(self, key):
        self._key = key

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def read_quota(credentials):
    """Return the credits of a SendGrid account. One credit is one recipient.

    SendGrid tells no rate. Credits that come back daily or monthly are a limit of the
    day or the month, others are only shown. Paid plans may send beyond their credits at
    an extra charge: spent credits are a problem, and do not end the sending.

    Details are ``total``, ``remain``, ``reset_frequency`` and, when told, ``overage``
    and ``next_reset`` (a date).

    :param credentials: :class:`Credentials` with the API key as `secret`, and an
        `endpoint` for accounts in the EU (``https://api.eu.sendgrid.com``)
    :return: a :class:`Quota`
    :raises QuotaError: the credits could not be read
    """
    key = check_key("API key of SendGrid", credentials.secret)
    endpoint = check_endpoint(credentials.endpoint) or ENDPOINT
    return parse(_ask(f"{endpoint}{PATH}", key))


def parse(body):
    """Return the quota that an answer tells.

    :param bytes body: the answer
    :raises QuotaError: it is not what SendGrid documents

    >>> quota = parse(b'{"remain": 60, "total": 100, "reset_frequency": "daily"}')
    >>> quota.day, quota.day_used, quota.month
    (100.0, 40.0, None)
    >>> quota = parse(b'{"remain": 0, "total": 9, "used": 12, "overage": 3,'
    ...               b' "reset_frequency": "monthly"}')
    >>> quota.month, quota.month_used, quota.sending
    (9.0, 12.0, True)
    >>> quota.problem
    'All credits of this period are used: more emails cost extra or are refused.'
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise QuotaError(
            "What answered is not SendGrid, or not as documented: check the endpoint."
        )
    total = check_figure(PROVIDER, "total of credits", answer.get("total"))
    remain = check_figure(PROVIDER, "remaining credits", answer.get("remain"))
    used = max(total - remain, 0.0)
    if "used" in answer:
        # It goes on counting when the credits are spent.
        used = max(used, check_figure(PROVIDER, "used credits", answer["used"]))
    frequency = answer.get("reset_frequency")
    if not isinstance(frequency, str) or not re.fullmatch(r"[\w -]{1,32}", frequency):
        raise QuotaError("SendGrid did not answer how often the credits are reset.")
    details = {"total": total, "remain": remain, "reset_frequency": frequency}
    if "overage" in answer:
        details["overage"] = check_figure(PROVIDER, "overage", answer["overage"])
    following = answer.get("next_reset")
    if isinstance(following, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", following):
        details["next_reset"] = following
    problem = ""
    if not total:
        problem = "The account has no credits."
    elif not remain:
        problem = (
            "All credits of this period are used: more emails cost extra or are "
            "refused."
        )
    period = {"daily": "day", "monthly": "month"}.get(frequency.lower())
    figures = {period: total, f"{period}_used": used} if period else {}
    return Quota(
        **figures,
        unit="recipient",
        sending=bool(total),
        problem=problem,
        details=details,
    )


def _ask(address, key):
    """Return the body of the answer; raise QuotaError for any that is no success.

    Exceptions are not chained: some quote the request, and a log shows the chain.
    """
    try:
        with (
            requests.Session() as session,
            session.get(
                address,
                auth=_Bearer(key),
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                timeout=TIMEOUTS,
                # A redirection would take the key elsewhere.
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            _check_status(response.status_code)
            return _read(response)
    except requests.Timeout:
        sentence = "SendGrid did not answer in time: try again later."
    except requests.exceptions.SSLError:
        sentence = "The certificate of the endpoint of SendGrid is not to be trusted."
    except requests.RequestException:
        sentence = (
            "SendGrid cannot be reached: check the endpoint, and the network of this "
            "server."
        )
    except ValueError:
        # The libraries' parsers of hosts and headers let some through.
        sentence = "The endpoint of SendGrid cannot be asked: check its address."
    raise QuotaError(sentence) from None


def _check_status(status):
    if status == 200:
        return
    if status in SENTENCES:
        raise QuotaError(SENTENCES[status])
    if 300 <= status < 400:
        raise QuotaError(
            "The endpoint of SendGrid points to another address, which is not "
            "followed: enter the final one."
        )
    if status >= 500:
        raise QuotaError(
            f"SendGrid has trouble of its own (status {status}): try again later."
        )
    raise QuotaError(f"SendGrid refused to tell the credits (status {status}).")


def _read(response):
    """Return the body, bounded in size and time."""
    body, deadline = bytearray(), time.monotonic() + DEADLINE
    # Byte by byte: a larger read returns only when it is complete, and each byte of it
    # may take a whole timeout to come.
    for piece in response.iter_content(1):
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise QuotaError("The answer is too long to be SendGrid's.")
        if time.monotonic() > deadline:
            raise QuotaError("SendGrid did not answer in time: try again later.")
    return bytes(body)
