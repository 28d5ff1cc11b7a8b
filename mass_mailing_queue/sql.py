# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Every statement that this addon writes by hand, one function each.

Functions marked *ledger* run on the autocommit connection of :mod:`.ledger`: each one
is a short transaction of its own. The others run on the ORM's cursor and commit
with it. Callers flush and invalidate.
"""

from .prepared import execute_prepared

# First keys of the two-key advisory locks; the second is a claim's token or the id
# of a mailing. Any fixed numbers do, as long as they differ.
LOCK_CLAIM = 7_221_901
LOCK_PLAN = 7_221_902
LOCK_FINISH = 7_221_903
LOCK_SAMPLE = 7_221_905

# queue_job's runner holds this advisory lock while it leads
# (queue_job/jobrunner/runner.py, PG_ADVISORY_LOCK_ID).
RUNNER_LOCK = 2293787760715711918


def try_lock(cr, namespace, key):
    """Take a transaction-level advisory lock, without waiting.

    :return: whether it was free (or already ours); it is held until commit, rollback
        or the end of the connection
    """
    cr.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [namespace, key])
    return cr.fetchone()[0]


# ---------------------------------------------------------------------------
# Planning
# ---------------------------------------------------------------------------


def plan_position(cr, mailing_id):
    """*ledger* Return how many times the mailing's plan was moved on, as committed."""
    cr.execute(
        "SELECT COALESCE(queue_slices, 0) FROM mailing_mailing WHERE id = %s",
        [mailing_id],
    )
    return cr.fetchone()[0]


def drawn_records(cr, campaign_id):
    """*ledger* Return who is drawn for any version of the campaign's test."""
    cr.execute(
        """
        SELECT sample.res_id FROM mailing_queue_sample sample
          JOIN mailing_mailing mailing ON mailing.id = sample.mailing_id
         WHERE mailing.campaign_id = %s
        """,
        [campaign_id],
    )
    return {row[0] for row in cr.fetchall()}


def keep_sample(cr, mailing_id, res_ids):
    """Keep who was drawn for a test."""
    cr.execute(
        """
        INSERT INTO mailing_queue_sample (mailing_id, res_id)
             SELECT %s, unnest(%s) ON CONFLICT DO NOTHING
        """,
        [mailing_id, list(res_ids)],
    )


def sample_slice(cr, mailing_id, after, limit):
    """Return the next record ids of a sample, from its index."""
    cr.execute(
        """
        SELECT res_id FROM mailing_queue_sample
         WHERE mailing_id = %s AND res_id > %s ORDER BY res_id LIMIT %s
        """,
        [mailing_id, after, limit],
    )
    return [row[0] for row in cr.fetchall()]


def sample_size(cr, mailing_id):
    """Return how many were drawn."""
    cr.execute(
        "SELECT count(*) FROM mailing_queue_sample WHERE mailing_id = %s", [mailing_id]
    )
    return cr.fetchone()[0]


def traced_records(cr, mailing_ids, model, res_ids):
    """Return those of ``res_ids`` that have a trace of any kind in ``mailing_ids``.

    Index: ``mailing_trace_queue_res_idx``.
    """
    cr.execute(
        """
        SELECT DISTINCT res_id FROM mailing_trace
         WHERE mass_mailing_id = ANY(%s) AND model = %s AND res_id = ANY(%s)
        """,
        [list(mailing_ids), model, list(res_ids)],
    )
    return {row[0] for row in cr.fetchall()}


def seen_emails(cr, mailing_id, campaign_id, model, emails):
    """Return those of ``emails`` that the mailing already has a trace for.

    :param campaign_id: for an A/B test, look at the whole campaign instead
    Index: ``mailing_trace_queue_email_idx``.
    """
    cr.execute(
        """
        SELECT DISTINCT email FROM mailing_trace
         WHERE email = ANY(%(emails)s)
           AND CASE WHEN %(campaign)s IS NULL
                    THEN mass_mailing_id = %(mailing)s AND model = %(model)s
                    ELSE campaign_id = %(campaign)s END
        """,
        {
            "emails": list(emails),
            "mailing": mailing_id,
            "campaign": campaign_id or None,
            "model": model,
        },
    )
    return {row[0] for row in cr.fetchall()}


