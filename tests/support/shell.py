"""Python functions in an Odoo process of their own.

A test in one process cannot prove what two do to each other: a function run from here
has its own registry, its own connections and its own death. Its process is forked, as
Odoo's workers are, from one that has loaded Odoo: that takes seconds, a fork does not.

    def claim(env, step, trace_id):
        env["mailing.trace"].browse(trace_id).trace_status = "process"
        env.flush_all()
        step("claimed")             # waits here until the test says go on
        return env.cr.dbname

    shell = OdooShell(environment, database, folder, data_dir)
    with shell.start(claim, trace_id=7) as run:
        run.wait_for("claimed")
        run.go_on()
        name = run.result()

The function's source is what travels, so it imports what it needs by itself. It gets
`env` of the superuser, `step` and the keyword arguments; what it returns must be JSON,
and its transaction is committed at its end.
"""

import contextlib
import inspect
import json
import select
import socket
import textwrap
import time
from pathlib import Path

import psutil

from .config import Config, addons_path
from .environment import ROOT
from .process import Process, WaitFailure

RESULT_SECONDS = 120
KILL_SECONDS = 10


class ShellError(Exception):
    """The function raised.

    :param name: the exception's class
    """

    def __init__(self, name, message, traceback):
        super().__init__(f"{name}: {message}\n{traceback}")
        self.name = name
        self.message = message


class OdooShell:
    """Runs functions against one database.

    :param settings: further arguments of `config.Config`
    """

    def __init__(
        self, environment, database, folder, data_dir, extra_addons=(), **settings
    ):
        self.environment = environment
        self.folder = Path(folder)
        self.log = self.folder / "shell.log"
        self.database = database
        self.config = Config(
            database=database.name,
            postgres=database.postgres.parameters,
            addons_path=addons_path(environment, extra_addons),
            data_dir=Path(data_dir),
            log=self.log,
            **settings,
        )
        self._process = self._control = None

    def run(self, function, seconds=RESULT_SECONDS, **arguments):
        """Run `function` to its end and return its result."""
        with self.start(function, **arguments) as run:
            return run.result(seconds)

    def start(self, function, **arguments):
        """Start `function` and return it as it runs, a `Run`."""
        return Run(self, function, arguments)

    def fork(self, connection):
        """Fork a process that is at the other end of `connection`, return its id."""
        if not self._process:
            self._load()
        socket.send_fds(self._control, [b"f"], [connection.fileno()])
        try:
            pid = self._control.recv(16)
        except TimeoutError:
            raise self.failure(f"is not ready after {RESULT_SECONDS} s") from None
        if not pid:
            raise self.failure("ended without a word")
        return int(pid)

    def failure(self, what):
        return self._process.failure(what)

    def close(self):
        """End all its processes; the next function starts them anew."""
        if self._process:
            self._control.close()
            self._process.kill()
            self._process = None

    def _load(self):
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(RESULT_SECONDS)
        with theirs:
            self._process = Process(
                "the shell",
                [
                    self.environment.python,
                    "-m",
                    "tests.support.shell_child",
                    self.config.write(self.folder / "shell.conf"),
                    theirs.fileno(),
                ],
                log=self.log,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )


class Run:
    """A function that runs in its own process."""

    def __init__(self, shell, function, arguments):
        self._shell = shell
        self._name = function.__name__
        self._buffer = b""
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = psutil.Process(shell.fork(theirs))
        source = textwrap.dedent(inspect.getsource(function))
        self._say(source=source, function=self._name, arguments=arguments)

    @property
    def pid(self):
        return self._process.pid

    def wait_for(self, name, seconds=RESULT_SECONDS):
        """Wait until it is at the step `name`, and return what it passes along."""
        answer = self._hear(seconds)
        if answer.get("step") != name:
            raise self._failure(f"is not at {name} but says {answer}")
        return answer["value"]

    def go_on(self, value=None):
        """Let it go on from its step, which returns `value`."""
        self._say(value=value)

    def result(self, seconds=RESULT_SECONDS):
        """What the function returned.

        :raises ShellError: it raised
        """
        answer = self._hear(seconds)
        if "error" in answer:
            raise ShellError(*answer["error"])
        if "result" not in answer:
            raise self._failure(f"has not ended but says {answer}")
        return answer["result"]

    def kill(self):
        """Kill it, wherever it is."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.kill()
        self._process.wait(KILL_SECONDS)

    def _say(self, **message):
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def _hear(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._connection], [], [], left)[0]:
                raise WaitFailure(f"{self._name} says nothing for {seconds} s")
            data = self._connection.recv(65536)
            if not data:
                raise self._failure("ended without a word")
            self._buffer += data
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def _failure(self, what):
        return self._shell.failure(f"with {self._name} {what}")

    def close(self):
        """Forget it; it is killed if it still runs."""
        self._connection.close()
        self.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()
