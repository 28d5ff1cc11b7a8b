"""The other side of `shell`: runs one function inside Odoo and ends."""

import json
import os
import sys
import traceback

import odoo
import odoo.tools
from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry


def main(config, descriptor):
    odoo.tools.config.parse_config(["-c", config], setup_logging=True)
    request = json.loads(sys.stdin.readline())

    def say(**message):
        os.write(descriptor, json.dumps(message).encode() + b"\n")

    def step(name, value=None):
        say(step=name, value=value)
        return json.loads(sys.stdin.readline())["value"]

    namespace = {"__name__": "shell"}
    exec(compile(request["source"], request["function"], "exec"), namespace)
    function = namespace[request["function"]]
    try:
        (database,) = odoo.tools.config["db_name"]
        with Registry(database).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            result = function(env, step, **request["arguments"])
            env.flush_all()
        say(result=result)
    except Exception as error:
        say(error=[type(error).__name__, str(error), traceback.format_exc()])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
