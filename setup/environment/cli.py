"""The commands of `python3 setup/environment`."""

import argparse
import json
import os
import shutil
from pathlib import Path

from . import console, extras, odoo_source, postgres, record, virtualenv
from .errors import EnvironmentFailure
from .layout import DEFAULT_ROOT, Layout
from .steps import Stamps, exclusive

EXTRAS = {
    "balancer": extras.build_balancer,
    "browser": extras.build_browser,
    "smtp-sink": extras.build_smtp_sink,
}


STEPS = ("venv", "packages", "prefix", "link")

VARIABLES = """\
variables:
  ODOO_PATH    an Odoo 19 to use: a checkout, or a prefix as of Debian's package
  ODOO_PYTHON  the Python to build with; an Odoo 19 that it imports is used
  PGHOST       a PostgreSQL that the suites are to use, with PGPORT, PGUSER, PGPASSWORD
"""


def build(layout, environ, extra=None):
    """Do what is not done yet, and write the record last.

    :param extra: the name of an optional part
    """
    stamps = Stamps(layout.stamps)
    probed = virtualenv.probe(environ)

    def perform(step):
        # A record beside a step that is being redone would promise too much.
        if not stamps.is_done(step):
            layout.record.unlink(missing_ok=True)
        stamps.perform(step)

    # First, as it is where this machine may lack something.
    perform(virtualenv.venv_step(layout, probed))
    odoo = odoo_source.given(environ, probed)
    ours = odoo is None
    if ours:
        for step in odoo_source.debian_steps(layout):
            perform(step)
        odoo = odoo_source.packaged(layout)
    perform(virtualenv.link_step(layout, odoo, ours))
    if extra:
        EXTRAS[extra](layout)
    refresh(layout, odoo)
    console.say(f"Odoo {odoo.version} is ready in {layout.root}")


def refresh(layout, odoo):
    """Write the record unless it says the same already."""
    described = record.describe(layout, odoo)
    if not layout.record.exists() or record.read(layout) != described:
        record.write(layout, described)


def show(layout):
    """Print the record."""
    print(json.dumps(record.read(layout), indent=4))


def clean(layout, step_names):
    """Forget some steps, or remove the folder with all that runs from it."""
    if step_names:
        if unknown := set(step_names) - set(STEPS):
            raise EnvironmentFailure(
                f"There is no step {unknown.pop()}, only {', '.join(STEPS)}."
            )
        for name in step_names:
            Stamps(layout.stamps).forget(name)
        layout.record.unlink(missing_ok=True)
        return
    if not layout.root.exists():
        return
    if not layout.lock.exists():
        raise EnvironmentFailure(f"{layout.root} is no folder that this command built.")
    default = layout.root == DEFAULT_ROOT
    postgres.stop_below(layout.root.parent if default else layout.root)
    shutil.rmtree(layout.root)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python3 setup/environment",
        description="Build a real Odoo 19, its Python and a PostgreSQL in one folder.",
        epilog=VARIABLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--into", type=Path, default=DEFAULT_ROOT, help="the folder")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("build", help="build what is missing (default)")
    for name, function in EXTRAS.items():
        commands.add_parser(name, help=function.__doc__.splitlines()[0])
    commands.add_parser("show", help="print what was built")
    cleaner = commands.add_parser("clean", help="remove it, or forget some steps")
    cleaner.add_argument("steps", nargs="*", metavar="step")
    return parser.parse_args(arguments)


class Terminated(BaseException):
    """We are told to end; caught by `main` when commands that ran were ended, too."""


def terminate(_signal, _frame):
    """Handle the signal to end."""
    raise Terminated


def main(arguments=None, environ=os.environ):
    """Run one command; returns the exit code."""
    options = parse(arguments)
    layout = Layout(options.into.expanduser().resolve())
    try:
        if options.command == "show":
            show(layout)
        elif options.command == "clean":
            clean(layout, options.steps)
        else:
            with exclusive(layout.lock):
                extra = options.command if options.command in EXTRAS else None
                build(layout, environ, extra)
    except EnvironmentFailure as failure:
        console.fail(str(failure))
        return 1
    except (KeyboardInterrupt, Terminated):
        console.fail("Interrupted: run it again to go on.")
        return 130
    return 0
