# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Tell whose fault an exception is: for composing, delivery and jobs alike."""

import errno
import random
from asyncio import CancelledError
from contextlib import contextmanager
from traceback import clear_frames

import psycopg2
from psycopg2 import errors

from odoo.service.model import PG_CONCURRENCY_ERRORS_TO_RETRY

from odoo.addons.queue_job.exception import JobError, RetryableJobError

from .discretion import describe
from .exceptions import AccountBroken, DeliveryPostponed, DeliveryStopped
from .ledger import is_server_trouble

#: What is raised on purpose: somebody has decided what becomes of the job.
DECISIONS = (JobError, DeliveryStopped, DeliveryPostponed, AccountBroken)

#: The machine or the process has no more of something.
EXHAUSTED = (
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.ENOSPC,
)

#: How often what met a conflict is done in all.
TRIES = 3

#: When a job in trouble runs again, and when the recipient it was in trouble with is
#: tried again: others go first (seconds).
RETRY_AFTER, RECIPIENT_AFTER = 5.0, 60.0


def is_trouble(error):
    """Return whether the machine, the worker or PostgreSQL is at fault.

    Then nobody fails: the job ends and goes on later. So it does for what was raised
    on purpose, and for what ends the process.

    :param BaseException error: what was raised; what it comes from counts, too
    """
    return isinstance(error, DECISIONS) or any(
        not isinstance(cause, Exception)
        # What an addon's own deadline has cancelled ends nothing here.
        and not (isinstance(cause, CancelledError) and cause is not error)
        or (isinstance(cause, psycopg2.Error) and is_server_trouble(cause))
        or _is_short(cause)
        for cause in _causes(error)
    )


def is_shortage(error):
    """Return whether less work at a time may help: memory, files, disk, time."""
    return any(map(_is_short, _causes(error)))


def _is_short(error):
    return (
        isinstance(
            error,
            MemoryError
            | errors.InsufficientResources
            | errors.OutOfMemory
            | errors.DiskFull
            | errors.QueryCanceled,
        )
        or isinstance(error, OSError)
        and error.errno in EXHAUSTED
    )


def is_conflict(error):
    """Return whether another transaction came first: done again, it may well work.

    A serialization failure is none here: the whole transaction has to begin again,
    and the job does that.
    """
    return any(
        isinstance(
            cause,
            errors.UniqueViolation
            | errors.ForeignKeyViolation
            | errors.ExclusionViolation,
        )
        for cause in _causes(error)
    )


def _causes(error):
    """Yield an exception and what it comes from."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (
            None if error.__suppress_context__ else error.__context__
        )


def try_again(function, *args):
    """Return what a function returns, called again if it meets a conflict.

    :param function: leaves nothing behind when it raises
    """
    for attempt in range(1, TRIES + 1):
        try:
            return function(*args)
        except Exception as error:
            if attempt == TRIES or not is_conflict(error):
                raise


def let_go(error):
    """Free what was being made when memory ran out: noting that needs some, too."""
    if is_shortage(error):
        for cause in _causes(error):
            clear_frames(cause.__traceback__)


@contextmanager
def retry_trouble():
    """Have a job run again that ended in trouble, without an attempt of anybody.

    What PostgreSQL calls an internal error is left to fail the job: it may be there
    each time, and somebody has to look at it.
    """
    try:
        yield
    except DECISIONS:
        raise
    except Exception as error:
        if isinstance(error, errors.InternalError_) or not is_trouble(error):
            raise
        let_go(error)
        delay = RETRY_AFTER
        if getattr(error, "pgcode", None) in PG_CONCURRENCY_ERRORS_TO_RETRY:
            # The other one is over in a moment, and not to be met again.
            delay *= random.uniform(0.1, 1)
        raise RetryableJobError(
            describe(error), seconds=delay, ignore_retry=True
        ) from error
