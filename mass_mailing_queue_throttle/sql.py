# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The statements of a turn: whether one may leave, when, and what that needs.

Those of other purposes are beside it, in ``sql_….py``; one function each. They run on
the autocommit connection of ``mass_mailing_queue``'s ledger, so each is atomic and
durable by itself, and none makes a sender wait for a person's form or the other way
round; those that only read may run anywhere. Times are seconds since the epoch by the
database's clock: one clock for all nodes.

A provider has one row in ``mailing_provider_state`` and one row in
``mailing_provider_bucket`` for each limit (and sending domain, where the limit is one
of domains). The state's row is locked first, so it orders everything that concerns
one provider, and no two statements can deadlock.
"""

from dataclasses import dataclass

from odoo.addons.mass_mailing_queue.prepared import execute_prepared

from .sql_parts import CLOCK, REDUCED, counter, reduced_capacity

# First key of a capacity slot's advisory lock; the second is provider × 1000 + slot.
LOCK_SLOT = 7_221_904
# First key of the lock that who waits for a slot shares; the second is the provider.
LOCK_WAITING = 7_221_905


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


# One row a bucket with what a message of this cost would have to wait there.
#
# Rates are GCRA: `tat` is the theoretical arrival time of the next message; a message
# conforms when it comes no earlier than `tat` minus the tolerance: the burst less one
# interval, or a tenth of an interval, which makes up for workers that come late.
# Counters hold the window in slots, newest first, and count the slot
# that is half expired as a whole: never more than the limit in any window.
BUCKETS = f"""
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
          FROM bucket, {CLOCK},
               LATERAL (SELECT {counter("bucket.period", "width")} AS width,
                               {counter("bucket.period", "slots")} AS slots) AS size,
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
SPEND = """
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
    {BUCKETS},
    adaptive AS (
        SELECT clock.now, 1 / rate AS spacing,
               CASE WHEN rate IS NULL THEN 0
                    ELSE GREATEST(state.tat - clock.now, 0) END AS wait
          FROM state, {CLOCK}, LATERAL (SELECT {REDUCED} AS rate) AS reduced
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
               LEAST(state.capacity, {reduced_capacity("adaptive.now")})
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
    spent AS ({SPEND} FROM judged, granted WHERE bucket.id = judged.id)
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
          JOIN mailing_provider provider ON provider.id = state.provider_id, {CLOCK}
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
        WITH state AS MATERIALIZED (
            SELECT provider_id FROM mailing_provider_state
             WHERE provider_id = %(provider)s FOR UPDATE
        )
        INSERT INTO mailing_provider_bucket (provider_id, limit_id, domain, shape)
             SELECT DISTINCT quota.provider_id, quota.id,
                    CASE quota.scope WHEN 'domain' THEN sender.domain ELSE '' END,
                    quota.period || ' ' || quota.unit
               FROM state JOIN mailing_provider_limit quota USING (provider_id),
                    unnest(%(domains)s) AS sender(domain)
              WHERE (quota.scope = 'account'
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


def take_slot(cr, provider_id, capacity):
    """Take one of the provider's slots for as long as this transaction is open.

    PostgreSQL frees it when the transaction ends or its connection is lost, and not
    because it rests.

    :return: the slot's number from 0, ``None`` if all are taken
    """
    cr.execute(
        """
        SELECT slot, set_config('idle_in_transaction_session_timeout', '0', true)
          FROM generate_series(0, %s - 1) AS slot
         WHERE pg_try_advisory_xact_lock(%s, %s * 1000 + slot) LIMIT 1
        """,
        [capacity, LOCK_SLOT, provider_id],
    )
    row = cr.fetchone()
    return row[0] if row else None


def announce_waiting(cr, provider_id):
    """Say that somebody waits for a slot, until :func:`stop_waiting`.

    A shared lock of this transaction, which nobody takes for themselves.
    """
    cr.execute("SAVEPOINT mailing_provider_waiting")
    cr.execute(
        "SELECT pg_advisory_xact_lock_shared(%s, %s)", [LOCK_WAITING, provider_id]
    )


def stop_waiting(cr):
    """Say so no more: what was locked since the savepoint is free again."""
    cr.execute("ROLLBACK TO SAVEPOINT mailing_provider_waiting")
    cr.execute("RELEASE SAVEPOINT mailing_provider_waiting")


def look_at_slots(cr, provider_id, capacity):
    """Return how many of the provider's slots are taken, and how many wait for one.

    Reads what PostgreSQL has in memory, and locks nothing.

    :return: (slots taken, waiting)
    """
    cr.execute(
        """
        SELECT count(*) FILTER (WHERE classid = %(slot)s
                                  AND objid >= %(provider)s * 1000
                                  AND objid < %(provider)s * 1000 + %(capacity)s),
               count(*) FILTER (WHERE classid = %(waiting)s AND objid = %(provider)s)
          FROM pg_locks
         WHERE locktype = 'advisory' AND objsubid = 2 AND granted
           AND database = (SELECT oid FROM pg_database
                            WHERE datname = current_database())
        """,
        {
            "slot": LOCK_SLOT,
            "waiting": LOCK_WAITING,
            "provider": provider_id,
            "capacity": capacity,
        },
        # A lost connection is found out by this, and no failure.
        log_exceptions=False,
    )
    return cr.fetchone()
