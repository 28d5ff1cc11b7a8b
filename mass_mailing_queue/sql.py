# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The statements of delivery: what is due, claim, record. One function each.

Those of other purposes are beside it, in ``sql_….py``; this addon writes no others by
hand. Functions marked *ledger* run on the autocommit connection of :mod:`.ledger`: each
one is a short transaction of its own. The others run on the ORM's cursor and commit
with it. Callers flush and invalidate.
"""

from .addresses import spellings
from .prepared import execute_prepared

# First keys of the two-key advisory locks; the second is a claim's token or the id
# of a mailing. Any fixed numbers do, as long as they differ.
LOCK_CLAIM = 7_221_901
LOCK_PLAN = 7_221_902
LOCK_FINISH = 7_221_903
# Of who decides which addresses a mailing goes to; in an A/B test, its campaign's.
LOCK_ADDRESSES = 7_221_912
LOCK_CAMPAIGN = 7_221_913
LOCK_LINKS = 7_221_911


def try_lock(cr, namespace, key):
    """Take a transaction-level advisory lock, without waiting.

    :return: whether it was free (or already ours); it is held until commit, rollback
        or the end of the connection
    """
    cr.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [namespace, key])
    return cr.fetchone()[0]


def wait_for_lock(cr, namespace, key):
    """*ledger* Wait in line for an advisory lock, and leave it to the next one.

    :raises psycopg2.errors.LockNotAvailable: after the ledger's time
    """
    cr.execute(
        "SELECT pg_advisory_xact_lock(%s, %s)",
        [namespace, key],
        log_exceptions=False,
    )


def mailing_refusal(cr, mailing_id):
    """*ledger* Return why the mailing sends nothing now, or ``None`` if it may.

    :return: ``deleted``, ``paused``, ``replanned`` or ``stopped``
    """
    cr.execute(
        """
        SELECT CASE WHEN queue_paused THEN 'paused'
                    WHEN queue_audience_changed AND state = 'sending'
                         AND NOT COALESCE(queue_cancelled, false) THEN 'replanned'
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
        SELECT EXTRACT(EPOCH FROM min(COALESCE(queue_next_attempt,
                                               now() AT TIME ZONE 'utc'))
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
   CROSS JOIN LATERAL (
              SELECT COALESCE(%(spellings)s::text[],
                              ARRAY[target.email::text]) AS spellings) one
    LEFT JOIN LATERAL (
              SELECT CASE
                  WHEN mailing.use_exclusion_list AND EXISTS (
                       SELECT 1 FROM mail_blacklist
                        WHERE active AND email = ANY(one.spellings)) THEN 'mail_bl'
                  WHEN (SELECT bool_and(COALESCE(sub.opt_out, false))
                          FROM mailing_contact contact
                          JOIN mailing_subscription sub ON sub.contact_id = contact.id
                         WHERE contact.email_normalized = ANY(one.spellings)
                           AND sub.list_id = ANY(%(list_ids)s)) THEN 'mail_optout'
                  END AS why) excl ON true
        WHERE target.id = %(trace)s AND trace.id = target.id
          AND trace.trace_status = 'outgoing' AND trace.queue_planned
          AND NOT COALESCE(trace.queue_held, false)
          AND COALESCE(trace.queue_next_attempt, '-infinity')
              <= now() AT TIME ZONE 'utc'
          AND (%(email)s::text IS NULL
               OR (trace.email = %(email)s
                   AND COALESCE(trace.queue_emails, '') = %(emails)s))
          AND mailing.state = 'sending'
          AND NOT COALESCE(mailing.queue_audience_changed, false)
          AND NOT COALESCE(mailing.queue_paused, false)
          AND NOT COALESCE(mailing.queue_cancelled, false)
    RETURNING trace.trace_status, COALESCE(trace.queue_attempts, 0),
              COALESCE(trace.queue_passed_over, 0),
              target.queue_claimed_at + interval '1 second'
"""
_CLAIM_TYPES = {
    "trace": "int",
    "token": "int",
    "worker": "text",
    "message_id": "text",
    "mail_id": "int",
    "list_ids": "int[]",
    "email": "text",
    "emails": "text",
    "spellings": "text[]",
}


def claim(
    cr, trace_id, token, worker, message_id, mail_id, list_ids, email=None, emails=None
):
    """*ledger* Claim one recipient: from here on the message may leave.

    Won by one worker only, and durable when it returns. The mailing must still send,
    the addresses that the message goes to are those that the trace has, and an address
    that was blacklisted or opted out since it was planned is cancelled instead, also
    if its domain is written in ASCII there. Locks the trace row; reads the mailing
    without a lock.

    :param int token: the worker's claim token, whose advisory lock it holds
    :param str worker: node and process, for people
    :param str message_id: Message-ID that is about to leave
    :param int mail_id: the mail whose id its tracking pixel carries
    :param list list_ids: mailing lists whose opt-outs count
    :param str email: the address that was judged; ``None`` for whatever it is
    :param str emails: those that the message goes to, if it is not just that one
    :return: (``process`` when claimed, ``cancel`` when excluded, ``None`` when the
        recipient is not to be sent to now or any more; attempts so far; how often it
        was passed over; the end of the second in which it was claimed before, ``None``
        if it was not)
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
            "email": email,
            "emails": emails or "",
            "spellings": sorted(spellings(email)) if email else None,
        },
    )
    return cr.fetchone() or (None, 0, 0, None)


