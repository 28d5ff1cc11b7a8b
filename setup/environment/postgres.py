"""A PostgreSQL for the suites: what `PGHOST` points at, or an embedded one.

    server = postgres.ensure(Path("build/environment/postgres"))
    subprocess.run([...], env={**os.environ, **server.environ()})
    server.stop()

The embedded server comes with a Python package. It lacks the extensions pg_trgm and
unaccent, about which Odoo only warns. It belongs to no process: it goes on until its
`stop` is called, also when the Python that started it is killed, and the next `start`
finds it.
"""

import os
import pwd
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from . import cluster, record
from .errors import EnvironmentFailure
from .layout import Layout

ROLE = "odoo"


@dataclass
class Server:
    """How to connect, and whether it is ours to stop.

    `host` is a folder of Unix sockets or a host's name; `data_dir` is None for a server
    that we did not create; `started` says that this object started it.
    """

    host: str
    port: str = str(cluster.PORT)
    user: str = ROLE
    password: str | None = None
    data_dir: Path | None = None
    started: bool = False
    # It is no child of ours. Read by suites that were written when it was one.
    _process: None = field(default=None, init=False, repr=False)

    def environ(self):
        """Variables for libpq, and so for Odoo, psql and psycopg2."""
        variables = {"PGHOST": self.host, "PGPORT": self.port, "PGUSER": self.user}
        if self.password:
            variables["PGPASSWORD"] = self.password
        return variables

    @property
    def pid(self):
        """The process of the embedded server, None when it does not run."""
        return cluster.running(self.data_dir) if self.data_dir else None

    def stop(self):
        """Stop the server if this object started it; returns whether it did."""
        if not self.started:
            return False
        self.started = False
        return stop(self.data_dir)

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.stop()


def ensure(data_dir, environ=os.environ, **options):
    """The server that `PGHOST` points at, else the embedded one in `data_dir`.

    :param options: passed to `start`
    """
    return external(environ) or start(data_dir, **options)


def external(environ=os.environ):
    """The server that `PGHOST` points at, or None.

    :raises EnvironmentFailure: it would be used as a role that Odoo refuses
    """
    if not environ.get("PGHOST"):
        return None
    user = environ.get("PGUSER") or pwd.getpwuid(os.geteuid()).pw_name
    if user == cluster.SUPERUSER:
        raise EnvironmentFailure(
            "Odoo refuses the PostgreSQL user postgres: set PGUSER to another role "
            "that may create databases."
        )
    return Server(
        host=environ["PGHOST"],
        port=environ.get("PGPORT") or str(cluster.PORT),
        user=user,
        password=environ.get("PGPASSWORD"),
    )


def start(
    data_dir,
    bin_dir=None,
    durable=True,
    max_connections=200,
    settings=None,
    initdb=(),
):
    """Start the embedded server in `data_dir`, creating it first when it is new.

    One that runs there already is returned as it is, and not ours to stop.

    :param bin_dir: where the server's programs are; by default as recorded
    :param durable: False gives up what a crash must not lose, for speed
    :param settings: further settings as in `postgresql.conf`
    :param initdb: further options of initdb, for a new one
    :raises EnvironmentFailure: it does not start
    """
    data_dir = Path(data_dir).resolve()
    bin_dir = Path(bin_dir or record.read(Layout())["postgres"]["bin"])
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with cluster.alone(data_dir):
        if cluster.running(data_dir):
            host = cluster.running_socket_folder(data_dir)
            return Server(host=host, data_dir=data_dir)
        command = cluster.as_user(data_dir, bin_dir)
        if not (data_dir / "PG_VERSION").exists():
            cluster.initialize(data_dir, bin_dir, command, initdb)
        host = cluster.socket_folder(data_dir)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": host,
            "port": cluster.PORT,
            "max_connections": max_connections,
            **({} if durable else {"fsync": "off", "full_page_writes": "off"}),
            **(settings or {}),
        }
        cluster.launch(data_dir, bin_dir, command, settings)
        # Odoo refuses the superuser's name.
        known = f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"
        if not cluster.psql(bin_dir, host, known):
            cluster.psql(bin_dir, host, f"CREATE ROLE {ROLE} LOGIN CREATEDB")
    return Server(host=host, data_dir=data_dir, started=True)


def stop(data_dir):
    """Stop the server in `data_dir`, whoever started it; returns whether one ran."""
    data_dir = Path(data_dir).resolve()
    if not cluster.running(data_dir):
        return False
    host = Path(cluster.running_socket_folder(data_dir))
    cluster.terminate(data_dir)
    if host != data_dir:
        shutil.rmtree(host, ignore_errors=True)
    return True


def stop_below(folder):
    """Stop every embedded server that has its data below `folder`."""
    for path, folders, files in os.walk(folder):
        if "postmaster.pid" in files:
            stop(path)
        if "PG_VERSION" in files or Path(path).name in ("prefix", "venv"):
            folders.clear()
