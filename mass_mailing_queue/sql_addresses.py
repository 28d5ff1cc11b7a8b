# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The addresses the emails of a mailing go to, each to one recipient only.

A trace's ``email`` is its recipient's first address, as upstream has it. Its email goes
to that one, or to those in ``queue_emails``, one a line. Who decides holds the lock of
the mailing's addresses, or of its campaign's: see ``_queue_addresses_lock``.
"""

#: Traces that have one of some addresses, and are not cancelled: of those nobody gets
#: anything. Whatever the recipients of the mailing were then: an address that was
#: mailed as a contact's is not mailed again as a partner's.
_HAVE = """
          FROM (SELECT trace.*, email AS address
                  FROM mailing_trace trace
                 WHERE email = ANY(%(emails)s) AND queue_emails IS NULL
             UNION ALL
                SELECT trace.*, address
                  FROM mailing_trace trace
                 CROSS JOIN unnest(string_to_array(queue_emails, E'\\n')) AS address
                 WHERE string_to_array(queue_emails, E'\\n') && %(emails)s::text[]
                   AND queue_emails IS NOT NULL) found
         WHERE trace_status <> 'cancel' AND address = ANY(%(emails)s)
           AND id <> ALL(%(ids)s)
           AND CASE WHEN %(campaign)s IS NULL THEN mass_mailing_id = %(mailing)s
                    ELSE campaign_id = %(campaign)s END
"""


def seen_emails(cr, mailing_id, campaign_id, emails, trace_ids=()):
    """*ledger* Return those of ``emails`` that the mailing already goes to.

    :param campaign_id: for an A/B test, look at the whole campaign instead
    :param trace_ids: traces that are not looked at
    Index: ``mailing_trace_queue_email_idx``, ``mailing_trace_queue_emails_idx``.
    """
    cr.execute(  # pylint: disable=sql-injection
        f"SELECT address {_HAVE}",
        _have(mailing_id, campaign_id, emails, trace_ids),
    )
    return {row[0] for row in cr.fetchall()}


def holders(cr, mailing_id, campaign_id, emails, trace_ids):
    """*ledger* Return the traces that wait with one of ``emails``.

    Arguments and indexes as of :func:`seen_emails`.

    :return: dict of trace's id → addresses that its email goes to, as a set
    """
    cr.execute(  # pylint: disable=sql-injection
        f"SELECT DISTINCT id, COALESCE(queue_emails, email) {_HAVE} "
        "AND trace_status = 'outgoing' AND queue_planned",
        _have(mailing_id, campaign_id, emails, trace_ids),
    )
    return {trace_id: set(mine.split("\n")) for trace_id, mine in cr.fetchall()}


def _have(mailing_id, campaign_id, emails, trace_ids):
    return {
        "emails": list(emails),
        "mailing": mailing_id,
        "campaign": campaign_id or None,
        "ids": list(trace_ids),
    }


def judge(cr, lock, mailing_id, campaign_id, found, every=False):
    """*ledger*, as one: Decide which addresses the emails of recipients go to.

    To those that nobody else's email of the mailing goes to; of those given, the first
    by id comes first. Who has none left is cancelled, as a duplicate. Waits for the
    lock, under which the planner decides the same, and for the trace rows; those that
    are claimed by then are not given, but have what they have.

    :param tuple lock: its namespace and key
    :param dict found: trace's id → its recipient's addresses, the first one first;
        none for a trace that nobody is mailed by, so that it keeps nobody from one
    :param bool every: nobody is a duplicate
    :return: dict of trace's id → addresses that are left, as a list
    """
    cr.execute("SELECT pg_advisory_xact_lock(%s, %s)", lock, log_exceptions=False)
    cr.execute(
        """
        SELECT id FROM mailing_trace
         WHERE id = ANY(%s) AND trace_status = 'outgoing' ORDER BY id FOR UPDATE
        """,
        [list(found)],
    )
    found = {trace_id: found[trace_id] for (trace_id,) in cr.fetchall()}
    emails = {address for addresses in found.values() for address in addresses}
    taken = set()
    if not every:
        taken = seen_emails(cr, mailing_id, campaign_id, emails, found)
    left = {}
    for trace_id, addresses in found.items():
        if not addresses:
            continue
        mine = [address for address in addresses if every or address not in taken]
        taken.update(mine)
        left[trace_id] = mine
        cr.execute(
            """
            UPDATE mailing_trace
               SET email = %(email)s, queue_emails = %(emails)s,
                   trace_status = CASE WHEN %(mine)s THEN 'outgoing' ELSE 'cancel' END,
                   failure_type = CASE WHEN %(mine)s THEN NULL ELSE 'mail_dup' END,
                   failure_reason = CASE WHEN %(mine)s THEN failure_reason END,
                   write_date = now() AT TIME ZONE 'utc'
             WHERE id = %(trace)s
            """,
            {
                "trace": trace_id,
                "email": addresses[0],
                "emails": joined(addresses[0], mine),
                "mine": bool(mine),
            },
        )
    return left


def joined(email, addresses):
    """Return ``queue_emails`` for the addresses that an email goes to.

    >>> joined("a@x.example", ["a@x.example"])
    >>> joined("a@x.example", [])
    >>> joined("a@x.example", ["b@x.example"])
    'b@x.example'
    >>> joined("a@x.example", ["a@x.example", "b@x.example"]).splitlines()
    ['a@x.example', 'b@x.example']
    """
    return None if addresses in ([], [email]) else "\n".join(addresses)
