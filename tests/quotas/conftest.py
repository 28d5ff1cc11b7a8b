"""Fixtures of the readers' suites."""

import logging
import socket

import pytest

from ..support.api import serving
from .answers import SECRET, quotas


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
