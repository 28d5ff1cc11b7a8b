"""How much a worker holds of attachments: bytes are bounded, and not only messages."""

import re
from pathlib import Path

import pytest

from . import campaigns
from .support.ledger import compare

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
SIZE = 16 * MIB
RECIPIENTS = 24
#: So many times the attachment. Python's making of one email takes seven; 64 MiB of
#: them are held, at most; the rest is Odoo's.
COPIES = 20


def attach(env, step, mailing_id, size):
    """Give a mailing an attachment of so many bytes; runs inside Odoo."""
    import os

    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.attachment_ids = [
        (0, 0, {"name": "catalogue.pdf", "raw": os.urandom(size)}),
    ]


def peak(pid):
    """The most memory that a process ever had (bytes)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


@pytest.mark.parametrize("extra", [(), ("mass_mailing_queue_heavy",)])
def test_a_large_attachment_is_held_once(scope, extra):
    """Also one of each recipient's own: then fewer of them are made at a time.

    With Odoo's default limits of memory, no worker comes near them.
    """
    folders = [Path(__file__).parent / "addons"] if extra else []
    sink = scope.sink().start()
    database = scope.database((*campaigns.MODULES, *extra), folders)
    shell = scope.shell(database, extra_addons=folders)
    mailing = shell.run(campaigns.build, recipients=RECIPIENTS, port=sink.port)
    shell.run(attach, mailing_id=mailing, size=0 if extra else SIZE)
    server = scope.server(
        database, workers=2, channels="root:2,root.mail:1", extra_addons=folders
    ).start()
    rpc = server.rpc()
    rpc.set_parameter("mass_mailing_queue.job_size", "100")
    workers = server.worker_pids()
    before = {pid: peak(pid) for pid in workers}
    rpc.press("mailing.mailing", "action_launch", [mailing])
    campaigns.wait_until_done(database, mailing)
    assert server.worker_pids() == workers, "no worker reached its limit"
    growth = max(peak(pid) - size for pid, size in before.items())
    print(f"peak +{growth / MIB:.0f} MiB, {growth / SIZE:.1f} times the attachment")
    assert min(message.size for message in sink.messages()) > SIZE
    verdict = compare(sink, database, mailing, RECIPIENTS)
    assert verdict.exactly_once, str(verdict)
    assert growth < COPIES * SIZE
