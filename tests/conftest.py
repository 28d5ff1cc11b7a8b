"""Fixtures of the suites.

What takes long is shared: PostgreSQL and the installed templates. What a test could
spoil is its own: databases, servers and sinks are made in a scope and end with it.
"""

from pathlib import Path

import pytest
from hypothesis import settings

from .support import parallel
from .support.browser import Browser
from .support.turns import Turns
from .support.workspace import Workspace

# The same examples in every run, and none kept from another.
settings.register_profile(
    "tests", derandomize=True, database=None, deadline=None, max_examples=100
)
settings.load_profile("tests")

BUILD = Path(__file__).resolve().parents[1] / "build" / "tests"


def pytest_configure(config):
    parallel.configure(config)


def pytest_collection_modifyitems(items):
    """Order the files: what takes longest first, what must be alone last.

    So no process has much left to do when the others have ended, and then nobody waits
    for a turn.
    """

    def place(path):
        marks = {mark.name for item in of_file[path] for mark in item.iter_markers()}
        return "measures" in marks, "slow" not in marks

    of_file = {}
    for item in items:
        of_file.setdefault(item.path, []).append(item)
    items[:] = [item for path in sorted(of_file, key=place) for item in of_file[path]]


# First: waiting for a turn is not to count for the time limit of a test.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Run tests that measure alone, with what is set up for them and taken down."""
    with Turns(BUILD / "turns").take(alone=bool(item.get_closest_marker("measures"))):
        return (yield)


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


@pytest.fixture(scope="module")
def browser(environment):
    """A real browser."""
    if not environment.chromium:
        pytest.skip("Chromium is missing: python3 setup/environment browser")
    with Browser(environment) as browser:
        yield browser


@pytest.fixture
def sink(scope):
    """An SMTP server that starts empty and without rules."""
    return scope.sink().start()
