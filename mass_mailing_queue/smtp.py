# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""SMTP sessions that outlive a job, and know how far a message came. Free of Odoo."""

import atexit
import contextlib
import logging
import os
import re
import smtplib
import socket
import threading
import time
from email import policy
from email.message import EmailMessage

from .pipelining import Pipeline
from .replies import Reply, Verdict, classify

_logger = logging.getLogger(__name__)

#: A session that rested longer is probed (NOOP) before the next message, so that a
#: connection closed meanwhile costs a reconnection and not a recipient (seconds).
PROBE_AFTER = 2.0

#: A session that rested longer is not used again (seconds). Postfix closes idle
#: clients after 300 s (``smtpd_timeout``), most providers much sooner.
CLOSE_AFTER = 60.0

#: How long it may take until a lease that somebody waits for is given back (seconds).
LOOK_SECONDS = 0.2

#: A server that does not answer to QUIT is not waited for any longer (seconds).
LEAVE_SECONDS = 2.0

# A line break that is none: the value goes on in the next line (RFC 5322, 2.2.3).
_FOLD = re.compile(r"\r?\n[ \t]")
_BREAK = re.compile(r"[\r\n]")


#: What ends a message (RFC 5321, 4.1.1.4).
END = b"\r\n.\r\n"

#: What delivers a message in ``smtplib``. Other addons' own may do it in any way.
DELIVERING = ("send_message", "sendmail", "data")


