"""The SMTP server of the suites: accepts everything, forgets nothing, lies on demand.

It writes two files, each one JSON object a line, flushed before anybody is told:
`messages.jsonl` has every message that came to its final dot, `sessions.jsonl` every
connection, login and answer by a rule. Nobody reads them while it runs but tests, so
there is no index.
"""

import argparse
import asyncio
import contextlib
import ctypes
import json
import logging
import os
import re
import signal
import time
from pathlib import Path

import uvloop
from aiosmtpd.smtp import MISSING, SMTP, AuthResult, syntax

from . import peers, tls
from .sink_rules import RuleBook

HOST = "127.0.0.1"
DOT = b"\r\n.\r\n"
MESSAGE_BYTES = 64 * 1024 * 1024
IDLE_SECONDS = 3600
USUAL = "250 2.0.0 OK"
# Neither a reply nor TLS, and nothing whose announced length is waited for.
GARBAGE = "\x15\x15\x01 \xfe\xff \x00?"
PR_SET_PDEATHSIG = 1

# Both headers may be folded: a line break and spaces are part of one value.
HEADER = re.compile(
    rb"^(message-id|list-unsubscribe):([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)", re.I | re.M
)
RECIPIENT = re.compile(rb"^rcpt to:<([^>\r\n]*)>", re.I | re.M)


class Records:
    """Append-only files of JSON lines, whole and flushed when `add` returns."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def add(self, **values):
        os.write(self._file, json.dumps(values).encode() + b"\n")

    def close(self):
        os.close(self._file)


class Session(SMTP):
    """aiosmtpd's protocol, with a scripted greeting and messages read in one piece.

    aiosmtpd reads a message line by line, which at 600 lines a newsletter costs more
    than the machine under test can spare: reading up to the final dot at once makes the
    sink several times as fast.
    """

    line_length_limit = MESSAGE_BYTES
    #: Of the connection, which may have two sessions: one before TLS and one within.
    connection_number = 0

    def connection_made(self, transport):
        self.event_handler.open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error):
        self.event_handler.open.discard(self.transport)
        super().connection_lost(error)

    async def _handle_client(self):
        await self.event_handler.greet(self)
        await super()._handle_client()

    async def push(self, status):
        if status == GARBAGE:
            return self._writer.write(GARBAGE.encode("latin-1") + b"\r\n")
        await super().push(status)
        if status[:3] in ("421", b"421") and self.transport:
            # 421 announces the end of the connection, wherever it is given.
            self.transport.close()

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg):
        refusal = await self.event_handler.before_tls(self)
        if refusal == GARBAGE:
            # Where the client expects the server's part of the handshake. Not before
            # its own: together with the reply, it would be taken for more text.
            await self.push("220 Ready to start TLS")
            await self._reader.read(1)
        if refusal:
            return await self.push(refusal)
        await super().smtp_STARTTLS(arg)

    @syntax("DATA")
    async def smtp_DATA(self, arg):
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        refusal = await self.event_handler.before_data(self)
        if refusal:
            # The transaction stays open until RSET, as with Postfix.
            await self.push(refusal)
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        # As if the end of the command's line were the message's: then the dot follows
        # a line break even in an empty message, and a dot is doubled only after one.
        self._reader._buffer[:0] = b"\r\n"
        content = await self._reader.readuntil(DOT)
        self._reset_timeout()
        content = content[: -len(DOT) + 2].replace(b"\r\n..", b"\r\n.")
        self.envelope.content = content[2:]
        status = await self._call_handler_hook("DATA")
        self._set_post_data_state()
        await self.push(status)


class Handler:
    """Decides by the rules and writes down what happened."""

    def __init__(
        self,
        folder,
        password=None,
        spool=False,
        find_peers=False,
        tls_context=None,
        pipelining=True,
    ):
        self.folder = Path(folder)
        self.rules = RuleBook(self.folder / "rules.json")
        self.messages = Records(self.folder / "messages.jsonl")
        self.sessions = Records(self.folder / "sessions.jsonl")
        self.spool = self.folder / "spool" if spool else None
        self.password = password
        self.find_peers = find_peers
        self.pipelining = pipelining
        self.tls_context = tls_context
        self.open = set()
        self.connections = 0
        self.accepted = 0

    async def greet(self, server):
        """Count the connection, and answer in place of the greeting if told to."""
        self.connections += 1
        server.connection_number = self.connections
        port = server.session.peer[1]
        pid = None
        if self.find_peers:
            # Before the greeting, while the other side waits and so still exists.
            pid = await asyncio.to_thread(peers.pid_of_port, port)
        self._note(server, "connection", pid=pid, open=len(self.open))
        refusal = await self._obey(server, "connect", usual=None)
        if refusal:
            await server.push(refusal)
            await self._close(server)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        """Say that commands may come together: they are read one by one anyway."""
        refusal = await self._obey(server, "ehlo", usual=None)
        if refusal:
            return [refusal]
        session.host_name = hostname
        offer = ["250-PIPELINING"] if self.pipelining else []
        return [*responses[:-1], *offer, responses[-1]]

    async def before_tls(self, server):
        return await self._obey(server, "tls", usual=None)

    async def before_data(self, server):
        recipients = server.envelope.rcpt_tos
        return await self._obey(server, "data", recipients, usual=None)

    async def handle_AUTH(self, server, session, envelope, args):
        reply = await self._obey(server, "auth", usual=None)
        if reply and reply[0] != "2":
            self._note(server, "login", accepted=False, reply=reply)
        return reply or MISSING

    def authenticate(self, server, session, envelope, mechanism, data):
        """aiosmtpd's authenticator: any password, or the given one."""
        accepted = self.password in (None, data.password.decode())
        self._note(server, "login", accepted=accepted, login=data.login.decode())
        # Not handled: aiosmtpd is to write the reply, also when it is a refusal.
        return AuthResult(success=accepted, handled=False, auth_data=data)

    async def handle_MAIL(self, server, session, envelope, address, options):
        # What came with it in one piece: a server may know for whom it is.
        announced = RECIPIENT.findall(bytes(server._reader._buffer))
        texts = [address, *(name.decode(errors="replace") for name in announced)]
        reply = await self._obey(server, "mail", texts)
        if reply[0] == "2":
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = await self._obey(server, "rcpt", [address])
        if reply[0] == "2":
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return reply

    async def handle_DATA(self, server, session, envelope):
        rule = self._decide(server, "end", envelope.rcpt_tos)
        if not rule:
            self._record(server, True, USUAL)
            return USUAL
        await asyncio.sleep(rule.delay)
        reply = (rule.reply or USUAL) if rule.action == "reply" else None
        self._record(server, rule.accepts, reply)
        await asyncio.sleep(rule.reply_delay)
        if rule.action.endswith("drop"):
            await self._close(server)
        elif rule.action.endswith("hang"):
            await self._silence()
        return GARBAGE if rule.action == "garbage" else reply

    def _decide(self, server, stage, texts):
        """The rule that is obeyed, which is noted, or None."""
        rule, text = self.rules.decide(stage, texts)
        if rule:
            self._note(server, "rule", stage=stage, text=text)
        return rule

    async def _obey(self, server, stage, texts=("",), usual=USUAL):
        """The reply at `stage`, after the waiting that the rule asks for."""
        rule = self._decide(server, stage, texts)
        if not rule:
            return usual
        await asyncio.sleep(rule.delay)
        if rule.action == "drop":
            await self._close(server)
        elif rule.action == "hang":
            await self._silence()
        elif rule.action == "garbage":
            return GARBAGE
        return rule.reply or usual

    async def _close(self, server):
        server.transport.close()
        await self._silence()

    async def _silence(self):
        """Wait for the session's end: aiosmtpd cancels us when it comes."""
        await asyncio.Event().wait()

    def _note(self, server, event, **values):
        number = server.connection_number
        self.sessions.add(at=time.time(), connection=number, event=event, **values)

    def _record(self, server, accepted, reply):
        """Write the message down, before its sender is told anything."""
        envelope = server.envelope
        head = envelope.content.partition(b"\r\n\r\n")[0]
        headers = {
            name.lower(): re.sub(rb"\s+", b" ", value).strip().decode(errors="replace")
            for name, value in HEADER.findall(head)
        }
        self.accepted += accepted
        if accepted:
            self.rules.accepted()
        spooled = None
        if self.spool and accepted:
            spooled = self.spool / f"{self.accepted:08d}.eml"
            spooled.write_bytes(envelope.content)
        self.messages.add(
            at=time.time(),
            connection=server.connection_number,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            message_id=headers.get(b"message-id", ""),
            identity=headers.get(b"list-unsubscribe", ""),
            size=len(envelope.content),
            accepted=accepted,
            reply=reply,
            spooled=spooled and str(spooled),
        )


