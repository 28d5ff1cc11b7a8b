"""What all readers have in common."""

import doctest
import sys

import pytest

from .answers import (
    KEY,
    SECRET,
    QuotaError,
    credentials,
    quotas,
    read,
    refuse,
)


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
