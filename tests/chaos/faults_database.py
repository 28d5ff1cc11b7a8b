"""Faults of PostgreSQL: restarts, lost connections, locks, conflicts, a full disk."""

import contextlib
import threading

import psycopg2

from .faults import fault, outage

#: Files of the server may not grow beyond this while its "disk is full" (bytes): what a
#: segment of its write-ahead log has, so that this one goes on.
FULL = 1 << 20


@fault()
def postgres_restarted(world):
    """A restart by an operator."""
    restart(world, immediate=False)
    yield


@fault()
def postgres_crashed(world):
    """A crash, and recovery from the write-ahead log."""
    restart(world, immediate=True)
    yield


def restart(world, immediate):
    world.note("PostgreSQL " + ("crashes" if immediate else "restarts"))
    with outage(world, "PostgreSQL"):
        world.database.close()
        world.database.postgres.restart(immediate)


@fault()
def backends_killed(world):
    """Half of the connections are lost."""
    with outage(world, "connections to PostgreSQL"):
        rows = world.query(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        pids = sorted(pid for (pid,) in rows)
        chosen = world.random.sample(pids, (len(pids) + 1) // 2)
        world.note(f"{len(chosen)} of {len(pids)} connections are lost")
        world.query("SELECT pg_terminate_backend(pid) FROM unnest(%s) pid", (chosen,))
    yield


@fault(hold=8)
def rows_locked(world):
    """Somebody holds recipients' rows for longer than a worker waits for a lock."""
    with outage(world, "locked rows"):
        with contextlib.closing(world.database.connect()) as connection:
            with contextlib.suppress(psycopg2.Error):
                cursor = connection.cursor()
                cursor.execute(
                    "SELECT id FROM mailing_trace "
                    "WHERE trace_status IN ('process', 'outgoing') "
                    "ORDER BY trace_status = 'process' DESC, random() LIMIT 40 "
                    "FOR UPDATE"
                )
                world.note(f"{cursor.rowcount} recipients' rows are locked")
            yield


@fault(hold=5)
def rows_written(world):
    """Somebody else writes recipients' and messages' rows again and again."""
    over = threading.Event()
    writer = threading.Thread(target=_write_rows, args=(world.database, over))
    world.note("somebody else writes the campaign's rows")
    writer.start()
    yield
    over.set()
    writer.join()


def _write_rows(database, over):
    statements = (
        "UPDATE mailing_trace SET write_date = now() AT TIME ZONE 'utc' WHERE id IN "
        "(SELECT id FROM mailing_trace ORDER BY random() LIMIT 20)",
        "UPDATE mail_message SET write_date = now() AT TIME ZONE 'utc' WHERE id IN "
        "(SELECT mail_message_id FROM mail_mail WHERE queue_managed LIMIT 20)",
    )
    with contextlib.suppress(psycopg2.Error):
        with contextlib.closing(database.connect()) as connection:
            connection.autocommit = True
            connection.cursor().execute("SET lock_timeout = '1s'")
            while not over.wait(0.05):
                for statement in statements:
                    # Two of these may lock each other out, as anybody's may; and who
                    # locks rows meanwhile may be a fault that ends after this one.
                    with contextlib.suppress(
                        psycopg2.errors.DeadlockDetected,
                        psycopg2.errors.LockNotAvailable,
                    ):
                        connection.cursor().execute(statement)


@fault(hold=4)
def disk_full(world):
    """PostgreSQL cannot make its tables any larger.

    The files' size is limited rather than the disk, so that nothing else on this
    machine suffers: the system refuses to extend a table with EFBIG and not with
    ENOSPC, and PostgreSQL reports an internal error (XX000) and not 53100.
    """
    world.note("PostgreSQL's disk is full")
    # An internal error is none that anybody knows how to wait for.
    world.jobs_may_fail = True
    postgres = world.database.postgres
    with outage(world, "disk full"):
        # New connections are the server's children, and inherit its limit.
        postgres.limit_files(_with_backends(world), FULL)
        yield
        postgres.limit_files(_with_backends(world))


def _with_backends(world):
    """The server's process and those of its connections."""
    backends = world.query(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
    )
    return [world.database.postgres.server.pid, *(pid for (pid,) in backends)]
