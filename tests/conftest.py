"""Fixtures of the suites.

What takes long is shared: PostgreSQL and the installed templates. What a test could
spoil is its own: databases, servers and sinks are made in a scope and end with it.
"""

import signal
from pathlib import Path

import pytest
from hypothesis import settings

from .support.workspace import Workspace

# The same examples in every run, and none kept from another.
settings.register_profile(
    "tests", derandomize=True, database=None, deadline=None, max_examples=100
)
settings.load_profile("tests")

BUILD = Path(__file__).resolve().parents[1] / "build" / "tests"


def pytest_configure(config):
    # A run that is told to end must still stop what it started.
    signal.signal(signal.SIGTERM, lambda *_args: pytest.exit("terminated", 143))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Say where the logs of a failed test are."""
    report = yield
    if report.failed:
        places = [
            str(place)
            for scope in getattr(item, "funcargs", {}).values()
            for place in getattr(scope, "places", ())
        ]
        if places:
            report.sections.append(("logs", "\n".join(places)))
    return report


@pytest.fixture(scope="session")
def workspace():
    """PostgreSQL, started, and where everything is."""
    with Workspace(BUILD) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def environment(workspace):
    """The versions and programs under test."""
    return workspace.environment


@pytest.fixture(scope="session")
def postgres(workspace):
    """The PostgreSQL server."""
    return workspace.postgres


@pytest.fixture
def scope(workspace):
    """Makes databases, servers and sinks that end with the test."""
    with workspace.scope() as scope:
        yield scope


@pytest.fixture(scope="module")
def module_scope(workspace):
    """Makes databases, servers and sinks that the tests of a module share."""
    with workspace.scope() as scope:
        yield scope


@pytest.fixture
def sink(scope):
    """An SMTP server that starts empty and without rules."""
    return scope.sink().start()
