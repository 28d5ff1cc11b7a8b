"""Runs upstream's tests in a database, with all of its addons loaded."""

import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..support.config import Config, addons_path
from ..support.environment import ROOT
from ..support.process import free_port
from . import outcome
from .suites import OURS

HELPERS = ROOT / "tests" / "addons"
LATE_TESTS = "mass_mailing_queue_late_tests"
SECONDS = 3600
TO_THE_END = re.compile(r"odoo\.tests\.result: .* of \d+ tests when loading ")


class RunFailure(AssertionError):
    """Odoo did not come to the end of the tests: nothing can be said about them."""


def run(scope, installs, suites, browser=False):
    """Run the tests of the addons `suites` where `installs` are installed.

    :param browser: run those that need one, too; Debian's Odoo lacks some of what its
        web client loads, so that they fail there
    :return: `outcome.Outcome`
    :raises RunFailure: Odoo ended before the tests did
    """
    workspace = scope.workspace
    database = scope.database(installs)
    place = scope.place("upstream")
    config = Config(
        database=database.name,
        postgres=database.postgres.parameters,
        addons_path=addons_path(workspace.environment, (HELPERS,)),
        data_dir=workspace.data_dir,
        log=place / "odoo.log",
        port=free_port(),
        gevent_port=free_port(),
        cron_threads=0,
        options={"server_wide_modules": f"base,rpc,web,{LATE_TESTS}"},
    )
    command = [
        workspace.environment.odoo,
        "-c",
        config.write(place / "odoo.conf"),
        "--stop-after-init",
        "--test-tags",
        ",".join(f"/{suite}" for suite in suites),
    ]
    environ = dict(os.environ)
    if not browser:
        # Where Odoo finds no browser, it skips them.
        environ["PATH"] = str(Path(workspace.environment.python).parent)
    subprocess.run(
        command, check=False, timeout=SECONDS, capture_output=True, env=environ
    )
    lines = config.log.read_text(errors="replace").splitlines()
    if not any(map(TO_THE_END.search, lines)):
        raise RunFailure(f"The tests ended early: see {config.log}")
    return outcome.read(lines)


def run_both(scope, family, browser=False):
    """Run a family's tests without our addons and with them, at the same time.

    :return: the two outcomes, and the seconds that both took
    """
    installs = (family.installs, (*family.installs, *OURS))
    # The templates one after the other: they are made once and kept.
    for modules in installs:
        scope.workspace.templates.template(modules)
    begun = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        results = pool.map(
            lambda modules: run(scope, modules, family.suites, browser), installs
        )
        without, beside = results
    return without, beside, time.monotonic() - begun
