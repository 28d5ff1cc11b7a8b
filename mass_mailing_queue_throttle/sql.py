# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Every statement on a provider's live state, one function each.

They run on the autocommit connection of ``mass_mailing_queue``'s ledger, so each is
atomic and durable by itself, and none makes a sender wait for a person's form or the
other way round; those that only read may run anywhere. Times are seconds since
the epoch by the database's clock: one clock for all nodes.

A provider has one row in ``mailing_provider_state`` and one row in
``mailing_provider_bucket`` for each limit (and sending domain, where the limit is one
of domains). The state's row is locked first, so it orders everything that concerns
one provider, and no two statements can deadlock.
"""

from dataclasses import dataclass

from odoo.addons.mass_mailing_queue.prepared import execute_prepared

# First key of a capacity slot's advisory lock; the second is provider × 1000 + slot.
LOCK_SLOT = 7_221_904

#: Seconds after a reduction in which further refusals are taken for echoes of the
#: rate before it.
REACTION = 3.0

#: A reduced rate grows by this factor for each :data:`RECOVERY_STEP` seconds without
#: a refusal. Gentle, as each step beyond what the provider takes costs refusals.
RECOVERY_FACTOR = 1.1
RECOVERY_STEP = 60.0

#: A provider that accepted nothing for this long is not slow but broken (seconds).
MAX_REFUSING = 24 * 3600

# Slots of the counters: seconds a slot, slots that make up the window.
_COUNTERS = {"hour": (60, 60), "day": (900, 96)}

# The rate to which refusals have reduced a provider, recovered as far as time allows.
_REDUCED = f"""
    state.reduced_rate * {RECOVERY_FACTOR} ^ LEAST(
        floor((clock.now - state.reduced_at) / {RECOVERY_STEP}), 1000)
"""

_CLOCK = "(SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8 AS now) clock"


@dataclass(frozen=True)
class Permit:
    """The answer to a request for a turn.

    :param bool granted: whether a turn was taken
    :param float wait: seconds until that turn; if refused, until it makes sense to ask
    :param str state: ``run``, ``paused``, ``stopped`` or ``rest``
    :param str reason: the provider's words, or a person's
    :param int limit_id: the limit that binds, 0 for none or the adaptive rate
    :param bool of_domain: whether that is a limit of the sending domain only
    :param int capacity: senders that the provider takes at a time now
    :param int version: changes whenever a person changes the provider
    """

    granted: bool
    wait: float
    state: str
    reason: str
    limit_id: int
    of_domain: bool
    capacity: int
    version: int


def _counter(unit, column):
    """An expression by the bucket's period: ``column`` of the table of counters."""
    cases = " ".join(
        f"WHEN '{period}' THEN {slot if column == 'width' else slots}"
        for period, (slot, slots) in _COUNTERS.items()
    )
    return f"CASE {unit} {cases} END"


def _reduced_capacity(now):
    """Senders left after the provider refused connections: one more each 5 minutes."""
    return (
        f"COALESCE(state.reduced_capacity + floor(({now} - state.capacity_at) / 300), "
        "state.capacity)::int"
    )


