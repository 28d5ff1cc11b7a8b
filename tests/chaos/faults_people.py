"""Faults that people make: the same button twice at once, jobs that run requeued."""

import contextlib
import threading

from .faults import fault


def press_at_once(world, action, people=("first", "second")):
    """Press a button in several sessions at the same moment."""
    barrier = threading.Barrier(len(people))
    errors = []

    def press(who):
        barrier.wait()
        try:
            # What a person reads is no fault: "it is on its way already".
            world.press(action, who=who)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=press, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@fault(hold=2)
def paused_by_two(world):
    """Two people press Pause at once, and later Resume."""
    world.note("two people press Pause")
    press_at_once(world, "action_queue_pause")
    yield
    world.note("two people press Resume")
    press_at_once(world, "action_queue_resume")


@fault()
def sent_by_two(world):
    """Two impatient people press Send again."""
    world.note("two people press Send")
    press_at_once(world, "action_launch")
    yield


@fault()
def retried_by_two(world):
    """Two people press Retry while it sends."""
    world.note("two people press Retry")
    press_at_once(world, "action_retry_failed")
    yield


@fault()
def jobs_requeued(world):
    """An impatient operator requeues jobs, those that run among them."""
    rows = world.query(
        "SELECT id FROM queue_job WHERE state IN ('started', 'done', 'enqueued') "
        "ORDER BY state = 'started' DESC, id LIMIT 10"
    )
    ids = [job for (job,) in rows]
    world.note(f"jobs {ids} are requeued")
    if ids:
        world.press("requeue", "queue.job", ids)
    yield


@contextlib.contextmanager
def paused(world):
    """Somebody pauses, changes something and resumes."""
    world.paused += 1
    world.press("action_queue_pause")
    yield
    world.press("action_queue_resume")
    world.paused -= 1
