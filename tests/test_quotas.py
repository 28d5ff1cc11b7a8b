"""Readers of quotas, over real HTTP to servers on this machine.

moto, which stands for Amazon in the first test, has GetSendQuota and GetSendStatistics
of the older interface only: it answers 404 to GetAccount of the current one and 500 to
GetAccountSendingEnabled. So those two are answered here by a small server with what
Amazon documents, and moto is what an account without the right to GetAccount is like.
"""

import doctest
import importlib.util
import json
import logging
import socket
import sys
import traceback
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from .support.api import serving

PACKAGE = Path(__file__).parents[1] / "mass_mailing_queue_throttle" / "quotas"
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


@pytest.fixture
def api():
    with serving() as server:
        yield server


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """One attempt and short timeouts; nothing of this machine's Amazon settings."""
    monkeypatch.setattr(quotas.ses_client, "ATTEMPTS", 1)
    monkeypatch.setattr(quotas.ses_client, "TIMEOUTS", (5, 5))
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def discreet(caplog):
    """Whatever happens, no log has the secret, at any level."""
    caplog.set_level(logging.DEBUG)
    yield
    # `caplog.text` has only what was logged since the test ended.
    write = logging.Formatter().format
    assert not [r.name for r in caplog.get_records("call") if SECRET in write(r)]


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


@pytest.mark.parametrize("name", ["base", "ses", "sendgrid"])
def test_the_documentation_is_true(name):
    result = doctest.testmod(sys.modules[f"{quotas.__name__}.{name}"])
    assert result.attempted and not result.failed


def test_credentials_do_not_show_their_secret():
    held = credentials("https://api.test")
    assert SECRET not in repr(held) + str(held) + f"{held}"
    assert KEY in repr(held)


def test_another_addon_can_add_a_reader(monkeypatch):
    def reader(credentials):
        return quotas.Quota(rate=len(credentials.secret), unit="message")

    monkeypatch.setitem(quotas.READERS, "acme", reader)
    assert read("acme", "").rate == len(SECRET)


@pytest.mark.parametrize(
    "values", [{"rate": -1}, {"day": float("nan")}, {"month": 1e30}, {"rate": 0}]
)
def test_a_reader_cannot_return_an_impossible_quota(values):
    with pytest.raises(QuotaError):
        quotas.Quota(**values)


# Amazon SES


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()
    # It leaves its socket open.
    server._server.server_close()


def test_ses_is_read_from_moto(moto):
    """What moto has sent is used up and counted, whatever it does not have."""
    session = boto3.session.Session(KEY, SECRET, region_name=REGION)
    client = session.client("ses", endpoint_url=moto)
    client.verify_email_identity(EmailAddress="news@sender.test")
    before = read("ses", moto)
    assert (before.rate, before.day, before.day_used) == (1.0, 200.0, 0.0)
    for recipients in (["a@one.test"], ["b@one.test", "c@one.test"]):
        client.send_email(
            Source="news@sender.test",
            Destination={"ToAddresses": recipients},
            Message={"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hi"}}},
        )
    client.close()
    after = read("ses", moto)
    assert (after.day_used, after.unit, after.sending) == (3.0, "recipient", True)
    assert after.details["delivery_attempts"] == 3.0
    assert after.details["bounces"] == 0.0


def test_ses_tells_quota_health_and_the_last_day(api):
    api.replies = {ACCOUNT: answer(HEALTHY), STATISTICS: points(1, 23.9, 24.1, 300)}
    assert read("ses", api.address) == quotas.Quota(
        rate=14.0,
        day=50000.0,
        day_used=1234.0,
        unit="recipient",
        sending=True,
        problem="",
        details={
            "access": "production",
            "standing": "HEALTHY",
            "delivery_attempts": 200.0,
            "bounces": 6.0,
            "complaints": 2.0,
            "rejects": 4.0,
        },
    )
    assert api.asked() == [ACCOUNT, STATISTICS]
    for _request, headers in api.requests:
        assert f"Credential={KEY}/" in headers["Authorization"]
        assert f"/{REGION}/ses/aws4_request" in headers["Authorization"]


