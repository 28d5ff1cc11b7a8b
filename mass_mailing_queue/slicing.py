# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""How an audience is cut into slices and jobs. Free of Odoo."""

#: Recipients planned in one transaction. Small enough that the first emails leave
#: within seconds and a serialization failure repeats little, large enough that
#: the fixed cost of a slice (two searches, one opt-out query) does not show.
SLICE_SIZE = 500

#: Up to this many recipients each one has a job of its own: the unit people see.
ONE_PER_JOB_UP_TO = 1_000

#: Bounds of the automatic size of larger campaigns. One job costs tens of
#: milliseconds whatever it carries; at 100 recipients that is lost in the noise.
SMALLEST_BATCH, LARGEST_BATCH = 100, 500

#: Priorities of send jobs (a smaller number goes first) begin behind those that jobs
#: have by default, and there is room for so many slices of one urgency.
FIRST_PRIORITY, URGENCY_ROOM = 11, 100_000

#: The highest urgency of a mailing, from 0.
MOST_URGENT = 3


def job_priority(urgency, slice_number):
    """Return the priority of the send jobs of a slice.

    Slices of equally urgent mailings interleave; a more urgent mailing goes first.

    :param int urgency: 0 to :data:`MOST_URGENT`
    :param int slice_number: from 0

    >>> job_priority(3, 1), job_priority(1, 1), job_priority(1, 2)
    (12, 200012, 200013)
    >>> job_priority(1, 10_000_000)
    300010
    """
    room = (MOST_URGENT - urgency) * URGENCY_ROOM
    return FIRST_PRIORITY + room + min(slice_number, URGENCY_ROOM - 1)


def job_size(recipients, setting=0):
    """Return how many recipients one send job carries.

    :param int recipients: size of the audience
    :param int setting: a size chosen by the user, 0 for automatic
    :return: recipients per job, at least 1

    >>> job_size(1_000), job_size(1_001)
    (1, 100)
    >>> job_size(100_000), job_size(250_000), job_size(10_000_000)
    (100, 250, 500)
    >>> job_size(1_000_000, setting=1), job_size(10, setting=50)
    (1, 50)
    """
    if setting > 0:
        return setting
    if recipients <= ONE_PER_JOB_UP_TO:
        return 1
    return min(max(recipients // 1_000, SMALLEST_BATCH), LARGEST_BATCH)


def time_budget(limit_time_real, limit_time_cpu=0):
    """Return for how long a job may start new messages.

    A message that is under way when a worker is killed ends in doubt, so a job
    stays far below the worker's limits; the rest of it is postponed.

    :param int limit_time_real: Odoo's wall clock limit of a worker (seconds),
        0 or less for none
    :param int limit_time_cpu: that of its processor's time
    :return: seconds

    >>> time_budget(120, 60), time_budget(40, 60), time_budget(0)
    (30.0, 10.0, 30.0)
    >>> time_budget(120, 10)
    5.0
    """
    real = limit_time_real / 4 if limit_time_real > 0 else 30.0
    cpu = limit_time_cpu / 2 if limit_time_cpu > 0 else 30.0
    return min(30.0, real, cpu)


def chunk_size(largest, seconds_each, budget):
    """Return how many recipients to compose at a time.

    What is composed has to leave within the job's time, and a worker that is killed
    while it composes begins again: so as many as take a quarter of that time.

    :param int largest: bound, for which the costs of a chunk do not show any more
    :param float seconds_each: what composing for one took last time (seconds), 0 if
        nothing is known: begin with a fifth of the bound
    :param float budget: time in which the job starts messages (seconds)

    >>> chunk_size(50, 0.01, 30), chunk_size(50, 0, 30), chunk_size(50, 3, 30)
    (50, 10, 2)
    >>> chunk_size(50, 60, 30)
    1
    """
    if not seconds_each:
        return max(largest // 5, 1)
    return max(int(min(budget / 4 / seconds_each, largest)), 1)


def batches(items, size):
    """Cut a sequence into lists of at most ``size`` items.

    >>> list(batches([1, 2, 3, 4, 5], 2))
    [[1, 2], [3, 4], [5]]
    """
    for start in range(0, len(items), size):
        yield items[start : start + size]


def spread(items, count):
    """Return up to ``count`` of a list, from its first to its last.

    >>> spread(list(range(10)), 4), spread([1, 2], 4), spread([], 4)
    ([0, 3, 6, 9], [1, 2], [])
    """
    if len(items) <= count:
        return items
    return [items[round(n * (len(items) - 1) / (count - 1))] for n in range(count)]


def retry_delay(attempt):
    """Return the seconds to wait before a recipient's next attempt.

    RFC 5321 (4.5.4.1) asks for at least 30 minutes between attempts in general and
    allows sooner ones at first, which is what most greylisting servers want to see.

    :param int attempt: attempts made so far, from 1

    >>> [retry_delay(n) for n in range(1, 6)]
    [300, 900, 1800, 3600, 3600]
    """
    return {1: 300, 2: 900, 3: 1_800}.get(attempt, 3_600)


def outage_delay(failures):
    """Return the seconds before an unreachable server is tried again.

    :param int failures: tries in a row that failed, from 1

    >>> [outage_delay(n) for n in (1, 2, 3, 4, 5, 60)]
    [60, 120, 240, 480, 900, 900]
    """
    return min(60 * 2 ** min(failures - 1, 10), 900)
