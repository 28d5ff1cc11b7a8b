"""SMTP sessions outlive a job: reused while they live, and probed after a rest."""

import pytest

from . import sending
from .support.ledger import compare
from .support.sink_rules import Rule


def send_each(env, step, mailing_id, rested):
    """Send to one recipient after the other, as jobs of one process do.

    :param rested: wait for the test after the first one, and rest for so long (seconds)
    """
    from odoo.addons.mass_mailing_queue.smtp import SESSIONS

    first, *others = env["mailing.mailing"].browse(mailing_id).mailing_trace_ids
    sent = first._send()
    if rested:
        step("resting")
        # What the clock would do.
        for session in SESSIONS._idle.values():
            session.last_used -= rested
    return sent + sum(trace._send() for trace in others)


def test_one_session_serves_many_jobs(scope):
    """A process connects and logs in once."""
    _database, sink, shell, mailing_id = sending.prepare(scope, 3)
    assert shell.run(send_each, mailing_id=mailing_id, rested=0) == 3
    assert (sink.connections, sink.logins) == (1, 1)


def test_a_session_that_the_server_closed(scope):
    """While it rested: that costs a connection, and no recipient an attempt."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    with shell.start(send_each, mailing_id=mailing_id, rested=5) as run:
        run.wait_for("resting")
        sink.stop()
        sink.start()
        run.go_on()
        assert run.result() == 3
    assert database.query("SELECT DISTINCT queue_attempts FROM mailing_trace") == [(1,)]
    assert not database.query("SELECT id FROM mailing_queue_outage")
    assert sink.connections == 2


def send_with_an_addon_that_fails_afterwards(env, step, mailing_id):
    """An addon notes each mail when it has left, and cannot; runs inside Odoo."""
    import psycopg2

    from odoo.addons.base.models.ir_mail_server import IrMail_Server

    send_email, errors = IrMail_Server.send_email, [psycopg2.OperationalError, KeyError]

    def noting(self, *arguments, **options):
        send_email(self, *arguments, **options)
        if errors:
            raise errors.pop()("after the server has accepted it")

    IrMail_Server.send_email = noting
    return env["mailing.mailing"].browse(mailing_id).mailing_trace_ids._send()


def test_what_fails_after_the_server_accepted_sends_nothing_again(scope):
    """Whatever another addon does after sending: the email has left."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    function = send_with_an_addon_that_fails_afterwards
    assert shell.run(function, mailing_id=mailing_id) == 3
    verdict = compare(sink, database, mailing_id)
    assert verdict.exactly_once, str(verdict)
    assert database.column("SELECT DISTINCT trace_status FROM mailing_trace") == [
        "sent"
    ]


def test_a_message_that_is_refused_at_its_data_costs_no_other(scope):
    """smtplib does not end the transaction then; the next MAIL would be nested."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    sink.rules(Rule("data", reply="451 4.3.0 Try again later", times=1))
    assert shell.run(send_each, mailing_id=mailing_id, rested=0) == 2
    assert len(sink.messages()) == 2
    assert database.query(
        "SELECT queue_smtp_code, queue_attempts FROM mailing_trace "
        "WHERE trace_status = 'outgoing'"
    ) == [(451, 1)]


def send_with_another_connection(env, step, mailing_id, kind, fails=False):
    """An addon gives Odoo a connection of its own; runs inside Odoo.

    :param kind: `wrapper` has an `smtplib.SMTP` and is none; `nothing` is no connection
        at all; `past` is one that delivers over another
    """
    import smtplib

    from odoo.addons.base.models.ir_mail_server import IrMail_Server

    connect = IrMail_Server._connect__

    class Wrapper:
        def __init__(self, connection):
            self._connection = connection

        def __getattr__(self, name):
            return getattr(self._connection, name)

    class Past(smtplib.SMTP):
        def __init__(self, connection):
            super().__init__(connection._host, connection.sock.getpeername()[1])
            self._other = connection

        def send_message(self, *arguments, **options):
            self._other.send_message(*arguments, **options)
            if fails:
                raise smtplib.SMTPServerDisconnected("lost")

    kinds = {"wrapper": Wrapper, "past": Past, "nothing": lambda _connection: None}

    def replaced(self, *arguments, **options):
        connection = connect(self, *arguments, **options)
        replacement = kinds[kind](connection)
        if replacement is not None:
            replacement.from_filter = connection.from_filter
            replacement.smtp_from = connection.smtp_from
        return replacement

    IrMail_Server._connect__ = replaced
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.mailing_trace_ids._send()
    env["mailing.mailing"]._queue_run_without_runner()
    env.invalidate_all()
    return mailing.queue_paused and mailing.queue_pause_reason


def outcomes(database):
    """How many recipients there are of each status and failure type."""
    return database.counts(
        "SELECT concat_ws(' ', trace_status, failure_type), count(*)::int "
        "FROM mailing_trace GROUP BY 1"
    )


@pytest.mark.parametrize("kind, name", [("wrapper", "Wrapper"), ("nothing", "None")])
def test_a_connection_that_cannot_be_watched_is_refused(scope, kind, name):
    """Nobody could say whether a message whose answer is lost arrived: none is sent."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    reason = shell.run(send_with_another_connection, mailing_id=mailing_id, kind=kind)
    assert not sink.messages()
    assert outcomes(database) == {"outgoing": 3}
    assert "deliveries cannot be confirmed" in reason and name in reason


