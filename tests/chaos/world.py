"""What faults act upon: one campaign, its processes, and an operator who is present."""

import contextlib
import dataclasses
import os
import re
import signal
import time

import psutil
import psycopg2
import requests

from ..support.odoo import CRON, HTTP, RUNNER
from ..support.rpc import RpcError
from . import audience

#: A worker that works longer on one request is killed by Odoo's main process (seconds).
#: Jobs start no message after a quarter of it.
TIME_LIMIT = 20
SENDERS = 4
# People and the runner's requests need one each while all others send.
WORKERS = SENDERS + 2

#: How long a call or a statement is tried while what it needs is down (seconds).
PATIENCE = 60

OVERDUE = re.compile(r"Worker\w+ \((\d+)\) timeout after")


@dataclasses.dataclass(frozen=True)
class Outage:
    """When something was down or lied, by the clock, and whose claims it explains.

    :param begin: seconds since the epoch
    :param end: seconds since the epoch
    :param what: for the report
    """

    begin: float
    end: float
    what: str


class World:
    """One campaign that is being sent.

    :param database: with the campaign, see `support.postgres.Database`
    :param sink: started
    :param node: the Odoo server, started
    :param mailing_id: the campaign
    :param random: all that is left to chance comes from here
    """

    def __init__(self, scope, database, sink, node, mailing_id, recipients, random):
        self.scope = scope
        self.database = database
        self.sink = sink
        self.node = node
        self.mailing_id = mailing_id
        self.recipients = recipients
        self.random = random
        self.deaths = {}
        self.outages = []
        self.events = []
        self.problems = []
        self.inflight_kills = 0
        self.jobs_may_fail = False
        self.begun = time.time()
        #: By how many people at the moment
        self.paused = 0
        self.audience = audience.of(self)
        self._rules = []
        self._sessions = {}

    # -- what happens ------------------------------------------------------------

    def note(self, text):
        self.events.append(f"{time.time() - self.begun:.1f} s: {text}")

    def progress(self):
        """Which share of the recipients the server has accepted."""
        return self.sink.count() / self.recipients

    # -- the SMTP server ---------------------------------------------------------

    def obey(self, *rules):
        """Put these rules in force, before those that are."""
        self._rules = [*rules, *self._rules]
        self.sink.rules(*self._rules)

    def obey_no_more(self, *rules):
        self._rules = [rule for rule in self._rules if rule not in rules]
        self.sink.rules(*self._rules)

    # -- the database ------------------------------------------------------------

    def query(self, statement, params=None):
        """The statement's rows; tried again while PostgreSQL is down."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.database.query(statement, params)
            except psycopg2.Error:
                self.database.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def claims(self):
        """The claims that are open: trace's id, worker's process and token."""
        rows = self.query(
            "SELECT id, split_part(queue_claimed_by, ':', 2)::int, queue_claim_token "
            "FROM mailing_trace WHERE trace_status = 'process'"
        )
        return [row for row in rows if row[1] not in self.deaths]

    def claim_of(self, message):
        """The open claim under which a message left: trace, process and token."""
        rows = self.query(
            "SELECT id, split_part(queue_claimed_by, ':', 2)::int, queue_claim_token "
            "FROM mailing_trace WHERE trace_status = 'process' AND message_id = %s",
            (message.message_id,),
        )
        return rows[0] if rows else None

    def sender_of(self, message):
        """The process that opened the connection of a message."""
        for session in self.sink.sessions():
            if (session["event"], session["connection"]) == (
                "connection",
                message.connection,
            ):
                return session["pid"]
        return None

    def is_claimed(self, trace, token):
        return bool(
            self.query(
                "SELECT 1 FROM mailing_trace WHERE id = %s AND queue_claim_token = %s "
                "AND trace_status = 'process'",
                (trace, token),
            )
        )

    def state(self):
        """The mailing's state, and whether it is paused."""
        return self.query(
            "SELECT state, COALESCE(queue_paused, false) FROM mailing_mailing "
            "WHERE id = %s",
            (self.mailing_id,),
        )[0]

    # -- processes ---------------------------------------------------------------

    def worker_pids(self, kind=HTTP):
        return [pid for pid in self.node.worker_pids(kind) if pid not in self.deaths]

    def kill(self, pid, how=signal.SIGKILL):
        """End one of the node's processes."""
        if pid not in {p.pid for p in psutil.Process(self.node.pid).children(True)}:
            raise ValueError(f"{pid} is not a process of the node")
        self.deaths[pid] = how.name
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)

    def doom_node(self, how):
        """Note that all its workers are about to end."""
        for kind in (HTTP, CRON, RUNNER):
            for pid in self.worker_pids(kind):
                self.deaths[pid] = how

    def give_clock(self):
        """Have the node, which is not started yet, run by a clock that can be set."""
        self.node.environ = {
            **os.environ,
            "LD_PRELOAD": self.scope.workspace.environment.faketime,
            "FAKETIME_TIMESTAMP_FILE": str(self.node.folder / "clock"),
            "FAKETIME_NO_CACHE": "1",
        }
        self.node.folder.mkdir(parents=True, exist_ok=True)
        self.set_clock("+0")

    def set_clock(self, step):
        """Let the node's clock be wrong by so much, as libfaketime writes it."""
        (self.node.folder / "clock").write_text(step)

    def overdue(self):
        """The workers that Odoo's main process has killed for working too long."""
        return {int(pid) for pid in OVERDUE.findall(self.node._read_log())}

    # -- people ------------------------------------------------------------------

    def press(self, action, model="mailing.mailing", ids=None, who="operator"):
        """Press a button, as a person does who tries again when the page is down.

        :return: the error that the person reads, if any
        """
        return self._refusal(
            who,
            lambda rpc: rpc.press(
                model, action, ids or [self.mailing_id], timeout=TIME_LIMIT * 2
            ),
        )

    def save(self, model, ids, values, who="operator"):
        """Save a form in the same way.

        :return: the error that the person reads, if any
        """
        return self._refusal(who, lambda rpc: rpc.write(model, ids, values))

    def delete(self, model, ids, who="operator"):
        return self._refusal(who, lambda rpc: rpc.call(model, "unlink", [ids]))

    def make(self, model, values, who="operator"):
        """Create a record, once also where the answer is lost; returns its id."""
        key = "email" if "email" in values else "name"

        def newest(rpc):
            return rpc.search(model, [], order="id desc", limit=1)

        def make(rpc):
            mine = [(key, "=", values[key]), ("id", ">", last)]
            found = rpc.search(model, mine)
            return found[0] if found else rpc.create(model, values)

        last = max(self.ask(who, newest), default=0)
        return self.ask(who, make)

    def _refusal(self, who, request):
        try:
            self.ask(who, request)
        except RpcError as error:
            return str(error)
        return None

    def ask(self, who, request):
        """Make a request, again while the server is down.

        :param request: function of somebody's session, see `support.rpc.Rpc`
        :raises RpcError: the person reads an error
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                if who not in self._sessions:
                    self._sessions[who] = self.node.rpc()
                return request(self._sessions[who])
            except (requests.RequestException, RpcError) as error:
                if isinstance(error, RpcError) and error.name.startswith("odoo."):
                    raise
                # The server is down, or so is its database.
                self._sessions.pop(who, None)
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def supervise(self):
        """Start the node again when it has ended by itself, as systemd does.

        Odoo's main process ends if it cannot reach PostgreSQL while it forks a worker.
        """
        if not self.node.running:
            self.note("the node, which has ended by itself, is started again")
            self.node.kill()
            self.node.start()

    def operate(self):
        """Resume what has paused by itself: its reason is repaired by then."""
        if self.jobs_may_fail:
            self.requeue_failed()
        state, paused = self.state()
        if state == "sending" and paused:
            self.press("action_queue_resume")
        if self.query("SELECT to_regclass('mailing_provider_state')")[0][0]:
            rows = self.query(
                "SELECT provider_id FROM mailing_provider_state s "
                "JOIN mailing_provider p ON p.id = s.provider_id "
                "WHERE s.stopped IS NOT NULL OR p.paused"
            )
            for (provider,) in rows:
                self.press("action_resume", "mailing.provider", [provider])

    def requeue_failed(self):
        """Requeue the jobs that failed, as whoever has repaired the disk does."""
        rows = self.query("SELECT id FROM queue_job WHERE state = 'failed'")
        if rows:
            self.press("requeue", "queue.job", [job for (job,) in rows])

    def hurry(self, waits=True):
        """Let waits of minutes be over: what is due later is due now.

        Nothing but times is changed, as if the run lasted an hour.

        :param waits: not only of what Odoo's scheduler does each minute
        """
        self._change(*(HURRY if waits else HURRY[-1:]))

    def age_mails(self):
        """Make what is left of composing old enough to be taken for forgotten."""
        self._change(AGE_MAILS, *HURRY)

    def _change(self, *statements):
        """Run statements, and wake Odoo's scheduler; nobody minds if that fails."""
        postgres = self.database.postgres
        with contextlib.suppress(psycopg2.Error):
            with contextlib.closing(self.database.connect()) as connection:
                connection.autocommit = True
                for statement in statements:
                    connection.cursor().execute(statement)
            with contextlib.closing(postgres.database("postgres").connect()) as listen:
                listen.autocommit = True
                notify = "SELECT pg_notify('cron_trigger', %s)"
                listen.cursor().execute(notify, (self.database.name,))


