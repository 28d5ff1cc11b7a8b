"""Which Odoo is used: one that is given, or Debian's package unpacked into a prefix."""

import json
import re
import runpy
from dataclasses import dataclass
from pathlib import Path

from . import apt, apt_sources
from .console import notice
from .errors import EnvironmentFailure
from .layout import HERE
from .steps import Step, replacing

LOCK = json.loads((HERE / "packages.json").read_text(encoding="utf-8"))

DIST_PACKAGES = Path("usr/lib/python3/dist-packages")
ICONS = Path("usr/share/fonts-font-awesome/fonts/fontawesome-webfont.woff2")


@dataclass(frozen=True)
class Odoo:
    """An Odoo on disk: `parent` is the folder that goes on Python's path."""

    parent: Path
    version: str

    @property
    def addons_path(self):
        """The folders with Odoo's own addons, as for `--addons-path`."""
        folders = (self.parent / "addons", self.parent / "odoo" / "addons")
        return [folder for folder in folders if folder.is_dir()]


def inspect(parent, version=None):
    """The Odoo below `parent`.

    :param version: how its package calls it, when there is one
    :raises EnvironmentFailure: there is none, or it is of another series
    """
    release = parent / "odoo" / "release.py"
    if not release.is_file():
        raise EnvironmentFailure(f"There is no Odoo in {parent}.")
    told = runpy.run_path(str(release))
    check_series(told["series"], f"The Odoo in {parent}")
    return Odoo(parent=parent, version=version or told["version"])


def check_series(version, what):
    """Refuse another series than the one that the addons are for.

    :raises EnvironmentFailure: `version` is of another series
    """
    series = re.match(r"(?:\d+:)?(\d+\.\d+|[^+-]*)", str(version))[1]
    if series != LOCK["series"]:
        raise EnvironmentFailure(
            f"{what} is {version}, and these addons are for {LOCK['series']}: "
            "set ODOO_PATH to a checkout of that."
        )


def given(environ, probe):
    """The Odoo that this machine already has, or None.

    :param environ: `ODOO_PATH` names a checkout, a prefix or a `dist-packages` folder
    :param probe: what `virtualenv.probe` found in the interpreter
    :raises EnvironmentFailure: `ODOO_PATH` holds no Odoo of our series
    """
    if path := environ.get("ODOO_PATH"):
        path = Path(path).expanduser().resolve()
        prefixed = path / DIST_PACKAGES
        return inspect(prefixed if (prefixed / "odoo").is_dir() else path)
    if not probe.odoo_parent:
        return None
    try:
        return inspect(Path(probe.odoo_parent))
    except EnvironmentFailure as error:
        notice(f"{error} It is not used.")
        return None


def packaged(layout):
    """The Odoo that `debian_steps` unpacked."""
    archive = next(layout.packages.glob(f"{LOCK['server']}_*.deb"))
    return inspect(layout.prefix / DIST_PACKAGES, apt.package_version(archive.name))


def debian_steps(layout):
    """Yield the steps that fetch and unpack Debian's package.

    Its stripped web libraries and fonts are links into other packages. The icons are
    those of the machine's own suite: unstable's no longer has the files.
    """
    log = layout.logs / "packages.log"
    yield Step(
        name="packages",
        inputs=LOCK,
        run=lambda: _download(layout, log),
        products=(layout.packages,),
    )
    archives = sorted(layout.packages.glob("*.deb"))
    yield Step(
        name="prefix",
        inputs=[archive.name for archive in archives],
        run=lambda: _unpack(layout, archives, log),
        products=(layout.prefix / DIST_PACKAGES / "odoo",),
    )


def _download(layout, log):
    release = apt_sources.code_name()
    source, own_suite = apt_sources.choose(apt_sources.read(), release)
    wanted = {
        LOCK["suite"]: [LOCK["server"], *LOCK["libraries"]],
    }
    wanted.setdefault(own_suite, []).extend(LOCK["own_suite"])
    kept = set()
    for suite, packages in wanted.items():
        suite_apt = apt.Apt(layout.apt / suite, source, suite, log)
        suite_apt.update()
        for archive in suite_apt.archives(packages):
            if apt.package_name(archive) == LOCK["server"]:
                _judge(apt.package_version(archive), suite)
        kept.update(suite_apt.download(packages, layout.packages))
    for stale in layout.packages.glob("*.deb"):
        if stale.name not in kept:
            stale.unlink()


def _judge(version, suite):
    """The suite offers only its current build: say so when it is not the one tried."""
    check_series(version, f"The Odoo of Debian {suite}")
    if version != LOCK["tried"]:
        notice(f"Odoo {version} is used, though {LOCK['tried']} is what was tried.")


def _unpack(layout, archives, log):
    with replacing(layout.prefix) as partial:
        apt.unpack(archives, partial, log)
    if not (layout.prefix / ICONS).exists():
        notice("this Debian's fonts-font-awesome lacks the icons of the web client.")
