# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What this server's configuration gives to the jobs of mailings, and where it is made.

Two servers of one database may be configured differently: this is about the one that
is asked.
"""

import configparser
import os
import socket

from odoo.tools import config
from odoo.tools.config import REQUIRED_SERVER_WIDE_MODULES

from odoo.addons.queue_job.jobrunner import _channels, queue_job_config

from . import capacities

#: Hosts that are this server, whatever it is called elsewhere.
LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104

SECTION = "queue_job"


def variable(option):
    """Return the environment variable that overrides an option of ``[queue_job]``."""
    return f"ODOO_QUEUE_JOB_{option.upper()}"


def setting(option):
    """Return an option of ``[queue_job]`` as queue_job sees it, or ``None``."""
    return os.environ.get(variable(option)) or queue_job_config.get(option)


def are_in_database():
    """Return whether databases configure channels, as newer versions of queue_job do.

    They do unless ``channels`` is set; older versions have a default for that.
    """
    return not _channels()


def configured():
    """Return the channels of the server's configuration: complete name → channel."""
    return capacities.parse(_channels() or "")


def workers():
    """Return the number of workers that run the jobs, ``None`` if nobody knows.

    Where the runner calls another host, jobs run on other nodes, too. If channels are
    configured, somebody has counted their workers.
    """
    host = setting("host")
    here = LOCAL | {config["http_interface"], socket.gethostname()}
    if host and host not in here and (setting("channels") or setting("max_capacity")):
        return None
    return config["workers"]


def are_shared():
    """Return whether the server's channels are those of several databases."""
    return len(config["db_name"] or ()) > 1


def place(option, value):
    """Return where an option of ``[queue_job]`` is set, and the lines that set it.

    :return: (``"environment"``, ``"replace"``, ``"add"`` or ``"append"``, lines)
    """
    if os.environ.get(variable(option)):
        return "environment", [f"{variable(option)}={value}"]
    line, file = f"{option} = {value}", _file()
    if queue_job_config.get(option) or file.has_option(SECTION, option):
        return "replace", [line]
    if queue_job_config or file.has_section(SECTION):
        return "add", [line]
    return "append", [f"[{SECTION}]", line]


def place_of_modules(modules):
    """Return where ``server_wide_modules`` is set, and the lines that set it.

    :return: as :func:`place`, or (``"command"``, lines)
    """
    name, value = "server_wide_modules", ",".join(modules)
    option, line, file = config.options_index[name], f"{name} = {value}", _file()
    if _in_force(os.environ.get(option.env_name)):
        return "environment", [f"{option.env_name}={value}"]
    if _in_force(file.get("options", name, fallback=None)):
        return "replace", [line]
    if config[name] != option.my_default:
        return "command", [f"--load={value}"]
    if file.has_section("options"):
        return "add", [line]
    return "append", ["[options]", line]


def _in_force(text):
    """Return whether this is where the server-wide modules come from.

    Odoo adds the ones that it cannot do without.
    """
    if text is None:
        return False
    modules = {name.strip() for name in text.split(",")}
    required = set(REQUIRED_SERVER_WIDE_MODULES)
    return modules | required == set(config["server_wide_modules"]) | required


def _file():
    """Return what is in the configuration file at the moment, as far as it is read."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(config["config"] or ())
    except configparser.Error:
        # Odoo will refuse it, too, and say why.
        return configparser.RawConfigParser()
    return parser


def runner_address():
    """Return the (host, port) that a job runner of this configuration calls."""
    host = setting("host") or config["http_interface"] or "localhost"
    port = setting("port") or config["http_port"] or 8069
    return host, int(port)
