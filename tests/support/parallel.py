"""A run in several processes (pytest-xdist) ends as a run in one does.

    configure(config)                              # pytest_configure in conftest.py

What a process has started, it stops by itself at its end. pytest-xdist, when it is
interrupted, gives its processes a few seconds and kills them: too few for an Odoo.
"""

import contextlib
import signal

import psutil
import pytest

STOP_SECONDS = 120


def configure(config):
    """Make SIGTERM end this process and those that it has started for tests."""
    signal.signal(signal.SIGTERM, _end_once)
    if hasattr(config, "workerinput"):
        # Ctrl-C reaches all processes, and the first one asks them to end, too: what
        # comes second must not interrupt the taking down.
        signal.signal(signal.SIGINT, _end_once)
        config.pluginmanager.register(_Other())
    else:
        config.pluginmanager.register(_First())


def _end_once(*_arguments):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    pytest.exit("terminated", 143)


class _First:
    """The process that gives the tests to the others, if there are any."""

    def __init__(self):
        self._nodes = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodeready(self, node):
        self._nodes.append(node)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self):
        # They have an output when they have ended by themselves.
        running = [node for node in self._nodes if not hasattr(node, "workeroutput")]
        if not running:
            return
        for child in psutil.Process().children():
            child.terminate()
        for node in running:
            channel = node.channel
            ends = channel.RemoteError, channel.TimeoutError, EOFError
            with contextlib.suppress(*ends):
                channel.waitclose(STOP_SECONDS)


class _Other:
    """A process that runs tests for the first one."""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self):
        # All is taken down. pytest-xdist interrupts who needs long for the rest, such
        # as for importing what there is nothing to report about.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
