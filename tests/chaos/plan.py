"""Which faults a run has, and when: all of it follows from its seed."""

import dataclasses
import random

from . import (  # noqa: F401
    faults_database,
    faults_people,
    faults_processes,
    faults_smtp,
)
from .faults import FAULTS

QUEUE = ("mass_mailing_queue",)
LIMITS = ("mass_mailing_queue_throttle",)

#: Two of three runs kill a worker between claim and record.
IN_FLIGHT = ("worker_killed_before_record", "worker_killed_before_accept")


@dataclasses.dataclass(frozen=True)
class Plan:
    """One run.

    :param faults: pairs of a moment, as the share of messages that were accepted
        until then, and a `faults.Fault`
    :param job_size: recipients a job
    :param modules: what is installed
    :param tls: the mail server offers TLS
    :param clock: the node's clock can be set
    """

    seed: int
    faults: tuple
    job_size: int
    modules: tuple
    tls: bool
    clock: bool


def draw(seed, recipients, clocks=True):
    """The plan of a run.

    Every kind of fault comes first in one run or another, and one to three more are
    drawn, so that each is met with many others.

    :param clocks: whether a node's clock can be set here
    """
    chance = random.Random(seed)
    kinds = _kinds(clocks)
    names = [kinds[seed % len(kinds)]]
    names += chance.sample([kind for kind in kinds if kind not in names], 3)
    names = names[: chance.randint(2, 4)]
    if seed % 3:
        names.append(IN_FLIGHT[seed // 2 % 2])
    return _plan(seed, names, recipients, chance)


def share(number, of, recipients, clocks=True):
    """One of so many plans that have every kind of fault once between them."""
    names = [*_kinds(clocks), *IN_FLIGHT][number % of :: of]
    return _plan(number, names, recipients, random.Random(number))


def _kinds(clocks):
    return sorted(
        name
        for name, fault in FAULTS.items()
        if name not in IN_FLIGHT and (clocks or not fault.clock)
    )


def _plan(seed, names, recipients, chance):
    moments = sorted(chance.uniform(0.05, 0.8) for _name in names)
    chance.shuffle(names)
    # First: while a node restarts, the others may send what is left, and there is no
    # message any more whose sender could be killed.
    names.sort(key=lambda name: name not in IN_FLIGHT)
    chosen = [FAULTS[name] for name in names]
    sizes = (20, 50, 100) if recipients >= 1000 else (1, 5, 20)
    return Plan(
        seed=seed,
        faults=tuple(zip(moments, chosen, strict=True)),
        job_size=chance.choice(sizes),
        modules=LIMITS if seed % 2 else QUEUE,
        tls=any(fault.tls for fault in chosen) or chance.random() < 0.2,
        clock=any(fault.clock for fault in chosen),
    )
