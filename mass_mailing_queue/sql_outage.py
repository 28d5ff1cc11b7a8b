# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What is known of servers out of reach. See :mod:`.sql` for the two connections."""

#: For how long it counts that one message broke a fresh connection (seconds).
SUSPICION = 3600

#: Which rows are outages for people: a suspicion is none, and what nobody followed up
#: for an hour after its next try was due is over.
OUT_OF_REACH = (
    "failures > 0 AND retry_at > now() AT TIME ZONE 'utc' - interval '1 hour'"
)


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


def outage_suspect(cr, server_id, trace_id, reply):
    """*ledger* Note whose message broke a fresh connection; nobody waits for that.

    Suspects are those since the server last accepted something (:func:`outage_end`), or
    since there was none for :data:`SUSPICION`.

    :return: number of different suspects, when the first was noted (naive, UTC),
        failures of the outage that is known already, 0 for none, seconds since the
        first was noted
    """
    cr.execute(
        """
        INSERT INTO mailing_queue_outage AS outage
                    (server_ref, since, retry_at, failures, reply, suspects)
             VALUES (%(server)s, now() AT TIME ZONE 'utc', now() AT TIME ZONE 'utc', 0,
                     %(reply)s, jsonb_build_array(%(trace)s))
        ON CONFLICT (server_ref) DO UPDATE
                SET (since, retry_at, suspects, reply) = (
                    SELECT CASE WHEN stale THEN EXCLUDED.since ELSE outage.since END,
                           CASE WHEN COALESCE(outage.failures, 0) = 0
                                THEN EXCLUDED.retry_at ELSE outage.retry_at END,
                           CASE WHEN stale OR outage.suspects IS NULL
                                THEN EXCLUDED.suspects
                                WHEN outage.suspects @> EXCLUDED.suspects
                                THEN outage.suspects
                                ELSE outage.suspects || EXCLUDED.suspects END,
                           EXCLUDED.reply
                      FROM (SELECT COALESCE(outage.failures, 0) = 0
                                   AND outage.retry_at < EXCLUDED.retry_at
                                       - %(suspicion)s * interval '1 second' AS stale
                           ) AS known)
          RETURNING jsonb_array_length(suspects), since, COALESCE(failures, 0),
                    EXTRACT(EPOCH FROM now() AT TIME ZONE 'utc' - since)
        """,
        {
            "server": server_id,
            "trace": trace_id,
            "reply": reply,
            "suspicion": SUSPICION,
        },
    )
    return cr.fetchone()


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