# One row a bucket with what a message of this cost would have to wait there.
#
# Rates are GCRA: `tat` is the theoretical arrival time of the next message; a message
# conforms when it comes no earlier than `tat` minus the tolerance: the burst less one
# interval, or a tenth of an interval, which makes up for workers that come late.
# Counters hold the window in slots, newest first, and count the slot
# that is half expired as a whole: never more than the limit in any window.
_BUCKETS = f"""
    bucket AS MATERIALIZED (
        SELECT bucket.id, bucket.limit_id, bucket.tat, bucket.slot, bucket.counts,
               quota.period, quota.effective AS amount,
               quota.scope = 'domain' AS of_domain,
               CASE quota.unit WHEN 'recipient' THEN %(recipients)s
                               ELSE %(messages)s END AS cost,
               CASE quota.period WHEN 'second' THEN 1 / quota.effective
                                 WHEN 'minute' THEN 60 / quota.effective
               END AS spacing
          FROM state
          JOIN mailing_provider_bucket bucket ON bucket.provider_id = state.provider_id
          JOIN mailing_provider_limit quota ON quota.id = bucket.limit_id
           AND bucket.shape = quota.period || ' ' || quota.unit
         WHERE quota.effective > 0
           AND bucket.domain = CASE quota.scope WHEN 'domain' THEN %(domain)s
                                                ELSE '' END
           AND (quota.scope = 'account'
                OR COALESCE(quota.domain, '') IN ('', %(domain)s))
         ORDER BY bucket.id
           FOR UPDATE OF bucket
    ),
    aged AS (
        SELECT bucket.*, clock.now, width,
               CASE bucket.period WHEN 'month' THEN month ELSE current END AS current,
               CASE WHEN bucket.period = 'month'
                    THEN CASE WHEN bucket.slot = month THEN bucket.counts
                              ELSE '{{}}' END
                    WHEN current - bucket.slot > slots THEN '{{}}'
                    ELSE (array_fill(0, ARRAY[
                              GREATEST(current - bucket.slot, 0)::int])
                          || bucket.counts)[1 : slots + 1] END AS live,
               slots, month_end
          FROM bucket, {_CLOCK},
               LATERAL (SELECT {_counter("bucket.period", "width")} AS width,
                               {_counter("bucket.period", "slots")} AS slots) AS size,
               LATERAL (SELECT floor(now / width)::bigint AS current) AS slot,
               LATERAL (SELECT date_trunc('month', to_timestamp(now) AT TIME ZONE 'utc')
                               AS begun) AS calendar,
               LATERAL (SELECT EXTRACT(EPOCH FROM begun)::bigint AS month,
                               EXTRACT(EPOCH FROM begun + interval '1 month')::float8
                               AS month_end) AS months
    ),
    judged AS (
        SELECT aged.*,
               CASE WHEN spacing IS NOT NULL
                    THEN GREATEST(
                        aged.tat - GREATEST(state.burst - spacing,
                                            LEAST(state.burst, spacing / 10))
                        - aged.now, 0)
                    WHEN full_from IS NULL OR used = 0 THEN 0
                    WHEN aged.period = 'month' THEN month_end - aged.now
                    ELSE GREATEST(
                        (current - full_from + slots + 2) * width - aged.now, 0)
               END AS wait
          FROM aged
          CROSS JOIN state
          LEFT JOIN LATERAL (
               SELECT min(place) FILTER (WHERE running + cost > amount) AS full_from,
                      max(running) AS used
                 FROM (SELECT place, sum(sent) OVER (ORDER BY place) AS running
                         FROM unnest(live) WITH ORDINALITY AS slot(sent, place)) AS sums
               ) AS window_ ON true
    )
"""

# What a granted turn, or a message that nobody asked leave for, leaves in the buckets.
_SPEND = """
    UPDATE mailing_provider_bucket bucket
       SET tat = CASE WHEN judged.spacing IS NULL THEN bucket.tat
                      ELSE GREATEST(judged.tat,
                                    COALESCE(NULLIF(%(sent_at)s, 0), judged.now))
                           + judged.spacing * judged.cost END,
           slot = GREATEST(COALESCE(judged.current, 0), bucket.slot),
           counts = CASE WHEN judged.spacing IS NOT NULL THEN bucket.counts
                         ELSE ARRAY[COALESCE(judged.live[1], 0) + judged.cost]
                              || judged.live[2:] END
"""


