"""Results on disk: a file a run, merged into one line and one page."""

import dataclasses
import hashlib
import json
from collections import Counter
from pathlib import Path

from .run import Result


class Reports:
    """The results below a folder, those of this very code.

    :param folder: where they are
    :param code: what tells one state of the code from another
    """

    def __init__(self, folder, code):
        self.folder = Path(folder) / code
        self.page = Path(folder) / "report.md"

    def keep(self, result):
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{result.seed:05d}-{result.recipients}.json"
        path.write_text(json.dumps(dataclasses.asdict(result), indent=1) + "\n")

    def results(self, recipients):
        """All that were kept of this size, by seed."""
        return [
            Result(**json.loads(path.read_text()))
            for path in sorted(self.folder.glob(f"*-{recipients}.json"))
        ]

    def write(self, results):
        """Write the page that a person reads."""
        self.page.parent.mkdir(parents=True, exist_ok=True)
        self.page.write_text(render(results))


def summary(results):
    """The figures of all runs on one line."""

    def total(name):
        return sum(getattr(result, name) for result in results)

    return (
        f"runs={len(results)} faults={sum(len(r.faults) for r in results)} "
        f"recipients={total('recipients')} sent={total('sent')} "
        f"duplicates={total('duplicates')} lost={total('lost')} "
        f"in_doubt={total('in_doubt')} explained={total('explained')} "
        f"failed={total('failed')} inflight_kills={total('inflight_kills')}"
    )


def render(results):
    """The page as Markdown."""
    kinds = Counter(name for result in results for name in result.faults)
    lines = [
        "# Campaigns under fire",
        "",
        f"`{summary(results)}`",
        "",
        "*In doubt* are recipients whose message may have arrived: nobody is mailed",
        "again without being asked. *Explained* are those for whom a fault of the run",
        "is the reason. *Failed* are addresses that the mail server refused for good.",
        "",
        "| Fault | Times |",
        "| --- | ---: |",
        *(f"| {name} | {count} |" for name, count in sorted(kinds.items())),
        "",
        "| Seed | Faults | Sent | Duplicates | Lost | In doubt | Explained | Failed "
        "| Seconds |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {r.seed} | {', '.join(r.faults)} | {r.sent} | {r.duplicates} "
            f"| {r.lost} | {r.in_doubt} | {r.explained} | {r.failed} "
            f"| {r.seconds:.0f} |"
            for r in results
        ),
        "",
    ]
    for result in results:
        if result.problems:
            lines += [f"## What went wrong with seed {result.seed}", ""]
            lines += [f"- {problem}" for problem in result.problems]
            lines += ["", *(f"    {event}" for event in result.events), ""]
    return "\n".join(lines)


def digest(parts):
    """A short name for a state of the code."""
    code = hashlib.sha256()
    for part in parts:
        code.update(part if isinstance(part, bytes) else str(part).encode())
    return code.hexdigest()[:12]
