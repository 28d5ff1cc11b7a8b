"""The virtual environment: pinned requirements, Odoo on the path, a real script."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

from . import apt
from .console import Progress, notice, say
from .errors import CommandFailed, EnvironmentFailure
from .layout import HERE
from .process import run
from .steps import Step, write_atomically

REQUIREMENTS = HERE / "requirements.txt"

# Odoo 19 goes up to 3.13, the lock file starts at 3.11.
OLDEST, NEWEST = (3, 11), (3, 13)

PROBE = """\
import importlib.util, json, os, sys
print(json.dumps({
    "version": sys.version_info[:3],
    "ensurepip": bool(importlib.util.find_spec("ensurepip")),
    "odoo_parent": next((path for path in sys.path if path and
        os.path.isfile(os.path.join(path, "odoo", "release.py"))), None),
}))
"""

# Prefork workers start their helpers with the path of the script that was run: a
# module (`python -m odoo`) would not do.
SCRIPT = """\
#!{python}
import odoo.cli

if __name__ == "__main__":
    odoo.cli.main()
"""

# Names that Odoo's metadata asks for, and what we install in their place: psycopg2 has
# no wheels, PyPDF2 is the former name of pypdf and warns at every start. Without a
# record of the names, `pip check` would miss them.
ALIASES = {"psycopg2": "psycopg2-binary", "PyPDF2": "pypdf"}
ALIAS = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: Stands for {target}
Requires-Dist: {target}=={version}
"""


@dataclass(frozen=True)
class Probe:
    """What an interpreter told about itself.

    `wanted` is `ODOO_PYTHON`: when it is not set, an environment that was built with
    one interpreter serves who comes with another, so this is what it derives from.
    """

    interpreter: str
    wanted: str | None
    version: tuple
    ensurepip: bool
    odoo_parent: str


def probe(environ):
    """Look at the interpreter to build with: `ODOO_PYTHON`, or the one that runs this.

    :raises EnvironmentFailure: it does not run, or is none that Odoo 19 runs on
    """
    # The base one: within a virtual environment of ours, it would describe itself.
    default = getattr(sys, "_base_executable", None) or sys.executable
    wanted = environ.get("ODOO_PYTHON") or None
    interpreter = shutil.which(wanted or default)
    if not interpreter:
        raise EnvironmentFailure(f"There is no Python at {wanted or default}.")
    # Away from the checkout, which would be on the path.
    result = subprocess.run(
        [interpreter, "-c", PROBE], cwd="/", capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise EnvironmentFailure(f"{interpreter} is no Python 3 that works.")
    told = json.loads(result.stdout)
    version = tuple(told["version"])
    if not OLDEST <= version[:2] <= NEWEST:
        raise EnvironmentFailure(
            f"{interpreter} is Python {'.'.join(map(str, version))}, and Odoo 19 with "
            f"these requirements needs 3.{OLDEST[1]} to 3.{NEWEST[1]}: set ODOO_PYTHON."
        )
    return Probe(
        interpreter=interpreter,
        wanted=wanted,
        version=version,
        ensurepip=told["ensurepip"],
        odoo_parent=told["odoo_parent"],
    )


def venv_step(layout, probed):
    """The virtual environment with all that `requirements.txt` pins.

    It is one step, started over when interrupted: of a half-installed package, nothing
    tells that it is one. What was downloaded is kept in a cache of ours.
    """
    return Step(
        name="venv",
        inputs=[probed.wanted, REQUIREMENTS.read_text()],
        run=lambda: _create(layout, probed),
        products=(layout.python,),
    )


def _create(layout, probed):
    log = layout.logs / "venv.log"
    if not probed.ensurepip:
        apt.install("python3-venv", "Python's module ensurepip", log)
    shutil.rmtree(layout.venv, ignore_errors=True)
    run([probed.interpreter, "-m", "venv", layout.venv], log)
    pins = [
        line for line in REQUIREMENTS.read_text().splitlines() if line[:1].isalnum()
    ]
    say(f"installing {len(pins)} Python packages, downloading what is not cached")
    progress, collected = Progress("Python packages"), 0

    def on_line(line):
        nonlocal collected
        if line.startswith(("Collecting ", "Processing ")):
            collected += 1
            progress.at(collected / len(pins))

    try:
        # The lock file is complete, and has no Odoo: pip is not to look for one.
        run(
            [layout.python, "-m", "pip", "install", "--no-deps", "-r", REQUIREMENTS],
            log,
            on_line,
            env={
                **os.environ,
                "PIP_CACHE_DIR": str(layout.pip_cache),
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PYTHONNOUSERSITE": "1",
            },
        )
    except CommandFailed as error:
        raise EnvironmentFailure(
            f"The Python requirements do not install: {error.cause} "
            f"(all of it is in {log})."
        ) from error


def link_step(layout, odoo, ours):
    """Odoo on the environment's path, and its script.

    :param ours: whether this Odoo is the one that we fetched
    """
    return Step(
        name="link",
        inputs=[str(odoo.parent), odoo.version, SCRIPT, ALIASES],
        run=lambda: _link(layout, odoo, ours),
        # In the virtual environment: gone when that is made anew.
        products=(layout.odoo_script,),
    )


def _link(layout, odoo, ours):
    log = layout.logs / "link.log"
    site = site_packages(layout)
    (site / "odoo.pth").write_text(f"{odoo.parent}\n")
    for name, target in ALIASES.items():
        _write_alias(layout, name, target)
    script = SCRIPT.format(python=layout.python)
    write_atomically(layout.odoo_script, script, mode=0o755)
    try:
        run([layout.odoo_script, "--version"], log, cwd="/")
        run([layout.python, "-m", "pip", "check"], log)
    except CommandFailed as error:
        sentence = f"Odoo does not fit its requirements: {error.cause}."
        if ours:
            raise EnvironmentFailure(sentence) from error
        notice(sentence)


def _write_alias(layout, name, target):
    """Record the distribution `name`, which is installed as `target`."""
    version = installed_version(layout, target)
    folder = site_packages(layout) / f"{name}-{version}.dist-info"
    folder.mkdir(exist_ok=True)
    metadata = ALIAS.format(name=name, version=version, target=target)
    (folder / "METADATA").write_text(metadata)
    records = [f"{folder.name}/{file},,\n" for file in ("METADATA", "RECORD")]
    (folder / "RECORD").write_text("".join(records))


def site_packages(layout):
    """Where the environment's packages are."""
    return next(layout.venv.glob("lib/python3*/site-packages"))


def installed_version(layout, distribution):
    """The version of a distribution that the lock file pins."""
    name = re.sub(r"[-.]+", "_", distribution)
    folder = next(site_packages(layout).glob(f"{name}-*.dist-info"))
    return folder.name.removesuffix(".dist-info").partition("-")[2]
