"""The other side of `shell`: has Odoo loaded, and forks a process per function."""

import json
import os
import random
import signal
import socket
import sys
import traceback

import odoo.tools
from odoo import SUPERUSER_ID, api, sql_db
from odoo.modules.registry import Registry


def main(config, descriptor):
    """Serve until the other side hangs up."""
    odoo.tools.config.parse_config(["-c", config], setup_logging=True)
    (database,) = odoo.tools.config["db_name"]
    registry = Registry(database)
    # As a process that starts now has none; the flags of it would be signalled.
    registry.clear_all_caches()
    registry.reset_changes()
    # As Odoo's own server does before it forks.
    sql_db.close_all()
    # Nobody here waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    while True:
        message, received, _flags, _address = socket.recv_fds(control, 1, 1)
        if not message:
            return
        (theirs,) = received
        pid = os.fork()
        if not pid:
            control.close()
            _be_a_new_process()
            _run(database, socket.socket(fileno=theirs))
            # Not further up: this process has nothing else to do.
            os._exit(0)
        os.close(theirs)
        control.send(str(pid).encode())


def _be_a_new_process():
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # As Odoo's workers: no two may draw the same numbers.
    random.seed()


def _run(database, connection):
    reading = connection.makefile("r")

    def hear():
        return json.loads(reading.readline())

    def say(**message):
        connection.sendall(json.dumps(message).encode() + b"\n")

    def step(name, value=None):
        say(step=name, value=value)
        return hear()["value"]

    request = hear()
    namespace = {"__name__": "shell"}
    exec(compile(request["source"], request["function"], "exec"), namespace)
    function = namespace[request["function"]]
    try:
        with Registry(database).check_signaling().cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            result = function(env, step, **request["arguments"])
            env.flush_all()
        say(result=result)
    except Exception as error:
        say(error=[type(error).__name__, str(error), traceback.format_exc()])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
