"""Commands in one piece mean what they mean one by one, whatever a server answers."""

import contextlib
import functools
import itertools
import os
import smtplib
import socket
import sys
import threading

import pytest

from .test_fuzz_modules import load

pipelining, smtp = load("mass_mailing_queue", "pipelining", "smtp")

SENDER, ADDRESSES = "news@example.org", ["a@example.com", "b@example.com"]
MESSAGE = b"Subject: News\r\n\r\nHello.\r\n"
# 252 is a yes, but none that `smtplib` takes for one.
MAIL = ("250 ok", "252 maybe", "451 later", "550 no", "421 bye")
RCPT = ("250 ok", "251 forwarded", "252 maybe", "452 full", "550 unknown", "421 bye")
#: To DATA with recipients, and to DATA without any.
DATA = ("354 go on", "451 later", "421 bye")
NOBODY = ("503 no recipients", "354 go on")
END = ("250 accepted", "554 spam", "421 bye")


class Server:
    """A server that answers one message as it is told, and what follows well.

    :param extensions: what it offers
    :param answers: dict of stage → list of replies; those that are used up are good
    """

    def __init__(self, extensions=("PIPELINING",), **answers):
        self.extensions = extensions
        self.answers = {stage: list(replies) for stage, replies in answers.items()}
        #: Commands in the pieces in which they came; messages that were accepted.
        self.pieces, self.messages = [], []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        connection, _address = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            self._connection, self._buffer = connection, b""
            self._say("220 test")
            recipients = 0
            while (line := self._line()) is not None:
                verb = line[:4].upper()
                if verb == "EHLO":
                    self._say("\r\n".join(["250-test", *self._extensions()]))
                elif verb == "QUIT":
                    return self._say("221 bye")
                elif verb == "NOOP":
                    self._say("250 ok")
                elif verb == "RSET":
                    self.answers = {}
                    self._say("250 ok")
                elif verb == "MAIL":
                    mail = self._answer("mail", "250 ok")
                    recipients = 0
                elif verb == "RCPT":
                    good = mail[0] == "2" and self._answer("rcpt", "250 ok")[0] == "2"
                    recipients += good
                    if mail[0] != "2":
                        self._say("503 no sender")
                elif verb == "DATA":
                    self._data(recipients)
                if self._connection.fileno() < 0:
                    return None
        return None

    def _extensions(self):
        return [f"250-{name}" for name in self.extensions] + ["250 8BITMIME"]

    def _data(self, recipients):
        if not recipients:
            if self._answer("nobody", "503 no recipients")[0] == "3":
                self._body()
                self._say("554 no recipients")
        elif self._answer("data", "354 go on")[0] == "3":
            body = self._body()
            # Before anybody is told.
            if body is None:
                return
            if (self.answers.get("end") or ["250"])[0][0] == "2":
                self.messages.append(body)
            self._answer("end", "250 accepted")

    def _answer(self, stage, good):
        left = self.answers.get(stage)
        reply = left.pop(0) if left else good
        self._say(reply)
        if reply.startswith("421"):
            self._connection.close()
        return reply

    def _say(self, reply):
        if self._connection.fileno() >= 0:
            with contextlib.suppress(ConnectionError):
                self._connection.sendall(reply.encode() + b"\r\n")

    def _read(self):
        if self._connection.fileno() < 0:
            return False
        try:
            piece = self._connection.recv(65_536)
        except OSError:
            return False
        self.pieces.append(piece.decode())
        self._buffer += piece
        return bool(piece)

    def _line(self):
        while b"\r\n" not in self._buffer:
            if not self._read():
                return None
        line, _end, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode()

    def _body(self):
        """The lines up to the final dot, nothing if it does not come."""
        lines = []
        while (line := self._line()) != ".":
            if line is None:
                return None
            lines.append(line)
        return lines

    def close(self):
        self._listener.close()
        self._thread.join(10)


def talk(answers, pipelined):
    """Send a message, then another one on the same connection if there still is one.

    :return: what `smtplib` said of each, how many had arrived by then, the server
    """
    server = Server(**answers)
    said, arrived = [], []
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as connection:
        connection.ehlo()
        if pipelined:
            pipelining.Pipeline(connection)
        for _message in range(2):
            try:
                said.append(connection.sendmail(SENDER, ADDRESSES, MESSAGE))
            except smtplib.SMTPServerDisconnected:
                said.append("disconnected")
            except smtplib.SMTPException as error:
                said.append((type(error).__name__, error.args))
            arrived.append(len(server.messages))
            if connection.sock is None:
                break
    server.close()
    return said, arrived, server


