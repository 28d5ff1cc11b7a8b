# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What a provider's replies set off. See :mod:`.sql` for the rows."""

from .sql_parts import CLOCK, COUNTERS, REACTION, REDUCED

#: A provider that accepted nothing for this long is not slow but broken (seconds).
MAX_REFUSING = 24 * 3600


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
                   COALESCE(LEAST(configured, {REDUCED}),
                            state.taken / GREATEST(clock.now - state.counted_from, 1),
                            1) AS rate,
                   1 - (state.refused + 1)::float8
                       / GREATEST(state.taken, state.refused + 1) AS accepted
              FROM state, {CLOCK}, LATERAL (
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
          FROM mailing_provider provider, {CLOCK}
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
          FROM {CLOCK} WHERE provider_id = %(provider)s
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
          FROM {CLOCK} WHERE provider_id = %(provider)s
        """,
        {"provider": provider_id, "reply": reply},
    )


def window_frees_in(cr, provider_id, period):
    """Return the seconds until what we sent first in the window has left it.

    :param str period: ``hour`` or ``day``
    :return: ``None`` if no limit of that period is counted
    """
    width, slots = COUNTERS[period]
    cr.execute(
        f"""
        SELECT bucket.slot, bucket.counts, clock.now
          FROM mailing_provider_bucket bucket
          JOIN mailing_provider_limit quota ON quota.id = bucket.limit_id, {CLOCK}
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
