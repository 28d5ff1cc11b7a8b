# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Look up addresses in other spellings; see :mod:`.addresses`."""

from .addresses import LEFT_OUT, clean, skeleton, spellings

#: Of an address: what all of its spellings that are not ASCII have in common.
SKELETON = (
    f"lower(regexp_replace(normalize({{0}}, NFD), '{LEFT_OUT}', '', 'g') COLLATE \"C\")"
)
#: Whether an address has such a spelling. Few have: the indexes are small.
UNUSUAL = "{0} ~ '[^!-~]'"

#: Models → column of normalized addresses.
COLUMNS = {"mailing_contact": "email_normalized", "mail_blacklist": "email"}


def unusual(cr, table):
    """Return the addresses of a table that are not ASCII.

    Index: ``…_queue_skeleton_idx``.
    """
    column = COLUMNS[table]
    cr.execute(  # pylint: disable=sql-injection
        f"SELECT DISTINCT {column} FROM {table} WHERE {UNUSUAL.format(column)}"
    )
    return [row[0] for row in cr.fetchall()]


def index(table):
    """Return the index by which :func:`find_spellings` looks, for ``models.Index``."""
    column = COLUMNS[table]
    return f"(({SKELETON.format(column)})) WHERE {UNUSUAL.format(column)}"


def find_spellings(cr, table, emails):
    """Return under which spellings a table may have these addresses.

    Index: ``…_queue_skeleton_idx``; nothing is read but addresses that look the same.

    :param str table: of :data:`COLUMNS`
    :param emails: cleaned addresses
    :return: dict of spelling → cleaned address, these themselves among them
    """
    found = {one: email for email in emails for one in spellings(email)}
    column = COLUMNS[table]
    cr.execute(  # pylint: disable=sql-injection
        f"""
        SELECT DISTINCT {column} FROM {table}
         WHERE {UNUSUAL.format(column)} AND {SKELETON.format(column)} = ANY(%s)
        """,
        [sorted({skeleton(email) for email in emails})],
    )
    for (one,) in cr.fetchall():
        if (email := clean(one)) in emails:
            found[one] = email
    return found
