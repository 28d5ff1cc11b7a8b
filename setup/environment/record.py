"""`environment.json`: what was built, in absolute paths."""

import json

from . import cluster, extras, virtualenv
from .errors import EnvironmentFailure
from .steps import write_atomically


def describe(layout, odoo):
    """What the suites are told."""
    return {
        "python": str(layout.python),
        "odoo": str(layout.odoo_script),
        "odoo_version": odoo.version,
        "addons_path": [str(folder) for folder in odoo.addons_path],
        "queue_job_version": virtualenv.installed_version(
            layout, "odoo-addon-queue_job"
        ),
        "postgres": {
            "bin": str(cluster.embedded_bin(virtualenv.site_packages(layout))),
            "run_as": cluster.system_user(),
        },
        "chromium": extras.find_chromium(layout),
        "faketime": extras.find_faketime(layout),
        "haproxy": extras.find_haproxy(layout),
        "smtp_sink": extras.find_smtp_sink(layout),
    }


def write(layout, record):
    """Write the record; its existence says that the environment is complete."""
    write_atomically(layout.record, json.dumps(record, indent=4) + "\n")


def read(layout):
    """The record as it was written.

    :raises EnvironmentFailure: the environment is not built
    """
    try:
        return json.loads(layout.record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EnvironmentFailure(
            "The environment is not built: run python3 setup/environment."
        ) from None
