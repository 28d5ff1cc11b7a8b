"""Twilio SendGrid."""

import pytest

from .answers import (
    CREDIT,
    CREDITS,
    SECRET,
    answer,
    quotas,
    read,
    refuse,
)

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