# The turn of one email, taken if it is near: see :func:`permit`.
_PERMIT = f"""
    WITH state AS MATERIALIZED (
        SELECT state.*, provider.paused, provider.burst, provider.capacity,
               provider.pause_reason
          FROM mailing_provider_state state
          JOIN mailing_provider provider ON provider.id = state.provider_id
         WHERE state.provider_id = %(provider)s
           FOR UPDATE OF state
    ),
    {_BUCKETS},
    adaptive AS (
        SELECT clock.now, 1 / rate AS spacing,
               CASE WHEN rate IS NULL THEN 0
                    ELSE GREATEST(state.tat - clock.now, 0) END AS wait
          FROM state, {_CLOCK}, LATERAL (SELECT {_REDUCED} AS rate) AS reduced
    ),
    verdict AS (
        SELECT state.provider_id, adaptive.now, adaptive.spacing,
               GREATEST(adaptive.wait, rest,
                        (SELECT max(wait) FROM judged)) AS wait,
               CASE WHEN state.stopped IS NOT NULL THEN 'stopped'
                    WHEN state.paused THEN 'paused'
                    WHEN rest > 0 THEN 'rest' ELSE 'run' END AS state,
               CASE WHEN state.stopped IS NOT NULL THEN state.stopped
                    WHEN state.paused THEN state.pause_reason
                    WHEN rest > 0 THEN state.rest_reason END AS reason,
               binding.limit_id, binding.of_domain,
               LEAST(state.capacity, {_reduced_capacity("adaptive.now")})
               AS capacity,
               state.version
          FROM state CROSS JOIN adaptive
          CROSS JOIN LATERAL (
               SELECT GREATEST(COALESCE(state.rest_until, 0) - adaptive.now, 0)
                      AS rest) AS resting
          LEFT JOIN LATERAL (
               SELECT limit_id, of_domain FROM judged
                WHERE wait > GREATEST(adaptive.wait, rest)
                ORDER BY wait DESC LIMIT 1) AS binding ON true
    ),
    granted AS (
        SELECT * FROM verdict WHERE state = 'run' AND wait <= %(horizon)s
    ),
    counted AS (
        UPDATE mailing_provider_state state
           SET tat = CASE WHEN granted.spacing IS NULL THEN state.tat
                          ELSE GREATEST(state.tat, granted.now)
                               + granted.spacing * %(messages)s END,
               counted_from = CASE WHEN state.taken_at < granted.now - 10
                                   THEN granted.now ELSE state.counted_from END,
               taken = CASE WHEN state.taken_at < granted.now - 10
                            THEN 1 ELSE state.taken + 1 END,
               refused = CASE WHEN state.taken_at < granted.now - 10
                              THEN 0 ELSE state.refused END,
               refusing_since = CASE WHEN state.taken_at < granted.now - 600
                                     THEN NULL ELSE state.refusing_since END,
               taken_at = granted.now
          FROM granted WHERE state.provider_id = granted.provider_id
    ),
    spent AS ({_SPEND} FROM judged, granted WHERE bucket.id = judged.id)
    SELECT verdict.state = 'run' AND verdict.wait <= %(horizon)s, verdict.wait,
           verdict.state, COALESCE(verdict.reason, ''),
           COALESCE(verdict.limit_id, 0), COALESCE(verdict.of_domain, false),
           verdict.capacity, verdict.version
      FROM verdict
"""


def permit(cr, provider_id, domain, messages, recipients, horizon):
    """Ask for the turn of one email and take it if it is near.

    :param str domain: sending domain, for limits of domains
    :param int messages, recipients: what the email costs
    :param float horizon: a turn is taken only if it is at most so far away (seconds);
        a farther one reserves nothing
    :return: :class:`Permit`, ``None`` if the provider is not there (any more)
    """
    execute_prepared(
        cr,
        "mailing_provider_permit",
        _PERMIT,
        {
            "provider": "int",
            "domain": "text",
            "messages": "int",
            "recipients": "int",
            "horizon": "float8",
            "sent_at": "float8",
        },
        {
            "provider": provider_id,
            "domain": domain,
            "messages": messages,
            "recipients": recipients,
            "horizon": horizon,
            "sent_at": 0,
        },
    )
    row = cr.fetchone()
    return Permit(*row) if row else None


def now(cr):
    """Return the database's time."""
    cr.execute("SELECT EXTRACT(EPOCH FROM clock_timestamp())::float8")
    return cr.fetchone()[0]


def watch(cr, provider_id):
    """Return what a worker that waits for its turn looks at.

    :return: (changes whenever a person changes the provider, whether it may send)
    """
    cr.execute(
        f"""
        SELECT state.version,
               state.stopped IS NULL AND NOT COALESCE(provider.paused, false)
               AND COALESCE(state.rest_until, 0) <= clock.now
          FROM mailing_provider_state state
          JOIN mailing_provider provider ON provider.id = state.provider_id, {_CLOCK}
         WHERE state.provider_id = %s
        """,
        [provider_id],
    )
    return cr.fetchone()


