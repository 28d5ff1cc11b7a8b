"""Compares, prints a table, writes `build/upstream/report.md`."""

import argparse
import sys

from ..support.environment import ROOT
from ..support.process import end_as_interrupted
from ..support.workspace import Workspace
from . import report, runs
from .suites import FAMILIES, chosen

BUILD = ROOT / "build"


def main():
    names = [name for family in FAMILIES for name in family.suites]
    parser = argparse.ArgumentParser(
        prog="python -m tests.upstream",
        description=f"Run other people's tests without and with our addons. {__doc__}",
    )
    parser.add_argument(
        "suites", nargs="*", help=f"of {', '.join(names)}; default: all"
    )
    parser.add_argument(
        "--browser", action="store_true", help="run those that need a browser, too"
    )
    options = parser.parse_args()
    try:
        families = list(chosen(options.suites))
    except ValueError as error:
        parser.error(str(error))
    end_as_interrupted()
    results, unexplained, stale = [], [], []
    with Workspace(BUILD / "tests") as workspace:
        environment = workspace.environment
        for family in families:
            with workspace.scope() as scope:
                without, beside, seconds = runs.run_both(scope, family, options.browser)
            print(f"{', '.join(family.suites)}: {seconds:.0f} s", flush=True)
            results.append((family.suites, without, beside))
            more_unexplained, more_stale = report.unexpected(without, beside)
            unexplained += more_unexplained
            stale += more_stale
    text = report.render(
        results,
        f"Odoo {environment.odoo_version}, queue_job {environment.queue_job_version}",
    )
    path = BUILD / "upstream" / "report.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(text)
    if stale:
        print(f"Explained, and yet passing: {stale}")
    sys.exit(bool(unexplained or stale))


if __name__ == "__main__":
    main()
