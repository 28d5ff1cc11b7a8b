"""`odoo.conf` as an operator would write it for one machine."""

import configparser
import dataclasses
from pathlib import Path

from .environment import ROOT

HOST = "127.0.0.1"


@dataclasses.dataclass
class Config:
    """What a server is started with.

    :param workers: HTTP processes, which run the jobs too; 0 for one process of threads
    :param channels: of queue_job, as in its documentation; None starts no job runner,
        as an `odoo.conf` that nobody touched does
    :param runner_url: (host, port) that the runner calls; by default the server itself
    :param options: further options, over the ones here
    :param pasted: text of a page, over all that; what only this machine knows is kept
    """

    database: str | None
    postgres: dict
    addons_path: tuple
    data_dir: Path
    log: Path
    port: int = 8069
    gevent_port: int = 8072
    workers: int = 0
    cron_threads: int = 1
    channels: str | None = None
    runner_url: tuple | None = None
    options: dict = dataclasses.field(default_factory=dict)
    pasted: str = ""

    def sections(self):
        """The file's content, by section."""
        host, port = self.runner_url or (HOST, self.port)
        # Odoo's default, and the runner.
        modules = ["base", "rpc", "web"] + (["queue_job"] if self.channels else [])
        values = {
            "addons_path": ",".join(str(path) for path in self.addons_path),
            "data_dir": self.data_dir,
            "logfile": self.log,
            "db_host": self.postgres["host"],
            "db_port": self.postgres["port"],
            "db_user": self.postgres["user"],
            "http_interface": HOST,
            "http_port": self.port,
            "gevent_port": self.gevent_port,
            "workers": self.workers,
            "max_cron_threads": self.cron_threads,
            "server_wide_modules": ",".join(modules),
            # The runner serves the databases that are named here.
            "db_name": self.database or False,
            "dbfilter": f"^{self.database}$" if self.database else "",
            "list_db": False,
            "with_demo": False,
            **self.options,
        }
        if self.postgres.get("password"):
            values["db_password"] = self.postgres["password"]
        sections = {"options": {name: str(value) for name, value in values.items()}}
        if self.channels:
            sections["queue_job"] = {
                "channels": self.channels,
                "scheme": "http",
                "host": host,
                "port": str(port),
            }
        self._paste(sections)
        return sections

    def _paste(self, sections):
        """Change sections as the pasted text says."""
        # As strict as Odoo: a section that is there twice is an error.
        parser = configparser.RawConfigParser()
        parser.read_string(self.pasted)
        for name in parser.sections():
            section = sections.setdefault(name, {})
            for option, value in parser[name].items():
                section[option] = self._known_here().get((name, option), value)

    def _known_here(self):
        """What pages have an example of, and only this machine knows."""
        host, port = self.runner_url or (HOST, self.port)
        return {
            ("options", "addons_path"): ",".join(
                str(path) for path in self.addons_path
            ),
            ("options", "http_port"): str(self.port),
            ("queue_job", "host"): host,
            ("queue_job", "port"): str(port),
            ("queue_job", "jobrunner_db_host"): str(self.postgres["host"]),
            ("queue_job", "jobrunner_db_port"): str(self.postgres["port"]),
        }

    def write(self, path):
        """Write the file and return its path."""
        parser = configparser.RawConfigParser()
        parser.read_dict(self.sections())
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as stream:
            parser.write(stream)
        return path


def addons_path(environment, extra=()):
    """Folders with addons: more ones first, then ours, then Odoo's."""
    return (*extra, ROOT, *environment.addons_path)
