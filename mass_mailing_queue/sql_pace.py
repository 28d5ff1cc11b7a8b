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
