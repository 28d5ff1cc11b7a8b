"""The builder of the environment: what it reads, what it redoes, how it fails."""

import doctest
import subprocess
import sys

import pytest

from setup.environment import (
    apt,
    apt_sources,
    cli,
    odoo_source,
    postgres,
    process,
    record,
    steps,
    virtualenv,
)
from setup.environment.errors import EnvironmentFailure
from setup.environment.layout import REPOSITORY, Layout

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
deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] https://mirror.test/debian bookworm main contrib # ours
"""


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "environment")


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
    assert source.options == {"Signed-By": "/usr/share/keyrings/a.gpg"}
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


class Recorder:
    """A step's work that can be interrupted, and counts."""

    def __init__(self, product, fail=False):
        self.product = product
        self.fail = fail
        self.runs = 0

    def __call__(self):
        self.runs += 1
        self.product.write_text("half")
        if self.fail:
            raise KeyboardInterrupt
        self.product.write_text("whole")


@pytest.fixture
def stamps(tmp_path):
    return steps.Stamps(tmp_path / "stamps")


def make_step(work, inputs="inputs"):
    return steps.Step("step", inputs, work, (work.product,))


def test_a_step_is_done_once(stamps, tmp_path):
    work = Recorder(tmp_path / "product")
    assert stamps.perform(make_step(work))
    assert not stamps.perform(make_step(work))
    assert work.runs == 1


def test_a_half_built_step_is_redone(stamps, tmp_path):
    work = Recorder(tmp_path / "product", fail=True)
    with pytest.raises(KeyboardInterrupt):
        stamps.perform(make_step(work))
    work.fail = False
    assert stamps.perform(make_step(work))
    assert work.product.read_text() == "whole"


def test_a_step_that_is_being_redone_is_no_longer_done(stamps, tmp_path):
    work = Recorder(tmp_path / "product")
    stamps.perform(make_step(work))
    work.fail = True
    with pytest.raises(KeyboardInterrupt):
        stamps.perform(make_step(work, "other inputs"))
    assert not stamps.is_done(make_step(work))


def test_a_step_is_redone_when_its_inputs_change_or_its_product_is_gone(
    stamps, tmp_path
):
    work = Recorder(tmp_path / "product")
    stamps.perform(make_step(work))
    assert stamps.perform(make_step(work, "other inputs"))
    work.product.unlink()
    assert stamps.perform(make_step(work, "other inputs"))


def test_a_folder_is_replaced_when_the_new_one_is_whole(tmp_path):
    folder = tmp_path / "folder"
    for text in ("old", "new"):
        with steps.replacing(folder) as partial:
            (partial / "file").write_text(text)
    with pytest.raises(KeyboardInterrupt), steps.replacing(folder) as partial:
        (partial / "file").write_text("half")
        raise KeyboardInterrupt
    assert (folder / "file").read_text() == "new"


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


@pytest.mark.parametrize(
    "version", ["19.0", "19.0.0+dfsg-1", "1:19.0.5-2", "19.0-2026"]
)
def test_a_build_of_the_series_is_accepted(version):
    odoo_source.check_series(version, "Odoo")


@pytest.mark.parametrize(
    "version", ["18.0", "19.1.0+dfsg-1", "190.0", "saas~19.1", "x"]
)
def test_another_series_is_refused(version):
    with pytest.raises(EnvironmentFailure, match="these addons are for 19.0"):
        odoo_source.check_series(version, "Odoo")


def make_odoo(folder, series):
    (folder / "odoo" / "addons").mkdir(parents=True)
    release = f"series = {series!r}\nversion = series + '-2026'\n"
    (folder / "odoo" / "release.py").write_text(release)
    return folder


def make_probe(odoo_parent=None):
    return virtualenv.Probe("python", None, (3, 11, 0), True, odoo_parent)


@pytest.mark.parametrize("below", [".", odoo_source.DIST_PACKAGES])
def test_a_checkout_or_a_prefix_that_is_given_is_used(tmp_path, below):
    parent = make_odoo(tmp_path / below, "19.0")
    odoo = odoo_source.given({"ODOO_PATH": str(tmp_path)}, make_probe())
    assert odoo.version == "19.0-2026"
    assert odoo.addons_path == [parent / "odoo" / "addons"]


def test_an_odoo_that_python_imports_is_used_when_it_is_of_the_series(tmp_path, capsys):
    right = str(make_odoo(tmp_path / "right", "19.0"))
    wrong = str(make_odoo(tmp_path / "wrong", "18.0"))
    assert odoo_source.given({}, make_probe(right)).version == "19.0-2026"
    assert odoo_source.given({}, make_probe(wrong)) is None
    assert "notice" in capsys.readouterr().out


def run_builder(layout, *arguments, **environ):
    """Run the real command; returns its result."""
    return subprocess.run(
        [sys.executable, "setup/environment", "--into", layout.root, *arguments],
        cwd=REPOSITORY,
        env={"PATH": "/nowhere", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "named"),
    [
        ([], {"ODOO_PYTHON": "/nowhere/python3"}, "/nowhere/python3"),
        (["show"], {}, "python3 setup/environment"),
    ],
)
def test_a_failure_is_one_sentence_that_names_what_is_missing(
    layout, arguments, environ, named
):
    result = run_builder(layout, *arguments, **environ)
    assert result.returncode == 1
    (sentence,) = result.stderr.splitlines()
    assert named in sentence
    assert sentence.endswith(".")


def test_a_folder_that_is_not_ours_is_not_removed(layout):
    layout.root.mkdir()
    (layout.root / "precious").touch()
    result = run_builder(layout, "clean")
    assert result.returncode == 1
    assert (layout.root / "precious").exists()


def test_nothing_is_promised_while_a_step_is_redone(layout, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    step = steps.Step("venv", "inputs", interrupted)
    monkeypatch.setattr(virtualenv, "venv_step", lambda *_arguments: step)
    record.write(layout, {"python": "of yesterday"})
    assert cli.main(["--into", str(layout.root), "build"]) == 130
    assert not layout.record.exists()


def test_a_postgresql_that_is_given_is_used(tmp_path):
    environ = {"PGHOST": "db.test", "PGUSER": "me", "PGPASSWORD": "secret"}
    server = postgres.ensure(tmp_path / "data", environ)
    assert server.environ() == {**environ, "PGPORT": "5432"}
    assert not server.stop()
    assert not (tmp_path / "data").exists()


def test_a_postgresql_is_not_used_as_a_role_that_odoo_refuses():
    with pytest.raises(EnvironmentFailure, match="PGUSER"):
        postgres.external({"PGHOST": "db.test", "PGUSER": "postgres"})


def test_the_embedded_postgresql_is_stopped_by_who_started_it(tmp_path):
    with postgres.start(tmp_path / "data", durable=False) as server:
        other = postgres.start(tmp_path / "data")
        assert (other.host, other.pid) == (server.host, server.pid)
        assert not other.stop()
        assert server.pid
    assert not server.pid


@pytest.mark.parametrize("module", [apt, process])
def test_the_examples_in_docstrings_hold(module):
    assert doctest.testmod(module).attempted
    assert not doctest.testmod(module).failed
