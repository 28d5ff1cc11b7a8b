# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What is counted beside the turns: other mail, statistics, quotas."""

from .sql import BUCKETS, SPEND, ensure
from .sql_screens import usage


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
            {BUCKETS}
            {SPEND} FROM judged WHERE bucket.id = judged.id
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


def forget(cr, days):
    """Remove the statistics that are older."""
    cr.execute(
        "DELETE FROM mailing_provider_stat "
        "WHERE minute < now() AT TIME ZONE 'utc' - %s * interval '1 day'",
        [days],
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
                {BUCKETS}
                {SPEND} FROM judged
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
