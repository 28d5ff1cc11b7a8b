"""Steps that are done once, and done again when what they derive from changes."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .console import say


@dataclass(frozen=True)
class Step:
    """One part of the environment.

    :param inputs: what the result derives from (anything that JSON can hold)
    :param run: does it; starts over whatever an interrupted run left behind
    :param products: paths that must exist for the step to count as done
    """

    name: str
    inputs: object
    run: Callable
    products: tuple[Path, ...] = ()

    @property
    def digest(self):
        text = json.dumps(self.inputs, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


class Stamps:
    """Remembers in a folder which steps are done, and from which inputs.

    A stamp is taken away before its step runs and written after: a run that is killed
    anywhere in between leaves a step that is not done.
    """

    def __init__(self, folder):
        self.folder = folder

    def is_done(self, step):
        stamp = self.folder / step.name
        return (
            stamp.is_file()
            and stamp.read_text() == step.digest
            and all(path.exists() for path in step.products)
        )

    def forget(self, name):
        (self.folder / name).unlink(missing_ok=True)

    def perform(self, step):
        """Run `step` unless it is done; returns whether it had to be run."""
        if self.is_done(step):
            return False
        self.forget(step.name)
        say(f"{step.name} …")
        step.run()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / step.name, step.digest)
        return True


def write_atomically(path, text, mode=0o644):
    """Write a file so that a reader finds the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(mode)
    partial.replace(path)


@contextlib.contextmanager
def replacing(folder):
    """Give an empty folder to fill; it takes the place of `folder` at the end."""
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


@contextlib.contextmanager
def exclusive(lock):
    """Hold the file `lock` alone: of two builders in one folder, the second waits.

    So does one for the commands that a builder left running when it was killed.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        os.set_inheritable(stream.fileno(), True)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another build of this folder …")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
