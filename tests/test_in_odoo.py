"""The addons' own tests, as a plain Odoo runs them."""

import re
import subprocess

from . import campaigns
from .support.config import Config, addons_path


def test_the_addon_passes_its_tests_in_odoo(scope, workspace):
    """`odoo --test-tags /mass_mailing_queue` passes, and does run the tests."""
    database = scope.database(campaigns.MODULES)
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
    command += ["-u", "mass_mailing_queue", "--test-tags", "/mass_mailing_queue"]
    subprocess.run(command, check=False, timeout=500, capture_output=True)
    log = (place / "odoo.log").read_text()
    failures = re.findall(r"(?:FAIL|ERROR): (\w+\.\w+)", log)
    result = re.findall(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests", log)
    assert result, log[-3000:]
    assert not failures and result[-1][:2] == ("0", "0"), failures
    assert int(result[-1][2]) > 50
