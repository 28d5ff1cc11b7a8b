"""Who wants to be alone is, and does not wait for ever."""

import contextlib
import threading

import pytest

from .turns import Turns


class Someone:
    """Takes a turn in a thread, and keeps it until told."""

    def __init__(self, turns, alone):
        self.has_it = threading.Event()
        self.leave = threading.Event()
        self._arguments = turns, alone
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        turns, alone = self._arguments
        with turns.take(alone):
            self.has_it.set()
            self.leave.wait(30)

    def waits(self):
        return not self.has_it.wait(0.3)

    def gets_it(self):
        return self.has_it.wait(30)

    def end(self):
        self.leave.set()
        self._thread.join()


@pytest.fixture
def someone(tmp_path):
    with contextlib.ExitStack() as stack:

        def make(alone=False):
            # One for each: what excludes processes must not be known by its object.
            one = Someone(Turns(tmp_path), alone)
            stack.callback(one.end)
            return one

        yield make


def test_several_run_together(someone):
    assert someone().gets_it()
    assert someone().gets_it()


def test_one_alone_waits_for_the_others_and_they_for_it(someone):
    first = someone()
    assert first.gets_it()
    alone = someone(alone=True)
    assert alone.waits()
    first.end()
    assert alone.gets_it()
    second = someone()
    assert second.waits()
    alone.end()
    assert second.gets_it()


def test_nobody_enters_while_one_waits_to_be_alone(someone):
    first = someone()
    assert first.gets_it()
    alone = someone(alone=True)
    assert alone.waits()
    late = someone()
    assert late.waits()
    first.end()
    assert alone.gets_it()
    assert not late.has_it.is_set()
    alone.end()
    assert late.gets_it()
