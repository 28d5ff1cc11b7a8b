"""Which faults a run has, and when: all of it follows from its seed."""

import dataclasses
import random

from . import faults_database, faults_people, faults_processes, faults_smtp
from .faults import FAULTS, Fault

__all__ = ["Plan", "faults_database", "faults_people", "faults_processes"]
__all__ += ["faults_smtp", "make"]

QUEUE = ("mass_mailing_queue",)
LIMITS = ("mass_mailing_queue_throttle",)

#: Two of three runs kill a worker between claim and record.
IN_FLIGHT = ("worker_killed_before_record", "worker_killed_before_accept")


@dataclasses.dataclass(frozen=True)
class Plan:
    """One run.

    :param faults: pairs of a moment, as the share of messages that were accepted
        until then, and a `Fault`
    :param job_size: recipients a job
    :param modules: what is installed
    """

    seed: int
    faults: tuple
    job_size: int
    modules: tuple
    tls: bool
    clock: bool


def make(seed, recipients):
    """The plan of a run.

    Each kind of fault comes first in one run after the other, and a few more are
    drawn, so that every kind is met alone and mixed.
    """
    chance = random.Random(seed)
    kinds = sorted(set(FAULTS) - set(IN_FLIGHT))
    names = [kinds[seed % len(kinds)]]
    names += chance.sample(sorted(set(kinds) - set(names)), chance.randint(1, 3))
    if seed % 3:
        names.append(IN_FLIGHT[seed % 2])
    moments = sorted(chance.uniform(0.05, 0.8) for _name in names)
    chance.shuffle(names)
    chosen: list[Fault] = [FAULTS[name] for name in names]
    sizes = (20, 50, 100) if recipients >= 1000 else (1, 5, 20)
    return Plan(
        seed=seed,
        faults=tuple(zip(moments, chosen, strict=True)),
        job_size=chance.choice(sizes),
        modules=LIMITS if seed % 2 else QUEUE,
        tls=any(fault.tls for fault in chosen) or chance.random() < 0.2,
        clock=any(fault.clock for fault in chosen),
    )