def test_ses_without_a_daily_limit(api):
    api.replies = {ACCOUNT: answer(changed("SendQuota.Max24HourSend", -1))}
    quota = read("ses", api.address)
    assert (quota.day, quota.rate, quota.day_used) == (None, 14.0, 1234.0)


@pytest.mark.parametrize(
    ("path", "value", "sending", "words"),
    [
        ("EnforcementStatus", "PROBATION", True, "under review"),
        ("EnforcementStatus", "SHUTDOWN", False, "paused"),
        ("EnforcementStatus", "SOMETHING_NEW", True, "SOMETHING_NEW"),
        ("EnforcementStatus", "<b>", True, ""),
        ("EnforcementStatus", ..., True, ""),
        ("SendingEnabled", False, False, "switched off"),
        ("ProductionAccessEnabled", False, True, "sandbox"),
    ],
)
def test_ses_says_in_words_what_is_wrong(api, path, value, sending, words):
    api.replies = {ACCOUNT: answer(changed(path, value))}
    quota = read("ses", api.address)
    assert quota.sending is sending
    assert words in quota.problem and bool(words) == bool(quota.problem)


def test_ses_may_give_zeros_to_an_account_that_is_shut_down(api):
    account = changed("EnforcementStatus", "SHUTDOWN")
    account["SendQuota"] = dict.fromkeys(account["SendQuota"], 0)
    api.replies = {ACCOUNT: answer(account)}
    quota = read("ses", api.address)
    assert (quota.rate, quota.sending) == (0.0, False)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("SendQuota", ...),
        ("SendQuota", 5),
        ("SendQuota", []),
        ("SendQuota.MaxSendRate", ...),
        ("SendQuota.MaxSendRate", None),
        ("SendQuota.MaxSendRate", -1),
        ("SendQuota.MaxSendRate", 0),
        ("SendQuota.MaxSendRate", 1e9),
        ("SendQuota.MaxSendRate", "many"),
        ("SendQuota.Max24HourSend", ...),
        ("SendQuota.Max24HourSend", -2),
        ("SendQuota.Max24HourSend", 0),
        ("SendQuota.Max24HourSend", float("nan")),
        ("SendQuota.Max24HourSend", float("inf")),
        ("SendQuota.SentLast24Hours", ...),
        ("SendQuota.SentLast24Hours", -5),
        ("SendQuota.SentLast24Hours", {"a": 1}),
        ("SendingEnabled", ...),
    ],
)
def test_ses_figures_that_cannot_be_are_no_limit(api, path, value):
    api.replies = {ACCOUNT: answer(changed(path, value))}
    refuse("ses", api.address)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("SendQuota.MaxSendRate", "14"),
        ("SendQuota.MaxSendRate", True),
        ("SendingEnabled", "yes"),
    ],
)
def test_ses_types_are_checked_also_where_boto3_converts_them(path, value):
    with pytest.raises(QuotaError):
        quotas.ses.parse_account(changed(path, value))


@pytest.mark.parametrize(
    "reply",
    [
        classic_refusal("AccessDenied", 403),
        classic_refusal("Throttling"),
        (200, b"garbage"),
        (500, b"<html>"),
        points(1, Bounces=-3),
        points(1, Rejects="many"),
        classic("GetSendStatistics", ""),
    ],
    ids=["denied", "throttled", "garbage", "html", "negative", "text", "empty"],
)
def test_ses_statistics_may_fail(api, reply):
    """Quota and health are told all the same."""
    api.replies = {ACCOUNT: answer(HEALTHY), STATISTICS: reply}
    quota = read("ses", api.address)
    assert quota.rate == 14.0
    assert not {"bounces", "complaints"} & set(quota.details)


