"""Processes that the suites start, and end by their id."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

STOP_SECONDS = 20
TAIL_LINES = 40

FIRST_PORT = 20_000
LAST_PORT = 32_000

_given = []


class ProcessFailure(AssertionError):
    """A process did not start, or ended when it should not; its log's end is in it."""


class WaitFailure(AssertionError):
    """What a suite waited for did not come."""


def end_as_interrupted():
    """Have SIGTERM and SIGHUP end this process as Ctrl-C does: what it started, too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def wait_until(condition, seconds, what="the condition", interval=0.05):
    """Wait until `condition()` is true and return its value.

    :param seconds: how long at most
    :param what: words for the message of the failure
    :raises WaitFailure: it did not become true
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise WaitFailure(f"{what}: not within {seconds} s")
        time.sleep(interval)


def free_port(first=FIRST_PORT):
    """The first port from `first` on that nobody listens on, or was given before.

    What was given is marked by a Unix socket: it is seen by all processes of the
    machine, and ends with ours. Ports from `FIRST_PORT` on are also none that the
    system hands out to who connects or listens on any.
    """
    for port in range(first, LAST_PORT):
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0mass_mailing_queue-port-{port}")
        except OSError:
            mark.close()
            continue
        _given.append(mark)
        if port_is_free(port):
            return port
    raise RuntimeError("No port is free.")


def port_is_free(port):
    """Whether somebody may listen on `port` now."""
    with socket.socket() as probe:
        # As servers do: a port whose last connection is just closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Process:
    """A child of this process with its output in a file.

    :param name: what it is, for messages
    :param command: program and arguments
    :param log: file that its output is appended to
    :param environ: its environment; by default ours
    """

    def __init__(self, name, command, log, environ=None, cwd=None, **options):
        self.name = name
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as stream:
            self._popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=options.pop("stdin", subprocess.DEVNULL),
                stdout=stream,
                stderr=stream,
                env=environ,
                cwd=cwd,
                # Ctrl-C in a terminal goes to the whole group: we stop them in order.
                start_new_session=True,
                **options,
            )

    @property
    def pid(self):
        return self._popen.pid

    @property
    def stdin(self):
        return self._popen.stdin

    @property
    def running(self):
        return self._popen.poll() is None

    def wait_for(self, condition, seconds):
        """Wait until `condition()` holds while the process lives.

        :raises ProcessFailure: it did not, or the process ended
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if not self.running:
                raise self.failure(f"ended with {self._popen.returncode}")
            if time.monotonic() > deadline:
                raise self.failure(f"is not ready after {seconds} s")
            time.sleep(0.02)

    def join(self, seconds):
        """Wait for its end and return its exit code.

        :raises ProcessFailure: it does not end
        """
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.failure(f"goes on after {seconds} s") from None

    def stop(self, seconds=STOP_SECONDS):
        """End it and its children: asked first, then killed."""
        self._popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        self.kill()

    def kill(self):
        """Kill it and its children at once."""
        self._popen.kill()
        # One that is forked while we look is seen the next time.
        while family := self.family():
            for child in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            psutil.wait_procs(family, timeout=1)
        self._popen.wait()

    def family(self):
        """Its children and theirs, as they are now.

        They are known by their session, which they keep when their parent is gone.
        """
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if pid != self.pid and os.getsid(pid) == self.pid:
                    process = psutil.Process(pid)
                    if process.status() != psutil.STATUS_ZOMBIE:
                        found.append(process)
        return found

    def tail(self, lines=TAIL_LINES):
        """The end of its log."""
        return tail(self.log, lines)

    def failure(self, what):
        return ProcessFailure(f"{self.name} {what}; {self.log} ends:\n{self.tail()}")


def tail(log, lines=TAIL_LINES):
    """The end of a log, which may be missing."""
    text = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def alive(pid):
    """Whether there is a process `pid` that is not only a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
