"""Send campaigns under fire, seed by seed, and judge each by the mail server's ledger.

    python -m tests.chaos --runs 60 --seed 1
    python -m tests.chaos --runs 2 --recipients 300 --kinds 'poison|edit'

Runs whose results are kept for this state of the code are not repeated, so that a long
series can be made in parts.
"""

import argparse
import sys

from tests.support.environment import ROOT
from tests.support.process import end_as_interrupted
from tests.support.templates import sources

from . import drafts, plan, report

BUILD = ROOT / "build" / "chaos"


def main(arguments=None):
    options = parse(arguments)
    end_as_interrupted()
    reports = report.Reports(
        BUILD / ("undurable" if options.undurable else "results"),
        code(options.kinds),
    )
    done = {result.seed for result in reports.results(options.recipients)}
    seeds = range(options.seed, options.seed + options.runs)
    with (
        drafts.workspace(BUILD) as workspace,
        drafts.Drafts(workspace, options.recipients, options.undurable) as campaigns,
    ):
        clocks = bool(workspace.environment.faketime)
        if not clocks:
            print("without faults of the clock: there is no libfaketime", flush=True)
        for seed in seeds:
            if seed in done and not options.again:
                continue
            result = campaigns.execute(
                plan.draw(seed, options.recipients, clocks, options.kinds)
            )
            reports.keep(result)
            say(result)
    results = reports.results(options.recipients)
    reports.write(results)
    print(report.summary(results), flush=True)
    return 1 if any(result.problems for result in results) else 0


def code(kinds):
    """The state of the addons and of what sends, harms and judges them."""
    tests = ROOT / "tests"
    own = [
        *tests.glob("chaos/*.py"),
        *tests.glob("support/*.py"),
        tests / "campaigns.py",
    ]
    return report.digest(
        [
            kinds,
            *sources((ROOT, drafts.ADDONS)),
            *(p.read_bytes() for p in sorted(own)),
        ]
    )


def say(result):
    print(
        f"seed={result.seed} faults={','.join(result.faults)} sent={result.sent} "
        f"duplicates={result.duplicates} lost={result.lost} in_doubt={result.in_doubt} "
        f"explained={result.explained} failed={result.failed} "
        f"seconds={result.seconds:.0f}" + (" FAILED" if result.problems else ""),
        flush=True,
    )
    if result.problems:
        for line in (*result.events, *result.problems, f"logs: {result.logs}"):
            print(f"    {line}", flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--recipients", type=int, default=2_000)
    parser.add_argument(
        "--kinds",
        default="",
        help="of faults only, by how their names begin: 'poison|edit'",
    )
    parser.add_argument("--again", action="store_true", help="repeat what is kept")
    parser.add_argument(
        "--undurable",
        action="store_true",
        help="without the commit of the claim: duplicates are expected",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
