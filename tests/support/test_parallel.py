"""A run in several processes stops what it started when it is told to end."""

import os
import signal
import subprocess
import sys
import time

import pytest

from .environment import ROOT
from .process import alive, wait_until

# What a process needs to stop its own is longer than pytest-xdist would wait for.
SUITE = """
import os, pathlib, time
import pytest

def note(what):
    (pathlib.Path(__file__).parent / f"{what}-{os.getpid()}").touch()

@pytest.fixture(scope="module")
def slow_to_stop():
    yield
    time.sleep(6)
    note("stopped")

def test_endless(slow_to_stop):
    note("started")
    time.sleep(60)
"""
ENDED = """
from .test_first import note

def test_that_ends():
    note("started")
    note("stopped")
"""
CONFTEST = """
import time
from tests.support import parallel

def pytest_configure(config):
    parallel.configure(config)

def pytest_terminal_summary(config):
    time.sleep(6 if hasattr(config, "workerinput") else 0)
"""


def asked(main, _others):
    os.kill(main, signal.SIGTERM)


def asked_late(main, others):
    """One of the others has nothing left to do by then."""
    time.sleep(3)
    asked(main, others)


def ctrl_c(main, others):
    """As in a terminal; the first process may be the last one to notice."""
    for pid in others:
        os.kill(pid, signal.SIGINT)
    time.sleep(1)
    os.kill(main, signal.SIGINT)


def pids(folder, what):
    return sorted(int(path.name.split("-")[1]) for path in folder.glob(f"{what}-*"))


@pytest.fixture
def suite(tmp_path):
    """Starts a suite of two files in two processes."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])

    def start(first, second):
        (tmp_path / "__init__.py").touch()
        (tmp_path / "conftest.py").write_text(CONFTEST)
        (tmp_path / "test_first.py").write_text(first)
        (tmp_path / "test_second.py").write_text(second)
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", tmp_path, "-n", "2", "--dist", "loadfile"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.mark.parametrize(
    ("second", "tell", "code"),
    [(SUITE, asked, 143), (ENDED, asked_late, 143), (SUITE, ctrl_c, 2)],
    ids=["asked", "one-has-ended", "ctrl-c"],
)
def test_all_processes_stop_what_they_started(suite, tmp_path, second, tell, code):
    with suite(SUITE, second) as running:
        wait_until(lambda: len(pids(tmp_path, "started")) == 2, 60, "two tests")
        started = pids(tmp_path, "started")
        tell(running.pid, started)
        output, _errors = running.communicate(timeout=60)
    assert pids(tmp_path, "stopped") == started, output
    assert not any(map(alive, started))
    assert running.returncode == code, output
    assert "Traceback" not in output, output


def test_who_ends_slowly_is_not_interrupted(suite):
    with suite("def test_it(): pass", "def test_it(): pass") as running:
        output, _errors = running.communicate(timeout=60)
    assert running.returncode == 0, output
    assert "terminated" not in output, output