@pytest.mark.parametrize("mail", MAIL)
def test_whatever_is_answered_means_the_same(mail):
    """For every answer to every command; and the next message is not confused."""
    # Who is refused as a sender is answered alike for all recipients.
    repeats = itertools.product(RCPT, repeat=2) if mail[0] == "2" else [RCPT[:2]]
    for rcpt in repeats:
        for data, nobody, end in itertools.product(DATA, NOBODY, END):
            answers = {
                "mail": [mail],
                "rcpt": rcpt,
                "data": [data],
                "nobody": [nobody],
                "end": [end],
            }
            plain, usual, _server = talk(answers, pipelined=False)
            said, arrived, server = talk(answers, pipelined=True)
            assert (said[0], arrived[0]) == (plain[0], usual[0]), answers
            # A connection on which a message is waited for ends.
            assert said[1:] in (plain[1:], []), answers
            ended = len(said) < len(plain)
            ends = {"354 go on", "421 bye"}
            assert not ended or ends & {*rcpt, data, nobody}, answers
            assert [] not in server.messages, "nobody gets an empty one"


def test_what_is_sent_at_once():
    """All commands of a message in one piece, before any of them is answered."""
    said, _arrived, server = talk({}, pipelined=True)
    assert said == [{}, {}]
    assert len(server.messages) == 2
    commands = (
        f"mail FROM:<{SENDER}>\r\n"
        "rcpt TO:<a@example.com>\r\nrcpt TO:<b@example.com>\r\ndata\r\n"
    )
    assert server.pieces.count(commands) == 2


def test_an_option_cannot_bring_commands_along():
    """`smtplib` refuses it, and nothing of it was sent ahead."""
    server = Server()
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as connection:
        connection.ehlo()
        pipelining.Pipeline(connection)
        with pytest.raises(ValueError, match="newline"):
            connection.sendmail(
                SENDER, ADDRESSES, MESSAGE, rcpt_options=["X\r\nrcpt TO:<x@y.z>"]
            )
        connection.rset()
        assert connection.sendmail(SENDER, ADDRESSES, MESSAGE) == {}
    server.close()
    assert "x@y.z" not in "".join(server.pieces)


def test_a_session_knows_that_its_connection_has_ended():
    """The next recipient gets another one, and is not taken for what broke it."""
    server = Server(rcpt=["550 unknown"] * 2, nobody=["354 go on"])
    connection = smtplib.SMTP("127.0.0.1", server.port, timeout=10)
    connection.ehlo()
    session = smtp.Session(connection)
    assert not session.closed
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        connection.sendmail(SENDER, ADDRESSES, MESSAGE)
    assert session.closed
    server.close()


class Interruption(Exception):
    """What a time limit or a signal's handler raises, wherever we are."""


def interrupt(place, function):
    """Run `function`, raising at one of the places at which a signal can be handled.

    :param place: its number; of our own code each operation is one, of `smtplib` each
        line
    :return: whether there was such a place
    """
    files = {smtplib.__file__: "line", smtp.__file__: "", pipelining.__file__: ""}
    left = place

    def local(frame, event, _argument):
        nonlocal left
        if event == (files[frame.f_code.co_filename] or "opcode"):
            left -= 1
            if left == 0:
                raise Interruption
        return local

    def trace(frame, _event, _argument):
        kind = files.get(frame.f_code.co_filename)
        if kind is None:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = not kind, bool(kind)
        return local

    sys.settrace(trace)
    try:
        function()
    except Interruption:
        pass
    finally:
        sys.settrace(None)
    return left <= 0


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("message", [MESSAGE, b""])
def test_an_interruption_hides_no_delivery(pipelined, message):
    """Wherever it lands: what has arrived is accepted or in doubt, all else neither."""
    seen = set()
    for place in itertools.count(1):
        server = Server(extensions=["PIPELINING"] if pipelined else [])
        connection = smtplib.SMTP("127.0.0.1", server.port, timeout=10)
        connection.ehlo()
        session = smtp.Session(connection)
        session.begin()
        send = functools.partial(connection.sendmail, SENDER, ADDRESSES, message)
        reached = interrupt(place, send)
        connection.close()
        server.close()
        arrived = bool(server.messages)
        known = session.accepted or session.awaiting_reply
        assert known or not arrived, f"place {place} hides it"
        assert arrived or not session.accepted, place
        assert session.handed_over or not known, f"place {place} doubts too early"
        seen.add((arrived, session.accepted))
        if not reached:
            break
    assert seen == {(False, False), (True, False), (True, True)}


