"""Amazon SES.

moto, which stands for Amazon in the first test, has GetSendQuota and GetSendStatistics
of the older interface only: it answers 404 to GetAccount of the current one and 500 to
GetAccountSendingEnabled. So those two are answered here by a small server with what
Amazon documents, and moto is what an account without the right to GetAccount is like.
"""

import sys
from contextlib import ExitStack

import boto3
import pytest
from moto.server import ThreadedMotoServer

from .answers import (
    ACCOUNT,
    ENABLED,
    HEALTHY,
    KEY,
    QUOTA,
    REGION,
    SECRET,
    STATISTICS,
    QuotaError,
    answer,
    changed,
    classic,
    classic_refusal,
    credentials,
    points,
    quotas,
    read,
    refusal,
    refuse,
)


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
