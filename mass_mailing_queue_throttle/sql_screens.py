# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What is shown of an account. All of it only reads.

They run on the ORM's cursor; callers flush.
"""

from .sql_parts import CLOCK, REDUCED, counter, reduced_capacity

# What replies have made of ``provider``.
_LIVE = f"""
    SELECT {REDUCED} AS rate, {reduced_capacity("clock.now")} AS capacity,
           GREATEST(COALESCE(state.rest_until, 0) - clock.now, 0) AS rest,
           state.rest_reason, state.stopped, state.last_reply, state.last_reply_at,
           clock.now
      FROM (SELECT state.*, NULL::int AS capacity
              FROM mailing_provider_state state) AS state, {CLOCK}
     WHERE state.provider_id = provider.id
"""

# How far each counted limit of ``provider`` is used: what is in those of its slots that
# are still in the window.
_USAGE = f"""
    SELECT bucket.limit_id, bucket.domain, COALESCE((
               SELECT sum(number) FROM unnest(bucket.counts[1:
                   CASE quota.period WHEN 'month' THEN
                       CASE bucket.slot WHEN EXTRACT(EPOCH FROM date_trunc(
                           'month', to_timestamp(clock.now) AT TIME ZONE 'utc'))
                       THEN cardinality(bucket.counts) ELSE 0 END
                   ELSE GREATEST({counter("quota.period", "slots")} + 1 - (
                       floor(clock.now / {counter("quota.period", "width")})
                       - bucket.slot), 0)::int END]) AS number), 0) AS used
      FROM mailing_provider_bucket bucket
      JOIN mailing_provider_limit quota ON quota.id = bucket.limit_id, {CLOCK}
     WHERE bucket.provider_id = provider.id
"""

# Both, for people.
_ACCOUNT = f"""
    (SELECT to_jsonb(live) FROM ({_LIVE}) AS live) AS live,
    (SELECT jsonb_object_agg(limit_id, used)
       FROM (SELECT limit_id, max(used) AS used FROM ({_USAGE}) AS usage
              GROUP BY limit_id) AS usage) AS usage
"""


def usage(cr, provider_id):
    """Return how far each bucket is used.

    :return: list of (limit id, domain, messages or recipients in the window)
    """
    cr.execute(
        f"""
        SELECT usage.* FROM mailing_provider provider, LATERAL ({_USAGE}) AS usage
         WHERE provider.id = %s ORDER BY limit_id, domain
        """,
        [provider_id],
    )
    return cr.fetchall()


def account(cr, provider_id):
    """Return what is known of an account at this moment.

    :return: dict of ``live``: ``None`` before its first use, else dict of ``rate``
        (reduced, a second, ``None`` if it is not), ``capacity`` (``None`` if not
        reduced), ``rest`` (seconds left), and the columns' own; and ``usage``: dict of
        limit id (a string) → messages or recipients in the window
    """
    cr.execute(
        f"SELECT {_ACCOUNT} FROM mailing_provider provider WHERE provider.id = %s",
        [provider_id],
    )
    # Who looks may have an account on the screen that somebody has just removed.
    live, used = cr.fetchone() or (None, None)
    return {"live": live, "usage": used or {}}


def account_of_jobs(cr, mailing_id):
    """Return the account whose channel the waiting jobs of a mailing are on.

    Index: ``queue_job__mailing_id_index``, or that on the state of jobs.

    :return: dict of columns of the account, ``limit_ids``: list of dicts of theirs, and
        ``account``: see :func:`account`; ``None`` if there are no jobs, or on no
        account's channel
    """
    cr.execute(
        f"""
        SELECT provider.id, provider.name, provider.paused, provider.pause_reason,
               provider.capacity,
               (SELECT jsonb_agg(quota ORDER BY sequence, id)
                  FROM (SELECT id, sequence, amount, unit, period, scope, domain,
                               effective
                          FROM mailing_provider_limit
                         WHERE provider_id = provider.id) AS quota) AS limit_ids,
               {_ACCOUNT}
          FROM mailing_provider provider
          JOIN queue_job_channel channel ON channel.id = provider.channel_id
         WHERE channel.complete_name = (
               SELECT max(channel) FROM queue_job
                WHERE mailing_id = %s AND method_name = '_job_send'
                  AND state IN ('pending', 'enqueued', 'started'))
        """,
        [mailing_id],
    )
    row = cr.fetchone()
    if not row:
        return None
    names = [column.name for column in cr.description]
    found = dict(zip(names, row, strict=True))
    live, used = found.pop("live"), found.pop("usage")
    return {**found, "account": {"live": live, "usage": used or {}}}
