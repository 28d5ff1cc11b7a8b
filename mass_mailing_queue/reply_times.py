# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Read from a reply when to come back. Free of Odoo."""

import re
from datetime import timedelta, timezone
from email.utils import parsedate_to_datetime

#: A reply that wants us back later than that is not believed. The longest quota that
#: providers reset is a month's.
MAX_WAIT = timedelta(days=32)

# Amount and unit: "20 s", "an hour", "1.5 hours", "250ms". Not "6 months".
_NUMBER = r"(?:(?:an?|one)(?=[ -])|\d{1,7}(?:\.\d{1,4})?)"
_UNIT = r"(?:ms(?:ec)?|milli|s|m|h|d)(?:ec|econd|in|inute|r|our|ay)?s?(?![^\W\d_])"
_PART = re.compile(rf"({_NUMBER})[ -]?({_UNIT})")
_SPAN = rf"((?:{_NUMBER}[ -]?{_UNIT}(?:, | and | )?){{1,3}})"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_WAITS = tuple(
    re.compile(rf"\b(?:{before}){_SPAN}")
    for before in (
        # "try again in", "please wait for about", "greylisted for", "quota reset in"
        r"(?:try|retry|resend|again|later|back|wait|resets?|delayed|deferred"
        r"|gr[ae]ylisted|blocked|limited)(?:[ -]again)?[ ,:(-]{1,2}"
        r"(?:in|after|for|at least)[ :]{1,2}(?:(?:about|another|at least) )?",
        r"wait(?:ing)?:? (?:(?:about|another|at least) )?",
        r"retry-after[ :=]{1,2}",
    )
)
# milter-greylist
_CLOCK = re.compile(r"\b(?:again|back|retry) in (\d{1,2}):(\d\d):(\d\d)\b")
# As HTTP has it, in seconds
_HEADER = re.compile(r"\bretry-after[ :=]{1,2}(\d{1,7})(?![\w.:-]| ?[a-z])")
_DATE = re.compile(
    r"\b(?:again|retry|blocked|limited) (?:after|at|until) "
    r"((?:[a-z]{3}, ?)?\d{1,2} [a-z]{3} \d{4} \d{1,2}:\d\d(?::\d\d)?"
    r"(?: (?:[a-z]{1,5}|[+-]\d{4}))?)"
)


def stated_time(text, now):
    """Return when a reply wants us back.

    :param str text: what is read of it, folded
    :param datetime now: the time of the reply (aware)
    :return: aware and in UTC; ``None`` if it does not say so or is absurd

    >>> from datetime import datetime
    >>> now = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    >>> for text in ("please wait 20 s", "again in an hour", "retry-after: 90"):
    ...     print(stated_time(text, now).time())
    12:00:20
    13:00:00
    12:01:30
    >>> stated_time("try again in 0 seconds", now), stated_time("again later", now)
    (None, None)
    """
    wait = _stated_wait(text)
    if wait is None and (found := _DATE.search(text)):
        try:
            date = parsedate_to_datetime(found[1])
            if date.tzinfo is None:
                date = date.replace(tzinfo=timezone.utc)
            wait = date - now
        except (ArithmeticError, LookupError, TypeError, ValueError):
            return None
    if wait is None or not timedelta(0) < wait <= MAX_WAIT:
        return None
    return (now + wait).astimezone(timezone.utc)


def _stated_wait(text):
    for pattern in _WAITS:
        if found := pattern.search(text):
            seconds = sum(
                (float(amount) if amount[0].isdecimal() else 1) * _unit_seconds(unit)
                for amount, unit in _PART.findall(found[1])
            )
            return timedelta(seconds=seconds)
    if found := _CLOCK.search(text):
        hours, minutes, seconds = map(int, found.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if found := _HEADER.search(text):
        return timedelta(seconds=int(found[1]))
    return None


def _unit_seconds(unit):
    return 0.001 if unit.startswith(("ms", "milli")) else _SECONDS[unit[0]]
