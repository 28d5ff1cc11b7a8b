"""The machine's own apt sources: where its Debian mirror is, and how to trust it.

Nothing in this repository names a host, so that a machine behind its own mirror builds
from that mirror.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from .errors import EnvironmentFailure

ETC_APT = Path("/etc/apt")
OS_RELEASE = Path("/etc/os-release")

# Names under which a release itself is offered, besides its code name; its updates,
# security fixes and backports are suites of their own.
RELEASES = {"stable", "oldstable", "testing", "unstable", "sid"}

# Options that say what to fetch rather than how to reach and trust the mirror.
SCOPE = {"architectures", "arch", "languages", "lang", "targets", "target", "pdiffs"}

ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^]]*)\]\s*)?"
    r"(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)"
)


@dataclass(frozen=True)
class Source:
    """An entry of apt's sources, whichever format it was written in."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: dict = field(default_factory=dict)

    def render(self, suite):
        """The entry of this mirror for another suite: nothing but its package index."""
        lines = [
            "Types: deb",
            f"URIs: {' '.join(self.uris)}",
            f"Suites: {suite}",
            "Components: main",
            "Targets: Packages",
            "Languages: none",
            *(f"{name}: {value}" for name, value in self.options.items()),
        ]
        return "\n".join(lines) + "\n"


def parse_deb822(text):
    """The enabled `deb` entries of a `.sources` file."""
    sources = []
    for paragraph in _paragraphs(text):
        fields = {name.lower(): value for name, value in paragraph.items()}
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        own = {"types", "uris", "suites", "components", "enabled"} | SCOPE
        sources.append(
            Source(
                uris=tuple(fields.get("uris", "").split()),
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                options={
                    name: value
                    for name, value in paragraph.items()
                    if name.lower() not in own and not name.lower().startswith("x-")
                },
            )
        )
    return sources


def _paragraphs(text):
    """Yield each paragraph as a dictionary; a value keeps its continuation lines."""
    paragraph, name = {}, None
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if paragraph:
                yield paragraph
            paragraph, name = {}, None
        elif line[0] in " \t" and name:
            paragraph[name] += f"\n{line}"
        elif ":" in line:
            name, _colon, value = line.partition(":")
            paragraph[name] = value.strip()


def parse_one_line(text):
    """The `deb` entries of a `.list` file: `deb [options] uri suite component …`."""
    sources = []
    for line in text.splitlines():
        if not (match := ONE_LINE.match(line.partition("#")[0].strip())):
            continue
        options = {}
        for option in (match["options"] or "").split():
            name, _equals, value = option.partition("=")
            if name.lower() not in SCOPE:
                options[name.title()] = value.replace(",", " ")
        components = tuple(match["components"].split())
        sources.append(Source((match["uri"],), (match["suite"],), components, options))
    return sources


def read(etc_apt=ETC_APT):
    """All entries below `etc_apt`, in the order in which apt reads them."""
    sources = []
    for path in [etc_apt / "sources.list", *sorted(etc_apt.glob("sources.list.d/*"))]:
        if path.suffix == ".list" and path.is_file():
            sources += parse_one_line(path.read_text(errors="replace"))
        elif path.suffix == ".sources" and path.is_file():
            sources += parse_deb822(path.read_text(errors="replace"))
    return sources


def code_name(os_release=OS_RELEASE):
    """The code name of this Debian release.

    :raises EnvironmentFailure: this is not Debian, whose mirror Odoo comes from
    """
    entries = {}
    if os_release.is_file():
        for line in os_release.read_text().splitlines():
            name, _equals, value = line.partition("=")
            entries[name] = value.strip("\"'")
    if entries.get("ID") != "debian":
        raise EnvironmentFailure(
            "Odoo 19 is missing and this is not Debian, whose package could be used: "
            "set ODOO_PATH to a checkout of it."
        )
    return entries.get("VERSION_CODENAME", "")


def choose(sources, release):
    """The entry that offers Debian's `main` for `release`, and the name of that suite.

    :raises EnvironmentFailure: there is none
    """
    for source in sources:
        if "main" not in source.components or not source.uris:
            continue
        if source.uris[0].startswith("cdrom:"):
            continue
        for suite in source.suites:
            if suite == release or suite in RELEASES:
                return source, suite
    raise EnvironmentFailure(
        "No Debian mirror is known here: apt's sources have no entry for "
        f"main of {release or 'this release'}."
    )
