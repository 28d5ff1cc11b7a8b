# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What this server's configuration gives to the jobs of mailings.

Two servers of one database may be configured differently: this is about the one that
is asked.
"""

import os

from odoo.tools import config

from odoo.addons.queue_job.jobrunner import _channels, queue_job_config
from odoo.addons.queue_job.jobrunner.channels import ChannelManager

#: Workers that are left for people, where there are enough.
FOR_PEOPLE = 2


def configured(text=None):
    """Return the channels of a configuration.

    :param str text: as in ``odoo.conf``, by default what is in force
    :return: dict of complete name → slots; 0 is as many as its parent has
    """
    try:
        channels = ChannelManager.parse_simple_config(
            _channels() if text is None else text
        )
    except ValueError:
        return {}
    return {
        name if f"{name}.".startswith("root.") else f"root.{name}": slots
        for name, slots in (
            (channel["name"], channel.get("capacity", 1)) for channel in channels
        )
    }


def passed(name, text=None):
    """Return the channels that jobs of a channel pass through, and their slots.

    :param str name: complete name, ``root.mail``
    :param str text: see :func:`configured`
    :return: dict of complete name → slots, of those that have a number
    """
    return {
        channel: slots
        for channel, slots in configured(text).items()
        if f"{name}.".startswith(f"{channel}.") and slots
    }


def capacity(name):
    """Return how many jobs of a channel run at a time, those of its parents included.

    :param str name: complete name, ``root.mail``
    """
    return min(passed(name).values(), default=1)


def suggestion():
    """Return how many workers of this server may send at a time, at least 1."""
    return max(config["workers"] - FOR_PEOPLE, 1)


def runner_address():
    """Return the (host, port) that a job runner of this configuration calls."""
    host = (
        os.environ.get("ODOO_QUEUE_JOB_HOST")
        or queue_job_config.get("host")
        or config["http_interface"]
        or "localhost"
    )
    port = (
        os.environ.get("ODOO_QUEUE_JOB_PORT")
        or queue_job_config.get("port")
        or config["http_port"]
        or 8069
    )
    return host, int(port)