def opted_out(cr, list_ids, emails):
    """Return those of ``emails`` that opted out of the lists, and into none of them.

    As upstream has it, a contact that stays subscribed to one of the mailing's lists
    outweighs an opt-out of the same address from another.
    Index: ``mailing_contact_queue_email_idx``, then upstream's on the subscription.
    """
    cr.execute(
        """
        SELECT contact.email_normalized
          FROM mailing_contact contact
          JOIN mailing_subscription sub ON sub.contact_id = contact.id
         WHERE contact.email_normalized = ANY(%s) AND sub.list_id = ANY(%s)
         GROUP BY contact.email_normalized
        HAVING bool_and(COALESCE(sub.opt_out, false))
        """,
        [list(emails), list(list_ids)],
    )
    return {row[0] for row in cr.fetchall()}


def blacklisted(cr, emails):
    """Return those of ``emails`` that are blacklisted. Index: upstream's unique one."""
    cr.execute(
        "SELECT email FROM mail_blacklist WHERE active AND email = ANY(%s)",
        [list(emails)],
    )
    return {row[0] for row in cr.fetchall()}


def assign_jobs(cr, uuid_by_trace):
    """Write which job carries which trace. Locks these trace rows only."""
    cr.execute(
        """
        UPDATE mailing_trace trace SET queue_job_uuid = job.uuid
          FROM unnest(%s, %s) AS job(trace_id, uuid)
         WHERE trace.id = job.trace_id
        """,
        [list(uuid_by_trace), list(uuid_by_trace.values())],
    )


def orphans(cr, mailing_id, limit):
    """Return outgoing traces that no live job carries, oldest first.

    Held traces are not orphans: a person decided.
    Index: ``mailing_trace_queue_open_idx``.
    """
    cr.execute(
        """
        SELECT trace.id FROM mailing_trace trace
     LEFT JOIN queue_job job ON job.uuid = trace.queue_job_uuid
         WHERE trace.mass_mailing_id = %s AND trace.trace_status = 'outgoing'
           AND trace.queue_planned AND NOT COALESCE(trace.queue_held, false)
           AND (job.id IS NULL OR job.state IN ('done', 'cancelled', 'failed'))
         ORDER BY trace.id LIMIT %s
        """,
        [mailing_id, limit],
    )
    return [row[0] for row in cr.fetchall()]


# ---------------------------------------------------------------------------
# Sending
# ---------------------------------------------------------------------------


def mailing_refusal(cr, mailing_id):
    """*ledger* Return why the mailing sends nothing now, or ``None`` if it may.

    :return: ``deleted``, ``paused`` or ``stopped``
    """
    cr.execute(
        """
        SELECT CASE WHEN queue_paused THEN 'paused'
                    WHEN state = 'sending' AND NOT COALESCE(queue_cancelled, false)
                    THEN NULL ELSE 'stopped' END
          FROM mailing_mailing WHERE id = %s
        """,
        [mailing_id],
    )
    row = cr.fetchone()
    return row[0] if row else "deleted"


def due_traces(cr, trace_ids):
    """*ledger* Return those of ``trace_ids`` that may be composed and sent now."""
    cr.execute(
        """
        SELECT id FROM mailing_trace
         WHERE id = ANY(%s) AND trace_status = 'outgoing' AND queue_planned
           AND NOT COALESCE(queue_held, false)
           AND COALESCE(queue_next_attempt, '-infinity') <= now() AT TIME ZONE 'utc'
         ORDER BY id
        """,
        [list(trace_ids)],
    )
    return [row[0] for row in cr.fetchall()]


