# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""When the jobs of an account's mailings run, and in which channel."""


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