def ensure(cr, provider_id, domains):
    """Have the rows that :func:`permit` moves, for the account and these domains.

    A limit that counts something else than before begins anew; rows of limits that are
    gone, go.
    """
    cr.execute(
        """
        INSERT INTO mailing_provider_state (provider_id)
             SELECT id FROM mailing_provider WHERE id = %s
        ON CONFLICT (provider_id) DO NOTHING
        """,
        [provider_id],
    )
    cr.execute(
        """
        INSERT INTO mailing_provider_bucket (provider_id, limit_id, domain, shape)
             SELECT DISTINCT quota.provider_id, quota.id,
                    CASE quota.scope WHEN 'domain' THEN sender.domain ELSE '' END,
                    quota.period || ' ' || quota.unit
               FROM mailing_provider_limit quota, unnest(%(domains)s) AS sender(domain)
              WHERE quota.provider_id = %(provider)s
                AND (quota.scope = 'account'
                     OR (sender.domain <> ''
                         AND COALESCE(quota.domain, '') IN ('', sender.domain)))
        ON CONFLICT (limit_id, domain) DO UPDATE
                SET shape = EXCLUDED.shape, tat = 0, slot = 0, counts = '{}'
              WHERE mailing_provider_bucket.shape <> EXCLUDED.shape
        """,
        {"provider": provider_id, "domains": sorted(set(domains))},
    )
    cr.execute(
        """
        DELETE FROM mailing_provider_bucket bucket
         WHERE provider_id = %s
           AND NOT EXISTS (SELECT 1 FROM mailing_provider_limit
                            WHERE id = bucket.limit_id)
        """,
        [provider_id],
    )


# ---------------------------------------------------------------------------
# Mail that nobody asked leave for
# ---------------------------------------------------------------------------


def tally(cr, provider_id, domain, messages, recipients):
    """Note mail that left without a permit. Only inserts, so it never waits."""
    cr.execute(
        """
        INSERT INTO mailing_provider_tally
                    (provider_id, domain, messages, recipients, sent_at)
             VALUES (%s, %s, %s, %s, clock_timestamp() AT TIME ZONE 'utc')
        """,
        [provider_id, domain, messages, recipients],
    )


def fold(cr, provider_id):
    """Spend what was tallied, return how many messages that were.

    Several statements, to be run as one: what is tallied and not spent is lost.

    Each second's mail is spent as of that second: what left long ago is not charged as
    if it left now. The buckets may run ahead of the clock, which makes campaigns wait
    until the account has caught up.
    """
    cr.execute(
        """
        DELETE FROM mailing_provider_tally
         WHERE id IN (SELECT id FROM mailing_provider_tally WHERE provider_id = %s
                         FOR UPDATE SKIP LOCKED)
     RETURNING domain, EXTRACT(EPOCH FROM sent_at)::bigint, messages, recipients
        """,
        [provider_id],
    )
    spent = {}
    for domain, second, messages, recipients in cr.fetchall():
        known = spent.get((second, domain), (0, 0))
        spent[second, domain] = known[0] + messages, known[1] + recipients
    if spent:
        ensure(cr, provider_id, [domain for _second, domain in spent])
    for (second, domain), (messages, recipients) in sorted(spent.items()):
        cr.execute(
            f"""
            WITH state AS MATERIALIZED (
                SELECT state.*, provider.burst FROM mailing_provider_state state
                  JOIN mailing_provider provider ON provider.id = state.provider_id
                 WHERE state.provider_id = %(provider)s FOR UPDATE OF state
            ),
            {_BUCKETS}
            {_SPEND} FROM judged WHERE bucket.id = judged.id
            """,
            {
                "provider": provider_id,
                "domain": domain,
                "messages": messages,
                "recipients": recipients,
                "sent_at": second,
            },
        )
    return sum(messages for messages, _recipients in spent.values())


def count(cr, provider_id, counts):
    """Add to the statistics of this minute.

    :param dict counts: kind of outcome → messages
    """
    cr.execute(
        """
        INSERT INTO mailing_provider_stat AS stat (provider_id, minute, kind, messages)
             SELECT provider.id, date_trunc('minute', now() AT TIME ZONE 'utc'), kind,
                    messages
               FROM mailing_provider provider, unnest(%s, %s) AS new(kind, messages)
              WHERE provider.id = %s
        ON CONFLICT (provider_id, minute, kind)
          DO UPDATE SET messages = stat.messages + EXCLUDED.messages
        """,
        [sorted(counts), [counts[kind] for kind in sorted(counts)], provider_id],
    )


# ---------------------------------------------------------------------------
# What replies set off
# ---------------------------------------------------------------------------


