"""Watches a mailing until it is done, and says why when it does not get there."""

import time

from .progress import Progress

STALL_SECONDS = 120
UNDER_WAY = ("outgoing", "process", "pending")
LOCK_OF_THE_RUNNER = 2293787760715711918
SECONDS_BETWEEN = 0.5
# Reading the progress may take no more than this share of the time.
SHARE_OF_READING = 0.05


class Stalled(Exception):
    """The mailing does not go on; the text says what is known about the reason."""


class Watch:
    """Reads a mailing's traces as they are committed.

    Straight from the database: a request would take a worker from the sending.

    :param database: `postgres.Database`
    :param server: `odoo.OdooServer`, whose log is quoted when something is wrong
    :param total: how many recipients there are
    """

    def __init__(self, database, server, mailing_id, total):
        self.database = database
        self.server = server
        self.mailing_id = mailing_id
        self.total = total

    def until_done(self, stall=STALL_SECONDS):
        """Show the progress until the mailing is done.

        :raises Stalled: nothing changed for `stall` seconds, it was paused, or the
            server is gone
        """
        last, changed = None, time.monotonic()
        with Progress("sending", self.total) as progress:
            while True:
                start = time.monotonic()
                now = (self.state(), self.statuses(), self.jobs())
                state, statuses, jobs = now
                settled = sum(statuses.values()) - sum(
                    statuses.get(status, 0) for status in UNDER_WAY
                )
                if now != last:
                    last, changed = now, start
                    progress.update(settled, _note(statuses))
                if state == "done":
                    return
                if self.paused():
                    raise Stalled(self.diagnosis("it was paused"))
                if not self.server.running:
                    raise Stalled(self.diagnosis("the server is gone"))
                if start - changed > stall:
                    raise Stalled(self.diagnosis(f"no progress for {stall:.0f} s"))
                spent = time.monotonic() - start
                time.sleep(max(SECONDS_BETWEEN, spent / SHARE_OF_READING))

    def state(self):
        return self.database.value(
            "SELECT state FROM mailing_mailing WHERE id = %s", [self.mailing_id]
        )

    def paused(self):
        """Why it is paused, None when it is not."""
        return self.database.value(
            "SELECT coalesce(queue_pause_reason, 'no reason given') "
            "FROM mailing_mailing WHERE id = %s AND queue_paused",
            [self.mailing_id],
        )

    def statuses(self):
        """How many traces have which status."""
        return self.database.counts(
            "SELECT trace_status, count(*) FROM mailing_trace "
            "WHERE mass_mailing_id = %s GROUP BY 1",
            [self.mailing_id],
        )

    def jobs(self):
        """How many jobs of which method are in which state."""
        return self.database.query(
            "SELECT method_name, state, count(*) FROM queue_job "
            "WHERE model_name = 'mailing.mailing' GROUP BY 1, 2 ORDER BY 1, 2"
        )

    def send_jobs(self):
        """How many jobs were created to send."""
        return sum(count for name, _state, count in self.jobs() if name == "_job_send")

    def diagnosis(self, what):
        """All that tells an operator where to look, one thing a line."""
        failures = self.database.counts(
            "SELECT concat_ws(': ', failure_type, left(failure_reason, 200)), count(*) "
            "FROM mailing_trace "
            "WHERE mass_mailing_id = %s AND failure_type IS NOT NULL "
            "GROUP BY 1 ORDER BY 2 DESC LIMIT 5",
            [self.mailing_id],
        )
        problems = self.database.column(
            "SELECT concat_ws(': ', method_name, exc_name, left(exc_message, 300)) "
            "FROM queue_job WHERE exc_name IS NOT NULL ORDER BY id DESC LIMIT 3"
        )
        runner = self.database.value(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE locktype = 'advisory' AND datname = current_database() "
            "AND ((classid::bigint << 32) | objid::bigint) = %s",
            [LOCK_OF_THE_RUNNER],
        )
        lines = [
            f"mailing {self.mailing_id} is not done: {what}",
            f"state: {self.state()}; paused: {self.paused() or 'no'}",
            f"traces: {self.statuses()}",
            f"failures: {failures or 'none'}",
            f"jobs: {self.jobs() or 'none'}",
            f"failed jobs: {problems or 'none'}",
            f"job runner: {'present' if runner else 'absent'}",
        ]
        if self.server.running:
            lines.append(f"workers: {self.server.worker_pids()}")
        lines += [f"log: {line}" for line in self.server.errors()[-5:]]
        return "\n  ".join(lines)


def _note(statuses):
    """What is not simply sent or waiting, in words."""
    named = {"error": "failed", "cancel": "cancelled", "bounce": "bounced"}
    return ", ".join(
        f"{statuses[status]} {word}"
        for status, word in named.items()
        if status in statuses
    )
