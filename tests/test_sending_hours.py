"""Sending hours against the clock on the wall, in any time zone, on any day."""

import math
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


#: Every change of a clock: where rare things happen.
CHANGES = [
    (zone, change.replace(tzinfo=timezone.utc))
    for zone in pytz.all_timezones
    for change in getattr(pytz.timezone(zone), "_utc_transition_times", [])
    if change.year >= 1970
]


@st.composite
def hours_near_a_change(draw):
    """Hours of one weekday that begin or end around a change, and a moment near it."""
    zone, change = draw(st.sampled_from(CHANGES))
    clock = pytz.timezone(zone)
    # What the clock shows just before, or would show after, give or take an hour.
    shown = (change - timedelta(seconds=1)).astimezone(clock).replace(tzinfo=None)
    begin = shown + timedelta(seconds=1, minutes=draw(st.integers(-4, 8)) * 15)
    length = draw(st.sampled_from([0.25, 0.5, 1, 2, 23, 24]))
    hour = begin.hour + begin.minute / 60
    hours = SendingHours(frozenset({begin.weekday()}), hour, (hour + length) % 24, zone)
    return hours, change + timedelta(minutes=draw(st.integers(-15 * 1440, 3 * 1440)))


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
    assert wait <= timedelta(days=15).total_seconds()
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


@pytest.mark.parametrize(
    ("zone", "day", "begin", "end", "gap"),
    [
        # Clocks go forward: the whole of it, its begin, its end are left out.
        ("Europe/Berlin", 6, 2.25, 2.75, datetime(2026, 3, 29, 1)),
        ("Europe/Berlin", 6, 2.5, 3.25, datetime(2026, 3, 29, 1)),
        ("Europe/Berlin", 6, 1.75, 2.5, datetime(2026, 3, 29, 1)),
        ("Europe/Berlin", 6, 2.0, 3.0, datetime(2026, 3, 29, 1)),
        ("Australia/Lord_Howe", 6, 2.0, 2.5, datetime(2026, 10, 3, 15, 30)),
        ("Australia/Lord_Howe", 6, 2.1, 2.4, datetime(2026, 10, 3, 15, 30)),
        ("America/Havana", 6, 0.25, 0.75, datetime(2026, 3, 8, 5)),
        # A day that is no date: 2011-12-30, a Friday.
        ("Pacific/Apia", 4, 8, 18, datetime(2011, 12, 30, 10)),
        ("Pacific/Apia", 4, 0, 24, datetime(2011, 12, 30, 10)),
        # The hour that is there twice.
        ("Europe/Berlin", 6, 2.25, 2.75, datetime(2026, 10, 25, 1)),
        ("Australia/Lord_Howe", 6, 1.5, 2.0, datetime(2026, 4, 4, 15)),
    ],
)
def test_hours_of_one_weekday_open_again_after_a_change_of_the_clock(
    zone, day, begin, end, gap
):
    """They are closed while there are none, and open a week later at the latest."""
    hours = SendingHours(frozenset({day}), begin, end, zone)
    for number in range(-15 * 24 * 4, 3 * 24 * 4):
        moment = gap.replace(tzinfo=timezone.utc) + timedelta(minutes=15 * number)
        wait = hours.opens_in(moment)
        assert 0 <= wait <= timedelta(days=15).total_seconds()
        assert (wait == 0) == (hours.closes_in(moment) > 0)
        assert wait or on_the_wall(hours, moment)
        opening = moment + timedelta(seconds=wait)
        assert hours.opens_in(opening) == 0
        assert on_the_wall(hours, opening)


@given(hours_near_a_change(), st.floats(0, 1e7))
@example(
    (
        SendingHours(frozenset({6}), 2.25, 2.75, "Europe/Berlin"),
        datetime(2026, 3, 23, 12, tzinfo=timezone.utc),
    ),
    60.0,
)
def test_near_any_change_of_a_clock_the_next_opening_is_open(place, seconds):
    """In every time zone; how long sending lasts is known, too."""
    hours, moment = place
    wait = hours.opens_in(moment)
    assert 0 <= wait <= timedelta(days=15).total_seconds()
    opening = moment + timedelta(seconds=wait)
    assert hours.opens_in(opening) == 0
    assert on_the_wall(hours, opening)
    # An end is a time at which it was open, or at which nothing was left to be done.
    lasts = hours.lasts(moment, seconds)
    assert seconds <= lasts < math.inf


def test_without_a_day_it_never_opens():
    """It is for the caller to forbid; it must not be taken for open."""
    hours = SendingHours(frozenset(), 8, 18, "UTC")
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert hours.opens_in(moment) == math.inf
    assert hours.closes_in(moment) == 0
    assert hours.lasts(moment, 60) == math.inf
    assert hours.lasts(moment, 0) == 0


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
