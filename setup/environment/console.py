"""What the builder says: short lines that a log of a continuous integration keeps."""

import sys

PREFIX = "[environment]"


def say(text):
    print(f"{PREFIX} {text}", flush=True)


def notice(text):
    say(f"notice: {text}")


def fail(sentence):
    print(f"{PREFIX} {sentence}", file=sys.stderr, flush=True)


class Progress:
    """Says how far something is, every ten percent: there may be no terminal."""

    def __init__(self, label):
        self.label = label
        self._tenth = 0

    def at(self, share):
        """Take note that `share` (0 to 1) of it is done."""
        tenth = int(min(share, 1) * 10)
        if tenth > self._tenth:
            self._tenth = tenth
            say(f"{self.label}: {tenth * 10} %")
