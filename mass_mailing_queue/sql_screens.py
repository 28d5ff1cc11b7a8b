# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What screens ask of traces and jobs, one function a statement. All of them only read.

They run on the ORM's cursor; callers flush.
"""

from odoo.tools import SQL

from .addresses import PLAIN, mailable
from .sql_runner import RUNNER_WORKS

#: Of a recipient whom the server has accepted, whatever was heard of them since.
SENT_STATUSES = ("sent", "open", "reply", "bounce", "pending")

#: The rate is that of so many seconds.
RATE_SECONDS = 60


#: What may keep a ``mailing`` waiting that nobody has paused: whether a job runner
#: works, servers out of reach (their id, 0 for that of the configuration file → seconds
#: until they are tried again), and seconds until the first of those who wait may be
#: tried again (none if there is somebody to send to now, or nobody).
STANDSTILL = f"""
    SELECT {RUNNER_WORKS} AS works,
           (SELECT jsonb_object_agg(
                       server_ref,
                       EXTRACT(EPOCH FROM retry_at - (now() AT TIME ZONE 'utc')))
              FROM mailing_queue_outage
             WHERE retry_at > now() AT TIME ZONE 'utc') AS outages,
           CASE WHEN NOT EXISTS (
                SELECT 1 FROM mailing_trace
                 WHERE mass_mailing_id = mailing.id
                   AND (trace_status = 'process'
                        OR trace_status = 'outgoing'
                        AND COALESCE(queue_next_attempt, '-infinity')
                            <= now() AT TIME ZONE 'utc'))
           THEN (SELECT EXTRACT(EPOCH FROM min(queue_next_attempt)
                                           - (now() AT TIME ZONE 'utc'))::float8
                   FROM mailing_trace
                  WHERE mass_mailing_id = mailing.id AND trace_status = 'outgoing'
                    AND NOT COALESCE(queue_held, false)) END AS seconds
