"""Databases with addons installed, made once and copied ever after.

Installing takes half a minute, copying half a second. A template is known by what it
was made of: the sources of our addons, the version of Odoo, the pinned versions of
everybody else's. What is not ours is most of it, and installed once for all templates:
they begin as its copies.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from .config import Config, addons_path
from .environment import ROOT
from .process import Process

FOUNDATION = ("mass_mailing", "queue_job")
REQUIREMENTS = ROOT / "setup" / "environment" / "requirements.txt"
# The cron process is a polite one: where others work it vacuums for many seconds, does
# nothing else meanwhile, and is waited for when the server is stopped.
VACUUMED = """
    UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'utc' + interval '1 day'
      FROM ir_model_data data
     WHERE data.module = 'base' AND data.name = 'autovacuum_job'
       AND data.res_id = ir_cron.id
"""
INSTALL_SECONDS = 900
#: Whose sources name a template: a changed copy of ours that installs the same data may
#: use the original's.
SOURCES = Path(os.environ.get("TEMPLATE_SOURCES", ROOT))
IGNORED = {".pot", ".pyc"}
IGNORED_FOLDERS = {"__pycache__", "readme", "tests"}


class Templates:
    """Installs into templates and hands out copies.

    :param folder: for the logs of the installations and their locks
    :param data_dir: Odoo's, where the files of attachments are
    """

    def __init__(self, environment, postgres, folder, data_dir):
        self.environment = environment
        self.postgres = postgres
        self.folder = Path(folder)
        self.data_dir = Path(data_dir)

    def clone(self, name, modules, extra_addons=()):
        """A new database `name` with `modules` installed and no demo data.

        :param extra_addons: folders with further addons, see `addons_path`
        """
        template = self.template(tuple(modules), tuple(extra_addons))
        database = self.copy(template, name)
        # Two databases of one identity are what neutralizing is about: not here.
        database.execute(
            "UPDATE ir_config_parameter SET value = gen_random_uuid()::text "
            "WHERE key = 'database.uuid'"
        )
        return database

    def copy(self, original, name):
        """A new database `name` that is `original` to the last row, files included.

        :param original: its name; nobody may be connected to it
        """
        database = self.postgres.clone(original, name)
        files = self.data_dir / "filestore"
        # Odoo never writes into a file of its store, it only adds and removes some.
        shutil.copytree(files / original, files / name, copy_function=os.link)
        return database

    def forget(self, name):
        """Drop a copy and its files."""
        self.postgres.drop(name)
        shutil.rmtree(self.data_dir / "filestore" / name, ignore_errors=True)

    def template(self, modules, extra_addons=()):
        """The name of the template with `modules`, which is installed when missing."""
        roots = (*(Path(path) for path in extra_addons), SOURCES)

        def make(partial):
            self.copy(self.foundation(), partial).close()
            self._install(partial, modules, extra_addons)

        kind = _digest([*modules, *map(str, extra_addons)])[:8]
        # Without an addon of ours it is the same whatever their sources say.
        ours = any((root / module).exists() for root in roots for module in modules)
        content = [*self._versions(), *(sources(roots) if ours else ())]
        return self._made(kind, content, make)

    def foundation(self):
        """The name of the template with what is not ours."""

        def make(partial):
            self._install(partial, FOUNDATION)
            with contextlib.closing(self.postgres.database(partial)) as database:
                database.execute(VACUUMED)

        return self._made(
            "foundation", [*FOUNDATION, VACUUMED, *self._versions()], make
        )

    def _versions(self):
        return self.environment.odoo_version, REQUIREMENTS.read_bytes()

    def _made(self, kind, content, make):
        """The name of the template of a kind, made when there is none of this content.

        :param make: installs into the database whose name it is given
        """
        name = f"template_{kind}_{_digest(content)[:12]}"
        files = self.data_dir / "filestore"
        with self._alone(kind):
            if name not in self.postgres.names() or not (files / name).exists():
                self._forget_others(f"template_{kind}_")
                partial = f"{name}_part"
                self.forget(partial)
                make(partial)
                (files / partial).mkdir(parents=True, exist_ok=True)
                shutil.rmtree(files / name, ignore_errors=True)
                (files / partial).rename(files / name)
                # Last: its name says that it is whole.
                self.postgres.rename(partial, name)
        return name

    def _install(self, name, modules, extra_addons=()):
        log = self.folder / f"{name}.log"
        config = Config(
            database=name,
            postgres=self.postgres.parameters,
            addons_path=addons_path(self.environment, extra_addons),
            data_dir=self.data_dir,
            log=log,
        )
        process = Process(
            f"installing {', '.join(modules)}",
            [
                self.environment.odoo,
                "-c",
                config.write(self.folder / f"{name}.conf"),
                "-i",
                ",".join(modules),
                "--without-demo",
                "--stop-after-init",
                "--no-http",
            ],
            log=log,
        )
        try:
            if process.join(INSTALL_SECONDS):
                raise process.failure("failed")
        finally:
            process.stop()
        missing = self._not_installed(name, modules)
        if missing:
            raise process.failure(f"left out {', '.join(missing)}")

    def _not_installed(self, name, modules):
        with contextlib.closing(self.postgres.database(name)) as database:
            installed = database.column(
                "SELECT name FROM ir_module_module WHERE state = 'installed'"
            )
        return set(modules) - set(installed)

    def _forget_others(self, prefix):
        for name in self.postgres.names():
            if name.startswith(prefix):
                self.forget(name)

    @contextlib.contextmanager
    def _alone(self, kind):
        """Two runs that need the same template make it once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{kind}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def sources(roots):
    """Path and content of every file that an installation of our addons reads."""
    for root in roots:
        for manifest in sorted(root.glob("*/__manifest__.py")):
            for folder, folders, files in os.walk(manifest.parent):
                folders[:] = sorted(set(folders) - IGNORED_FOLDERS)
                for file in sorted(files):
                    path = Path(folder, file)
                    if path.suffix not in IGNORED:
                        yield str(path.relative_to(root))
                        yield path.read_bytes()


def _digest(parts):
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        # The length apart, so that no two lists of parts read the same.
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()