class Session:
    """One connection to a server, watched for the moment nobody can answer for.

    A message is in doubt from just before its last bytes are handed to the network
    until the server's reply to them was read. They are handed over by themselves: what
    fails before was not accepted; after, we know. ``awaiting_reply`` is true in
    between, and stays true when the connection dies there, or the reply is none.
    ``handed_over`` is true once the last bytes were. ``accepted`` is true when the
    reply said so. All three hold until :meth:`begin`. ``in_message`` is true from MAIL
    FROM on. ``lost`` is set when the connection cannot be used any more, ``bypassed``
    when a message was not seen on its way. ``delivered`` counts the messages it has
    accepted; with ``max_messages`` of them it is not used again (0: no bound), nor
    after it rested for ``linger`` seconds. ``lease`` is what it holds while it rests,
    given back when it ends: an object with a ``name``, ``is_wanted()`` (by somebody who
    waits for it) and
    ``close()``.
    """

    def __init__(self, connection):
        """
        :param connection: what ``ir.mail_server._connect__`` returned: an
            ``smtplib.SMTP``, or ``None`` where Odoo's tests disable sending
        """
        self.connection = connection
        #: Whether it can be watched. If not, it is not to be used.
        self.watched = isinstance(connection, smtplib.SMTP)
        self.begin()
        self.in_message = False
        self.lost = False
        self.bypassed = False
        self.delivered = 0
        self.max_messages = 0
        self.linger = CLOSE_AFTER
        self.lease = None
        self.last_used = time.monotonic()
        if self.watched:
            self._watch(connection)
            if connection.has_extn("pipelining"):
                Pipeline(connection)

    def begin(self):
        """Forget the last message."""
        self.awaiting_reply = self.handed_over = self.accepted = False
        self._unanswered, self._last_bytes = False, b""

    def _watch(self, connection):
        # Other addons subclass the connection, so methods are wrapped on the instance.
        send, getreply = connection.send, connection.getreply

        def watched_send(data):
            if isinstance(data, str):
                # Commands are text, messages are bytes.
                verb = data[:5].lower()
                self.in_message = verb in ("mail ", "rcpt ", "data\r")
                if verb in ("mail ", "rcpt "):
                    self.awaiting_reply = False
                return send(data)
            self._last_bytes = (self._last_bytes + data[-len(END) :])[-len(END) :]
            self.awaiting_reply = False
            if self._last_bytes != END:
                return send(data)
            if begin := data[: -len(END)]:
                send(begin)
            # Before: whatever is raised while they leave, or just after.
            self.handed_over = self.awaiting_reply = self._unanswered = True
            send(data[-len(END) :])

        def watched_getreply():
            # To the message, and not to what is asked after it.
            answers, self._unanswered = self._unanswered, False
            reply = getreply()
            accepted, refused = reply[0] // 100 == 2, reply[0] // 100 in (4, 5)
            self.accepted |= answers and accepted
            if answers and accepted or refused and (answers or not self.handed_over):
                self.awaiting_reply = False
            return reply

        connection.send, connection.getreply = watched_send, watched_getreply
        for name in DELIVERING:
            method = getattr(connection, name)
            if getattr(method, "__module__", "") != smtplib.__name__:
                setattr(connection, name, self._watch_unknown(method))
        # The last bytes are not to wait until the others have been acknowledged.
        sock = getattr(connection.sock, "socket", connection.sock)
        with contextlib.suppress(AttributeError, OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _watch_unknown(self, method):
        """Take what another addon delivers with for doubtful until it is seen to send.

        Entered, it may deliver in a way that does not pass through ``send``.
        """

        def watched(*args, **kwargs):
            self.awaiting_reply = True
            return method(*args, **kwargs)

        return watched

    @property
    def unseen(self):
        """Whether a message that was delivered now would not have been seen."""
        return self.watched and not self.handed_over

    @property
    def closed(self):
        """Whether it has ended on our side."""
        return self.watched and self.connection.sock is None

    def is_lost_after(self, reply):
        """Return whether no other message can be tried on it after this reply.

        :param reply: a :class:`~.replies.Reply`, as its words have it
        """
        return (
            self.closed
            # Without RSET, which smtplib sends after most replies, but not after one to
            # DATA: the server would refuse the next message's MAIL.
            or (self.in_message and not self.accepted)
            or reply.code == 421
            or reply.verdict in (Verdict.UNREACHABLE, Verdict.IN_DOUBT)
        )

    def is_alive(self):
        """Return whether the next message can be tried on this session."""
        idle = time.monotonic() - self.last_used
        if self.bypassed or (self.max_messages and self.delivered >= self.max_messages):
            return False
        if self.connection is None or idle < PROBE_AFTER:
            return True
        if idle > self.linger:
            return False
        try:
            code = self.connection.noop()[0]
        except (smtplib.SMTPException, OSError):
            return False
        return code == 250

    def seconds_left(self):
        """Return how long an idle session may rest until somebody looks (seconds)."""
        left = max(self.last_used + self.linger - time.monotonic(), 0.01)
        return left if self.lease is None else min(left, LOOK_SECONDS)

    def has_ended(self):
        """Return whether an idle session is not kept any longer."""
        if time.monotonic() - self.last_used >= self.linger:
            return True
        return self.lease is not None and self.lease.is_wanted()

    def close(self):
        """Take leave of the server, or just leave if it does not answer."""
        try:
            self._leave()
        finally:
            # Somebody else may connect from now on.
            lease, self.lease = self.lease, None
            if lease is not None:
                lease.close()

    def _leave(self):
        if not self.watched:
            with contextlib.suppress(Exception):
                self.connection.quit()
            return
        try:
            if not self.closed:
                # Somebody waits for us, and nobody for the answer.
                self.connection.sock.settimeout(LEAVE_SECONDS)
            self.connection.quit()
        except (smtplib.SMTPException, OSError):
            self.connection.close()


class SessionPool:
    """The idle sessions of this process, one a key at most.

    A job takes a session out and puts it back, so two threads never share one. A thread
    closes those that rested for their time, or whose lease somebody waits for; it ends
    when none is left.
    """

    def __init__(self):
        self._abandoned = []
        self._begin()

    def _begin(self):
        self._idle = {}
        self._changed = threading.Condition()
        self._closer = None

    def take(self, key):
        """Return a live session for ``key``, or ``None``.

        :param tuple key: database, server, its last change, envelope sender
        """
        with self._changed:
            session = self._idle.pop(key, None)
        if session and not session.is_alive():
            session.close()
            return None
        return session

    def take_leased(self, name):
        """Return the last session put back with a lease of this name, and its key.

        :return: (key, session), (``None``, ``None``) if there is none
        """
        with self._changed:
            for key, session in reversed(self._idle.items()):
                if session.lease is not None and session.lease.name == name:
                    return key, self._idle.pop(key)
        return None, None

    def put(self, key, session):
        """Keep ``session`` for the next job of this process, for its time."""
        with self._changed:
            ended = [self._idle.pop(key)] if key in self._idle else []
            if session.linger:
                self._idle[key] = session
            else:
                ended.append(session)
            if self._idle and not self._is_watched():
                ended += self._idle.values()
                self._idle.clear()
            self._changed.notify()
        for old in ended:
            old.close()

    def _is_watched(self):
        """Return whether a thread closes the idle sessions: start one if needed."""
        if self._closer and self._closer.is_alive():
            return True
        self._closer = threading.Thread(
            target=self._close_ended, name="mass_mailing_queue", daemon=True
        )
        try:
            self._closer.start()
        except RuntimeError:
            # No memory for its stack, or too many threads: then nothing is kept.
            self._closer = None
        return self._closer is not None

    def _close_ended(self):
        """Close sessions when their time has come, until none is left."""
        while True:
            with self._changed:
                ended = [key for key, idle in self._idle.items() if idle.has_ended()]
                ended = [self._idle.pop(key) for key in ended]
                if not self._idle:
                    self._closer = None
                elif not ended:
                    self._changed.wait(
                        min(idle.seconds_left() for idle in self._idle.values())
                    )
            for session in ended:
                session.close()
            if self._closer is not threading.current_thread():
                return

    def close(self):
        """Close all sessions, at the end of the process."""
        with self._changed:
            ended = list(self._idle.values())
            self._idle.clear()
        for session in ended:
            session.close()

    def abandon(self):
        """Forget all sessions in a process that was forked: they are its parent's.

        Our copies of the sockets are closed, of which nobody at their other end learns.
        Leases are kept as they are, as ending one here would end it there.
        """
        idle = self._idle.values()
        self._begin()
        for session in idle:
            self._abandoned.append(session.lease)
            if session.watched:
                session.connection.close()


#: Idle SMTP sessions of this process.
SESSIONS = SessionPool()
os.register_at_fork(after_in_child=SESSIONS.abandon)
atexit.register(SESSIONS.close)


def broken_headers(message):
    """Return the names of headers that would not end with their value.

    Python decodes the encoded words (RFC 2047) of a header that it is given, and
    versions without the fix of CVE-2024-6923 write a line break that was hidden in one
    as it is: what follows would be a header of its own, or the body.

    :param message: an ``email.message.EmailMessage``, attachments included
    """
    return [
        name
        for part in message.walk()
        # In an attached message they need not be texts.
        for name, value in zip(part.keys(), map(str, part.values()), strict=True)
        if _BREAK.search(value) and _BREAK.search(_FOLD.sub("", value))
    ]


def set_boundaries(message, token):
    """Say where the parts of a message end.

    Otherwise Python joins all parts of each message to look for a text that they do
    not have, and parses the header that names it.

    :param message: an ``email.message.EmailMessage``
    :param str token: 128 bits that nobody could know who wrote any part of it
    """
    multiparts = (
        part
        for part in message.walk()
        # An attached message that says so need not have parts.
        if part.get_content_maintype() == "multipart" and part.is_multipart()
    )
    for number, part in enumerate(multiparts):
        if part.get_boundary() is None:
            # As long as Python's, so that the header is folded alike. "==" is in no
            # quoted-printable text, nor inside a base64 one.
            boundary = f"=={token}{number}="
            part.replace_header(
                "Content-Type", f'{part["Content-Type"]}; boundary="{boundary}"'
            )


def is_safe_header(name, value):
    """Return whether an email can have this header.

    >>> is_safe_header("Subject", "News"), is_safe_header("Subject", "News\\nX: 1")
    (True, False)
    >>> is_safe_header("Subject", "=?utf-8?q?News=0AX=3A_1?=")
    False
    """
    message = EmailMessage(policy=policy.SMTP)
    try:
        message[name] = value
    except Exception:
        # Python's parser of headers raises all kinds on nonsense.
        return False
    return not broken_headers(message)


def read_failure(error, command, recipients=()):
    """Return the reply that made ``error``, whatever it is wrapped in.

    ``ir.mail_server.send_email`` raises a translated ``MailDeliveryException``; the
    server's answer survives only in the exception's context.

    :param Exception error: what the attempt raised
    :param str command: ``connect`` for a failure to open a session, ``data`` for one
        while a message was being sent
    :param recipients: the addresses that the message goes to
    :return: a :class:`~.replies.Reply`
    """
    while error is not None:
        if isinstance(error, smtplib.SMTPServerDisconnected):
            return Reply(Verdict.UNREACHABLE, text=str(error))
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            # One message has several addresses only if the recipient's field has. If
            # one of them may be tried again, all are.
            recipients = [*error.recipients, *recipients]
            replies = [
                classify(code, _decode(text), "rcpt", recipients=recipients)
                for code, text in error.recipients.values() or [(0, "")]
            ]
            return min(replies, key=lambda reply: reply.verdict is Verdict.REJECTED)
        if isinstance(error, smtplib.SMTPResponseException):
            sender = ()
            if isinstance(error, smtplib.SMTPAuthenticationError):
                command = "auth"
            elif isinstance(error, smtplib.SMTPSenderRefused):
                command, sender = "mail", error.sender
            elif not isinstance(error, smtplib.SMTPDataError):
                command = "connect"
            text = _decode(error.smtp_error)
            return classify(
                error.smtp_code, text, command, recipients=recipients, sender=sender
            )
        if isinstance(error, smtplib.SMTPNotSupportedError):
            # SMTPUTF8 for this address, or AUTH that the server does not offer
            if command == "connect":
                return Reply(Verdict.BROKEN, text=str(error), account=True)
            return Reply(Verdict.REJECTED, text=str(error))
        if isinstance(error, OSError | smtplib.SMTPException):
            return Reply(Verdict.UNREACHABLE, text=str(error) or type(error).__name__)
        error = error.__cause__ or error.__context__
    return None


def _decode(text):
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
