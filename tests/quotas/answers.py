"""What a provider is asked, and what it answers."""

import importlib.util
import json
import sys
import traceback
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mass_mailing_queue_throttle" / "quotas"
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"

HEALTHY = {
    "DedicatedIpAutoWarmupEnabled": False,
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendQuota": {
        "Max24HourSend": 50000.0,
        "MaxSendRate": 14.0,
        "SentLast24Hours": 1234.0,
    },
    "SendingEnabled": True,
}
CREDITS = {
    "remain": 60,
    "total": 100,
    "overage": 0,
    "used": 40,
    "last_reset": "2026-01-01",
    "next_reset": "2026-02-01",
    "reset_frequency": "monthly",
}
ACCOUNT = "GET /v2/email/account"
QUOTA = "POST GetSendQuota"
ENABLED = "POST GetAccountSendingEnabled"
STATISTICS = "POST GetSendStatistics"
CREDIT = "GET /v3/user/credits"


def _load():
    """The package without its addon, whose other modules need Odoo."""
    spec = importlib.util.spec_from_file_location(
        "quotas_under_test",
        PACKAGE / "__init__.py",
        submodule_search_locations=[str(PACKAGE)],
    )
    package = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


quotas = _load()
QuotaError = quotas.QuotaError


def credentials(endpoint, **values):
    return quotas.Credentials(
        **{
            "key_id": KEY,
            "secret": SECRET,
            "region": REGION,
            "endpoint": endpoint,
            **values,
        }
    )


def read(kind, endpoint, **values):
    return quotas.READERS[kind](credentials(endpoint, **values))


def refuse(kind, endpoint, **values):
    """Read, which must fail, and return the sentence."""
    with pytest.raises(QuotaError) as caught:
        read(kind, endpoint, **values)
    whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    secret = values.get("secret", SECRET)
    assert not secret or secret not in whole
    assert caught.value.__cause__ is None
    sentence = str(caught.value)
    assert KEY not in sentence
    assert sentence[0].isupper() and len(sentence) < 200, sentence
    return sentence


def answer(body, status=200, **headers):
    return (status, json.dumps(body).encode(), *headers.items())


def refusal(code, status=400):
    """An error as the current interface answers it."""
    return (status, b'{"message": "no"}', ("x-amzn-ErrorType", code))


def classic(action, inner):
    """A success as the older interface answers it."""
    return (
        200,
        (
            f'<{action}Response xmlns="http://ses.amazonaws.com/doc/2010-12-01/">'
            f"<{action}Result>{inner}</{action}Result><ResponseMetadata><RequestId>1"
            f"</RequestId></ResponseMetadata></{action}Response>"
        ).encode(),
        ("Content-Type", "text/xml"),
    )


def classic_refusal(code, status=400):
    text = (
        '<ErrorResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>User {KEY} no</Message>"
        "</Error><RequestId>1</RequestId></ErrorResponse>"
    )
    return (status, text.encode(), ("Content-Type", "text/xml"))


def points(*hours_ago, **values):
    counters = {
        "DeliveryAttempts": 100,
        "Bounces": 3,
        "Complaints": 1,
        "Rejects": 2,
        **values,
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in counters.items())
    now = datetime.now(timezone.utc)
    members = "".join(
        f"<member>{inner}<Timestamp>{(now - timedelta(hours=hours)).isoformat()}"
        "</Timestamp></member>"
        for hours in hours_ago
    )
    return classic("GetSendStatistics", f"<SendDataPoints>{members}</SendDataPoints>")


def changed(path, value):
    """A healthy account's answer with one value changed, or left out if it is `...`."""
    account = json.loads(json.dumps(HEALTHY))
    *parents, last = path.split(".")
    place = account
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return account
