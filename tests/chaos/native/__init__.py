"""How Odoo's own sending fails where ours does not, on an Odoo without our addons.

Each hazard is a function of a `bench.Bench`: it makes the situation with real processes
and a real SMTP server, and returns what was seen, a `Seen`.
"""

import dataclasses

NATIVE = {}


@dataclasses.dataclass(frozen=True)
class Seen:
    """What happened.

    :param failed: whether Odoo did what the hazard says
    :param figures: what was counted, for the page
    """

    failed: bool
    figures: str


def native(code):
    """Register a function that shows the hazard with this code."""

    def register(function):
        NATIVE[code] = function
        return function

    return register


from . import composing, delivering  # noqa: E402