@pytest.mark.parametrize(
    ("enabled", "sending"),
    [
        (classic("GetAccountSendingEnabled", "<Enabled>true</Enabled>"), True),
        (classic("GetAccountSendingEnabled", "<Enabled>false</Enabled>"), False),
        (classic_refusal("AccessDenied", 403), True),
    ],
    ids=["on", "off", "denied"],
)
@pytest.mark.parametrize(
    "account",
    [refusal("AccessDeniedException", 403), refusal("UnknownOperationException", 404)],
    ids=["denied", "unknown"],
)
def test_ses_asks_the_older_interface_when_the_current_one_is_denied(
    api, account, enabled, sending
):
    api.replies = {
        ACCOUNT: account,
        QUOTA: classic(
            "GetSendQuota",
            "<Max24HourSend>200.0</Max24HourSend><MaxSendRate>1.0</MaxSendRate>"
            "<SentLast24Hours>127.0</SentLast24Hours>",
        ),
        ENABLED: enabled,
        STATISTICS: points(2),
    }
    quota = read("ses", api.address)
    assert (quota.rate, quota.day, quota.day_used) == (1.0, 200.0, 127.0)
    assert quota.sending is sending and bool(quota.problem) is not sending
    assert quota.details["delivery_attempts"] == 100.0


def test_ses_names_the_permission_when_both_interfaces_are_denied(api):
    api.replies = {
        ACCOUNT: refusal("AccessDeniedException", 403),
        QUOTA: classic_refusal("AccessDenied", 403),
    }
    assert "ses:GetAccount" in refuse("ses", api.address)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal("UnrecognizedClientException", 403), "does not accept the access key"),
        (refusal("InvalidSignatureException", 403), "does not accept the access key"),
        ((401, b"<html>"), "does not accept the access key"),
        ((403, b"<html>"), "does not accept the access key"),
        (refusal("ExpiredTokenException", 403), "expired"),
        (refusal("TooManyRequestsException", 429), "too often"),
        (refusal("BadRequestException"), "BadRequestException"),
        (refusal(KEY), "refused to tell its quota (400)."),
        (refusal("a" * 200), "refused to tell its quota."),
        (refusal("InternalFailure", 500), "trouble of its own"),
        ((500, b"<html><body>Oops</body></html>"), "trouble of its own"),
        ((503, b""), "trouble of its own"),
        ((302, b"", ("Location", "/elsewhere")), "refused"),
        ((200, b"{garbage"), "did not answer"),
        ((200, b"<html></html>"), "did not answer"),
        ((200, b""), "did not answer"),
        ((200, b"[]"), "not as documented"),
        ((200, b"\xff\xfe\x00"), "not as documented"),
    ],
)
def test_ses_failures_are_said_in_words(api, reply, words):
    api.replies = {ACCOUNT: reply}
    assert words in refuse("ses", api.address)
    assert api.asked() == [ACCOUNT]


def test_ses_that_is_not_there(api):
    """Neither interface: the address is wrong."""
    assert "check the endpoint" in refuse("ses", api.address)
    assert api.asked() == [ACCOUNT, QUOTA]


def test_ses_that_hangs(api, monkeypatch):
    monkeypatch.setattr(quotas.ses_client, "TIMEOUTS", (0.2, 0.2))
    api.replies = {ACCOUNT: api.hang}
    assert "in time" in refuse("ses", api.address)


def test_ses_statistics_that_hang(api, monkeypatch):
    monkeypatch.setattr(quotas.ses_client, "TIMEOUTS", (0.5, 0.5))
    api.replies = {ACCOUNT: answer(HEALTHY), STATISTICS: api.hang}
    assert read("ses", api.address).rate == 14.0


def test_ses_is_asked_twice_at_most(api, monkeypatch):
    monkeypatch.undo()
    assert quotas.ses_client.ATTEMPTS == 2
    api.replies = {ACCOUNT: (500, b"")}
    refuse("ses", api.address)
    assert api.asked() == [ACCOUNT] * 2


def test_ses_that_cannot_be_reached(closed_port):
    assert "cannot be reached" in refuse("ses", closed_port)


