"""A real SMTP server in a process of its own, and what it saw.

    with Sink(folder) as sink:
        sink.rules(Rule("rcpt", match="^bounce", reply="550 5.1.1 No such user"))
        ...  # something sends to 127.0.0.1, sink.port
        assert len(sink.messages()) == 10

`python -m tests.support.sink --help` runs the server alone.
"""

import dataclasses
import json
import re
import smtplib
import sys
from collections import Counter
from pathlib import Path

from .process import Process, wait_until
from .sink_rules import Rule, RuleBook

__all__ = ["Message", "Rule", "Sink"]

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20


@dataclasses.dataclass(frozen=True, slots=True)
class Message:
    """One message that came to its final dot.

    :param at: when it was accepted or refused, seconds since the epoch
    :param connection: number of the SMTP session, from 1
    :param identity: its List-Unsubscribe header, see `ledger.identity`
    :param size: bytes without the final dot
    :param accepted: whether it counts as delivered, whatever its sender was told
    :param reply: what its sender was told, None for silence
    :param spooled: file with the whole message, None if these are not kept
    """

    at: float
    connection: int
    sender: str
    recipients: list
    message_id: str
    identity: str
    size: int
    accepted: bool
    reply: str | None
    spooled: str | None


class Sink:
    """Starts the server, stops it, and reads what it wrote.

    :param folder: where it writes; what is there already is kept and counted
    :param port: 0 for any free one
    :param password: the only one that may log in; None lets anybody
    :param spool: keep every accepted message whole
    :param peers: find out which process opened each connection
    :param tls: offer STARTTLS with a certificate that it signed itself
    :param pipelining: offer to take commands in one piece
    """

    host = HOST

    def __init__(
        self,
        folder,
        port=0,
        password=None,
        spool=False,
        peers=False,
        tls=False,
        pipelining=True,
    ):
        self.folder = Path(folder)
        self.port = port
        self._command = [sys.executable, "-m", "tests.support.sink"]
        self._command += ["--folder", self.folder, "--attached"]
        self._command += ["--password", password] if password is not None else []
        self._command += ["--spool"] if spool else []
        self._command += ["--peers"] if peers else []
        self._command += ["--tls"] if tls else []
        self._command += [] if pipelining else ["--one-by-one"]
        self._process = None

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        """Start it; when this returns it answers on `port`, the same one each time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        self._process = Process(
            "the sink",
            [*self._command, "--port", self.port],
            log=self.folder / "sink.log",
            cwd=ROOT,
        )
        self._process.wait_for(port_file.exists, START_SECONDS)
        self.port = int(port_file.read_text())
        return self

    def stop(self):
        """Close its connections and end it, as an operator would."""
        if self._process:
            self._process.stop()
            self._process = None

    def kill(self):
        """End it as a power cut would."""
        self._process.kill()
        self._process = None

    def rules(self, *rules):
        """Put these rules in force, in this order, in place of all others."""
        RuleBook.write(self.folder / "rules.json", rules)

    def stream(self):
        """Every message that came to its final dot, one by one: there may be many."""
        return (Message(**values) for values in self._read("messages.jsonl"))

    def all_messages(self):
        """Every message that came to its final dot, refused ones too."""
        return list(self.stream())

    def messages(self):
        """The messages that count as delivered, in the order of their arrival."""
        return [message for message in self.stream() if message.accepted]

    def count(self):
        """How many messages were delivered."""
        return sum(message.accepted for message in self.stream())

    def sessions(self):
        """Connections, logins and rules as dictionaries: `at`, `connection`, `event`"""
        return list(self._read("sessions.jsonl"))

    def knocks(self, match=""):
        """How often a rule decided about each text that matches, as a `Counter`."""
        return Counter(
            row["text"]
            for row in self._read("sessions.jsonl")
            if row["event"] == "rule" and re.search(match, row["text"])
        )

    @property
    def connections(self):
        """How many connections there were."""
        return sum(row["event"] == "connection" for row in self.sessions())

    @property
    def most_open(self):
        """How many connections were open at a time, at most."""
        rows = self.sessions()
        return max(row["open"] for row in rows if row["event"] == "connection")

    @property
    def logins(self):
        """How many logins succeeded."""
        return sum(row.get("accepted", False) for row in self.sessions())

    def wait_for_messages(self, count, seconds=30):
        """Wait until at least `count` messages were delivered, and return them."""
        # Not too often: every look reads the whole file.
        wait_until(
            lambda: self.count() >= count, seconds, f"{count} messages", interval=0.2
        )
        return self.messages()

    def client(self, timeout=10):
        """An SMTP client connected to it, as Odoo's is."""
        return smtplib.SMTP(self.host, self.port, timeout=timeout)

    def _read(self, name):
        try:
            with (self.folder / name).open(encoding="utf-8") as stream:
                # One write is one line, but a reader may come between two of its
                # blocks: what has no end yet is not there yet.
                for line in stream:
                    if not line.endswith("\n"):
                        return
                    yield json.loads(line)
        except FileNotFoundError:
            return

    def __enter__(self):
        return self.start()

    def __exit__(self, *_exception):
        self.stop()


if __name__ == "__main__":
    from .sink_server import main

    main()