def next_due(cr, trace_ids):
    """*ledger* Return the seconds until one of the traces may be sent.

    :return: 0 or more, ``None`` if none of them waits to be sent
    """
    cr.execute(
        """
        SELECT EXTRACT(EPOCH FROM min(COALESCE(queue_next_attempt, '-infinity'))
                                  - (now() AT TIME ZONE 'utc'))
          FROM mailing_trace
         WHERE id = ANY(%s) AND trace_status = 'outgoing' AND queue_planned
           AND NOT COALESCE(queue_held, false)
        """,
        [list(trace_ids)],
    )
    seconds = cr.fetchone()[0]
    return None if seconds is None else max(float(seconds), 0.0)


# Of one recipient: see :func:`claim`.
_CLAIM = """
       UPDATE mailing_trace trace
          SET trace_status = CASE WHEN excl.why IS NULL THEN 'process'
                                  ELSE 'cancel' END,
              failure_type = excl.why,
              failure_reason = NULL,
              queue_claim_token = %(token)s,
              queue_claimed_by = %(worker)s,
              queue_claimed_at = date_trunc('second', now() AT TIME ZONE 'utc'),
              queue_next_attempt = NULL,
              message_id = %(message_id)s,
              mail_mail_id_int = %(mail_id)s,
              write_date = now() AT TIME ZONE 'utc'
         FROM mailing_trace target
         JOIN mailing_mailing mailing ON mailing.id = target.mass_mailing_id
    LEFT JOIN LATERAL (
              SELECT CASE
                  WHEN mailing.use_exclusion_list AND EXISTS (
                       SELECT 1 FROM mail_blacklist
                        WHERE active AND email = target.email) THEN 'mail_bl'
                  WHEN (SELECT bool_and(COALESCE(sub.opt_out, false))
                          FROM mailing_contact contact
                          JOIN mailing_subscription sub ON sub.contact_id = contact.id
                         WHERE contact.email_normalized = target.email
                           AND sub.list_id = ANY(%(list_ids)s)) THEN 'mail_optout'
                  END AS why) excl ON true
        WHERE target.id = %(trace)s AND trace.id = target.id
          AND trace.trace_status = 'outgoing' AND trace.queue_planned
          AND NOT COALESCE(trace.queue_held, false)
          AND mailing.state = 'sending'
          AND NOT COALESCE(mailing.queue_paused, false)
          AND NOT COALESCE(mailing.queue_cancelled, false)
    RETURNING trace.trace_status
"""
_CLAIM_TYPES = {
    "trace": "int",
    "token": "int",
    "worker": "text",
    "message_id": "text",
    "mail_id": "int",
    "list_ids": "int[]",
}


def claim(cr, trace_id, token, worker, message_id, mail_id, list_ids):
    """*ledger* Claim one recipient: from here on the message may leave.

    Won by one worker only, and durable when it returns. The mailing must still send,
    and an address that was blacklisted or opted out since it was planned is cancelled
    instead. Locks the trace row; reads the mailing without a lock.

    :param int token: the worker's claim token, whose advisory lock it holds
    :param str worker: node and process, for people
    :param str message_id: Message-ID that is about to leave
    :param int mail_id: the mail whose id its tracking pixel carries
    :param list list_ids: mailing lists whose opt-outs count
    :return: ``process`` when claimed, ``cancel`` when excluded, ``None`` when the
        recipient is not to be sent (any more)
    """
    execute_prepared(
        cr,
        "mailing_queue_claim",
        _CLAIM,
        _CLAIM_TYPES,
        {
            "trace": trace_id,
            "token": token,
            "worker": worker,
            "message_id": message_id,
            "mail_id": mail_id,
            "list_ids": list(list_ids),
        },
    )
    row = cr.fetchone()
    return row[0] if row else None