def slow_down(cr, provider_id, reply):
    """Send slower from now on: the provider refused for our rate.

    The rate drops to the part of it that was accepted since the last drop, at most to
    half and at least by a fiftieth, so that it is below the provider's own after a few
    reactions however far that is. It never falls below a hundredth of the configured
    rate, or one message a minute.

    :param str reply: the server's words
    :return: seconds for which nothing at all was accepted
    """
    cr.execute(
        f"""
        WITH state AS MATERIALIZED (
            SELECT * FROM mailing_provider_state WHERE provider_id = %(provider)s
               FOR UPDATE
        ),
        seen AS (
            SELECT clock.now, configured,
                   COALESCE(LEAST(configured, {_REDUCED}),
                            state.taken / GREATEST(clock.now - state.counted_from, 1),
                            1) AS rate,
                   1 - (state.refused + 1)::float8
                       / GREATEST(state.taken, state.refused + 1) AS accepted
              FROM state, {_CLOCK}, LATERAL (
                   SELECT min(effective / CASE period WHEN 'second' THEN 1 ELSE 60 END)
                          AS configured
                     FROM mailing_provider_limit quota
                    WHERE quota.provider_id = state.provider_id AND effective > 0
                      AND scope = 'account'
                       AND period IN ('second', 'minute')) AS limits
        ),
        due AS (
            SELECT seen.*, seen.now - COALESCE(state.reduced_at, 0)
                           >= GREATEST({REACTION}, 3 / rate) AS react
              FROM seen, state
        )
        UPDATE mailing_provider_state state
           SET reduced_rate = CASE WHEN react THEN GREATEST(
                   rate * GREATEST(accepted * 0.98, 0.5),
                   LEAST(COALESCE(configured, rate) / 100, 1), 1.0 / 60)
                   ELSE reduced_rate END,
               reduced_at = CASE WHEN react THEN now ELSE reduced_at END,
               tat = GREATEST(tat, now),
               taken = CASE WHEN react THEN 0 ELSE taken END,
               refused = CASE WHEN react THEN 0 ELSE refused + 1 END,
               counted_from = CASE WHEN react THEN now ELSE counted_from END,
               refusing_since = CASE WHEN accepted > 0 THEN now
                                     ELSE COALESCE(refusing_since, now) END,
               last_reply = %(reply)s, last_reply_at = now
          FROM due WHERE state.provider_id = %(provider)s
     RETURNING now - refusing_since
        """,
        {"provider": provider_id, "reply": reply},
    )
    row = cr.fetchone()
    return row[0] if row else 0.0


def fewer_senders(cr, provider_id, reply):
    """Use one sender less: the provider refused a connection as one too many."""
    cr.execute(
        f"""
        UPDATE mailing_provider_state state
           SET reduced_capacity = GREATEST(LEAST(provider.capacity,
                   COALESCE(state.reduced_capacity
                            + floor((clock.now - state.capacity_at) / 300),
                            provider.capacity)) - 1, 1),
               capacity_at = clock.now, last_reply = %(reply)s,
               last_reply_at = clock.now
          FROM mailing_provider provider, {_CLOCK}
         WHERE state.provider_id = %(provider)s AND provider.id = state.provider_id
           AND clock.now - COALESCE(state.capacity_at, 0) >= {REACTION}
        """,
        {"provider": provider_id, "reply": reply},
    )


def rest(cr, provider_id, seconds, reason, reply):
    """Let the provider rest; a rest that ends later stays."""
    cr.execute(
        f"""
        UPDATE mailing_provider_state
           SET rest_reason = %(reason)s,
               rest_until = GREATEST(rest_until, clock.now + %(seconds)s),
               last_reply = %(reply)s, last_reply_at = clock.now
          FROM {_CLOCK} WHERE provider_id = %(provider)s
        """,
        {
            "provider": provider_id,
            "seconds": seconds,
            "reason": reason,
            "reply": reply,
        },
    )


def stop(cr, provider_id, reply):
    """Stop the provider until a person resumes it: the account is refused."""
    cr.execute(
        f"""
        UPDATE mailing_provider_state
           SET stopped = %(reply)s, last_reply = %(reply)s, last_reply_at = clock.now
          FROM {_CLOCK} WHERE provider_id = %(provider)s
        """,
        {"provider": provider_id, "reply": reply},
    )


