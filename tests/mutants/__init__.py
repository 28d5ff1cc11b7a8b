"""Guards taken out of the addon, one by one: each time a test must fail.

A mutant is a small change of the addon's source. It is killed when every test that is
named with it fails, for a reason of its own and not because the change does not run.
"""

import dataclasses

ADDON = "mass_mailing_queue"
MUTANTS = {}


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A guard that is missing.

    :param what: what is missing, in words
    :param edits: (file below the addon, old text, new text); the old one is there once
    :param tests: that must fail: ids of pytest, or `TestCase.test_name` inside Odoo
    :param installs: it changes what is installed, and so needs a template of its own
    """

    name: str
    what: str
    edits: tuple
    tests: tuple
    installs: bool = False


def mutant(name, what, *edits, tests, installs=False):
    """Register a mutant."""
    MUTANTS[name] = Mutant(name, what, edits, tuple(tests), installs)


from . import addresses, claims, faults, plans, senders  # noqa: E402
