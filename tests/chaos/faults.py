"""What goes wrong: each fault begins at some moment, and most are over after a while.

A fault leaves in the world what explains a recipient in doubt: the death of a process,
an outage, or, in the SMTP server's own ledger, a message that it never answered.
"""

import contextlib
import dataclasses
import time

FAULTS = {}


@dataclasses.dataclass(frozen=True)
class Fault:
    """One kind of fault.

    :param begin: function of the world; what it returns is passed to `end`
    :param end: function of the world and of that, which repairs it
    :param hold: seconds between both
    :param tls: the mail server has to offer TLS
    :param clock: the node's clock has to be one that can be set
    :param early: it begins with the campaign
    :param innocent: it is no server's, account's or worker's: nobody else is to wait
    :param pauses: the mailing is to pause by itself
    """

    name: str
    begin: object
    end: object = None
    hold: float = 0
    tls: bool = False
    clock: bool = False
    early: bool = False
    innocent: bool = False
    pauses: bool = False


def fault(hold=0, **needs):
    """Register a generator function: what follows its `yield` repairs the fault."""

    def register(function):
        manager = contextlib.contextmanager(function)

        def begin(world):
            entered = manager(world)
            entered.__enter__()
            return entered

        def end(_world, entered):
            entered.__exit__(None, None, None)

        FAULTS[function.__name__] = Fault(
            function.__name__, begin, end, hold=hold, **needs
        )
        return function

    return register


@contextlib.contextmanager
def outage(world, what):
    """Claims that are open meanwhile may be in doubt afterwards.

    Those that were open just before, too: their worker cannot note the answer.
    """
    from .world import Outage

    begin = time.time() - 3
    yield
    world.outages.append(Outage(begin, time.time() + 3, what))