# Rows that somebody holds are left for the next time.
HURRY = (
    """
    UPDATE mailing_trace SET queue_next_attempt = now() AT TIME ZONE 'utc'
     WHERE id IN (SELECT id FROM mailing_trace WHERE trace_status = 'outgoing'
                     AND queue_next_attempt > now() AT TIME ZONE 'utc'
                     FOR UPDATE SKIP LOCKED)
    """,
    """
    UPDATE mailing_queue_outage SET retry_at = now() AT TIME ZONE 'utc'
     WHERE id IN (SELECT id FROM mailing_queue_outage
                   WHERE retry_at > now() AT TIME ZONE 'utc' FOR UPDATE SKIP LOCKED)
    """,
    """
    UPDATE queue_job SET eta = NULL
     WHERE id IN (SELECT id FROM queue_job WHERE state = 'pending'
                     AND eta > now() AT TIME ZONE 'utc' FOR UPDATE SKIP LOCKED)
    """,
    """
    UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'utc'
     WHERE id IN (SELECT cron.id FROM ir_cron cron
                    JOIN ir_model_data data ON data.model = 'ir.cron'
                     AND data.res_id = cron.id
                     AND data.name IN ('ir_cron_queue_reconcile',
                                       'ir_cron_mail_scheduler_action',
                                       'ir_cron_mass_mailing_queue')
                     FOR UPDATE OF cron SKIP LOCKED)
    """,
)

AGE_MAILS = """
    UPDATE mail_message SET create_date = create_date - interval '5 minutes'
     WHERE id IN (SELECT message.id FROM mail_message message
                    JOIN mail_mail mail ON mail.mail_message_id = message.id
                     AND mail.queue_managed FOR UPDATE OF message SKIP LOCKED)
"""
