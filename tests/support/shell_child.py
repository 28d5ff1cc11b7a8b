"""The other side of `shell`: processes that fork others.

The first one loads Odoo and the addons and forks one per database, which loads that
one's registry and forks one per function.
"""

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
    """Load what databases like that of `config` need, and fork until hung up on."""
    # Each database has a log of its own, which is set up once in a process.
    odoo.tools.config.parse_config(["-c", config], setup_logging=False)
    _load()
    Registry.delete_all()
    serve(socket.socket(fileno=descriptor), serve_database)


def serve_database(config, control):
    odoo.tools.config.parse_config(["-c", config], setup_logging=True)
    _load()
    serve(control, run)


def _load():
    Registry(_database())
    # As Odoo's own server does before it forks.
    sql_db.close_all()


def _database():
    (name,) = odoo.tools.config["db_name"]
    return name


def serve(control, work):
    """Fork a process for every request until the other side hangs up.

    :param work: what it does, given the request's text and the socket that it brought
    """
    # Nobody here waits for them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, received, _flags, _address = socket.recv_fds(control, 4096, 1)
        if not message:
            return
        pid = os.fork()
        if not pid:
            control.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # As Odoo's workers: no two may draw the same numbers.
            random.seed()
            work(message.decode(), socket.socket(fileno=received[0]))
            # Not back to where it was forked.
            os._exit(0)
        os.close(received[0])
        control.send(str(pid).encode())


def run(_message, connection):
    """Run one function, as the other side tells, and tell it the result."""
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
        with Registry(_database()).check_signaling().cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            result = function(env, step, **request["arguments"])
            env.flush_all()
        say(result=result)
    except Exception as error:
        say(error=[type(error).__name__, str(error), traceback.format_exc()])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
