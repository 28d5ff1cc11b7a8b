# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What is shown of an account. All of it only reads."""

from .sql_parts import CLOCK, COUNTERS, REDUCED, reduced_capacity


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
          JOIN mailing_provider_limit quota ON quota.id = bucket.limit_id, {CLOCK}
         WHERE bucket.provider_id = %s ORDER BY bucket.limit_id, bucket.domain
        """,
        [provider_id],
    )
    rows = []
    for limit_id, domain, period, slot, counts, at, month in cr.fetchall():
        used = 0
        if period == "month":
            used = sum(counts) if slot == month else 0
        elif period in COUNTERS:
            width, slots = COUNTERS[period]
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
        SELECT {REDUCED} AS rate, {reduced_capacity("clock.now")} AS capacity,
               GREATEST(COALESCE(state.rest_until, 0) - clock.now, 0) AS rest,
               state.rest_reason, state.stopped, state.last_reply,
               state.last_reply_at, clock.now
          FROM (SELECT state.*, NULL::int AS capacity
                  FROM mailing_provider_state state) AS state, {CLOCK}
         WHERE state.provider_id = %s
        """,
        [provider_id],
    )
    row = cr.fetchone()
    names = [column.name for column in cr.description]
    return dict(zip(names, row, strict=True)) if row else None