"""


def progress(cr, mailing_ids, waits=False):
    """Return how many recipients are in which state, and how fast they are sent to.

    Indexes: ``mailing_trace_queue_progress_idx``, whose rows hold all that is counted,
    and ``mailing_trace_queue_decide_idx``; for ``waits`` that on the state of jobs,
    ``queue_job_queue_date_done_idx`` and ``mailing_trace_queue_open_idx``.

    :param bool waits: also ask what may keep them waiting
    :return: dict of mailing id → dict of status → number; statuses are those of the
        traces, ``held`` and ``in_doubt`` (which are among ``outgoing`` and ``error``),
        ``recent``: emails sent in the last ``seconds``, and with ``waits``
        ``standstill``: see :data:`STANDSTILL`
    """
    cr.execute(  # pylint: disable=sql-injection
        f"""
        WITH mailing AS MATERIALIZED (
            SELECT mailing.id AS mailing_id, standstill.*
              FROM unnest(%(ids)s::int[]) AS mailing (id)
              LEFT JOIN LATERAL ({STANDSTILL}) AS standstill ON %(waits)s
        ),
        counted AS (
            SELECT mass_mailing_id, trace_status AS status, count(*) AS traces,
                   count(*) FILTER (WHERE sent_datetime
                       > now() AT TIME ZONE 'utc' - %(seconds)s * interval '1 second'
                   ) AS recent,
                   EXTRACT(EPOCH FROM now() AT TIME ZONE 'utc' - min(sent_datetime)
                   )::float8 AS age
              FROM mailing_trace WHERE mass_mailing_id = ANY(%(ids)s)
             GROUP BY mass_mailing_id, trace_status
         UNION ALL
            SELECT mass_mailing_id,
                   CASE trace_status WHEN 'error' THEN 'in_doubt' ELSE 'held' END,
                   count(*), 0, NULL
              FROM mailing_trace
             WHERE mass_mailing_id = ANY(%(ids)s)
               AND (queue_held OR failure_type = 'queue_in_doubt')
               AND CASE trace_status WHEN 'error' THEN failure_type = 'queue_in_doubt'
                                     WHEN 'outgoing' THEN queue_held
                                     ELSE false END
             GROUP BY 1, 2
        )
        SELECT mailing_id, status, traces, recent, age, works, outages, seconds
          FROM mailing LEFT JOIN counted ON mass_mailing_id = mailing_id
        """,
        {"ids": list(mailing_ids), "seconds": RATE_SECONDS, "waits": bool(waits)},
    )
    counts = {mailing_id: {"recent": 0, "seconds": 0.0} for mailing_id in mailing_ids}
    for mailing_id, status, traces, recent, age, *standstill in cr.fetchall():
        row = counts[mailing_id]
        if waits:
            row["standstill"] = standstill
        if status:
            row[status] = traces
            row["recent"] += recent
            # Of a mailing that has just begun, not a whole minute.
            row["seconds"] = max(row["seconds"], min(age or 0, RATE_SECONDS))
    return counts


def pace(cr, mailing_id, bars):
    """Return how many emails were sent over the time of a campaign.

    Index: ``mailing_trace_queue_progress_idx``.

    :param int bars: how many spans of time at most, each of whole minutes
    :return: (seconds a span has, list of (begin of the span, emails)), spans in which
        nothing was sent included
    """
    cr.execute(
        """
        WITH bounds AS (
            SELECT date_trunc('minute', min(sent_datetime)) AS first,
                   max(sent_datetime) AS last
              FROM mailing_trace
             WHERE mass_mailing_id = %(id)s AND trace_status = ANY(%(sent)s)
               AND sent_datetime IS NOT NULL
        ),
        span AS (
            SELECT first, last, 60 * GREATEST(
                       ceil((EXTRACT(EPOCH FROM last - first) + 1) / 60 / %(bars)s), 1
                   )::int AS seconds
              FROM bounds WHERE first IS NOT NULL
        ),
        counted AS (
            SELECT floor(EXTRACT(EPOCH FROM trace.sent_datetime - span.first)
                         / span.seconds)::int AS number,
                   count(*) AS emails
              FROM mailing_trace trace, span
             WHERE mass_mailing_id = %(id)s AND trace_status = ANY(%(sent)s)
               AND sent_datetime IS NOT NULL
             GROUP BY 1
        )
        SELECT span.seconds, span.first + number * span.seconds * interval '1 second',
               COALESCE(counted.emails, 0)
          FROM span
         CROSS JOIN LATERAL generate_series(
               0, floor(EXTRACT(EPOCH FROM last - first) / seconds)::int) AS number
          LEFT JOIN counted USING (number)
         ORDER BY number
        """,
        {"id": mailing_id, "sent": list(SENT_STATUSES), "bars": bars},
    )
    rows = cr.fetchall()
    return (rows[0][0] if rows else 60), [(begin, count) for _s, begin, count in rows]


def usual_rate(cr, least):
    """Return the emails/second of the last campaign that was large enough, or ``None``.

    Minutes in which it sent nothing do not count: it was paused then, or waited.

    :param int least: emails that a campaign must have sent to tell something
    """
    cr.execute(
        """
        SELECT sent.emails / 60.0 / sent.minutes
          FROM (SELECT id FROM mailing_mailing
                 WHERE queue_managed AND state = 'done'
                   AND queue_recipients >= %(least)s
                 ORDER BY sent_date DESC NULLS LAST LIMIT 5) mailing
         CROSS JOIN LATERAL (
               SELECT count(*) AS emails,
                      count(DISTINCT date_trunc('minute', sent_datetime)) AS minutes
                 FROM mailing_trace
                WHERE mass_mailing_id = mailing.id AND trace_status = ANY(%(sent)s)
               ) sent
         WHERE sent.emails >= %(least)s LIMIT 1
        """,
        {"least": least, "sent": list(SENT_STATUSES)},
    )
    row = cr.fetchone()
    return float(row[0]) if row else None


#: One of so many equal parts of an audience, by whole addresses.
_PART = """
    SELECT * FROM (%(records)s) AS audience
     WHERE (hashtext(COALESCE(email, id::text)) & 2147483647) %% %(parts)s = 0