@pytest.mark.parametrize(
    "pieces",
    [
        [b"Hello.\r\n.\r\n"],
        [b"\r\n.\r\n"],
        [b"Hello.\r\n", b".\r\n"],
        [b"Hello.\r", b"\n.\r", b"\n"],
    ],
)
def test_the_last_bytes_leave_by_themselves(pieces):
    """However a message is handed over: no doubt before, and nothing is changed."""
    server = Server()
    sent = []

    class Connection(smtplib.SMTP):
        def send(self, data):
            sent.append((data, session and session.awaiting_reply))
            super().send(data)

    session = None
    with Connection("127.0.0.1", server.port, timeout=10) as connection:
        connection.ehlo()
        session = smtp.Session(connection)
        connection.mail(SENDER)
        connection.rcpt(ADDRESSES[0])
        connection.docmd("data")
        del sent[:]
        for piece in pieces:
            connection.send(piece)
        assert session.awaiting_reply
        assert connection.getreply()[0] == 250
        assert session.accepted and not session.awaiting_reply
    server.close()
    handed = [data for data, _waits in sent if isinstance(data, bytes)]
    assert b"".join(handed) == b"".join(pieces)
    assert [waits for data, waits in sent if isinstance(data, bytes)] == [
        *[False] * (len(handed) - 1),
        True,
    ]


def test_the_last_bytes_are_not_held_back():
    """Not until the others are acknowledged, which takes a server up to 40 ms."""
    server = Server()
    with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as connection:
        sock = connection.sock
        assert not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        smtp.Session(connection)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    server.close()


@pytest.mark.parametrize(
    "reply, accepted, doubtful",
    [
        ("250 ok", True, False),
        ("252 perhaps", True, False),
        ("451 later", False, False),
        ("554 no", False, False),
        ("354 go on", False, True),
        ("nonsense", False, True),
    ],
)
def test_what_the_last_reply_says(reply, accepted, doubtful):
    """Any yes is one, any no is one; what is neither answers nothing."""
    server = Server(end=[reply])
    connection = smtplib.SMTP("127.0.0.1", server.port, timeout=10)
    connection.ehlo()
    session = smtp.Session(connection)
    with contextlib.suppress(smtplib.SMTPException):
        connection.sendmail(SENDER, ADDRESSES, MESSAGE)
    assert (session.accepted, session.awaiting_reply) == (accepted, doubtful)
    connection.close()
    server.close()


class ThroughAnother(smtplib.SMTP):
    """An addon's connection that delivers over one of its own."""

    fails = False

    def sendmail(self, *args, **options):
        with smtplib.SMTP("127.0.0.1", self.other, timeout=10) as other:
            other.sendmail(*args, **options)
        if self.fails:
            raise Interruption


class ToTheSocket(smtplib.SMTP):
    """An addon's connection that writes the message to the socket by itself."""

    fails = False

    def data(self, msg):
        self.putcmd("data")
        code, reply = self.getreply()
        if code == 354:
            self.sock.sendall(msg + b"\r\n.\r\n")
            if self.fails:
                raise Interruption
            code, reply = self.getreply()
        return code, reply


class Decorating(smtplib.SMTP):
    """An addon's connection that delivers as usual, after all."""

    def sendmail(self, *args, **options):
        return super().sendmail(*args, **options)

    def data(self, msg):
        return super().data(msg)


@pytest.mark.parametrize("kind", [ThroughAnother, ToTheSocket])
@pytest.mark.parametrize("fails", [False, True])
def test_a_delivery_past_us_is_noticed(kind, fails):
    """It was not seen to be handed over; if it fails, it may have been."""
    servers = [Server() for _number in range(2 if kind is ThroughAnother else 1)]
    connection = kind("127.0.0.1", servers[0].port, timeout=10)
    connection.ehlo()
    connection.fails, connection.other = fails, servers[-1].port
    session = smtp.Session(connection)
    if fails:
        with pytest.raises(Interruption):
            connection.sendmail(SENDER, ADDRESSES, MESSAGE)
        assert session.awaiting_reply
    else:
        assert not connection.sendmail(SENDER, ADDRESSES, MESSAGE)
    assert not session.handed_over
    connection.close()
    for server in servers:
        server.close()
    assert servers[-1].messages