# What became of one recipient: see :func:`record`.
_RECORD = """
       UPDATE mailing_trace
          SET trace_status = CASE WHEN mine.open THEN %(status)s ELSE trace_status END,
              failure_type = CASE WHEN mine.open THEN %(failure_type)s
                                  ELSE failure_type END,
              failure_reason = CASE WHEN mine.open THEN %(failure_reason)s
                                    ELSE failure_reason END,
              sent_datetime = CASE WHEN %(status)s = 'sent'
                                   THEN date_trunc('second', now() AT TIME ZONE 'utc')
                                   ELSE sent_datetime END,
              queue_attempts = COALESCE(queue_attempts, 0) + %(attempt)s,
              queue_next_attempt = now() AT TIME ZONE 'utc'
                                   + %(delay)s * interval '1 second',
              queue_smtp_code = %(queue_smtp_code)s,
              queue_smtp_status = %(queue_smtp_status)s,
              write_date = now() AT TIME ZONE 'utc'
         FROM (SELECT id AS mine_id,
                      trace_status = 'process'
                      OR (trace_status = 'error'
                          AND failure_type = 'queue_in_doubt') AS open
                 FROM mailing_trace WHERE id = %(trace)s FOR UPDATE) mine
        WHERE id = mine.mine_id AND queue_claim_token = %(token)s
    RETURNING id
"""
_RECORD_TYPES = {
    "trace": "int",
    "token": "int",
    "status": "text",
    "failure_type": "text",
    "failure_reason": "text",
    "queue_smtp_code": "int",
    "queue_smtp_status": "text",
    "attempt": "int",
    "delay": "float8",
}


def record(cr, trace_id, token, status, values):
    """*ledger* Write what became of a claimed recipient.

    Only the claim's owner can, also if the claim was declared in doubt meanwhile.
    An open, reply or bounce that arrived during the delivery is kept.

    :param str status: new ``trace_status``
    :param dict values: ``failure_type``, ``failure_reason``, ``queue_smtp_code``,
        ``queue_smtp_status``, ``attempt`` (0 or 1 to add), ``delay`` (seconds until the
        next attempt, or ``None``)
    :return: whether the claim was still ours
    """
    execute_prepared(
        cr,
        "mailing_queue_record",
        _RECORD,
        _RECORD_TYPES,
        {**values, "trace": trace_id, "token": token, "status": status},
    )
    return bool(cr.fetchone())


def is_open(cr, mailing_id):
    """*ledger* Return whether a recipient of the mailing still waits or is under way.

    Index: ``mailing_trace_queue_open_idx``.
    """
    cr.execute(
        """
        SELECT EXISTS (SELECT 1 FROM mailing_trace
                        WHERE mass_mailing_id = %s
                          AND trace_status IN ('outgoing', 'process'))
        """,
        [mailing_id],
    )
    return cr.fetchone()[0]


def fail_outgoing(cr, trace_id, reason):
    """*ledger* Fail a recipient whose message could not even be made."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'error', failure_type = 'unknown', failure_reason = %s,
               queue_attempts = COALESCE(queue_attempts, 0) + 1,
               queue_claimed_at = date_trunc('second', now() AT TIME ZONE 'utc'),
               write_date = now() AT TIME ZONE 'utc'
         WHERE id = %s AND trace_status = 'outgoing'
        """,
        [reason, trace_id],
    )