"""


def unusual_audience(cr, records, parts):
    """Return those of an audience whose address may be mailed in another spelling.

    :param SQL records: see :func:`audience`
    :return: list of (id, normalized address, the one it is of)
    """
    cr.execute(
        SQL(
            f"""
            SELECT id, email, written FROM ({_PART}) AS part
             WHERE email !~ %(plain)s OR email LIKE '%%xn--%%'
            """,
            records=records,
            parts=parts,
            plain=f"^{PLAIN.pattern}$",
        )
    )
    return cr.fetchall()


def audience(
    cr,
    records,
    mailing_ids,
    model,
    list_ids,
    use_exclusion_list,
    parts,
    unusual,
    blacklisted,
    opted_out,
):
    """Return how many records would get an email, and why others would not.

    Reasons and their order are those of the planner. With ``parts``, only addresses
    that one of so many equal parts has are looked at: whole addresses, so that
    duplicates are counted right.

    :param SQL records: selects ``id``, ``email`` (normalized), ``written`` (what that
        is of)
    :param list mailing_ids: whoever has a trace of these is not planned again
    :param list list_ids: mailing lists whose opt-outs count
    :param int parts: 1 to look at all
    :param dict unusual: record's id → cleaned address that would be mailed
    :param list blacklisted: cleaned addresses that are so by another spelling
    :param list opted_out: the same
    :return: dict of reason → number, ``None`` for recipients
    """
    cr.execute(
        SQL(
            f"""
            WITH part AS (
                SELECT part.id, COALESCE(unusual.email, part.email) AS email,
                       part.email IS NOT NULL AND COALESCE(mailable, true) AS mailable
                  FROM ({_PART}) AS part
                  LEFT JOIN unnest(%(ids)s::int[], %(emails)s::text[],
                                   %(mailable)s::bool[])
                         AS unusual (id, email, mailable) USING (id)
            ),
            judged AS (
                SELECT email, CASE
                    WHEN EXISTS (
                         SELECT 1 FROM mailing_trace trace
                          WHERE trace.res_id = part.id AND trace.model = %(model)s
                            AND trace.mass_mailing_id = ANY(%(mailings)s))
                    THEN 'reached'
                    WHEN %(exclude)s AND (part.email = ANY(%(blacklisted)s) OR EXISTS (
                         SELECT 1 FROM mail_blacklist
                          WHERE active AND mail_blacklist.email = part.email))
                    THEN 'blacklisted'
                    WHEN NOT mailable THEN 'invalid'
                    WHEN part.email = ANY(%(opted_out)s)
                      OR (SELECT bool_and(COALESCE(sub.opt_out, false))
                            FROM mailing_contact contact
                            JOIN mailing_subscription sub
                              ON sub.contact_id = contact.id
                           WHERE contact.email_normalized = part.email
                             AND sub.list_id = ANY(%(lists)s))
                    THEN 'opted_out' END AS why
                  FROM part
            )
            SELECT why, count(*), count(DISTINCT email) FROM judged GROUP BY why
            """,
            records=records,
            parts=parts,
            model=model,
            mailings=list(mailing_ids),
            exclude=use_exclusion_list,
            lists=list(list_ids),
            ids=list(unusual),
            emails=list(unusual.values()),
            mailable=[bool(mailable(email)) for email in unusual.values()],
            blacklisted=blacklisted,
            opted_out=opted_out,
        )
    )
    counts = {"duplicates": 0}
    for why, records_, addresses in cr.fetchall():
        counts[why] = records_ * parts
        if why is None:
            counts[None] = addresses * parts
            counts["duplicates"] = (records_ - addresses) * parts
    return counts
