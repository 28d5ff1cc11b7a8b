"""Measures what is asked for, and writes `bench.json`, `bench.md` and `bench.svg`.

They are in `build/`. What was not asked for stays as it was measured before.
"""

import argparse
import json
from pathlib import Path

from ..support.process import end_as_interrupted
from ..support.workspace import Workspace
from . import costs, memory, permit, planning, rates, report, screens, workers

BUILD = Path(__file__).resolve().parents[2] / "build"
PARTS = {
    "plain": rates.plain,
    "newsletter": rates.newsletter,
    "workers": workers.measure,
    "latency": workers.behind_latency,
    "planning": planning.measure,
    "memory": memory.measure,
    "costs": costs.measure,
    "permit": permit.measure,
    "screens": screens.measure,
}


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    options = parser.parse_args()
    end_as_interrupted()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    path = BUILD / "bench.json"
    figures = json.loads(path.read_text()) if path.exists() else {}
    with Workspace(BUILD / "tests") as workspace:
        for part in options.parts or PARTS:
            with workspace.scope() as scope:
                figures.update(PARTS[part](scope))
            # Kept part by part: all of them take most of an hour.
            path.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    page = report.page(figures)
    (BUILD / "bench.md").write_text(page)
    report.chart(figures, BUILD / "bench.svg")
    print(page)


if __name__ == "__main__":
    main()
