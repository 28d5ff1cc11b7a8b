# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The quota and the health of an Amazon SES account.

Sources: GetAccount of the "Amazon SES API v2 reference"; GetSendQuota,
GetAccountSendingEnabled and GetSendStatistics of the "Amazon SES API reference".
"""

import logging
import re
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone

from .base import HIGHEST_RATE, Quota, QuotaError, check_figure
from .ses_client import DENIED, Refused, call, connect

_logger = logging.getLogger(__name__)

PROVIDER = "Amazon SES"

#: Counters of a data point, and what they are called in the details.
COUNTERS = {
    "DeliveryAttempts": "delivery_attempts",
    "Bounces": "bounces",
    "Complaints": "complaints",
    "Rejects": "rejects",
}

STANDING = {
    "HEALTHY": "",
    "PROBATION": "Amazon has put the account under review (PROBATION): it may be "
    "paused if its bounces or complaints do not go down.",
    "SHUTDOWN": "Amazon has paused the account because of the emails it sent "
    "(SHUTDOWN).",
}
SWITCHED_OFF = "Sending is switched off for this account and region."
SANDBOX = "The account is in the sandbox: it only sends to verified addresses."

#: Errors of the current interface after which the older one is asked: a policy may
#: allow only that, and what stands in for Amazon in tests may have only that.
ASK_CLASSIC = DENIED | {"UnknownOperationException", "404", "501"}


def read_quota(credentials):
    """Return quota and health of an Amazon SES account in one region.

    An access key that may not read the account (``ses:GetAccount``) is enough if it may
    read the quota (``ses:GetSendQuota``): Amazon's judgement of the account is unknown
    then, and so is whether sending is enabled unless ``ses:GetAccountSendingEnabled``
    is allowed too. The counters of the last day need ``ses:GetSendStatistics``; they
    are left out when they cannot be read. SES counts recipients.

    Details are ``delivery_attempts``, ``bounces``, ``complaints`` and ``rejects`` of
    the last 24 hours; ``access`` (``production`` or ``sandbox``) and ``standing``
    (Amazon's word for the health of the account) when they are known.

    :param credentials: :class:`Credentials` with `key_id`, `secret` and `region`. They
        must be given: that this machine may have rights of its own (a role, a profile)
        is not for whoever edits a provider to use.
    :return: a :class:`Quota`
    :raises QuotaError: the quota could not be read
    """
    with ExitStack() as stack:
        account, classic = connect(credentials, stack)
        try:
            figures = parse_account(call(account.get_account))
        except Refused as refusal:
            if refusal.code not in ASK_CLASSIC:
                raise
            figures = _read_classic(classic)
        try:
            answer = call(classic.get_send_statistics)
            counters = last_day(answer.get("SendDataPoints"), _now())
        except QuotaError as error:
            _logger.info("Amazon SES told no statistics: %s", error)
            counters = {}
    return Quota(**{**figures, "details": {**figures["details"], **counters}})


def parse_account(answer):
    """Return the fields of a :class:`Quota` that an answer to GetAccount gives.

    :param dict answer: as the documentation of the API has it
    :raises QuotaError: a figure is missing or impossible

    >>> values = parse_account({
    ...     "SendQuota": {
    ...         "Max24HourSend": -1, "MaxSendRate": 14, "SentLast24Hours": 12},
    ...     "SendingEnabled": True, "EnforcementStatus": "HEALTHY"})
    >>> values["rate"], values["day"], values["day_used"], values["sending"]
    (14.0, None, 12.0, True)
    """
    sending = answer.get("SendingEnabled")
    if not isinstance(sending, bool):
        raise QuotaError("Amazon SES did not answer whether sending is enabled.")
    details, problems = {}, []
    standing = answer.get("EnforcementStatus")
    if isinstance(standing, str) and re.fullmatch(r"[A-Z_]{1,32}", standing):
        details["standing"] = standing
        problems.append(STANDING.get(standing, f"Amazon calls the account {standing}."))
    if standing == "SHUTDOWN":
        sending = False
    elif not sending:
        problems.append(SWITCHED_OFF)
    production = answer.get("ProductionAccessEnabled")
    if isinstance(production, bool):
        details["access"] = "production" if production else "sandbox"
        problems.append("" if production else SANDBOX)
    return {
        **parse_send_quota(answer.get("SendQuota")),
        "sending": sending,
        "problem": " ".join(filter(None, problems)),
        "details": details,
    }


def parse_send_quota(answer):
    """Return the figures of a SendQuota, which both interfaces have.

    :param dict answer: Max24HourSend (-1: unlimited), MaxSendRate (recipients per
        second) and SentLast24Hours
    :raises QuotaError: a figure is missing or impossible
    """
    if not isinstance(answer, dict):
        raise QuotaError("Amazon SES did not answer a quota.")
    day = answer.get("Max24HourSend")
    return {
        "rate": check_figure(
            PROVIDER, "sending rate", answer.get("MaxSendRate"), HIGHEST_RATE
        ),
        "day": None if day == -1 else check_figure(PROVIDER, "daily quota", day),
        "day_used": check_figure(
            PROVIDER, "number of emails of the last day", answer.get("SentLast24Hours")
        ),
        "unit": "recipient",
    }


def last_day(points, now):
    """Return the counters of the last 24 hours.

    :param list points: data points of 15 minutes each, as GetSendStatistics gives them
        for the last two weeks, in no order
    :param datetime now: with a time zone
    :raises QuotaError: a point is not as documented

    >>> now = datetime(2026, 5, 2, 12, tzinfo=timezone.utc)
    >>> point = {"DeliveryAttempts": 9, "Bounces": 2, "Complaints": 1, "Rejects": 0}
    >>> counters = last_day([
    ...     {**point, "Timestamp": now - timedelta(hours=1)},
    ...     {**point, "Timestamp": now - timedelta(hours=23)},
    ...     {**point, "Timestamp": now - timedelta(hours=25)},
    ... ], now)
    >>> counters["delivery_attempts"], counters["bounces"]
    (18.0, 4.0)
    >>> last_day([], now)["complaints"]
    0.0
    """
    if not isinstance(points, list):
        raise QuotaError("Amazon SES did not answer statistics.")
    counters = dict.fromkeys(COUNTERS.values(), 0.0)
    since = now - timedelta(hours=24)
    for point in points:
        at = isinstance(point, dict) and point.get("Timestamp")
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise QuotaError("Amazon SES answered statistics without a time.")
        if at > since:
            for name, counter in COUNTERS.items():
                counters[counter] += check_figure(
                    PROVIDER, "statistics", point.get(name)
                )
    return counters


def _now():
    return datetime.now(timezone.utc)


def _read_classic(client):
    """Return the fields of a :class:`Quota` that the older interface can tell."""
    figures = parse_send_quota(call(client.get_send_quota))
    try:
        enabled = call(client.get_account_sending_enabled).get("Enabled")
    except QuotaError as error:
        _logger.info("Amazon SES did not tell whether sending is enabled: %s", error)
        enabled = None
    sending = enabled is not False
    return {
        **figures,
        "sending": sending,
        "problem": "" if sending else SWITCHED_OFF,
        "details": {},
    }
