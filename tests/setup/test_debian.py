"""The machine's Debian mirror, and what is fetched from it."""

import pytest

from setup.environment import apt, apt_sources
from setup.environment.errors import EnvironmentFailure

DEB822 = """\
# Updates come first here, and are no place for a whole release.
Types: deb
URIs: https://mirror.test/security
Suites: bookworm-security
Components: main

Types: deb-src
URIs: https://mirror.test/sources
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: https://mirror.test/disabled
Suites: bookworm
Components: main

Types: deb deb-src
URIs: https://mirror.test/debian https://other.test/debian
Suites: bookworm-updates bookworm
Components: main contrib
Architectures: amd64
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----
"""

ONE_LINE = """\
deb cdrom:[Debian 12]/ bookworm main
# deb https://mirror.test/commented bookworm main
deb-src https://mirror.test/sources bookworm main
deb https://tool.test/apt bookworm stable
deb [arch=amd64 signed-by=/keyrings/a.gpg] https://mirror.test/debian bookworm main # us
"""


def test_a_deb822_file_gives_the_mirror_of_the_release():
    source, suite = apt_sources.choose(apt_sources.parse_deb822(DEB822), "bookworm")
    assert source.uris == ("https://mirror.test/debian", "https://other.test/debian")
    assert suite == "bookworm"


def test_an_entry_for_another_suite_is_trusted_as_the_machine_trusts_it():
    source, _suite = apt_sources.choose(apt_sources.parse_deb822(DEB822), "bookworm")
    (entry,) = apt_sources.parse_deb822(source.render("unstable"))
    assert (entry.uris, entry.suites) == (source.uris, ("unstable",))
    assert entry.options == source.options
    assert "END PGP PUBLIC KEY BLOCK" in entry.options["Signed-By"]


def test_a_one_line_file_gives_the_mirror_of_the_release():
    sources = apt_sources.parse_one_line(ONE_LINE)
    source, suite = apt_sources.choose(sources, "bookworm")
    assert source.uris == ("https://mirror.test/debian",)
    assert source.options == {"Signed-By": "/keyrings/a.gpg"}
    assert suite == "bookworm"


def test_both_formats_are_read(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "old.sources.disabled").write_text(DEB822)
    sources = apt_sources.read(tmp_path)
    assert sources == [
        *apt_sources.parse_one_line(ONE_LINE),
        *apt_sources.parse_deb822(DEB822),
    ]


def test_a_machine_without_a_debian_mirror_is_told_so():
    with pytest.raises(EnvironmentFailure, match="No Debian mirror is known here"):
        apt_sources.choose(apt_sources.parse_deb822(DEB822), "trixie")


def test_another_system_than_debian_is_told_what_to_set(tmp_path):
    (tmp_path / "os-release").write_text('ID=other\nVERSION_CODENAME="bookworm"\n')
    with pytest.raises(EnvironmentFailure, match="ODOO_PATH"):
        apt_sources.code_name(tmp_path / "os-release")


@pytest.fixture
def fake_apt(tmp_path, monkeypatch):
    """An apt that offers two packages and notes what it is asked to fetch."""
    offered = ["one_1.0_all.deb", "two_2%3a1.0_all.deb"]
    fetched = []

    def fake_run(command, log, on_line=None, cwd=None):
        if "--print-uris" in command:
            return "\n".join(f"'https://mirror.test/{n}' {n} 9 X:0" for n in offered)
        name = command[-1]
        fetched.append(name)
        archive = next(n for n in offered if apt.package_name(n) == name)
        (cwd / archive).write_text("whole")
        return ""

    monkeypatch.setattr(apt, "run", fake_run)
    fake = apt.Apt(tmp_path / "apt", None, "suite", tmp_path / "log")
    return fake, fetched


def test_an_interrupted_download_goes_on_with_what_is_missing(fake_apt, tmp_path):
    fake, fetched = fake_apt
    into = tmp_path / "packages"
    (into / "two_2%3a1.0_all.deb.part").mkdir(parents=True)
    (into / "two_2%3a1.0_all.deb.part" / "two_2%3a1.0_all.deb").write_text("half")
    (into / "one_1.0_all.deb").write_text("whole")
    assert fake.download(["one", "two"], into) == [
        "one_1.0_all.deb",
        "two_2%3a1.0_all.deb",
    ]
    assert fetched == ["two"]
    assert {path.name: path.read_text() for path in into.iterdir()} == {
        "one_1.0_all.deb": "whole",
        "two_2%3a1.0_all.deb": "whole",
    }
