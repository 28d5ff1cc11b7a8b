"""The addons' own tests, run by Odoo.

python -m tests.support.in_odoo /mass_mailing_queue:TestPlan
"""

import argparse
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

from .config import Config, addons_path
from .environment import ROOT
from .process import free_port
from .workspace import Workspace

SECONDS = 1_700
FAILURE = re.compile(
    r"^\S+ \S+ \d+ ERROR .*?(?:FAIL|ERROR): (?:Subtest )?(\w+\.\w+).*\n"
    r"((?:(?!\d{4}-\d\d-\d\d ).*\n)*)",
    re.MULTILINE,
)
RESULT = re.compile(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests")


@dataclasses.dataclass
class Result:
    """What Odoo says about the tests that it ran.

    :param tests: how many there were, 0 if it did not come so far
    :param failures: tracebacks by test, as in `TestPlan.test_something`
    :param passed: whether there were any and none failed
    """

    tests: int
    failures: dict
    passed: bool
    log: str


def run(scope, database, tags, options=()):
    """Run the tests with these tags; returns a `Result`.

    :param database: with the addons installed
    :param tags: as for Odoo's `--test-tags`
    :param options: more of Odoo's command line
    """
    workspace = scope.workspace
    place = scope.place("in-odoo")
    config = Config(
        database=database.name,
        postgres=database.postgres.parameters,
        addons_path=addons_path(workspace.environment),
        data_dir=workspace.data_dir,
        log=place / "odoo.log",
        # Odoo serves while it tests, `--no-http` or not.
        port=free_port(),
        gevent_port=free_port(),
    )
    path = config.write(place / "odoo.conf")
    command = [workspace.environment.odoo, "-c", path, "--no-http", "--stop-after-init"]
    command += [*options, "--test-tags", ",".join(tags)]
    output = place / "output"
    with output.open("w") as stream:
        subprocess.run(
            command, check=False, timeout=SECONDS, stdout=stream, stderr=stream
        )
    log = (place / "odoo.log").read_text()
    failures = {}
    for test, traceback in FAILURE.findall(log):
        failures[test] = failures.get(test, "") + traceback
    found = RESULT.findall(log)
    failed, errors, tests = map(int, found[-1]) if found else (0, 0, 0)
    passed = bool(tests) and not (failed or errors or failures)
    return Result(tests, failures, passed, str(config.log))


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.in_odoo", description=__doc__
    )
    parser.add_argument("tags", nargs="+", help="as for Odoo's --test-tags")
    parser.add_argument("--modules", default="mass_mailing_queue", help="to install")
    parser.add_argument("--json", type=Path, help="write the result there, too")
    options = parser.parse_args()
    with Workspace(ROOT / "build" / "tests") as workspace, workspace.scope() as scope:
        database = scope.database(options.modules.split(","))
        result = run(scope, database, options.tags)
    for test, traceback in result.failures.items():
        print(f"{test}\n{traceback}")
    print(f"{result.tests} tests, {len(result.failures)} failed, log: {result.log}")
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(result)))
    return 0 if result.passed else 1


if __name__ == "__main__":
    sys.exit(main())
