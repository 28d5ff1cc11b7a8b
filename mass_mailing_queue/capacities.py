# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Capacities of queue_job's channels that suit workers and accounts. Free of Odoo."""

from dataclasses import dataclass, replace

ROOT = "root"
MAIL = "root.mail"

#: Workers that are left for people, where there are enough.
FOR_PEOPLE = 2


@dataclass(frozen=True)
class Channel:
    """A channel as a configuration has it.

    :param int capacity: jobs that run at a time; 0 is as many as its parent's
    :param str options: what follows in its configuration, as it is written there
    """

    capacity: int = 1
    options: str = ""

    @property
    def sequential(self):
        """True if its jobs run one after the other: queue_job allows no more then."""
        names = (option.partition("=")[0] for option in self.options.split(":"))
        return "sequential" in map(str.strip, names)


def parse(text):
    """Return the channels of a configuration, by their complete names.

    What queue_job would refuse is left out. Of two lines about one channel, the second
    one counts.

    >>> parse("root:4,mail:2:sequential=1,root.other")
    ... # doctest: +NORMALIZE_WHITESPACE
    {'root': Channel(capacity=4, options=''),
     'root.mail': Channel(capacity=2, options='sequential=1'),
     'root.other': Channel(capacity=1, options='')}
    >>> parse("root:many") == parse("") == {}
    True
    """
    channels = {}
    for part in text.replace("\n", ",").split(","):
        name, _colon, rest = part.strip().partition(":")
        capacity, _colon, options = rest.partition(":")
        capacity = capacity.strip() or "1"
        if name.strip() and capacity.isdecimal():
            channel = Channel(int(capacity), options.strip())
            channels[complete_name(name.strip())] = channel
    return channels


def complete_name(name):
    """Return the name of a channel with its parents'.

    >>> complete_name("mail"), complete_name("root"), complete_name("root.mail")
    ('root.mail', 'root', 'root.mail')
    """
    return name if f"{name}.".startswith(f"{ROOT}.") else f"{ROOT}.{name}"


def unparse(channels):
    """Return the text that configures these channels.

    >>> unparse(parse("root:4,mail:2:throttle=1"))
    'root:4,root.mail:2:throttle=1'
    """
    return ",".join(
        ":".join(filter(None, (name, str(channel.capacity), channel.options)))
        for name, channel in channels.items()
    )


def ancestor_capacities(channels, name):
    """Return the capacities that jobs of a channel pass through, its own included.

    ``root`` is among them also if nobody has configured it: queue_job gives it 1.

    >>> ancestor_capacities(parse("root.mail:2"), "root.mail.ses")
    {'root': 1, 'root.mail': 2}
    """
    found = {ROOT: Channel(), **channels}
    return {
        channel: found[channel].capacity
        for channel in sorted(found, key=len)
        if f"{name}.".startswith(f"{channel}.") and found[channel].capacity
    }


def effective_capacity(channels, name):
    """Return how many jobs of a channel run at a time.

    >>> effective_capacity(parse("root:4,root.mail:2"), "root.mail.ses")
    2
    >>> effective_capacity(parse("root:0"), "root.mail")
    0
    """
    return min(ancestor_capacities(channels, name).values(), default=0)


def recommended(channels, workers, bounds, shared=False):
    """Return channels that keep workers and accounts busy, and leave some for people.

    Whatever else is configured is kept. What is recommended needs no change itself.

    >>> def advise(text, workers, **accounts):
    ...     bounds = {f"root.mail.{name}": most for name, most in accounts.items()}
    ...     return unparse(recommended(parse(text), workers, bounds))
    >>> advise("root:1", 8, ses=3)
    'root:6,root.mail:6,root.mail.ses:3'
    >>> advise("root:1", 4, ses=10)
    'root:2,root.mail:2'
    >>> advise("root:8,root.mail:8,root.other:1", 8)
    'root:8,root.mail:5,root.other:1'
    >>> advise("root:6,root.mail:6,root.mail.ses:2", 8, ses=4)
    'root:6,root.mail:6,root.mail.ses:4'
    >>> advise("root:20,root.mail:12,root.mail.ses:9", None, ses=5)
    'root:20,root.mail:12,root.mail.ses:5'

    Jobs that are to run one after the other still do:

    >>> advise("root:6,root.mail:1:sequential", 8, ses=4)
    'root:6,root.mail:1:sequential'

    :param dict channels: complete name → :class:`Channel`
    :param int workers: in which the jobs run; ``None`` if that is not known, as they
        run on other nodes, too: then somebody has chosen for all of them
    :param dict bounds: complete name of a channel → the most jobs of it that can work
        at a time
    :param bool shared: whether other databases have the same channels: one that is
        wider than this database needs may be theirs
    """
    found = {ROOT: Channel(), **channels}
    root = found[ROOT]
    enough = max(root.capacity if workers is None else workers - FOR_PEOPLE, 1)
    if root.capacity < enough and not root.sequential:
        found[ROOT] = replace(root, capacity=enough)
    _fit_mail(found, root, enough, workers)
    for name in sorted(bounds):
        _fit_account(found, name, bounds[name], shared)
    return found


def _fit_mail(found, root, enough, workers):
    """Set ``root.mail`` to what the workers have for it.

    :param root: what is configured for ``root``
    :param int enough: workers that are not left for people
    """
    others = sum(
        channel.capacity
        for name, channel in found.items()
        if name.count(".") == 1 and name != MAIL
    )
    needed = max(min(found[ROOT].capacity, enough) - others, 1)
    now = effective_capacity(found, MAIL)
    mail = found.get(MAIL)
    if mail is None:
        if found[ROOT] != root:
            found[MAIL] = Channel(max(needed, effective_capacity({ROOT: root}, MAIL)))
    elif workers and now < needed and not mail.sequential:
        found[MAIL] = replace(mail, capacity=needed)
    if workers and effective_capacity(found, MAIL) >= max(workers, enough + 1):
        found[MAIL] = replace(found.get(MAIL, Channel()), capacity=needed)


def _fit_account(found, name, most, shared):
    """Let a channel have as many jobs as can work at a time.

    It may be wider than its parents: they bound it then. ``root.mail`` is everybody's,
    also where an account has no other channel.
    """
    own = found.get(name, Channel(0))
    if name in (ROOT, MAIL) or own.sequential:
        return
    passed = effective_capacity({**found, name: replace(own, capacity=0)}, name)
    now = effective_capacity(found, name)
    too_wide = now > most and not (shared and own.capacity)
    if too_wide or now < min(passed, most):
        found[name] = replace(own, capacity=most)
