"""What `make mutants` takes out is still there, and its judge is no friend of ours."""

import ast

import pytest

from .mutants import ADDON, MUTANTS, Mutant, runner
from .support.environment import ROOT


def find_tests(path):
    """The tests of a file: `test_name`, or `TestCase.test_name`."""
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef) and inner.name.startswith("test_"):
                prefix = "" if inner is node else f"{node.name}."
                yield f"{prefix}{inner.name}"


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_can_be_made(mutant, tmp_path):
    """Its old texts are there, each once, and its tests exist."""
    for name, *_texts in mutant.edits:
        path = tmp_path / ADDON / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((ROOT / ADDON / name).read_text(encoding="utf-8"))
    runner.Tree(tmp_path, tmp_path).edit(mutant)
    inside = {
        test
        for path in (ROOT / ADDON / "tests").glob("test_*.py")
        for test in find_tests(path)
    }
    for test in mutant.tests:
        path, _colons, name = test.partition("[")[0].partition("::")
        assert name in find_tests(path) if name else test in inside, test


def test_a_mutant_is_killed_by_all_of_its_tests_for_a_reason():
    """One that passes is a survivor; one that cannot run proves nothing."""
    guard = Mutant("guard", "a guard", (), ("TestCase.test_a", "TestCase.test_b"))
    failed = {test: "AssertionError: 2 != 1" for test in guard.tests}
    assert not runner.judge(guard, failed)
    assert runner.judge(guard, {"TestCase.test_a": "AssertionError"}) == [
        "survives TestCase.test_b"
    ]
    failed["TestCase.test_a"] = "NameError: name 'x' is not defined"
    assert runner.judge(guard, failed) == ["TestCase.test_a: NameError"]