def cancel_outgoing(cr, mailing_id, limit):
    """*ledger* Cancel up to ``limit`` waiting recipients, return how many.

    Those of a mailing that somebody cancelled, and of no other. Rows that a worker is
    composing or claiming at this moment are left for that worker to cancel.
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'cancel', queue_held = false,
               write_date = now() AT TIME ZONE 'utc'
         WHERE id IN (SELECT id FROM mailing_trace
                       WHERE mass_mailing_id = %s AND trace_status = 'outgoing'
                         AND queue_planned
                         AND EXISTS (SELECT 1 FROM mailing_mailing
                                      WHERE id = %s AND queue_cancelled)
                       LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        [mailing_id, mailing_id, limit],
    )
    return cr.rowcount


# ---------------------------------------------------------------------------
# What people decide about many at a time
# ---------------------------------------------------------------------------


def release_held(cr, mailing_id):
    """Let the recipients that were kept back be sent after all."""
    cr.execute(
        """
        UPDATE mailing_trace SET queue_held = false
         WHERE mass_mailing_id = %s AND trace_status = 'outgoing' AND queue_held
        """,
        [mailing_id],
    )
    return cr.rowcount


def put_back(cr, mailing_id, in_doubt):
    """Make failed recipients wait to be sent again, return how many.

    They wait for a job of their own.

    :param bool in_doubt: those in doubt, or those that failed for certain
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'outgoing', failure_type = NULL, failure_reason = NULL,
               queue_attempts = 0, queue_next_attempt = NULL, queue_held = false,
               queue_job_uuid = NULL, queue_claim_token = NULL,
               write_date = now() AT TIME ZONE 'utc'
         WHERE mass_mailing_id = %s AND trace_status = 'error' AND queue_planned
           AND (COALESCE(failure_type, '') = 'queue_in_doubt') = %s
        """,
        [mailing_id, in_doubt],
    )
    return cr.rowcount


def count_as_sent(cr, mailing_id):
    """Take a mailing's recipients in doubt to have the email."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'sent', failure_type = NULL, failure_reason = NULL,
               sent_datetime = COALESCE(
                   queue_claimed_at, date_trunc('second', now() AT TIME ZONE 'utc')),
               write_date = now() AT TIME ZONE 'utc'
         WHERE mass_mailing_id = %s AND trace_status = 'error' AND queue_planned
           AND failure_type = 'queue_in_doubt'
        """,
        [mailing_id],
    )
    return cr.rowcount


# ---------------------------------------------------------------------------
# Outages and the database's identity
# ---------------------------------------------------------------------------


def outage_wait(cr, server_id):
    """*ledger* Return the seconds until the server is to be tried again.

    :return: 0 if nothing is known against it
    """
    cr.execute(
        """
        SELECT EXTRACT(EPOCH FROM retry_at - (now() AT TIME ZONE 'utc'))
          FROM mailing_queue_outage WHERE server_ref = %s
        """,
        [server_id],
    )
    row = cr.fetchone()
    return max(float(row[0]), 0.0) if row else 0.0


def outage_known(cr, server_id):
    """*ledger* Return whether the server failed and has not answered since."""
    cr.execute("SELECT 1 FROM mailing_queue_outage WHERE server_ref = %s", [server_id])
    return bool(cr.fetchone())


def outage_begin(cr, server_id, reply):
    """*ledger* Count one more failure to reach the server.

    Failures that other workers report before the next try is due count as one. What
    nobody followed up for an hour after its next try was due is over.

    :return: (failures in a row, seconds since the first one)
    """
    cr.execute(
        """
        INSERT INTO mailing_queue_outage AS outage
                    (server_ref, since, retry_at, failures, reply)
             VALUES (%(server)s, now() AT TIME ZONE 'utc',
                     now() AT TIME ZONE 'utc', 1, %(reply)s)
        ON CONFLICT (server_ref) DO UPDATE
                SET failures = CASE
                        WHEN outage.retry_at < EXCLUDED.retry_at - interval '1 hour'
                        THEN 1
                        ELSE outage.failures
                             + (outage.retry_at <= EXCLUDED.retry_at)::int END,
                    since = CASE
                        WHEN outage.retry_at < EXCLUDED.retry_at - interval '1 hour'
                        THEN EXCLUDED.since ELSE outage.since END,
                    reply = EXCLUDED.reply
          RETURNING failures, EXTRACT(EPOCH FROM now() AT TIME ZONE 'utc' - since)
        """,
        {"server": server_id, "reply": reply},
    )
    failures, seconds = cr.fetchone()
    return failures, float(seconds)


def outage_retry_in(cr, server_id, seconds):
    """*ledger* Set when the server is to be tried again, unless that is set already."""
    cr.execute(
        """
        UPDATE mailing_queue_outage
           SET retry_at = now() AT TIME ZONE 'utc' + %s * interval '1 second'
         WHERE server_ref = %s AND retry_at <= now() AT TIME ZONE 'utc'
        """,
        [seconds, server_id],
    )


def outage_end(cr, server_id):
    """*ledger* The server answers again."""
    cr.execute("DELETE FROM mailing_queue_outage WHERE server_ref = %s", [server_id])


def identity(cr):
    """Return what tells this database from its copies, however they were made.

    Odoo's ``database.uuid`` changes when Odoo duplicates or restores one, the number
    of the database in its cluster when anybody does, and the cluster's identifier when
    the files are moved to another.
    """
    cr.execute(
        """
        SELECT (SELECT value FROM ir_config_parameter WHERE key = 'database.uuid')
               || ':' || (SELECT oid FROM pg_database
                           WHERE datname = current_database())
               || ':' || (SELECT system_identifier FROM pg_control_system())
        """
    )
    return cr.fetchone()[0]


def guard_check(cr):
    """*ledger* Return why this database must not send, or ``None``.

    :return: ``copy`` if it is not the database that last sent, ``asleep`` if its
        scheduled actions had not run for a day
    """
    cr.execute(
        """
        SELECT CASE WHEN identity <> %s THEN 'copy'
                    WHEN last_seen < now() AT TIME ZONE 'utc' - interval '1 day'
                    THEN 'asleep' END
          FROM mailing_queue_guard LIMIT 1
        """,
        [identity(cr)],
    )
    row = cr.fetchone()
    return row[0] if row else None


def guard_accept(cr):
    """Write that this database is the one that sends, and awake."""
    cr.execute(
        """
        INSERT INTO mailing_queue_guard (id, identity, last_seen)
             VALUES (1, %s, now() AT TIME ZONE 'utc')
        ON CONFLICT (id) DO UPDATE
                SET identity = EXCLUDED.identity, last_seen = EXCLUDED.last_seen
        """,
        [identity(cr)],
    )


def guard_heartbeat(cr):
    """*ledger* Note that the scheduled actions run."""
    cr.execute("UPDATE mailing_queue_guard SET last_seen = now() AT TIME ZONE 'utc'")


# ---------------------------------------------------------------------------
# Repairs
# ---------------------------------------------------------------------------


def claims(cr):
    """*ledger* Return the tokens of claims that are a few seconds old."""
    cr.execute(
        """
        SELECT DISTINCT queue_claim_token FROM mailing_trace
         WHERE trace_status = 'process' AND queue_claim_token IS NOT NULL
           AND queue_claimed_at < now() AT TIME ZONE 'utc' - interval '3 seconds'
        """
    )
    return [row[0] for row in cr.fetchall()]


def claim_is_dead(cr, token):
    """*ledger* Return whether the claim's worker is gone: its lock can be taken."""
    return try_lock(cr, LOCK_CLAIM, token)


