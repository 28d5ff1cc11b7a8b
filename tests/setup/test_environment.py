"""The builder of the environment: what it uses, what it redoes, how it fails."""

import doctest
import subprocess
import sys

import pytest

from setup.environment import (
    apt,
    cli,
    odoo_source,
    process,
    record,
    steps,
    virtualenv,
)
from setup.environment.errors import EnvironmentFailure
from setup.environment.layout import REPOSITORY, Layout


@pytest.fixture
def layout(tmp_path):
    return Layout(tmp_path / "environment")


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


@pytest.mark.parametrize("module", [apt, process])
def test_the_examples_in_docstrings_hold(module):
    assert doctest.testmod(module).attempted
    assert not doctest.testmod(module).failed
