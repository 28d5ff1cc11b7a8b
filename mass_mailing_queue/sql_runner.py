# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Whether a job runner works, and what runs jobs without one."""

# queue_job's runner holds this advisory lock while it leads
# (queue_job/jobrunner/runner.py, PG_ADVISORY_LOCK_ID).
RUNNER_LOCK = 2293787760715711918


#: Whether a job runner holds its lock on this database.
RUNNER_LEADS = f"""
    EXISTS (
        SELECT 1 FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 1
           AND classid::bigint = {RUNNER_LOCK} >> 32
           AND objid::bigint = {RUNNER_LOCK} & 4294967295
           AND database = (SELECT oid FROM pg_database
                            WHERE datname = current_database()))
"""

#: Whether no due jobs have waited for minutes while none was started. A runner that
#: reaches no worker marks jobs as enqueued, and no more becomes of them.
JOBS_START = """
    NOT (
        EXISTS (
            SELECT 1 FROM queue_job
             WHERE state IN ('pending', 'enqueued') AND mailing_id IS NOT NULL
               AND GREATEST(eta, date_created)
                   < now() AT TIME ZONE 'utc' - interval '3 minutes')
        AND NOT EXISTS (
            SELECT 1 FROM queue_job
             WHERE (state = 'started' AND date_enqueued IS NOT NULL)
                OR date_done > now() AT TIME ZONE 'utc' - interval '3 minutes'))
"""

RUNNER_WORKS = f"{RUNNER_LEADS} AND {JOBS_START}"


def runner_leads(cr):
    """Return whether there is a job runner, whatever it does."""
    cr.execute(f"SELECT {RUNNER_LEADS}")  # pylint: disable=sql-injection
    return cr.fetchone()[0]


def runner_works(cr):
    """Return whether a job runner leads and starts jobs that are due."""
    cr.execute(f"SELECT {RUNNER_WORKS}")  # pylint: disable=sql-injection
    return cr.fetchone()[0]


def wake_runner(cr):
    """Make the runner look for dead jobs now, not at its next minute."""
    cr.execute(
        """
        SELECT pg_notify('queue_job', uuid) FROM queue_job
         WHERE state IN ('enqueued', 'started') AND mailing_id IS NOT NULL
           AND date_enqueued < now() AT TIME ZONE 'utc' - interval '10 seconds'
         LIMIT 1
        """
    )


def next_jobs(cr, limit):
    """Return uuids of our jobs that are due, in the order the runner takes them."""
    cr.execute(
        """
        SELECT uuid FROM queue_job
         WHERE state = 'pending' AND mailing_id IS NOT NULL
           AND (eta IS NULL OR eta <= now() AT TIME ZONE 'utc')
         ORDER BY priority, date_created, id LIMIT %s
        """,
        [limit],
    )
    return [row[0] for row in cr.fetchall()]


def next_job_eta(cr):
    """Return when the next waiting job of ours is due, or ``None``."""
    cr.execute(
        """
        SELECT min(COALESCE(eta, now() AT TIME ZONE 'utc')) FROM queue_job
         WHERE state = 'pending' AND mailing_id IS NOT NULL
        """
    )
    return cr.fetchone()[0]
