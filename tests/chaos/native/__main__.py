"""Show each hazard on an Odoo without our addons, and write build/chaos/native.md.

    python -m tests.chaos.native [H1 H5 ...]

Ends with 1 if Odoo does not fail any more where the list of hazards says so.
"""

import argparse
import sys
from pathlib import Path

from ...support.environment import ROOT
from ...support.hazards import hazards
from ...support.workspace import Workspace
from .. import report
from . import NATIVE

HERE = Path(__file__).parent
PAGE = ROOT / "build" / "chaos" / "native.md"


def main(arguments=None):
    options = parse(arguments)
    with Workspace(ROOT / "build" / "tests") as workspace:
        title = f"# Odoo {workspace.environment.odoo_version} without our addons"
        # What shows them may have changed since.
        known = report.digest([title, *map(Path.read_bytes, sorted(HERE.glob("*.py")))])
        if options.once and PAGE.exists() and PAGE.read_text().endswith(mark(known)):
            return 0
        seen = {}
        for code in options.codes or NATIVE:
            with workspace.scope() as scope:
                seen[code] = NATIVE[code](scope)
            say(code, seen[code])
    all_failed = all(one.failed for one in seen.values())
    # A page is of all or it is none.
    if not options.codes:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        # Without its mark it is made again.
        PAGE.write_text(render(title, seen) + (mark(known) if all_failed else ""))
    return 0 if all_failed else 1


def mark(known):
    """The end of a page on which every hazard failed, by what has shown them."""
    return f"\nShown by {known}.\n"


def say(code, seen):
    print(f"{code}: {'fails' if seen.failed else 'HOLDS'}: {seen.figures}", flush=True)


def render(title, seen):
    """The page as Markdown."""
    listed = hazards()
    lines = [
        title,
        "",
        "| Hazard | Odoo's own sending | Seen | With our addon | Shown by |",
        "| --- | --- | --- | --- | --- |",
    ]
    for code, one in seen.items():
        hazard = listed[code]
        figures = one.figures if one.failed else f"does not happen: {one.figures}"
        tests = ", ".join(f"`{test}`" for test in hazard.tests)
        lines.append(
            f"| {code} | {hazard.natively} | {figures} | {hazard.here} | {tests} |"
        )
    return "\n".join([*lines, ""])


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.native", description=__doc__
    )
    parser.add_argument("codes", nargs="*", help=f"of {', '.join(NATIVE)}; default all")
    parser.add_argument(
        "--once", action="store_true", help="not again for this version of Odoo"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.codes) - set(NATIVE):
        parser.error(f"nothing shows {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
