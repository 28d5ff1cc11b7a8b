"""How far something is, how fast it goes and how long it will take."""

import sys
import time
from collections import deque

WIDTH = 30
WINDOW_SECONDS = 15
LINE_SECONDS = 5


class Progress:
    """A bar on a terminal, a line every few seconds elsewhere.

    :param label: what goes on
    :param total: how many there are to do
    :param clock: seconds, for tests
    """

    def __init__(self, label, total, stream=None, clock=time.monotonic):
        self.label = label
        self.total = total
        self.done = 0
        self.stream = stream or sys.stdout
        self.clock = clock
        self.start = clock()
        self._tty = self.stream.isatty()
        self._samples = deque([(self.start, 0)])
        self._shown_at = None
        self._width = 0

    def add(self, count):
        self.update(self.done + count)

    def update(self, done, note=""):
        """Show that `done` are done; `note` are words to add."""
        changed, self.done = done != self.done, done
        now = self.clock()
        self._samples.append((now, done))
        while self._samples[0][0] < now - WINDOW_SECONDS:
            self._samples.popleft()
        if not self._tty and self._shown_at is not None:
            ended = changed and done >= self.total
            if not ended and now - self._shown_at < LINE_SECONDS:
                return
        self._shown_at = now
        self._show(self.line(note))

    def line(self, note=""):
        share = self.done / self.total if self.total else 1.0
        filled = round(share * WIDTH)
        bar = f" [{'#' * filled}{'.' * (WIDTH - filled)}]" if self._tty else ""
        rate = self.rate
        left = f", {_clock((self.total - self.done) / rate)} left" if rate else ""
        return (
            f"{self.label}{bar} {self.done}/{self.total} {share:.0%} "
            f"{rate:.0f}/s{left if self.done < self.total else ''}"
            f"{f', {note}' if note else ''}"
        )

    @property
    def rate(self):
        """How many a second lately."""
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def close(self):
        """End the bar's line."""
        if self._tty and self._shown_at is not None:
            self.stream.write("\n")
            self.stream.flush()

    def _show(self, line):
        if self._tty:
            # Blanks over what is left of a longer line before.
            self.stream.write(f"\r{line:<{self._width}}")
            self._width = len(line)
        else:
            self.stream.write(f"{line}\n")
        self.stream.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()


def _clock(seconds):
    """Seconds as minutes and seconds, or with hours when there are any.

    >>> _clock(5), _clock(75.4), _clock(3700)
    ('0:05', '1:15', '1:01:40')
    """
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
