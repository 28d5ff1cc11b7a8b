"""Tests that measure have the machine for themselves."""

import contextlib
import fcntl


class Turns:
    """Lets the tests of several processes run together, or one of them alone.

    Who wants to be alone holds the door while it waits for those inside: nobody enters
    meanwhile, so that it gets its turn.

    :param folder: shared by the processes
    """

    def __init__(self, folder):
        self.folder = folder

    @contextlib.contextmanager
    def take(self, alone):
        """Wait for one's turn, and have it.

        :param alone: nobody else has one meanwhile
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "room.lock").open("w") as room:
            with (self.folder / "door.lock").open("w") as door:
                fcntl.flock(door, fcntl.LOCK_EX)
                fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
