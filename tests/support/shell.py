"""Python functions in an Odoo process of their own.

A test in one process cannot prove what two do to each other: a function run from here
has its own registry, its own connections and its own death.

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

import inspect
import json
import os
import select
import subprocess
import textwrap
import time
from pathlib import Path

from .config import Config, addons_path
from .environment import ROOT
from .process import Process, WaitFailure

RESULT_SECONDS = 120


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

    def run(self, function, seconds=RESULT_SECONDS, **arguments):
        """Run `function` to its end and return its result."""
        with self.start(function, **arguments) as run:
            return run.result(seconds)

    def start(self, function, **arguments):
        """Start `function` and return it as it runs, a `Run`."""
        path = self.config.write(self.folder / "shell.conf")
        return Run(self, path, function, arguments)


class Run:
    """A function that runs in its own process."""

    def __init__(self, shell, config, function, arguments):
        source = textwrap.dedent(inspect.getsource(function))
        reading, writing = os.pipe()
        try:
            self._process = Process(
                f"the shell with {function.__name__}",
                [
                    shell.environment.python,
                    "-m",
                    "tests.support.shell_child",
                    config,
                    writing,
                ],
                log=shell.log,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                pass_fds=[writing],
            )
        finally:
            os.close(writing)
        self._reading = reading
        self._buffer = b""
        self._say(source=source, function=function.__name__, arguments=arguments)

    @property
    def pid(self):
        return self._process.pid

    def wait_for(self, name, seconds=RESULT_SECONDS):
        """Wait until it is at the step `name`, and return what it passes along."""
        answer = self._hear(seconds)
        if answer.get("step") != name:
            raise self._process.failure(f"is not at {name} but says {answer}")
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
            raise self._process.failure(f"has not ended but says {answer}")
        return answer["result"]

    def kill(self):
        """Kill it, wherever it is."""
        self._process.kill()

    def _say(self, **message):
        stream = self._process.stdin
        stream.write(json.dumps(message).encode() + b"\n")
        stream.flush()

    def _hear(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([self._reading], [], [], left)[0]:
                raise WaitFailure(f"{self._process.name} says nothing for {seconds} s")
            data = os.read(self._reading, 65536)
            if not data:
                raise self._process.failure("ended without a word")
            self._buffer += data
        line, _newline, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def close(self):
        """Forget it; it is stopped if it still runs."""
        if self._reading is not None:
            os.close(self._reading)
            self._reading = None
            self._process.stdin.close()
            self._process.stop(seconds=5)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()
