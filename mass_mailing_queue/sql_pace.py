# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Statements on when the jobs of a mailing run."""

from .slicing import FIRST_PRIORITY, MOST_URGENT, URGENCY_ROOM


def prioritize_jobs(cr, mailing_ids=None):
    """*ledger* Give waiting send jobs the priority of their mailing.

    Each keeps its place among those of its mailing. Jobs that are being started are
    left alone, and so are those that somebody put before all mailings.
    Index: ``queue_job__mailing_id_index``.

    :param list mailing_ids: of these mailings; ``None``: of all
    :return: how many jobs got another priority
    """
    cr.execute(
        """
        UPDATE queue_job SET priority = target.priority
          FROM (SELECT job.id, wanted.priority
                  FROM queue_job job
                  JOIN mailing_mailing mailing ON mailing.id = job.mailing_id,
               LATERAL (SELECT %(first)s + (job.priority - %(first)s) %% %(room)s
                        + (%(most)s - COALESCE(mailing.queue_priority, '1')::int)
                          * %(room)s AS priority) wanted
                 WHERE job.state = 'pending' AND job.method_name = '_job_send'
                   AND job.priority >= %(first)s
                   AND job.priority <> wanted.priority
                   AND (%(mailings)s IS NULL OR mailing.id = ANY(%(mailings)s))
                   FOR UPDATE OF job SKIP LOCKED) target
         WHERE queue_job.id = target.id
        """,
        {
            "first": FIRST_PRIORITY,
            "room": URGENCY_ROOM,
            "most": MOST_URGENT,
            "mailings": mailing_ids and list(mailing_ids),
        },
    )
    return cr.rowcount


def sending_hours(cr, mailing_id):
    """*ledger* Return when the mailing may be sent, as it is committed.

    :return: (days as numbers from 0 for Monday, hour from, hour to, time zone, version:
        what :func:`postpone_jobs` wants), ``None`` for at any time
    """
    cr.execute(
        """
        SELECT array_remove(ARRAY[
                   CASE WHEN mon THEN 0 END, CASE WHEN tue THEN 1 END,
                   CASE WHEN wed THEN 2 END, CASE WHEN thu THEN 3 END,
                   CASE WHEN fri THEN 4 END, CASE WHEN sat THEN 5 END,
                   CASE WHEN sun THEN 6 END], NULL),
               hour_from, hour_to, tz, hours.id, hours.write_date
          FROM mailing_mailing mailing
          JOIN mailing_queue_hours hours ON hours.id = mailing.queue_hours_id
         WHERE mailing.id = %s
        """,
        [mailing_id],
    )
    row = cr.fetchone()
    return row and (*row[:4], row[4:])


def postpone_jobs(cr, mailing_id, version, seconds):
    """*ledger* Move the mailing's waiting send jobs to when they may send.

    Jobs that are being started, or that are to wait as long already, are left alone; so
    are all if a person has changed the hours since.
    Index: ``queue_job__mailing_id_index``.

    :param tuple version: of the hours when they were found to be over
    """
    hours_id, write_date = version
    cr.execute(
        """
        UPDATE queue_job SET eta = target.eta
          FROM (SELECT now() AT TIME ZONE 'utc' + %(seconds)s * interval '1 second'
                       AS eta) AS target
         WHERE id IN (SELECT id FROM queue_job
                       WHERE mailing_id = %(mailing)s AND state = 'pending'
                         AND method_name = '_job_send'
                         AND COALESCE(eta, '-infinity') < now() AT TIME ZONE 'utc'
                             + (%(seconds)s - 60) * interval '1 second'
                         FOR UPDATE SKIP LOCKED)
           AND EXISTS (SELECT 1 FROM mailing_mailing mailing
                         JOIN mailing_queue_hours hours
                           ON hours.id = mailing.queue_hours_id
                        WHERE mailing.id = %(mailing)s AND hours.id = %(hours)s
                          AND hours.write_date = %(write_date)s)
        """,
        {
            "mailing": mailing_id,
            "seconds": seconds,
            "hours": hours_id,
            "write_date": write_date,
        },
    )
    return cr.rowcount


def call_jobs(cr, mailing_ids):
    """*ledger* Let the mailings' postponed send jobs look again now.

    Index: ``queue_job__mailing_id_index``.
    """
    cr.execute(
        """
        UPDATE queue_job SET eta = NULL
         WHERE id IN (SELECT id FROM queue_job
                       WHERE mailing_id = ANY(%s) AND state = 'pending'
                         AND method_name = '_job_send'
                         AND eta > now() AT TIME ZONE 'utc'
                         FOR UPDATE SKIP LOCKED)
        """,
        [list(mailing_ids)],
    )
    return cr.rowcount


def sending_seconds(cr, mailing_id):
    """Return the seconds from a mailing's first email to its last, 0 without any.

    Index: ``mailing_trace_queue_progress_idx``.
    """
    cr.execute(
        """
        SELECT EXTRACT(EPOCH FROM max(sent_datetime) - min(queue_claimed_at))
          FROM mailing_trace WHERE mass_mailing_id = %s AND sent_datetime IS NOT NULL
        """,
        [mailing_id],
    )
    return max(float(cr.fetchone()[0] or 0), 0.0)


def delete_traces(cr, mailing_id, limit):
    """*ledger* Delete up to ``limit`` traces of an ended rehearsal, return how many."""
    cr.execute(
        """
        DELETE FROM mailing_trace
         WHERE id IN (SELECT trace.id FROM mailing_trace trace
                        JOIN mailing_mailing mailing
                          ON mailing.id = trace.mass_mailing_id
                       WHERE mailing.id = %s AND mailing.queue_rehearsal
                         AND mailing.state = 'done' LIMIT %s)
        """,
        [mailing_id, limit],
    )
    return cr.rowcount
