"""The demonstration keeps its promises: its last line, its exit code, no leftovers."""

import io
import re
import signal
import subprocess
import sys

import psutil
import pytest

from tests.support import process
from tests.support.environment import ROOT

from ..conftest import BUILD
from . import campaign, contacts, design, progress, watch

LINE = re.compile(
    r"recipients=(\d+) sent=\1 unique=\1 duplicates=0 lost=0 in_doubt=0 "
    r"seconds=\d+\.\d rate=\d+\.\d( jobs=\d+)?"
)


def demo(*arguments, **options):
    # Not in its own folder, where it would have to install what is installed here.
    arguments = ("--folder", BUILD, *arguments)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.demo", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def test_it_sends_and_says_so():
    with demo("--recipients", 25, "--workers", 2, "--job-size", 10) as running:
        output, _errors = running.communicate()
    *_others, smtp, line = output.splitlines()
    assert running.returncode == 0, output
    assert LINE.fullmatch(line), output
    assert line.startswith("recipients=25 ") and line.endswith(" jobs=3")
    assert re.match(r"smtp: connections=\d+ logins=\d+ \(.*process \d+: ", smtp)


def test_it_leaves_nothing_when_interrupted():
    with demo("--recipients", 500, "--workers", 2) as running:
        output, started = "", []
        for line in running.stdout:
            output += line
            if line.startswith("pressing Send"):
                started = descendants(running.pid)
                running.send_signal(signal.SIGINT)
        running.wait()
    assert running.returncode == 130, output
    assert len(started) > 4
    process.wait_until(
        lambda: not any(map(process.alive, started)), 10, f"the end of {started}"
    )


def descendants(pid):
    """Children, theirs, and the ones that became leaders of their own session."""
    children = psutil.Process(pid).children(recursive=True)
    return [child.pid for child in children]


@pytest.fixture(scope="module")
def server(module_scope):
    database = module_scope.database(["mass_mailing_queue", "mass_mailing_themes"])
    return module_scope.server(database).start()


def test_a_mailing_that_does_not_go_on_is_diagnosed(server):
    rpc = server.rpc()
    model = rpc.search("ir.model", [("model", "=", "mailing.list")])[0]
    values = {"subject": "X", "mailing_model_id": model, "email_from": "x@x.example"}
    mailing = rpc.save("mailing.mailing", values)
    watched = watch.Watch(server.database, server, mailing, total=1)
    with pytest.raises(watch.Stalled) as raised:
        watched.until_done(stall=1)
    text = str(raised.value)
    assert "no progress for 1 s" in text
    assert "state: draft" in text
    assert "job runner: absent" in text


def test_the_design_is_one_of_odoos_with_a_placeholder(server):
    arch, body = design.bodies(server.rpc())
    links = design.links(body)
    assert len(links) >= campaign.MINIMUM_LINKS
    assert {"/view", "/unsubscribe_from_list"} <= set(links)
    assert sum(link.startswith("http") for link in links) >= 10
    assert '<t t-out="object.name">' in body
    assert "o_newsletter_theme" in arch
    assert 20_000 < len(body) < 40_000


def test_files_of_contacts(tmp_path, monkeypatch):
    monkeypatch.setattr(contacts, "ROWS_PER_FILE", 10)
    paths = contacts.write_files(tmp_path, 25, "List")
    texts = [path.read_text(encoding="utf-8").splitlines() for path in paths]
    assert [len(lines) for lines in texts] == [11, 11, 6]
    assert {lines[0] for lines in texts} == {"Name,Email,Mailing Lists"}
    rows = [row for lines in texts for row in lines[1:]]
    assert len(set(rows)) == 25
    assert rows[0] == "Ada Almeida,contact.0@customers0.example,List"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    """A clock that stands still until told."""

    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


def test_progress_elsewhere_is_a_line_now_and_then(clock):
    stream = io.StringIO()
    shown = progress.Progress("sending", 100, stream, clock)
    for clock.now, done in ((1, 10), (2, 20), (7, 70), (8, 100), (9, 100)):
        shown.update(done)
    assert stream.getvalue() == (
        "sending 10/100 10% 10/s, 0:09 left\n"
        "sending 70/100 70% 10/s, 0:03 left\n"
        "sending 100/100 100% 12/s\n"
    )


def test_progress_on_a_terminal_is_a_bar(clock):
    stream = Terminal()
    with progress.Progress("sending", 100, stream, clock) as shown:
        clock.now = 1.0
        shown.update(50, "3 failed")
    line = "sending [###############...............] 50/100 50% 50/s, 0:01 left"
    assert stream.getvalue() == f"\r{line}, 3 failed\n"


def test_the_rate_is_the_recent_one(clock):
    shown = progress.Progress("sending", 1000, io.StringIO(), clock)
    for clock.now in range(1, 101):
        shown.update(int(min(clock.now, 50) * 10))
    assert shown.rate == 0
