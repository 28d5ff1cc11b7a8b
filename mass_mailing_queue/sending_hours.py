# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""When a mailing may be sent: days and times of the day. Free of Odoo."""

import math
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import pytz

#: Weeks for which days are looked at: twenty years.
CALENDAR = 1_040
#: Days that are looked at: each weekday comes twice, for one whose hours a change of
#: the clock leaves out.
DAYS_AHEAD = 16


@dataclass(frozen=True)
class SendingHours:
    """Days of the week, and the time of the day from and until which emails leave.

    :param frozenset days: on which they begin, 0 for Monday
    :param float begin: hours after midnight, 0 or more, less than 24
    :param float end: hours after midnight, 24 at most. If that is not later than
        ``begin``, it is on the next day
    :param str zone: name of the time zone that days and times are of
    """

    days: frozenset
    begin: float
    end: float
    zone: str

    def opens_in(self, now):
        """Return in how many seconds emails may leave.

        :param datetime now: aware
        :return: 0 if they may now, ``inf`` if they never may

        >>> from datetime import timezone
        >>> office = SendingHours(frozenset(range(5)), 8, 18, "Europe/Berlin")
        >>> friday = datetime(2026, 3, 27, 16, 30, tzinfo=timezone.utc)
        >>> office.opens_in(friday)
        0.0
        >>> office.opens_in(friday + timedelta(minutes=30)) / 3600  # summer time begins
        61.0

        A quarter of an hour that a change of the clock leaves out is closed, not open.

        >>> gap = SendingHours(frozenset({6}), 2.25, 2.5, "Europe/Berlin")
        >>> gap.opens_in(friday + timedelta(days=1, hours=8)) / 86_400
        6.989583333333333
        """
        for opens, closes in self._windows(now):
            if closes > now:
                return max((opens - now).total_seconds(), 0.0)
        return math.inf

    def closes_in(self, now):
        """Return for how many seconds from now on emails may leave.

        :param datetime now: aware
        :return: 0 if they may not now; those that never close are looked at for two
            weeks

        >>> from datetime import timezone
        >>> nights = SendingHours(frozenset({6}), 22, 6, "UTC")
        >>> monday = datetime(2026, 3, 30, 4, tzinfo=timezone.utc)
        >>> nights.closes_in(monday), nights.closes_in(monday + timedelta(hours=2))
        (7200.0, 0.0)
        """
        for opens, closes in self._windows(now):
            if opens <= now < closes:
                return (closes - now).total_seconds()
        return 0.0

    def lasts(self, now, seconds):
        """Return in how many seconds so much sending is done.

        :param datetime now: aware
        :param float seconds: that it takes while emails may leave
        :return: ``inf`` if it never is

        >>> from datetime import timezone
        >>> office = SendingHours(frozenset(range(5)), 8, 18, "UTC")
        >>> friday = datetime(2026, 3, 27, 17, tzinfo=timezone.utc)
        >>> [office.lasts(friday, hours * 3600) / 3600 for hours in (1, 2, 52)]
        [1.0, 64.0, 232.0]

        An hour that the clock leaves out is none, and no calendar has all years.

        >>> early = SendingHours(frozenset({6}), 2, 3, "Europe/Berlin")
        >>> monday = datetime(2026, 3, 23, 12, tzinfo=timezone.utc)
        >>> early.lasts(monday, 60) > 12 * 86_400
        True
        >>> early.lasts(friday, 1e12) > 1e12
        True
        """
        if not (self.days and seconds):
            return seconds and math.inf
        # Whole weeks first: a slow account may need many.
        week = len(self.days) * self._length().total_seconds()
        weeks, seconds = divmod(seconds, week)
        if weeks > CALENDAR:
            return weeks * 7 * 86_400
        moment = now + timedelta(weeks=weeks)
        while (left := self.closes_in(moment)) < seconds:
            seconds -= left
            moment += timedelta(seconds=left)
            moment += timedelta(seconds=self.opens_in(moment))
        return (moment - now).total_seconds() + seconds

    def _length(self):
        length = timedelta(hours=self.end - self.begin)
        return length if length > timedelta() else length + timedelta(days=1)

    def _windows(self, now):
        """Return the windows around now, in order, as pairs of aware datetimes.

        A time that is there twice or not at all, as a clock is changed, counts such
        that nothing leaves outside of what the clock on the wall shows.
        """
        zone = pytz.timezone(self.zone)
        length = self._length()
        # A window that began yesterday may last.
        midnight = datetime.combine(now.astimezone(zone).date(), time())
        spans = []
        for number in range(-1, DAYS_AHEAD):
            begin = midnight + timedelta(days=number, hours=self.begin)
            end = begin + length
            if (midnight + timedelta(days=number)).weekday() in self.days:
                if spans and spans[-1][1] == begin:
                    begin = spans.pop()[0]
                spans.append((begin, end))
        for begin, end in spans:
            opens = max(zone.localize(begin, is_dst=dst) for dst in (True, False))
            closes = min(zone.localize(end, is_dst=dst) for dst in (True, False))
            if opens < closes:
                yield opens, closes
