"""Take each guard out of the addon, and see its tests fail.

    python -m tests.mutants [name ...]

Prints a line for each mutant, writes build/mutants/report.md, and ends with 1 if one
survives.
"""

import argparse
import sys
import time

from ..support.environment import ROOT
from ..support.process import end_as_interrupted
from ..support.workspace import Workspace
from . import MUTANTS, runner

BUILD = ROOT / "build" / "mutants"


def main(arguments=None):
    options = parse(arguments)
    end_as_interrupted()
    # Those that need a template of their own take the others' place: last.
    mutants = sorted(
        (MUTANTS[name] for name in options.names or MUTANTS),
        key=lambda mutant: mutant.installs,
    )
    verdicts = {}
    # Held open, so that PostgreSQL is started once.
    with Workspace(BUILD / "workspace"):
        original = runner.Tree(BUILD / "original", BUILD / "workspace").make()
        check_original(original, mutants)
        for mutant in mutants:
            begun = time.monotonic()
            verdicts[mutant.name] = execute(mutant, original)
            say(mutant, verdicts[mutant.name], time.monotonic() - begun)
    survivors = sum(bool(problems) for problems, _reasons in verdicts.values())
    print(f"mutants={len(verdicts)} killed={len(verdicts) - survivors}")
    if not options.names:
        (BUILD / "report.md").write_text(render(mutants, verdicts))
    return 1 if survivors else 0


def check_original(original, mutants):
    """Without a change, all of these tests pass.

    :raises MutantFailure: one does not
    """
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    if failures := original.run(tests, original.folder):
        raise runner.MutantFailure(f"fail without a change: {failures}")
    print(f"without a change: {len(tests)} tests pass", flush=True)


def execute(mutant, original):
    """What is wrong with the verdict, and why its tests failed."""
    tree = runner.Tree(BUILD / mutant.name, original.workspace).make()
    try:
        tree.edit(mutant)
        sources = None if mutant.installs else original.folder
        failures = tree.run(mutant.tests, sources)
    except runner.MutantFailure as failure:
        return [str(failure)], {}
    reasons = {test: reason(text) for test, text in failures.items()}
    return runner.judge(mutant, failures), reasons


def reason(text):
    """The line of a traceback that says what failed, as pytest or Python prints it."""
    _before, _traceback, last = text.rpartition("Traceback (most recent call last):")
    lines = [line for line in text.splitlines() if line.startswith("E ")]
    lines += [line for line in last.splitlines() if line[:1].strip()]
    # A bar would end the cell of the page's table.
    return lines[0].removeprefix("E ").strip()[:120].replace("|", "¦") if lines else ""


def say(mutant, verdict, seconds):
    problems, reasons = verdict
    print(
        f"{mutant.name}: {'SURVIVES' if problems else 'killed'} ({seconds:.0f} s)",
        flush=True,
    )
    for line in problems or reasons.values():
        print(f"    {line}", flush=True)


def render(mutants, verdicts):
    """The page as Markdown."""
    lines = [
        "# Guards taken out, one by one",
        "",
        "| Missing | Test that fails | How |",
        "| --- | --- | --- |",
    ]
    for mutant in mutants:
        problems, reasons = verdicts[mutant.name]
        lines += [f"| {mutant.what} | **survives** | {p} |" for p in problems]
        lines += [
            f"| {mutant.what} | `{test.rpartition(':')[2]}` | `{text}` |"
            for test, text in reasons.items()
        ]
    return "\n".join([*lines, ""])


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__
    )
    parser.add_argument("names", nargs="*", help="by default all")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(MUTANTS):
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