def window_frees_in(cr, provider_id, period):
    """Return the seconds until what we sent first in the window has left it.

    :param str period: ``hour`` or ``day``
    :return: ``None`` if no limit of that period is counted
    """
    width, slots = _COUNTERS[period]
    cr.execute(
        f"""
        SELECT bucket.slot, bucket.counts, clock.now
          FROM mailing_provider_bucket bucket
          JOIN mailing_provider_limit quota ON quota.id = bucket.limit_id, {_CLOCK}
         WHERE bucket.provider_id = %s AND quota.period = %s
        """,
        [provider_id, period],
    )
    waits = []
    for slot, counts, now in cr.fetchall():
        oldest = max((n for n, sent in enumerate(counts) if sent), default=None)
        if oldest is not None:
            waits.append((slot - oldest + slots + 1) * width - now)
    return max(waits, default=None)


# ---------------------------------------------------------------------------
# What people change
# ---------------------------------------------------------------------------


def rewind(cr, provider_ids):
    """Let the next turn be computed anew: a person changed rate, pause or capacity.

    Turns that were reserved are given up; workers that wait for one see the new
    version within a second and ask again. Counters stay: what was sent was sent.
    """
    cr.execute(
        f"""
        WITH state AS (
            UPDATE mailing_provider_state
               SET version = version + 1, tat = LEAST(tat, clock.now)
              FROM {_CLOCK} WHERE provider_id = ANY(%s)
         RETURNING provider_id, clock.now
        )
        UPDATE mailing_provider_bucket bucket SET tat = LEAST(bucket.tat, state.now)
          FROM state WHERE bucket.provider_id = state.provider_id
        """,
        [list(provider_ids)],
    )
    for provider_id in provider_ids:
        cr.execute(
            "SELECT DISTINCT domain FROM mailing_provider_bucket "
            "WHERE provider_id = %s",
            [provider_id],
        )
        # A new limit holds for those who send at this moment, too.
        ensure(cr, provider_id, ["", *(row[0] for row in cr.fetchall())])


def clear(cr, provider_ids):
    """Forget stops, rests and reductions: a person says that it is repaired."""
    cr.execute(
        """
        UPDATE mailing_provider_state
           SET stopped = NULL, rest_until = NULL, rest_reason = NULL,
               reduced_rate = NULL, reduced_at = NULL, reduced_capacity = NULL,
               capacity_at = NULL, refusing_since = NULL, refused = 0,
               version = version + 1
         WHERE provider_id = ANY(%s)
        """,
        [list(provider_ids)],
    )


def unstop(cr, provider_ids):
    """Let stopped providers try again: if they are refused again, they stop again."""
    cr.execute(
        """
        UPDATE mailing_provider_state SET stopped = NULL, version = version + 1
         WHERE provider_id = ANY(%s) AND stopped IS NOT NULL
        """,
        [list(provider_ids)],
    )


# ---------------------------------------------------------------------------
# Capacity and jobs
# ---------------------------------------------------------------------------


def take_slot(cr, provider_id, capacity):
    """Take one of the provider's slots for as long as this transaction is open.

    PostgreSQL frees it when the transaction ends or its connection is lost.

    :return: the slot's number from 0, ``None`` if all are taken
    """
    cr.execute(
        """
        SELECT slot FROM generate_series(0, %s - 1) AS slot
         WHERE pg_try_advisory_xact_lock(%s, %s * 1000 + slot) LIMIT 1
        """,
        [capacity, LOCK_SLOT, provider_id],
    )
    row = cr.fetchone()
    return row[0] if row else None


def postpone_jobs(cr, provider_id, version, channel, seconds, mailing_id=None):
    """Move the provider's waiting send jobs to when they can do something.

    Jobs that are being started, or that are to wait as long already, are left alone; so
    are all if a person has changed the provider since.

    :param int version: of the provider when it was found that there is nothing to do
    :param int mailing_id: only this mailing's jobs
    """
    cr.execute(
        """
        UPDATE queue_job SET eta = target.eta
          FROM (SELECT now() AT TIME ZONE 'utc' + %(seconds)s * interval '1 second'
                       AS eta) AS target
         WHERE id IN (SELECT id FROM queue_job
                       WHERE state = 'pending' AND channel = %(channel)s
                         AND method_name = '_job_send'
                         AND mailing_id = COALESCE(%(mailing)s, mailing_id)
                         AND COALESCE(eta, '-infinity') < now() AT TIME ZONE 'utc'
                             + (%(seconds)s - 60) * interval '1 second'
                         FOR UPDATE SKIP LOCKED)
           AND EXISTS (SELECT 1 FROM mailing_provider_state
                        WHERE provider_id = %(provider)s AND version = %(version)s)
        """,
        {
            "provider": provider_id,
            "version": version,
            "channel": channel,
            "seconds": seconds,
            "mailing": mailing_id,
        },
    )
    return cr.rowcount