# What became of one recipient: see :func:`record`. By the clock, and not by when the
# transaction began, which is not the same in a test.
_RECORD = """
       UPDATE mailing_trace
          SET trace_status = CASE WHEN mine.open THEN %(status)s ELSE trace_status END,
              failure_type = CASE WHEN mine.open THEN %(failure_type)s
                                  ELSE failure_type END,
              failure_reason = CASE WHEN mine.open THEN %(failure_reason)s
                                    ELSE failure_reason END,
              sent_datetime = CASE WHEN %(status)s = 'sent'
                                   THEN date_trunc('second',
                                                   clock_timestamp() AT TIME ZONE 'utc')
                                   ELSE sent_datetime END,
              queue_attempts = COALESCE(queue_attempts, 0) + %(attempt)s,
              queue_next_attempt = now() AT TIME ZONE 'utc'
                                   + %(delay)s * interval '1 second',
              queue_smtp_code = %(queue_smtp_code)s,
              queue_smtp_status = %(queue_smtp_status)s,
              queue_refused_at = CASE
                  WHEN %(refusal)s IS NULL OR queue_refusal = %(refusal)s
                  THEN queue_refused_at
                  ELSE clock_timestamp() AT TIME ZONE 'utc' END,
              queue_refusal = COALESCE(%(refusal)s, queue_refusal),
              queue_passed_over = %(passed_over)s,
              queue_held = %(held)s,
              write_date = clock_timestamp() AT TIME ZONE 'utc'
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
    "refusal": "text",
    "passed_over": "int",
    "held": "bool",
    "attempt": "int",
    "delay": "float8",
}


def record(cr, trace_id, token, status, values):
    """*ledger* Write what became of a claimed recipient.

    Only the claim's owner can, also if the claim was declared in doubt meanwhile.
    An open, reply or bounce that arrived during the delivery is kept.

    :param str status: new ``trace_status``
    :param dict values: ``failure_type``, ``failure_reason``, ``queue_smtp_code``,
        ``queue_smtp_status``, ``refusal`` (its signature, or ``None``), ``passed_over``
        (how often it was), ``held`` (whether it waits for somebody to resume),
        ``attempt`` (0 or 1 to add), ``delay`` (seconds until the next attempt, or
        ``None``)
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


def put_off(cr, trace_ids, seconds):
    """*ledger* Let waiting recipients wait longer; no attempt is spent."""
    cr.execute(
        """
        UPDATE mailing_trace
           SET queue_next_attempt = now() AT TIME ZONE 'utc'
                                    + %s * interval '1 second',
               write_date = now() AT TIME ZONE 'utc'
         WHERE id = ANY(%s) AND trace_status = 'outgoing'
        """,
        [seconds, list(trace_ids)],
    )


def leave_out(cr, trace_ids, reason):
    """*ledger* Settle recipients whom composing made no email to deliver for.

    As the email stands that another addon changed: sent, failed, else cancelled. Those
    who do not wait any more stay as they are.

    :param str reason: what is said of those for whom the email says nothing
    """
    cr.execute(
        """
        UPDATE mailing_trace
           SET trace_status = left_out.status,
               sent_datetime = CASE WHEN left_out.status = 'sent'
                                    THEN date_trunc('second', now() AT TIME ZONE 'utc')
                                    END,
               failure_type = left_out.failure_type,
               failure_reason = CASE WHEN left_out.status <> 'sent'
                                     THEN COALESCE(left_out.failure_reason, %s) END,
               write_date = now() AT TIME ZONE 'utc'
          FROM (SELECT trace.id AS trace_id,
                       CASE mail.state WHEN 'sent' THEN 'sent'
                                       WHEN 'exception' THEN 'error'
                                       ELSE 'cancel' END AS status,
                       CASE mail.state
                            WHEN 'exception' THEN COALESCE(mail.failure_type, 'unknown')
                            WHEN 'cancel' THEN mail.failure_type END AS failure_type,
                       CASE WHEN mail.state IN ('exception', 'cancel')
                            THEN NULLIF(mail.failure_reason, '') END AS failure_reason
                  FROM mailing_trace trace
             LEFT JOIN mail_mail mail ON mail.id = trace.mail_mail_id
                 WHERE trace.id = ANY(%s)) left_out
         WHERE id = left_out.trace_id AND trace_status = 'outgoing'
        """,
        [reason, list(trace_ids)],
    )


def peers(cr, mailing_id, trace_id, limit):
    """*ledger* Return others of the mailing: who waits, else who got it, else anybody.

    Any of them, as sorting a million for a few would cost a scan; then the last of its
    recipients, as those who stand together often have more in common. Indexes:
    ``mailing_trace_queue_open_idx``, ``mailing_trace_queue_progress_idx``,
    ``mailing_trace_queue_plan_uniq``.

    :param int trace_id: who is not asked for, 0 for nobody
    """
    for wanted in (
        ("outgoing",),
        ("sent", "open", "reply", "process"),
        ("error", "cancel"),
    ):
        cr.execute(
            """
            SELECT id FROM mailing_trace
             WHERE mass_mailing_id = %s AND trace_status = ANY(%s)
               AND queue_planned AND id <> %s LIMIT %s
            """,
            [mailing_id, list(wanted), trace_id, limit],
        )
        if found := [row[0] for row in cr.fetchall()]:
            break
    cr.execute(
        """
        SELECT id FROM (SELECT id, trace_status FROM mailing_trace
                         WHERE mass_mailing_id = %s AND queue_planned AND id <> %s
                         ORDER BY model DESC, res_id DESC LIMIT %s) AS last
         WHERE trace_status IN ('outgoing', 'sent', 'open', 'reply')
        """,
        [mailing_id, trace_id, limit],
    )
    return list(dict.fromkeys([*found, *(row[0] for row in cr.fetchall())]))
