"""Whether a worker's memory grows with what it has sent."""

from .. import campaigns
from ..support.process import wait_until
from .contenders import Ours

RECIPIENTS = 100_000
#: Sent before the first look: caches are filled then.
WARM = 5_000
SENDERS = 2
MIB = 1024 * 1024


def measure(scope):
    """Return the growth of the worker that grew most, and the peak (MiB)."""
    ours = Ours(scope, RECIPIENTS, "plain", SENDERS)
    (mailing,) = ours.rpc.call("mailing.mailing", "copy", [[ours.draft]])
    ours.rpc.press("mailing.mailing", "action_launch", [mailing])
    wait_until(lambda: ours.sink.count() > WARM, 600, "caches are warm", 1)
    warm = _resident(ours.server)
    peak = dict(warm)

    def done():
        for pid, size in _resident(ours.server).items():
            peak[pid] = max(peak.get(pid, 0), size)
        return campaigns.state(ours.database, mailing) == "done"

    wait_until(done, 6_000, "the mailing is done", 5)
    last = _resident(ours.server)
    growth = {pid: last[pid] - size for pid, size in warm.items() if pid in last}
    if len(growth) != len(warm):
        raise RuntimeError("a worker was replaced, its growth is not known")
    return {
        "worker_rss_growth_mb": round(max(growth.values()) / MIB, 1),
        "worker_peak_mb": round(max(peak.values()) / MIB, 1),
    }


def _resident(server):
    """The resident memory of each worker (bytes) by process id."""
    return {process.pid: process.memory_info().rss for process in server.workers()}