@pytest.mark.parametrize(
    "fails, found", [(False, "sent"), (True, "error queue_in_doubt")]
)
def test_a_connection_that_delivers_past_us_is_used_once(scope, fails, found):
    """What it took has left, or may have; nothing more does before somebody looks."""
    database, sink, shell, mailing_id = sending.prepare(scope, 3)
    reason = shell.run(
        send_with_another_connection, mailing_id=mailing_id, kind="past", fails=fails
    )
    assert len(sink.messages()) == 1
    assert outcomes(database) == {"outgoing": 2, found: 1}
    assert "deliveries cannot be confirmed" in reason and "Past" in reason


def send_interrupted(env, step, mailing_id):
    """Send to one recipient after the other, each time interrupted a little earlier.

    As by a limit of the worker, which raises wherever it finds it; runs inside Odoo.

    :return: lines that the first one took, which nothing interrupted
    """
    import smtplib
    import sys

    from odoo.addons.mass_mailing_queue import smtp
    from odoo.addons.mass_mailing_queue.models import mailing_mailing_deliver as deliver

    files = {smtplib.__file__, smtp.__file__}
    transmit = deliver.MailingMailing._queue_transmit
    lines = place = total = 0

    def trace(frame, event, _argument):
        nonlocal lines
        name = frame.f_code.co_name
        if frame.f_code.co_filename not in files and name != "_queue_transmit":
            return None
        if event == "line":
            lines += 1
            if lines == place:
                raise TimeoutError("CPU time limit exceeded.")
        return trace

    def interrupted(self, *arguments):
        nonlocal lines
        lines = 0
        sys.settrace(trace)
        try:
            return transmit(self, *arguments)
        finally:
            sys.settrace(None)

    deliver.MailingMailing._queue_transmit = interrupted
    mailing = env["mailing.mailing"].browse(mailing_id)
    for number, trace_ in enumerate(mailing.mailing_trace_ids):
        place = total - 2 * number
        # Each on a connection of its own, as a process each would have.
        smtp.SESSIONS = smtp.SessionPool()
        try:
            trace_._send()
        except TimeoutError:
            # Beyond what is caught: the reconciler finds the claim.
            env.cr.rollback()
        total = total or lines
        env.cr.execute("DELETE FROM mailing_queue_outage")
        env.cr.commit()
    return total


def test_an_interruption_hides_no_delivery(scope):
    """Whoever got the message is sent or in doubt, wherever the worker was stopped."""
    database, sink, shell, mailing_id = sending.prepare(scope, 30)
    assert shell.run(send_interrupted, mailing_id=mailing_id) > 60
    arrived = {message.recipients[0] for message in sink.messages()}
    for email, status, failure in database.query(
        "SELECT email, trace_status, failure_type FROM mailing_trace"
    ):
        known = status in ("sent", "process") or failure == "queue_in_doubt"
        assert known or email not in arrived, (email, status, failure)
    assert outcomes(database).get("error queue_in_doubt"), "some were stopped after"
    assert len(arrived) < 30, "some were stopped before"
