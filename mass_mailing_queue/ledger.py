# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The second connection on which claims and records are durable at once."""

from contextlib import closing, contextmanager

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from odoo.modules import module

from .prepared import Prepared

#: What a job has failed with when its own connection was lost: queue_job, which undoes
#: its work on that connection, cannot find out that it was to be run again.
LOST_CONNECTION = (
    "psycopg2.DatabaseError",
    "psycopg2.InterfaceError",
    "psycopg2.OperationalError",
    "psycopg2.errors.AdminShutdown",
    "psycopg2.errors.CrashShutdown",
)

#: How long a statement waits for a row that somebody else holds (milliseconds).
LOCK_TIMEOUT = 5_000

#: With ``off``, PostgreSQL says that a commit is done before it is on disk, and a crash
#: takes it back. Whatever else people choose is on disk when it says so.
_DURABLE = """
    CASE current_setting('synchronous_commit')
    WHEN 'off' THEN set_config('synchronous_commit', 'on', {local}) END
"""


def is_server_trouble(error):
    """Return whether PostgreSQL is in trouble, whatever it was asked.

    A lost connection, a conflict, no memory, a full disk (which may be an internal
    error, too). psycopg2 raises its ``DatabaseError`` itself, and takes the connection
    for open, when the server has crashed since the last statement.

    :param psycopg2.Error error: what a statement raised
    """
    return type(error) is psycopg2.DatabaseError or isinstance(
        error,
        psycopg2.OperationalError | psycopg2.InterfaceError | errors.InternalError_,
    )


class Ledger:
    """Runs statements of ``sql….py``, each committed by itself.

    Autocommit also means READ COMMITTED: of two workers that claim one recipient,
    the loser sees the winner's row and gets nothing, where Odoo's REPEATABLE READ
    would give it a serialization failure.

    Each is on disk when it returns, also where ``synchronous_commit`` is off: a claim
    that a crash took back would be sent again. So is all that others committed before,
    as PostgreSQL writes its log in order: who is sent to has their trace, their sample
    and their job on disk. What planning and composing commit last may be lost, with
    nothing sent on its strength, and is made again.

    Inside one of Odoo's tests there is no second connection that could see the
    test's data, so the test's own cursor is used; crashes and races are tested by
    processes of their own.
    """

    def __init__(self, env):
        self._env = env
        self._cr = None

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        """Give the connection back; the next statement borrows another."""
        if self._cr is not None:
            self._cr.close()
            self._cr = None

    def run(self, statement, *args, **kwargs):
        """Run one statement and return its result.

        A statement whose connection dies is not repeated here, as only its caller
        knows whether that is safe; the next one borrows another connection.

        :param statement: a function of ``sql….py``, called with a cursor
        :raises psycopg2.errors.LockNotAvailable: after :data:`LOCK_TIMEOUT`
        """
        if module.current_test:
            self._env.flush_all()
            result = statement(self._env.cr, *args, **kwargs)
            self._env.invalidate_all(flush=False)
            return result
        try:
            return statement(self._cursor(), *args, **kwargs)
        except psycopg2.Error as error:
            if self._cr is not None and error.pgcode is None:
                # Not the server's answer: closed for good, or the pool lends it again.
                self._cr.connection.close()
            raise

    def run_as_one(self, function, *args, **kwargs):
        """Run a function of several statements, of which all or none are to last."""

        def whole(cr):
            cr.execute("BEGIN")
            try:
                result = function(cr, *args, **kwargs)
                cr.execute("COMMIT")
            except BaseException:
                if not cr.connection.closed:
                    cr.execute("ROLLBACK")
                raise
            return result

        # One of Odoo's tests is one transaction as it is.
        if module.current_test:
            return self.run(function, *args, **kwargs)
        return self.run(whole)

    def _cursor(self):
        if self._cr is not None and self._cr.connection.closed:
            self.close()
        if self._cr is None:
            self._cr = self._env.registry.cursor()
            self._cr.prepared = Prepared()
            self._cr.connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
            # Forgotten when the connection is given back: the pool resets it.
            self._cr.execute(
                "SELECT set_config('lock_timeout', %s, false),"
                + _DURABLE.format(local="false"),
                [f"{LOCK_TIMEOUT}ms"],
            )
        return self._cr


def in_foreign_test():
    """Return whether one of Odoo's tests runs that knows nothing of this addon.

    A test whose class says ``queue_mailings = True`` does; a context would not reach
    scheduled actions and requests.
    """
    test = module.current_test
    return bool(test) and not getattr(test, "queue_mailings", False)


def commit_durably(env):
    """Have what a person decides in this transaction on disk once it is committed.

    A pause or a cancellation that a crash took back would go on sending, which nobody
    expects who was told that it stopped.
    """
    env.cr.execute("SELECT" + _DURABLE.format(local="true"))


@contextmanager
def transaction(env):
    """Commit the ORM's work of this block, or undo it when the block fails.

    :param env: an environment whose cursor may be committed
    """
    if module.current_test:
        with env.cr.savepoint():
            yield
        return
    try:
        yield
        # Committing flushes, and so may fail, too.
        env.cr.commit()
    except BaseException:
        env.cr.rollback()
        raise


@contextmanager
def undone(env, apart=True):
    """Return an environment of which nothing is kept, whatever is done in it.

    It cannot commit: upstream does so when it has composed.

    :param bool apart: on a connection of its own, which sees what is committed; or
        on the caller's, which sees what the caller has written
    """
    if apart and not module.current_test:
        with closing(env.registry.cursor()) as cr:
            cr.commit = cr.flush
            yield env(cr=cr)
        return
    kept = vars(env.cr).get("commit")
    env.cr.commit = env.cr.flush
    savepoint = env.cr.savepoint()
    try:
        yield env
    finally:
        savepoint.close(rollback=True)
        del env.cr.commit
        if kept is not None:
            env.cr.commit = kept
        env.invalidate_all(flush=False)


def commit(env):
    """Commit the ORM's work so far and release the transaction's locks."""
    if module.current_test:
        env.flush_all()
    else:
        env.cr.commit()
