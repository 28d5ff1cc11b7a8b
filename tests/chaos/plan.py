"""Which faults a run has, and when: all of it follows from its seed."""

import dataclasses
import random
import re

from . import (  # noqa: F401
    faults_addresses,
    faults_database,
    faults_edits,
    faults_people,
    faults_processes,
    faults_recipients,
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
    :param innocent: no fault is a server's, an account's or a worker's
    :param pauses: the mailing is to pause by itself
    """

    seed: int
    faults: tuple
    job_size: int
    modules: tuple
    tls: bool
    clock: bool
    innocent: bool
    pauses: bool


def draw(seed, recipients, clocks=True, only=""):
    """The plan of a run.

    Every kind of fault comes first in one run or another, and one to three more are
    drawn, so that each is met with many others.

    :param clocks: whether a node's clock can be set here
    :param only: regular expression: draw among the kinds whose name begins like that
    """
    chance = random.Random(seed)
    kinds = [kind for kind in _kinds(clocks) if re.match(only, kind)]
    names = [kinds[seed % len(kinds)]]
    others = [kind for kind in kinds if kind not in names]
    names += chance.sample(others, min(len(others), 3))
    names = names[: chance.randint(2, 4)]
    if seed % 3 and not only:
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
    names.sort(key=lambda name: (not FAULTS[name].early, name not in IN_FLIGHT))
    chosen = [FAULTS[name] for name in names]
    moments = [
        0 if fault.early else moment
        for moment, fault in zip(moments, chosen, strict=True)
    ]
    sizes = (20, 50, 100) if recipients >= 1000 else (1, 5, 20)
    return Plan(
        seed=seed,
        faults=tuple(zip(moments, chosen, strict=True)),
        job_size=chance.choice(sizes),
        modules=LIMITS if seed % 2 else QUEUE,
        tls=any(fault.tls for fault in chosen) or chance.random() < 0.2,
        clock=any(fault.clock for fault in chosen),
        innocent=all(fault.innocent for fault in chosen),
        pauses=any(fault.pauses for fault in chosen),
    )
