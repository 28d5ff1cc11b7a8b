"""One PostgreSQL for a whole run, and plain SQL on its databases."""

import contextlib
import fcntl
import os
import re
from pathlib import Path

import psycopg2
from psycopg2 import sql

from setup.environment import cluster
from setup.environment import postgres as builder
from setup.environment.errors import EnvironmentFailure

from .process import alive, wait_until

# Databases of a run have its process in their name, so that the next run knows which
# ones nobody needs any more.
RUN_NAME = re.compile(r"run(\d+)_")


class Postgres:
    """The server that `PGHOST` points at, else the embedded one below `folder`.

    Several runs of one checkout share it: the last one to leave stops it.

    :param folder: where its data is, and who uses it
    :param durable: False gives up what a crash of the machine must not lose
    :param own: never the one of `PGHOST`, as it is to be stopped and harmed
    :param initdb: options for a new embedded one
    :param settings: further ones of an embedded one
    """

    def __init__(self, folder, durable=False, own=False, initdb=(), settings=None):
        self.folder = Path(folder)
        self.options = {"durable": durable, "initdb": initdb}
        self.settings = settings or {}
        self.own = own
        self.server = None
        self._users = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._users = (self.folder / "users").open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        start = builder.start if self.own else builder.ensure
        self.server = start(
            self.folder / "data", settings=self.settings, **self.options
        )
        self._sweep()
        return self

    def restart(self, immediate=False):
        """Stop the embedded server, with all that is under way, and start it again.

        :param immediate: as a crash would, so that it recovers when it starts
        """
        cluster.terminate(self.server.data_dir, immediate)
        # Whoever is connected knows this folder.
        where = {**self.settings, "unix_socket_directories": self.server.host}
        builder.start(self.folder / "data", settings=where, **self.options)

    def stop(self):
        if not self._users:
            return
        if self.server and self.server.data_dir:
            try:
                # Held until the server is down: a run that starts meanwhile waits.
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._leave()
            else:
                self.server.started = True
                self.server.stop()
        self._users.close()
        self._users = None

    def _leave(self):
        """Leave the server to the runs that still use it.

        It may be our child, whose end we shall not see: without a return code Python
        warns about it.
        """
        if self.server._process:
            self.server._process.returncode = 0

    def limit_files(self, pids, size=None):
        """Let these processes of the embedded server write no file beyond a size.

        Done as the user they run as: root itself may not where it is confined.

        :param size: bytes, None for any
        """
        data = self.folder / "data"
        command = [*cluster.as_user(data, Path("/")), "prlimit"]
        soft = "unlimited" if size is None else size
        for pid in pids:
            try:
                cluster.call([*command, "--pid", pid, f"--fsize={soft}:"])
            except EnvironmentFailure:
                if alive(pid):
                    raise

    @property
    def parameters(self):
        """Keyword arguments for `psycopg2.connect`."""
        server = self.server
        parameters = {"host": server.host, "port": server.port, "user": server.user}
        return parameters | ({"password": server.password} if server.password else {})

    @property
    def label(self):
        """A word for the server, different for each one that we may be pointed at."""
        if self.server.data_dir:
            return "embedded"
        return re.sub(r"\W+", "-", f"{self.server.host}-{self.server.port}").strip("-")

    def database(self, name):
        """The database `name`, whether it exists or not."""
        return Database(self, name)

    def names(self):
        """All databases but the server's own."""
        with self._maintenance() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE NOT datistemplate")
            return {name for (name,) in cursor.fetchall()} - {"postgres"}

    def clone(self, template, name):
        """Create `name` as a copy of the database `template`."""
        # A page that is copied through the write-ahead log looks new, and what a
        # sequence in it has logged ahead is believed: a crash would take its values
        # back. Files that are copied between two checkpoints are old.
        strategy = sql.SQL("STRATEGY file_copy" if self.own else "")
        with self._maintenance() as cursor:
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} {}").format(
                    sql.Identifier(name), sql.Identifier(template), strategy
                )
            )
        return self.database(name)

    def rename(self, old, new):
        with self._maintenance() as cursor:
            cursor.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                    sql.Identifier(old), sql.Identifier(new)
                )
            )

    def drop(self, name):
        """Drop the database and whoever of us is connected to it.

        Not `WITH (FORCE)`: that may not end an autovacuum worker, which belongs to
        the superuser, and fails when it meets one; a plain DROP sends it away by
        itself.
        """
        with self._maintenance() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s AND usename = current_user",
                (name,),
            )
            cursor.execute(
                sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
            )

    @contextlib.contextmanager
    def _maintenance(self):
        connection = psycopg2.connect(dbname="postgres", **self.parameters)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def _sweep(self):
        """Drop what runs left behind that were killed."""
        for name in self.names():
            match = RUN_NAME.match(name)
            if match and not alive(int(match[1])):
                self.drop(name)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()


class Database:
    """Plain SQL on one database, each statement committed at once.

    It sees what is committed, as an operator with psql does: no cache, no snapshot.
    """

    def __init__(self, postgres, name):
        self.postgres = postgres
        self.name = name
        self._connection = None

    def connect(self):
        """A connection of its own, for tests that hold locks or transactions."""
        return psycopg2.connect(dbname=self.name, **self.postgres.parameters)

    def query(self, statement, params=None):
        """The rows of `statement` as tuples; nothing for one that yields none."""
        with self._cursor() as cursor:
            cursor.execute(statement, params)
            return cursor.fetchall() if cursor.description else []

    def execute(self, statement, params=None):
        """Run `statement` and return how many rows it touched."""
        with self._cursor() as cursor:
            cursor.execute(statement, params)
            return cursor.rowcount

    def value(self, statement, params=None):
        """The first column of the first row, None when there is no row."""
        rows = self.query(statement, params)
        return rows[0][0] if rows else None

    def column(self, statement, params=None):
        """The first column of every row."""
        return [row[0] for row in self.query(statement, params)]

    def counts(self, statement, params=None):
        """A dictionary of rows that are a key and a value."""
        return dict(self.query(statement, params))

    def wait_for(self, statement, params=None, seconds=60, interval=0.1):
        """Wait until `statement` yields a true value, and return it."""
        return wait_until(
            lambda: self.value(statement, params),
            seconds,
            f"{self.name}: {statement} {params or ''}",
            interval,
        )

    def close(self):
        if self._connection:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _cursor(self):
        if not self._connection or self._connection.closed:
            self._connection = self.connect()
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            yield cursor


def run_name(label):
    """A name for a database of this run."""
    return f"run{os.getpid()}_{label}"
