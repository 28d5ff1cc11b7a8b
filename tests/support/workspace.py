"""A folder with all that a run needs, and the order in which it is taken down."""

import contextlib
import itertools
import os
import shutil
import time
from pathlib import Path

from .balancer import Balancer
from .environment import Environment
from .odoo import OdooServer
from .postgres import Postgres, run_name
from .process import alive
from .shell import Loader, OdooShell
from .sink import Sink
from .templates import Templates

KEPT_RUNS = 5


class Workspace:
    """What a whole run shares: the environment, PostgreSQL and the templates.

    What outlives a run, the server's data and the templates, is in `folder`. What
    belongs to this run only, logs and ledgers, is in `run`.

    :param folder: below `build/`
    :param postgres: see `postgres.Postgres`
    """

    def __init__(self, folder, **postgres):
        self.folder = Path(folder).resolve()
        self.environment = Environment.load()
        stamp = time.strftime("%Y%m%d-%H%M%S")
        self.run = self.folder / "runs" / f"{stamp}-{os.getpid()}"
        self.postgres = Postgres(self.folder / "postgres", **postgres)
        self.data_dir = self.templates = None
        self._loaders = {}
        self._numbers = itertools.count(1)

    def start(self):
        self.run.mkdir(parents=True, exist_ok=True)
        self._forget_runs()
        self.postgres.start()
        # Each server has its own databases, and these their own files.
        self.data_dir = self.folder / "data" / self.postgres.label
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.templates = Templates(
            self.environment, self.postgres, self.folder / "templates", self.data_dir
        )
        return self

    def stop(self):
        for loader in self._loaders.values():
            loader.close()
        self.postgres.stop()

    def loader(self, key):
        """A process that has loaded Odoo with addons, see `shell.Loader`.

        :param key: whoever has the same one shares it
        """
        if key not in self._loaders:
            log = self.run / f"{self.number():03d}-loader" / "loader.log"
            self._loaders[key] = Loader(self.environment.python, log)
        return self._loaders[key]

    def scope(self):
        """A scope whose end is the end of all that was made in it."""
        return Scope(self)

    def number(self):
        return next(self._numbers)

    def _forget_runs(self):
        runs = sorted(self.run.parent.iterdir())
        for run in runs[:-KEPT_RUNS]:
            if not alive(int(run.name.rpartition("-")[2])):
                shutil.rmtree(run, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()


class Scope:
    """Makes databases, servers and sinks, and ends them, the last one made first.

    :param workspace: a started `Workspace`
    """

    def __init__(self, workspace):
        self.workspace = workspace
        self.places = []
        self._exits = contextlib.ExitStack()

    def database(self, modules, extra_addons=(), label="db"):
        """A new database with these modules installed."""
        templates = self.workspace.templates
        name = run_name(f"{label}_{self.workspace.number()}")
        # Before it exists: one that is half made is to be dropped too.
        self._exits.callback(templates.forget, name)
        database = templates.clone(name, modules, extra_addons)
        self._exits.callback(database.close)
        return database

    def copy(self, database, label="copy"):
        """A copy of a database as it is, identity included, as a backup restored."""
        templates = self.workspace.templates
        name = run_name(f"{label}_{self.workspace.number()}")
        self._exits.callback(templates.forget, name)
        database.close()
        copy = templates.copy(database.name, name)
        self._exits.callback(copy.close)
        return copy

    def server(self, database, label="odoo", **settings):
        """A server of this database, to be started.

        :param settings: see `odoo.OdooServer` and `config.Config`
        """
        server = OdooServer(
            self.workspace.environment,
            database,
            self.place(label),
            self.workspace.data_dir,
            **settings,
        )
        self._exits.callback(server.close)
        return server

    def balancer(self, workers):
        """A load balancer, to be started.

        :param workers: see `balancer.Balancer`
        """
        balancer = Balancer(self.workspace.environment, self.place("balancer"), workers)
        self._exits.callback(balancer.stop)
        return balancer

    def shell(self, database, label="shell", extra_addons=(), loader=None, **settings):
        """Runs functions in Odoo processes against this database.

        :param loader: by default one that may have loaded any of the addons
        """
        shell = OdooShell(
            loader or self.workspace.loader(tuple(extra_addons)),
            self.workspace.environment,
            database,
            self.place(label),
            self.workspace.data_dir,
            extra_addons,
            **settings,
        )
        self._exits.callback(shell.close)
        return shell

    def sink(self, label="sink", **settings):
        """An SMTP server, to be started.

        :param settings: see `sink.Sink`
        """
        sink = Sink(self.place(label), **settings)
        self._exits.callback(sink.stop)
        return sink

    def place(self, label):
        """A folder of its own, for one thing of this scope."""
        place = self.workspace.run / f"{self.workspace.number():03d}-{label}"
        self.places.append(place)
        return place

    def close(self):
        self._exits.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()
