"""Python functions in an Odoo process of their own.

A test in one process cannot prove what two do to each other: a function run from here
has its own registry, its own connections and its own death. Its process is forked, as
Odoo's workers are, from one that has loaded all this: that takes seconds, a fork does
not.

    def claim(env, step, trace_id):
        env["mailing.trace"].browse(trace_id).trace_status = "process"
        env.flush_all()
        step("claimed")             # waits here until the test says go on
        return env.cr.dbname

    shell = OdooShell(loader, environment, database, folder, data_dir)
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
from .process import Process, ProcessFailure, WaitFailure, tail

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


class Loader:
    """A process that has loaded Odoo and addons, to fork those of databases from.

    :param python: interpreter that has Odoo
    :param log: what it says before there is a database whose log that belongs to
    """

    def __init__(self, python, log):
        self.python = python
        self.log = log
        self._process = self._control = None

    def fork(self, config, connection):
        """Fork a process that is at the other end of `connection`.

        :param config: file that names its database
        """
        if not self._process:
            self._start(config)
        if not _fork(self._control, str(config), connection):
            raise self._process.failure("does not fork")

    def close(self):
        """End it and all that descend from it."""
        if self._process:
            self._control.close()
            self._process.kill()
            self._process = None

    def _start(self, config):
        self._control, theirs = _control()
        with theirs:
            command = [self.python, "-m", "tests.support.shell_child", config]
            self._process = Process(
                "the shells' loader",
                [*command, theirs.fileno()],
                log=self.log,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )


def _control():
    """Both ends of a socket with which processes are asked to fork."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(RESULT_SECONDS)
    return ours, theirs


def _fork(control, message, connection):
    """Have the process behind `control` fork one that is behind `connection`.

    :return: the process id, None when there is no answer
    """
    try:
        socket.send_fds(control, [message.encode()], [connection.fileno()])
        return int(control.recv(16) or 0) or None
    except (TimeoutError, ConnectionError):
        return None


class OdooShell:
    """Runs functions against one database.

    :param loader: `Loader` of the same addons
    :param settings: further arguments of `config.Config`
    """

    def __init__(
        self,
        loader,
        environment,
        database,
        folder,
        data_dir,
        extra_addons=(),
        **settings,
    ):
        self.folder = Path(folder)
        self.log = self.folder / "shell.log"
        self.config = Config(
            database=database.name,
            postgres=database.postgres.parameters,
            addons_path=addons_path(environment, extra_addons),
            data_dir=Path(data_dir),
            log=self.log,
            **settings,
        )
        self._loader = loader
        self._control = None

    def run(self, function, seconds=RESULT_SECONDS, **arguments):
        """Run `function` to its end and return its result."""
        with self.start(function, **arguments) as run:
            return run.result(seconds)

    def start(self, function, **arguments):
        """Start `function` and return it as it runs, a `Run`."""
        return Run(self, function, arguments)

    def fork(self, connection):
        """Fork a process that is at the other end of `connection`, return its id."""
        if not self._control:
            config = self.config.write(self.folder / "shell.conf")
            self._control, theirs = _control()
            with theirs:
                self._loader.fork(config, theirs)
        pid = _fork(self._control, "run", connection)
        if not pid:
            raise self.failure("does not fork")
        return pid

    def failure(self, what):
        text = f"the shell {what}; {self.log} ends:\n{tail(self.log)}"
        return ProcessFailure(text)

    def close(self):
        """Let its process end; the next function starts a new one."""
        if self._control:
            self._control.close()
            self._control = None


class Run:
    """A function that runs in its own process."""

    def __init__(self, shell, function, arguments):
        self._shell = shell
        self._name = function.__name__
        self._buffer = b""
        self._connection, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = psutil.Process(shell.fork(theirs))
        except BaseException:
            self._connection.close()
            raise
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
