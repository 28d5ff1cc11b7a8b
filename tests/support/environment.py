"""The environment that `setup/environment` built, as its record describes it."""

import dataclasses
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "build" / "environment" / "environment.json"


class EnvironmentMissing(RuntimeError):
    """There is no built environment; `make environment` builds it."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """Where the programs are, and which versions.

    :param python: interpreter that has Odoo and its requirements
    :param odoo: script to start: `python -m odoo` could not re-exec its children
    :param addons_path: folders with Odoo's addons; ours come on top
    :param faketime: library that gives a process a clock of its own, where there is one
    :param haproxy: program of the load balancer, where there is one
    """

    python: str
    odoo: str
    odoo_version: str
    queue_job_version: str
    addons_path: tuple
    chromium: str | None = None
    faketime: str | None = None
    haproxy: str | None = None

    @classmethod
    def load(cls, record=RECORD):
        try:
            values = json.loads(Path(record).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise EnvironmentMissing(
                "The environment is not built: run make environment."
            ) from None
        return cls(
            python=values["python"],
            odoo=values["odoo"],
            odoo_version=values["odoo_version"],
            queue_job_version=values["queue_job_version"],
            addons_path=tuple(values["addons_path"]),
            chromium=values.get("chromium"),
            faketime=values.get("faketime"),
            haproxy=values.get("haproxy"),
        )
