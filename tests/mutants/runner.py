"""Copies the tree, changes the copy, and runs tests there."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from ..support.environment import ROOT
from . import ADDON

#: A change that cannot run is no missing guard.
BROKEN = re.compile(
    r"\b(SyntaxError|IndentationError|NameError|ImportError|ModuleNotFoundError|"
    r"AttributeError|UndefinedColumn)\b"
)
SECONDS = 1_800


class MutantFailure(Exception):
    """A mutant cannot be made or judged: its description is out of date."""


@dataclasses.dataclass
class Tree:
    """A copy of the tracked files, with what was built linked to it.

    :param folder: where it is made, in place of what is there
    :param workspace: folder of the `Workspace` that all copies share
    """

    folder: Path
    workspace: Path
    environ: dict = dataclasses.field(default_factory=dict)

    def make(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in _tracked():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        build = self.folder / "build"
        build.mkdir()
        (build / "environment").symlink_to(ROOT / "build" / "environment")
        (build / "tests").symlink_to(self.workspace)
        return self

    def edit(self, mutant):
        """Take the mutant's guard out.

        :raises MutantFailure: an old text is not there, or not just once
        """
        for name, old, new in mutant.edits:
            path = self.folder / ADDON / name
            text = path.read_text(encoding="utf-8")
            if (count := text.count(old)) != 1:
                raise MutantFailure(f"{name} has this {count} times: {old!r}")
            text = text.replace(old, new)
            if path.suffix == ".py":
                compile(text, name, "exec")
            path.write_text(text, encoding="utf-8")

    def run(self, tests, sources=None):
        """Run tests; returns the text of its failure for each one that failed.

        :param tests: see `Mutant`
        :param sources: the tree whose templates are used; by default its own
        :raises MutantFailure: a test did not run to its end
        """
        self.environ = {**os.environ, "TEMPLATE_SOURCES": str(sources or self.folder)}
        outside = [test for test in tests if "::" in test]
        inside = [test for test in tests if "::" not in test]
        failures = {}
        if inside:
            failures |= self._run_inside(inside)
        if outside:
            failures |= self._run_outside(outside)
        return failures

    def _run_outside(self, tests):
        path = self.folder / "build" / "junit.xml"
        arguments = ["pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={path}"]
        output = self._call(path, *arguments, *tests)
        seen, failures = set(), {}
        for case in ET.parse(path).iter("testcase"):
            test = f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
            failure = case.find("failure")
            if failure is not None:
                failures[test] = failure.text or failure.get("message")
            if case.find("error") is None and case.find("skipped") is None:
                seen.add(test)
        if missing := set(tests) - seen:
            raise MutantFailure(f"did not run: {sorted(missing)}\n{output}")
        return failures

    def _run_inside(self, tests):
        path = self.folder / "build" / "inside.json"
        tags = [f"/{ADDON}:{test}" for test in tests]
        output = self._call(path, "tests.support.in_odoo", f"--json={path}", *tags)
        result = json.loads(path.read_text())
        if result["tests"] != len(tests):
            raise MutantFailure(f"ran {result['tests']} of {tests}\n{output}")
        return result["failures"]

    def _call(self, path, module, *arguments):
        """Run a Python module that writes a file; returns what it printed."""
        path.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.environ,
            timeout=SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        output = (done.stdout + done.stderr)[-4_000:]
        if not path.exists():
            raise MutantFailure(f"{module} ended with {done.returncode}\n{output}")
        return output


def _tracked():
    """The files of the working tree that git knows, or would if they were added."""
    output = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [name for name in output.split("\0") if name and (ROOT / name).is_file()]


def judge(mutant, failures):
    """What is wrong with the verdict on a mutant; nothing if it is killed."""
    problems = []
    for test in mutant.tests:
        if test not in failures:
            problems.append(f"survives {test}")
        elif found := BROKEN.search(failures[test]):
            problems.append(f"{test}: {found[0]}")
    return problems
