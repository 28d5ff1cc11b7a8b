"""What goes wrong where a parameter says so: real causes, not exceptions made up.

``fault.<place>`` names it; with ``once`` before it, it happens to one worker only.
"""

import os
import resource
import sys


def suffer(env, place):
    """Have happen what is wanted at this place of the way."""
    what = _ask(env, f"fault.{place}")
    if what:
        _FAULTS[what](env)


def _ask(env, key):
    """Return what is wanted, as it is committed now."""
    with env.registry.cursor() as cr:
        cr.execute(
            "DELETE FROM ir_config_parameter WHERE key = %s AND value LIKE 'once %%' "
            "RETURNING split_part(value, ' ', 2)",
            [key],
        )
        if row := cr.fetchone():
            return row[0]
        cr.execute("SELECT value FROM ir_config_parameter WHERE key = %s", [key])
        row = cr.fetchone()
        return row and row[0]


def _memory(env):
    """Use what ``limit_memory_hard`` leaves."""
    blocks = []
    while True:
        blocks.append(bytearray(1 << 24))


def _cpu(env):
    """Use what ``limit_time_cpu`` leaves."""
    while True:
        pass


def _exit(env):
    sys.exit(3)


def _files(env):
    """Open more files than a process may."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [open(os.devnull)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened[0].fileno() + 8, limits[1]))
    try:
        while True:
            opened.append(open(os.devnull))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for file in opened:
            file.close()


def _disk(env):
    with open("/dev/full", "w") as file:
        file.write("x")


def _unique(env):
    """Insert what another connection has just inserted."""
    insert = "INSERT INTO ir_config_parameter (key, value) VALUES ('fault.unique', '')"
    with env.registry.cursor() as cr:
        cr.execute(f"{insert} ON CONFLICT DO NOTHING")
    env.cr.execute(insert)


def _broken(env):
    raise ValueError("out of order")


def _silent(env):
    raise KeyError


_FAULTS = {
    "broken": _broken,
    "silent": _silent,
    "memory": _memory,
    "cpu": _cpu,
    "exit": _exit,
    "files": _files,
    "disk": _disk,
    "unique": _unique,
}
