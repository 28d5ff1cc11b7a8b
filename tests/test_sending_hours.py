"""Sending hours against the clock on the wall, in any time zone, on any day."""

from datetime import datetime, timedelta, timezone

import pytest
import pytz
from hypothesis import example, given
from hypothesis import strategies as st

from .test_fuzz_modules import load

(module,) = load("mass_mailing_queue", "sending_hours")
SendingHours = module.SendingHours

DAY = timedelta(days=1)

#: Half an hour, a midnight that is missing, an offset that changed for good, the
#: date line; and the usual.
ZONES = st.sampled_from(
    """UTC Europe/Berlin America/New_York Australia/Lord_Howe America/Havana
    Asia/Beirut Pacific/Apia America/Caracas Asia/Kathmandu Africa/Casablanca
    """.split()
)
#: In steps of a quarter of an hour, as people enter them, and some minutes.
TIMES = st.one_of(
    st.integers(0, 95).map(lambda quarter: quarter / 4),
    st.integers(0, 1439).map(lambda minute: minute / 60),
)
HOURS = st.builds(
    SendingHours,
    st.frozensets(st.integers(0, 6), min_size=1),
    TIMES,
    st.one_of(TIMES, st.just(24.0)),
    ZONES,
)
MOMENTS = st.datetimes(
    datetime(2011, 1, 1), datetime(2030, 1, 1), timezones=st.just(timezone.utc)
)


def on_the_wall(hours, moment):
    """Whether a clock on the wall shows a time at which emails may leave."""
    wall = moment.astimezone(pytz.timezone(hours.zone))
    minutes = wall.hour * 60 + wall.minute + wall.second / 60 + wall.microsecond / 6e7
    begin, end = hours.begin * 60, hours.end * 60
    if begin < end:
        return wall.weekday() in hours.days and begin <= minutes < end
    today = wall.weekday() in hours.days and minutes >= begin
    yesterday = (wall.weekday() - 1) % 7 in hours.days and minutes < end
    return today or yesterday


def changes_clocks(zone, moment):
    """Whether a clock is changed within a day and a half."""
    clock = pytz.timezone(zone)
    shown = {(moment + DAY * n / 2).astimezone(clock).utcoffset() for n in range(-3, 4)}
    return len(shown) > 1


@given(HOURS, MOMENTS)
@example(  # The hour from 2 to 3 that is there twice, and the one that is not.
    SendingHours(frozenset({5}), 22, 2.5, "Europe/Berlin"),
    datetime(2026, 10, 25, 0, 45, tzinfo=timezone.utc),
)
@example(
    SendingHours(frozenset({6}), 2.5, 4, "Europe/Berlin"),
    datetime(2026, 3, 29, 0, 45, tzinfo=timezone.utc),
)
@example(
    SendingHours(frozenset({6}), 2.25, 2.75, "Europe/Berlin"),
    datetime(2026, 3, 29, 0, 30, tzinfo=timezone.utc),
)
def test_nothing_leaves_outside_and_all_of_the_inside_is_used(hours, moment):
    """Open means that the wall says so; closed means that it does not.

    But for the nights in which a clock is changed, where it may be closed.
    """
    is_open = hours.opens_in(moment) == 0
    assert is_open == (hours.closes_in(moment) > 0)
    shown = on_the_wall(hours, moment)
    assert shown or not is_open
    if not changes_clocks(hours.zone, moment):
        assert is_open == shown


@given(HOURS, MOMENTS, st.integers(0, 99).map(lambda percent: percent / 100))
def test_it_is_closed_until_it_opens_and_open_until_it_closes(hours, moment, part):
    """Between now and what is answered nothing changes, and then it does."""
    wait = hours.opens_in(moment)
    assert wait is not None
    assert wait <= timedelta(days=8).total_seconds()
    opening = moment + timedelta(seconds=wait)
    assert hours.opens_in(opening) == 0
    if wait:
        assert hours.opens_in(moment + timedelta(seconds=wait * part)) > 0
    lasts = hours.closes_in(opening)
    assert hours.opens_in(opening + timedelta(seconds=lasts * part)) == 0
    if lasts < timedelta(days=7).total_seconds():
        assert hours.closes_in(opening + timedelta(seconds=lasts)) == 0


@given(MOMENTS, ZONES, TIMES)
def test_every_day_around_the_clock_never_closes(moment, zone, begin):
    """Nor in the night in which a clock is changed."""
    hours = SendingHours(frozenset(range(7)), begin, begin, zone)
    assert hours.opens_in(moment) == 0


def test_without_a_day_it_never_opens():
    """It is for the caller to forbid; it must not be taken for open."""
    hours = SendingHours(frozenset(), 8, 18, "UTC")
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert hours.opens_in(moment) is None
    assert hours.closes_in(moment) == 0


@pytest.mark.parametrize(
    ("begin", "end", "length"), [(8, 18, 10), (22, 6, 8), (0, 24, 24), (8, 8, 24)]
)
def test_a_weekend_is_as_long_as_it_says(begin, end, length):
    """Saturday and Sunday; a night belongs to the day on which it begins."""
    hours = SendingHours(frozenset({5, 6}), begin, end, "UTC")
    monday = datetime(2026, 1, 5, tzinfo=timezone.utc)
    minutes = (monday + timedelta(minutes=number) for number in range(7 * 24 * 60))
    # What began on Sunday is found in the week that is looked at, too.
    assert sum(hours.opens_in(minute) == 0 for minute in minutes) == 2 * length * 60