def test_ses_is_not_followed_elsewhere(api):
    """Neither to this machine nor away, where the request would show the key's name."""
    moved = (302, b"", ("Location", f"{api.address}/taken"))
    api.replies = {ACCOUNT: moved, QUOTA: moved, ENABLED: moved, STATISTICS: moved}
    refuse("ses", api.address)
    assert api.asked() and not any("taken" in request for request in api.asked())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"key_id": ""}, "no access key ID"),
        ({"secret": ""}, "no secret access key"),
        ({"secret": f"{SECRET}\n"}, "spaces"),
        ({"region": ""}, "eu-west-1"),
        ({"region": "evil.test/#"}, "eu-west-1"),
    ],
)
def test_ses_is_not_asked_with_incomplete_credentials(api, values, words):
    """Not even with rights that this machine has of its own."""
    assert words in refuse("ses", api.address, **values)
    assert not api.requests


def test_ses_ignores_where_this_machine_has_its_own_storage(api, monkeypatch):
    """AWS_ENDPOINT_URL, often set for a storage, would be given the requests."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", api.address)
    with ExitStack() as stack:
        clients = quotas.ses_client.connect(credentials(""), stack)
        addresses = {client.meta.endpoint_url for client in clients}
    assert addresses == {f"https://email.{REGION}.amazonaws.com"}


def test_ses_with_a_broken_setup_of_the_machine(api, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    assert "boto3 does not work" in refuse("ses", api.address)


def test_ses_without_boto3_names_the_package(api, monkeypatch):
    for name in ("boto3", "boto3.session"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "pip install boto3" in refuse("ses", api.address)


def test_ses_with_an_old_boto3_says_so(api, monkeypatch):
    def config(*, connect_timeout, read_timeout, retries):
        """As botocore 1.30 had it."""

    monkeypatch.setattr("botocore.config.Config", config)
    assert "too old" in refuse("ses", api.address)


# SendGrid


def test_sendgrid_tells_the_month(api):
    api.replies = {CREDIT: answer(CREDITS)}
    assert read("sendgrid", f"{api.address}/", key_id="", region="") == quotas.Quota(
        month=100.0,
        month_used=40.0,
        unit="recipient",
        details={
            "total": 100.0,
            "remain": 60.0,
            "overage": 0.0,
            "reset_frequency": "monthly",
            "next_reset": "2026-02-01",
        },
    )
    ((_request, headers),) = api.requests
    assert headers["Authorization"] == f"Bearer {SECRET}"


def test_sendgrid_tells_the_day(api):
    api.replies = {CREDIT: answer({**CREDITS, "reset_frequency": "daily"})}
    quota = read("sendgrid", api.address)
    assert (quota.day, quota.day_used) == (100.0, 40.0)
    assert (quota.month, quota.month_used, quota.rate) == (None, None, None)


def test_sendgrid_credits_of_other_periods_are_no_limit(api):
    api.replies = {CREDIT: answer({**CREDITS, "reset_frequency": "weekly"})}
    quota = read("sendgrid", api.address)
    assert (quota.day, quota.month) == (None, None)
    assert quota.details["remain"] == 60.0


@pytest.mark.parametrize(
    ("values", "used", "sending", "words"),
    [
        ({"remain": 0, "used": 130, "overage": 30}, 130.0, True, "are used"),
        ({"remain": 0, "total": 0, "used": 0}, 0.0, False, "no credits"),
        # Whichever says that more is used is believed.
        ({"remain": 10, "used": 40}, 90.0, True, ""),
        ({"remain": 150, "used": 0}, 0.0, True, ""),
    ],
    ids=["overdrawn", "none", "differing", "carried over"],
)
def test_sendgrid_credits_that_are_spent(api, values, used, sending, words):
    api.replies = {CREDIT: answer({**CREDITS, **values})}
    quota = read("sendgrid", api.address)
    assert (quota.month_used, quota.sending) == (used, sending)
    assert words in quota.problem and bool(words) == bool(quota.problem)


def test_sendgrid_uses_no_password_of_this_machine(api, monkeypatch, tmp_path):
    """requests would replace the key by what `.netrc` has for the host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    api.replies = {CREDIT: answer(CREDITS)}
    read("sendgrid", api.address)
    assert api.requests[0][1]["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total", None),
        ("total", -1),
        ("total", 1e12),
        ("total", "100"),
        ("total", True),
        ("total", float("nan")),
        ("remain", None),
        ("remain", -1),
        ("remain", [1]),
        ("used", -1),
        ("used", None),
        ("overage", "x"),
        ("reset_frequency", None),
        ("reset_frequency", "<script>"),
        ("reset_frequency", ["monthly"]),
    ],
)
def test_sendgrid_figures_that_cannot_be_are_no_limit(api, name, value):
    api.replies = {CREDIT: answer({**CREDITS, name: value})}
    refuse("sendgrid", api.address)