def doubt(cr, token, reason):
    """*ledger* Declare a dead worker's claims in doubt, return the mailings' ids."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = 'error', failure_type = 'queue_in_doubt',
               failure_reason = %s, write_date = now() AT TIME ZONE 'utc'
         WHERE trace_status = 'process' AND queue_claim_token = %s
     RETURNING mass_mailing_id
        """,
        [reason, token],
    )
    return [row[0] for row in cr.fetchall()]


def idle_jobs(cr):
    """*ledger* Cancel waiting send jobs that have nobody left to send to.

    A job whose recipients were all settled otherwise would only start to find that
    out, possibly hours later.
    """
    cr.execute(
        """
        UPDATE queue_job SET state = 'cancelled',
               date_cancelled = now() AT TIME ZONE 'utc',
               result = 'Nobody left to send to'
         WHERE id IN (
               SELECT job.id FROM queue_job job
                WHERE job.state = 'pending' AND job.mailing_id IS NOT NULL
                  AND job.method_name = '_job_send'
                  AND job.eta > now() AT TIME ZONE 'utc' + interval '1 minute'
                  AND NOT EXISTS (
                      SELECT 1 FROM mailing_trace trace
                       WHERE trace.mass_mailing_id = job.mailing_id
                         AND trace.trace_status IN ('outgoing', 'process')
                         AND trace.queue_job_uuid = job.uuid)
                  FOR UPDATE SKIP LOCKED)
        """
    )
    return cr.rowcount


