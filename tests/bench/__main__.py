"""Measures what is asked for, prints it and writes `build/bench.json`."""

import argparse
import json
from pathlib import Path

from ..support.workspace import Workspace
from . import permit, rates

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "plain": rates.plain,
    "newsletter": rates.newsletter,
    "permit": permit.measure,
}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    path = ROOT / "build" / "bench.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    with Workspace(ROOT / "build" / "tests") as workspace:
        for part in options.parts or PARTS:
            with workspace.scope() as scope:
                figures.update(PARTS[part](scope))
    path.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    for name, value in sorted(figures.items()):
        print(f"{name} {value}")


if __name__ == "__main__":
    main()