def pull_jobs(cr, channels):
    """Let the providers' postponed send jobs start now. Wakes the runner."""
    cr.execute(
        """
        UPDATE queue_job SET eta = NULL
         WHERE id IN (SELECT id FROM queue_job
                       WHERE state = 'pending' AND channel = ANY(%s)
                         AND method_name = '_job_send'
                         AND eta > now() AT TIME ZONE 'utc'
                         FOR UPDATE SKIP LOCKED)
        """,
        [list(channels)],
    )
    return cr.rowcount


def move_jobs(cr, mailing_ids, channel):
    """Let the waiting send jobs of mailings run in another account's channel, now."""
    cr.execute(
        """
        UPDATE queue_job SET channel = %s, eta = NULL
         WHERE id IN (SELECT id FROM queue_job
                       WHERE state = 'pending' AND method_name = '_job_send'
                         AND mailing_id = ANY(%s) AND channel <> %s
                         FOR UPDATE SKIP LOCKED)
        """,
        [channel, list(mailing_ids), channel],
    )


def count_as_used(cr, provider_id, period, used):
    """Raise what is counted of an account's limit to what the provider counted.

    :param str period: ``day`` or ``month``
    :param int used: messages or recipients in the window, by the provider
    """
    ensure(cr, provider_id, [""])
    for limit_id, _domain, ours in usage(cr, provider_id):
        if used > ours:
            cr.execute(
                f"""
                WITH state AS MATERIALIZED (
                    SELECT state.*, 0 AS burst FROM mailing_provider_state state
                     WHERE state.provider_id = %(provider)s FOR UPDATE
                ),
                {_BUCKETS}
                {_SPEND} FROM judged
                   WHERE bucket.id = judged.id AND judged.period = %(period)s
                     AND judged.limit_id = %(limit)s AND NOT judged.of_domain
                """,
                {
                    "provider": provider_id,
                    "domain": "",
                    "messages": used - ours,
                    "recipients": used - ours,
                    "sent_at": 0,
                    "period": period,
                    "limit": limit_id,
                },
            )


def usage(cr, provider_id):
    """Return how far each bucket is used, for people.

    :return: list of (limit id, domain, messages or recipients in the window)
    """
    cr.execute(
        f"""
        SELECT bucket.limit_id, bucket.domain, quota.period, bucket.slot, bucket.counts,
               clock.now, EXTRACT(EPOCH FROM date_trunc(
                   'month', to_timestamp(clock.now) AT TIME ZONE 'utc'))
          FROM mailing_provider_bucket bucket
          JOIN mailing_provider_limit quota ON quota.id = bucket.limit_id, {_CLOCK}
         WHERE bucket.provider_id = %s ORDER BY bucket.limit_id, bucket.domain
        """,
        [provider_id],
    )
    rows = []
    for limit_id, domain, period, slot, counts, at, month in cr.fetchall():
        used = 0
        if period == "month":
            used = sum(counts) if slot == month else 0
        elif period in _COUNTERS:
            width, slots = _COUNTERS[period]
            gone = int(at // width) - slot
            used = sum(counts[: max(slots + 1 - gone, 0)])
        rows.append((limit_id, domain, used))
    return rows


def live(cr, provider_id):
    """Return the provider's live state for people, ``None`` before its first use.

    :return: dict of ``rate`` (reduced, a second, ``None`` if it is not), ``capacity``
        (``None`` if not reduced), ``rest`` (seconds left), and the columns' own
    """
    cr.execute(
        f"""
        SELECT {_REDUCED} AS rate, {_reduced_capacity("clock.now")} AS capacity,
               GREATEST(COALESCE(state.rest_until, 0) - clock.now, 0) AS rest,
               state.rest_reason, state.stopped, state.last_reply,
               state.last_reply_at, clock.now
          FROM (SELECT state.*, NULL::int AS capacity
                  FROM mailing_provider_state state) AS state, {_CLOCK}
         WHERE state.provider_id = %s
        """,
        [provider_id],
    )
    row = cr.fetchone()
    names = [column.name for column in cr.description]
    return dict(zip(names, row, strict=True)) if row else None