def settled_mails(cr, limit):
    """*ledger* Return (mail id, token) of our mails that nobody will settle any more.

    Index: ``mail_mail_queue_idx``.
    """
    cr.execute(
        """
        SELECT mail.id, trace.queue_claim_token
          FROM mail_mail mail
          JOIN mail_message message ON message.id = mail.mail_message_id
     LEFT JOIN mailing_trace trace ON trace.mail_mail_id = mail.id
         WHERE mail.queue_managed AND mail.state = 'outgoing'
           AND message.create_date < now() AT TIME ZONE 'utc' - interval '1 minute'
           AND (trace.id IS NULL OR trace.trace_status NOT IN ('outgoing', 'process'))
         ORDER BY mail.id LIMIT %s
        """,
        [limit],
    )
    return cr.fetchall()


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


def requeue_lost_jobs(cr, errors):
    """*ledger* Have jobs of ours run again that failed with one of these errors."""
    cr.execute(
        """
        UPDATE queue_job SET state = 'pending', eta = NULL, date_enqueued = NULL
         WHERE id IN (SELECT id FROM queue_job
                       WHERE mailing_id IS NOT NULL AND state = 'failed'
                         AND exc_name = ANY(%s) FOR UPDATE SKIP LOCKED)
        """,
        [list(errors)],
    )


#: A job that runs holds the lock of its row in ``queue_job_lock``.
_NOBODY_RUNS_IT = """AND (EXISTS (SELECT 1 FROM queue_job_lock
                         WHERE queue_job_id = queue_job.id
                           FOR NO KEY UPDATE SKIP LOCKED)
                OR NOT EXISTS (SELECT 1 FROM queue_job_lock
                                WHERE queue_job_id = queue_job.id))"""


def date_back_dead_jobs(cr):
    """Let jobs that a node with a fast clock started, and that died, be seen as dead.

    Nobody takes a job for dead that is said to have started less than ten seconds ago,
    let alone in the future.
    """
    cr.execute(  # pylint: disable=sql-injection
        f"""
        UPDATE queue_job SET date_enqueued = now() AT TIME ZONE 'utc'
         WHERE mailing_id IS NOT NULL AND state IN ('enqueued', 'started')
           AND date_enqueued > now() AT TIME ZONE 'utc' + interval '10 seconds'
           {_NOBODY_RUNS_IT}
        """
    )


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


def requeue_dead_jobs(cr):
    """Put back jobs of ours that a killed process left started.

    queue_job's runner does this where there is one.
    """
    cr.execute(  # pylint: disable=sql-injection
        f"""
        UPDATE queue_job SET state = 'pending'
         WHERE mailing_id IS NOT NULL AND state IN ('enqueued', 'started')
           AND date_enqueued < now() AT TIME ZONE 'utc' - interval '10 seconds'
           {_NOBODY_RUNS_IT}
        """
    )


def next_job_eta(cr):
    """Return when the next waiting job of ours is due, or ``None``."""
    cr.execute(
        """
        SELECT min(COALESCE(eta, now() AT TIME ZONE 'utc')) FROM queue_job
         WHERE state = 'pending' AND mailing_id IS NOT NULL
        """
    )
    return cr.fetchone()[0]
