# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What a person's change of an account sets off. See :mod:`.sql` for the rows."""

from .sql import ensure
from .sql_parts import CLOCK


def rewind(cr, provider_ids):
    """Let the next turn be computed anew: a person changed rate, pause or capacity.

    Turns that were reserved are given up; workers that wait for one see the new
    version within a second and ask again. Counters stay: what was sent was sent.
    """
    cr.execute(
        f"""
        WITH state AS (
            UPDATE mailing_provider_state
               SET version = version + 1, tat = LEAST(tat, clock.now)
              FROM {CLOCK} WHERE provider_id = ANY(%s)
         RETURNING provider_id, clock.now
        )
        UPDATE mailing_provider_bucket bucket SET tat = LEAST(bucket.tat, state.now)
          FROM state WHERE bucket.provider_id = state.provider_id
        """,
        [list(provider_ids)],
    )
    for provider_id in provider_ids:
        cr.execute(
            "SELECT DISTINCT domain FROM mailing_provider_bucket "
            "WHERE provider_id = %s",
            [provider_id],
        )
        # A new limit holds for those who send at this moment, too.
        ensure(cr, provider_id, ["", *(row[0] for row in cr.fetchall())])


def clear(cr, provider_ids):
    """Forget stops, rests and reductions: a person says that it is repaired."""
    cr.execute(
        """
        UPDATE mailing_provider_state
           SET stopped = NULL, rest_until = NULL, rest_reason = NULL,
               reduced_rate = NULL, reduced_at = NULL, reduced_capacity = NULL,
               capacity_at = NULL, refusing_since = NULL, refused = 0,
               version = version + 1
         WHERE provider_id = ANY(%s)
        """,
        [list(provider_ids)],
    )


def unstop(cr, provider_ids):
    """Let stopped providers try again: if they are refused again, they stop again."""
    cr.execute(
        """
        UPDATE mailing_provider_state SET stopped = NULL, version = version + 1
         WHERE provider_id = ANY(%s) AND stopped IS NOT NULL
        """,
        [list(provider_ids)],
    )