async def serve(handler, port):
    """Serve until SIGTERM or SIGINT, then close what is open."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)

    def session():
        return Session(
            handler,
            hostname="sink.test",
            loop=loop,
            timeout=IDLE_SECONDS,
            enable_SMTPUTF8=True,
            data_size_limit=MESSAGE_BYTES,
            auth_require_tls=False,
            authenticator=handler.authenticate,
            tls_context=handler.tls_context,
        )

    server = await loop.create_server(session, HOST, port, backlog=512)
    number = server.sockets[0].getsockname()[1]
    partial = handler.folder / "port.new"
    partial.write_text(str(number))
    partial.rename(handler.folder / "port")
    await stopped.wait()
    server.close()
    for transport in list(handler.open):
        transport.close()
    # The transports' last callbacks run here: without them asyncio complains.
    await asyncio.sleep(0)
    handler.messages.close()
    handler.sessions.close()


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.support.sink")
    parser.add_argument("--folder", type=Path, required=True, help="what is written")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--password", help="the only one; default: any is good")
    parser.add_argument("--spool", action="store_true", help="keep whole messages")
    parser.add_argument("--peers", action="store_true", help="find who connects")
    parser.add_argument("--tls", action="store_true", help="offer STARTTLS")
    parser.add_argument("--one-by-one", action="store_true", help="no PIPELINING")
    parser.add_argument("--attached", action="store_true", help="end with the parent")
    options = parser.parse_args(arguments)
    if options.attached:
        # A starter that was killed cannot stop us.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.spool:
        (options.folder / "spool").mkdir(exist_ok=True)
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    handler = Handler(
        options.folder,
        options.password,
        options.spool,
        options.peers,
        tls.server_context(options.folder) if options.tls else None,
        not options.one_by_one,
    )
    with contextlib.suppress(KeyboardInterrupt):
        # Half of the processor's time, which the machine under test has more use for.
        uvloop.run(serve(handler, options.port))
