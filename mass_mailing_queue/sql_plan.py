# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What the fan-out asks and writes: who is a recipient, who is known already."""


def plan_position(cr, mailing_id, campaign_id=None):
    """Return how many times the mailing's plan was moved on, as the cursor sees it.

    :param campaign_id: of an A/B test: the plans of all its mailings
    """
    cr.execute(
        """
        SELECT COALESCE(sum(queue_slices), 0)::bigint FROM mailing_mailing
         WHERE id = %(mailing)s OR campaign_id = %(campaign)s
        """,
        {"mailing": mailing_id, "campaign": campaign_id or None},
    )
    return cr.fetchone()[0]


def drawn_records(cr, campaign_id, model, under_way=False):
    """*ledger* Return who is drawn for any version of the campaign's test.

    :param str model: of the records; other versions may be for those of another
    :param bool under_way: only for versions that are not done
    """
    cr.execute(
        """
        SELECT sample.res_id FROM mailing_queue_sample sample
          JOIN mailing_mailing mailing ON mailing.id = sample.mailing_id
          JOIN ir_model model ON model.id = mailing.mailing_model_id
         WHERE mailing.campaign_id = %s
           AND CASE model.model WHEN 'mailing.list' THEN 'mailing.contact'
                                ELSE model.model END = %s
           AND NOT (%s AND mailing.state = 'done')
        """,
        [campaign_id, model, under_way],
    )
    return {row[0] for row in cr.fetchall()}


def forget_sample(cr, mailing_id):
    """Forget who was drawn for a test."""
    cr.execute("DELETE FROM mailing_queue_sample WHERE mailing_id = %s", [mailing_id])


def keep_sample(cr, mailing_id, res_ids):
    """Keep who was drawn for a test."""
    cr.execute(
        """
        INSERT INTO mailing_queue_sample (mailing_id, res_id)
             SELECT %s, unnest(%s::int[]) ON CONFLICT DO NOTHING
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

    But for those that were not in the audience for a while, and got nothing.
    Index: ``mailing_trace_queue_res_idx``.
    """
    cr.execute(
        """
        SELECT DISTINCT res_id FROM mailing_trace
         WHERE mass_mailing_id = ANY(%s) AND model = %s AND res_id = ANY(%s)
           AND COALESCE(failure_type, '') <> 'queue_audience'
        """,
        [list(mailing_ids), model, list(res_ids)],
    )
    return {row[0] for row in cr.fetchall()}


def forget_former(cr, mailing_id, model, res_ids):
    """Delete the traces of those who are back in the audience: they are planned anew.

    Index: ``mailing_trace_queue_res_idx``.
    """
    cr.execute(
        """
        DELETE FROM mailing_trace
         WHERE mass_mailing_id = %s AND model = %s AND res_id = ANY(%s)
           AND trace_status = 'cancel' AND failure_type = 'queue_audience'
        """,
        [mailing_id, model, list(res_ids)],
    )
    return cr.rowcount


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


def count_links(cr, source_id):
    """*ledger* Return how many tracked links a mailing has. Index: upstream's on it."""
    cr.execute("SELECT count(*) FROM link_tracker WHERE source_id = %s", [source_id])
    return cr.fetchone()[0]


def assign_jobs(cr, uuid_by_trace):
    """Write which job carries which trace. Locks these trace rows only."""
    cr.execute(
        """
        UPDATE mailing_trace trace SET queue_job_uuid = job.uuid
          FROM unnest(%s::int[], %s::text[]) AS job(trace_id, uuid)
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
