"""SMTP sessions outlive a job: reused while they live, and probed after a rest."""

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
