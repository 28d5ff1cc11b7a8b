"""Faults of Odoo's processes: killed, stopped, starved, upgraded, in another time."""

import contextlib
import signal
import time

import psutil

from ..support.odoo import RUNNER
from ..support.process import Process, WaitFailure, wait_until
from ..support.sink_rules import Rule
from .faults import fault
from .world import TIME_LIMIT

HELD = "250 2.0.0 Held"


@fault()
def worker_killed(world):
    """kill -9 of any worker."""
    kill_any(world, signal.SIGKILL)
    yield


@fault()
def worker_terminated(world):
    """SIGTERM to any worker, which Odoo's workers do not catch."""
    kill_any(world, signal.SIGTERM)
    yield


def kill_any(world, how):
    pid = world.random.choice(world.worker_pids())
    world.note(f"{how.name} to worker {pid}")
    world.kill(pid, how)


@fault()
def worker_killed_before_record(world):
    """kill -9 of a worker after its message was accepted, before it knows."""
    kill_in_flight(world, Rule("end", reply=HELD, reply_delay=20, times=1), HELD)
    yield


@fault()
def worker_killed_before_accept(world):
    """kill -9 of a worker whose message the server has read and not yet accepted."""
    kill_in_flight(world, Rule("end", action="hang", times=1), None)
    yield


def kill_in_flight(world, rule, reply):
    """Have the server hold one message, and kill its sender meanwhile.

    :param reply: by which the message is known in the server's ledger
    """
    before = len(world.sink.all_messages())
    world.obey(rule)
    try:
        message = wait_until(
            lambda: next(
                (
                    message
                    for message in world.sink.all_messages()[before:]
                    if message.reply == reply
                ),
                None,
            ),
            20,
            "a message to hold",
        )
    except WaitFailure:
        # Everybody has theirs, or nobody sends at the moment.
        return world.note("no message to hold")
    finally:
        world.obey_no_more(rule)
    if claim := world.claim_of(message):
        trace, pid, token = claim
        world.kill(pid)
        world.inflight_kills += world.is_claimed(trace, token)
        world.note(f"SIGKILL to worker {pid} with the message of trace {trace}")
    elif (pid := world.sender_of(message)) in world.worker_pids():
        # A claim that nobody else can see: it was not committed.
        world.kill(pid)
        world.inflight_kills += 1
        world.note(f"SIGKILL to worker {pid} with a message that nobody has claimed")
    else:
        world.note("the message to hold has lost its sender")


@fault()
def runner_killed(world):
    """kill -9 of the job runner, which Odoo's main process starts again."""
    for pid in world.worker_pids(RUNNER):
        world.note(f"SIGKILL to the job runner {pid}")
        world.kill(pid)
    yield


@fault()
def node_killed(world):
    """kill -9 of all of the node's processes, as a power cut would; then a start."""
    world.note("SIGKILL to the whole node")
    world.doom_node("SIGKILL")
    world.node.kill()
    world.node.start()
    yield


@fault()
def node_restarted(world):
    """An operator restarts the node."""
    restart(world)
    yield


def restart(world):
    world.note("SIGTERM to the node")
    world.doom_node("SIGTERM")
    world.node.stop()
    world.node.start()


@fault(hold=TIME_LIMIT + 5)
def worker_frozen(world):
    """A worker that does nothing any more; Odoo's main process kills it for that."""
    claims = world.claims()
    pid = claims[0][1] if claims else world.random.choice(world.worker_pids())
    world.note(f"SIGSTOP to worker {pid}")
    process = psutil.Process(pid)
    process.suspend()
    yield
    with contextlib.suppress(psutil.NoSuchProcess):
        # Killed by Odoo unless it was idle: then nobody missed it.
        process.resume()


@fault(hold=4)
def worker_out_of_memory(world):
    """A worker gets no more memory, as at its hard limit."""
    process = psutil.Process(world.random.choice(world.worker_pids()))
    _soft, hard = process.rlimit(psutil.RLIMIT_AS)
    world.note(f"no more memory for worker {process.pid}")
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + (1 << 20), hard))
    yield
    with contextlib.suppress(psutil.NoSuchProcess):
        process.rlimit(psutil.RLIMIT_AS, (hard, hard))


@fault(clock=True)
def clock_steps(world):
    """The node's clock goes an hour ahead, as after a sleep, and stays there.

    Never back: libfaketime moves what measures time along, and that never goes back.
    `clock_wrong` comes back with another time.
    """
    world.note("the node's clock steps an hour ahead")
    world.set_clock("+3600")
    yield


@fault(clock=True)
def clock_wrong(world):
    """The node comes back with a clock that is wrong by an hour or a day."""
    world.set_clock(world.random.choice(("-3600", "-90000", "+90000")))
    restart(world)
    yield


@fault(hold=1)
def module_upgraded(world):
    """An operator upgrades the addon while it sends."""
    world.note("the addon is upgraded")
    node = world.node
    process = Process(
        "the upgrade",
        [
            world.scope.workspace.environment.odoo,
            "-c",
            node.folder / "odoo.conf",
            "-u",
            "mass_mailing_queue",
            "--stop-after-init",
            "--no-http",
            "--logfile",
            node.folder / "upgrade.log",
        ],
        log=node.folder / "upgrade.out",
    )
    began = time.time()
    yield
    try:
        code = process.join(180)
        world.note(f"upgraded with {code} in {time.time() - began:.0f} s")
        if code and not any(outage.end >= began for outage in world.outages):
            world.problems.append(f"the upgrade ended with {code}")
    finally:
        process.stop()
