"""The addons' own tests, as a plain Odoo runs them."""

import re
import subprocess

import pytest

from . import campaigns, throttling
from .support.config import Config, addons_path


@pytest.mark.parametrize(
    ("modules", "least"),
    [(campaigns.MODULES, 90), (throttling.MODULES, 170)],
    ids=["alone", "with-limits"],
)
def test_the_addons_pass_their_tests_in_odoo(scope, workspace, modules, least):
    """`odoo --test-tags /mass_mailing_queue` passes, and does run the tests.

    Those of the first addon pass with the second one installed, too.
    """
    database = scope.database(modules)
    place = scope.place("in-odoo")
    config = Config(
        database=database.name,
        postgres=database.postgres.parameters,
        addons_path=addons_path(workspace.environment),
        data_dir=workspace.data_dir,
        log=place / "odoo.log",
    )
    path = config.write(place / "odoo.conf")
    command = [workspace.environment.odoo, "-c", path, "--no-http", "--stop-after-init"]
    tags = ",".join(f"/{module}" for module in {*campaigns.MODULES, *modules})
    command += ["-u", campaigns.MODULES[0], "--test-tags", tags]
    subprocess.run(command, check=False, timeout=500, capture_output=True)
    log = (place / "odoo.log").read_text()
    failures = re.findall(r"(?:FAIL|ERROR): (\w+\.\w+)", log)
    result = re.findall(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests", log)
    assert result, log[-3000:]
    assert not failures and result[-1][:2] == ("0", "0"), failures
    assert int(result[-1][2]) >= least