@pytest.mark.parametrize("pipelined", [False, True])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "end"])
def test_an_addons_connection_that_uses_ours_is_as_good(pipelined, stage):
    """A refusal that we have seen is one, and what was delivered was seen."""
    refusals = {stage: ["554 no"] * (2 if stage == "rcpt" else 1)}
    if pipelined and stage == "rcpt":
        refusals["nobody"] = ["503 nobody"]
    server = Server(extensions=["PIPELINING"] if pipelined else [], **refusals)
    connection = Decorating("127.0.0.1", server.port, timeout=10)
    connection.ehlo()
    session = smtp.Session(connection)
    with pytest.raises(smtplib.SMTPException):
        connection.sendmail(SENDER, ADDRESSES, MESSAGE)
    assert not session.awaiting_reply and not session.accepted
    session.begin()
    assert not connection.sendmail(SENDER, ADDRESSES, MESSAGE)
    assert session.handed_over and session.accepted
    connection.quit()
    server.close()


def connected(server):
    connection = smtplib.SMTP("127.0.0.1", server.port, timeout=10)
    connection.ehlo()
    return smtp.Session(connection)


def test_a_connection_that_has_rested_ends_by_itself():
    """Nobody else has to come for that; then nobody looks any more."""
    pool, server = smtp.SessionPool(), Server()
    session = connected(server)
    session.linger = 0.2
    pool.put("key", session)
    if closer := pool._closer:
        closer.join(30)
    assert pool.take("key") is None
    assert session.closed and not pool._closer
    server.close()


def test_nothing_is_kept_that_nobody_could_close(monkeypatch):
    """A worker near its memory's limit cannot start a thread; its job goes on."""
    pool, server, lease = smtp.SessionPool(), Server(), Lease()
    session = connected(server)
    session.lease = lease

    def start(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", start)
        pool.put("key", session)
    assert pool.take("key") is None
    assert session.closed and lease.ended.is_set()
    server.close()


class Lease:
    """A seat that may be wanted."""

    name = "seat"

    def __init__(self):
        self.wanted, self.ended = False, threading.Event()

    def is_wanted(self):
        return self.wanted

    def close(self):
        self.ended.set()


def test_a_connection_whose_lease_is_wanted_ends_first():
    """Whoever gets the lease may connect at once."""
    pool, server, lease = smtp.SessionPool(), Server(), Lease()
    session = connected(server)
    session.lease = lease
    pool.put("key", session)
    assert pool.take_leased("other") == (None, None)
    assert pool.take_leased("seat") == ("key", session)
    pool.put("key", session)
    assert not lease.ended.is_set()
    lease.wanted = True
    assert lease.ended.wait(30)
    assert session.closed
    server.close()


def test_a_forked_process_has_none_of_its_parents_connections():
    """Neither to use nor open; and the parent's go on."""
    pool, server, lease = smtp.SESSIONS, Server(), Lease()
    session = connected(server)
    session.lease = lease
    pool.put("key", session)
    if not (pid := os.fork()):
        ours = pool.take("key") or not session.closed or lease.ended.is_set()
        os._exit(bool(ours) or pool._closer is not None)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert pool.take("key") is session
    assert session.connection.noop()[0] == 250
    session.close()
    server.close()


def test_a_server_that_is_silent_at_quit_is_not_waited_for():
    """Somebody waits for what comes next, and nobody for its answer."""
    gone = threading.Event()

    def serve(listener):
        connection, _address = listener.accept()
        with connection:
            connection.sendall(b"220 test\r\n")
            # QUIT, and no answer, until the client hangs up.
            while connection.recv(1024):
                pass
        gone.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        session = smtp.Session(
            smtplib.SMTP("127.0.0.1", listener.getsockname()[1], timeout=600)
        )
        leaving = threading.Thread(target=session.close, daemon=True)
        leaving.start()
        leaving.join(30)
        assert not leaving.is_alive()
        assert gone.wait(60)