@pytest.mark.parametrize("name", ["total", "remain", "reset_frequency"])
def test_sendgrid_figures_that_are_missing_are_no_limit(api, name):
    body = {key: value for key, value in CREDITS.items() if key != name}
    api.replies = {CREDIT: answer(body)}
    refuse("sendgrid", api.address)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ((401, b'{"errors": [{"message": "authorization required"}]}'), "not accept"),
        ((403, b'{"errors": [{"message": "access forbidden"}]}'), "user.credits.read"),
        ((404, b""), "no SendGrid at this endpoint"),
        ((429, b""), "too often"),
        ((418, SECRET.encode()), "418"),
        ((500, b"<html><body>Oops</body></html>"), "trouble of its own"),
        ((200, b"{garbage"), "not SendGrid"),
        ((200, b"<html></html>"), "not SendGrid"),
        ((200, b""), "not SendGrid"),
        ((200, b"[]"), "not SendGrid"),
        ((200, b"\xff\xfe\x00"), "not SendGrid"),
        ((200, b"[" * 10_000), "not SendGrid"),
        ((200, b" " * 20_000), "too long"),
        ((200, b"{}", ("Content-Encoding", "gzip")), "cannot be reached"),
    ],
)
def test_sendgrid_failures_are_said_in_words(api, reply, words):
    api.replies = {CREDIT: reply}
    assert words in refuse("sendgrid", api.address)


def test_sendgrid_is_not_followed_elsewhere(api):
    """Neither to this machine nor away, where the key would be given to others."""
    api.replies = {CREDIT: (302, b"", ("Location", f"{api.address}/taken"))}
    assert "not followed" in refuse("sendgrid", api.address)
    assert api.asked() == [CREDIT]


def test_sendgrid_that_hangs(api, monkeypatch):
    monkeypatch.setattr(quotas.sendgrid, "TIMEOUTS", (0.2, 0.2))
    api.replies = {CREDIT: api.hang}
    assert "in time" in refuse("sendgrid", api.address)


def test_sendgrid_that_never_ends(api, monkeypatch):
    monkeypatch.setattr(quotas.sendgrid, "DEADLINE", 0.2)
    api.replies = {CREDIT: api.drip}
    assert "in time" in refuse("sendgrid", api.address)


def test_sendgrid_that_cannot_be_reached(closed_port):
    assert "cannot be reached" in refuse("sendgrid", closed_port)


@pytest.mark.parametrize("secret", ["", f" {SECRET}", f"{SECRET}\r\nX: y", "SG.\u2026"])
def test_sendgrid_is_not_asked_with_a_key_that_is_none(api, secret):
    refuse("sendgrid", api.address, secret=secret)
    assert not api.requests


@pytest.mark.parametrize("kind", ["ses", "sendgrid"])
@pytest.mark.parametrize(
    "endpoint",
    [
        "http://api.sendgrid.com",
        "http://169.254.169.254",
        "http://10.0.0.1",
        "http://0.0.0.0",
        f"https://me:{SECRET}@api.test",
        "ftp://127.0.0.1",
        "nonsense",
    ],
)
def test_an_endpoint_that_is_not_to_be_asked(kind, endpoint):
    assert "endpoint" in refuse(kind, endpoint)


@pytest.mark.parametrize("kind", ["ses", "sendgrid"])
def test_an_endpoint_without_a_true_certificate(api, kind):
    """Here one that does not speak TLS at all."""
    sentence = refuse(kind, api.address.replace("http:", "https:"))
    assert "certificate" in sentence or "cannot be reached" in sentence
