"""A real Odoo server, as an operator starts it."""

import re
import time
from pathlib import Path

import psutil
import requests

from .config import HOST, Config, addons_path
from .process import Process, free_port, wait_until
from .rpc import Rpc

START_SECONDS = 180
STOP_SECONDS = 30
TITLE = re.compile(r"odoo: (\w+) \d+")

# What Odoo's processes call themselves; the one for live pages keeps its command line.
HTTP = "WorkerHTTP"
CRON = "WorkerCron"
RUNNER = "WorkerJobRunner"


class OdooServer:
    """Starts the server, knows its processes, stops it.

    :param environment: see `environment.Environment`
    :param database: the one it serves, a `postgres.Database`
    :param folder: for its configuration and its log
    :param data_dir: Odoo's, shared by the servers of one database
    :param extra_addons: folders with further addons
    :param settings: further arguments of `config.Config`: `workers`, `channels`, …
    """

    host = HOST

    def __init__(
        self,
        environment,
        database,
        folder,
        data_dir,
        extra_addons=(),
        environ=None,
        **settings,
    ):
        self.environment = environment
        self.database = database
        self.folder = Path(folder)
        self.log = self.folder / "odoo.log"
        self.path = self.folder / "odoo.conf"
        self.environ = environ
        settings.setdefault("port", free_port())
        settings.setdefault("gevent_port", free_port())
        self.config = Config(
            database=database.name,
            postgres=database.postgres.parameters,
            addons_path=addons_path(environment, extra_addons),
            data_dir=Path(data_dir),
            log=self.log,
            **settings,
        )
        self._process = None

    @property
    def port(self):
        return self.config.port

    @property
    def url(self):
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self):
        """The main process: with workers, the one that forks them."""
        return self._process.pid

    @property
    def running(self):
        return bool(self._process) and self._process.running

    def start(self, edited=False, ready=None):
        """Start it; when this returns, it answers.

        :param edited: with its configuration file as somebody has left it
        :param ready: tells whether it is started, where that is not that it answers
        """
        if not edited:
            self.config.write(self.path)
        self._process = Process(
            "Odoo",
            [self.environment.odoo, "-c", self.path],
            log=self.log,
            environ=self.environ,
        )
        self._process.wait_for(ready or self._healthy, START_SECONDS)
        return self

    def stop(self, seconds=STOP_SECONDS):
        """End it as an operator does: what is under way may finish for so long."""
        if self._process:
            self._process.stop(seconds)
            self._process = None

    def kill(self):
        """End all its processes at once, as a power cut would."""
        self._process.kill()
        self._process = None

    def close(self):
        """End it, if it still runs, when nobody cares any more what is under way."""
        if self._process:
            self.kill()

    def restart(self):
        self.stop()
        return self.start()

    def workers(self, kind=HTTP):
        """Its processes of this kind now, oldest first; there are none without workers.

        :return: list of psutil.Process
        """
        found = []
        for process in self._process.family():
            try:
                match = TITLE.match(" ".join(process.cmdline()))
                if match and match[1] == kind:
                    found.append((process.create_time(), process.pid, process))
            except psutil.NoSuchProcess:
                continue
        return [process for _start, _pid, process in sorted(found)]

    def worker_pids(self, kind=HTTP):
        return [process.pid for process in self.workers(kind)]

    def kill_worker(self, pid):
        """Kill one of its processes with SIGKILL and wait until it is gone."""
        process = psutil.Process(pid)
        if process not in self._process.family():
            raise ValueError(f"{pid} is not a process of this server")
        process.kill()
        wait_until(lambda: not process.is_running(), 10, f"the end of {pid}")

    def wait_for_worker(self, kind=HTTP, count=1, seconds=30):
        """Wait until it has so many processes of this kind, and return their ids."""
        wait_until(
            lambda: len(self.worker_pids(kind)) >= count, seconds, f"{count} {kind}"
        )
        return self.worker_pids(kind)

    def rpc(self, login="admin", password="admin"):
        """A session of the user, as from a browser."""
        return Rpc(self.url, self.database.name, login, password)

    def tail(self, lines=40):
        return self._process.tail(lines) if self._process else self._read_log()[-2000:]

    def errors(self):
        """The lines of its log that say error or worse."""
        return [
            line
            for line in self._read_log().splitlines()
            if re.match(r"\S+ \S+ \d+ (ERROR|CRITICAL) ", line)
        ]

    def says(self, text):
        """Whether its log has this text."""
        return text in self._read_log()

    def _read_log(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _healthy(self):
        try:
            return requests.get(f"{self.url}/web/health", timeout=5).ok
        except requests.ConnectionError:
            time.sleep(0.1)
            return False
        except requests.Timeout:
            return False

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        # An orderly end costs each of its processes most of a second.
        self.close()
