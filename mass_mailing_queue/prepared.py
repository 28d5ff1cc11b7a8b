# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Statements that are planned once a job, and not once a recipient."""

from psycopg2 import errors


class Prepared:
    """What a ledger's connection has prepared: PostgreSQL forgets it with the loan."""

    def __init__(self):
        self.seen = set()
        self.names = set()
        self.possible = True


def execute_prepared(cr, name, statement, types, values):
    """Run a statement whose planning takes longer than itself.

    It is prepared when it is run for the second time, on a cursor that has a
    :class:`Prepared`. A pooler that lends another connection for each transaction
    makes that impossible: then, as on other cursors, it is planned each time.

    :param str name: of the prepared statement
    :param str statement: with named parameters
    :param dict types: all of these → their types in PostgreSQL
    :param dict values: all of these → their values
    """
    prepared = getattr(cr, "prepared", None)
    if prepared and prepared.possible and name in prepared.seen:
        try:
            if name not in prepared.names:
                places = {key: f"${place}" for place, key in enumerate(types, 1)}
                declared = ", ".join(types.values())
                body = statement % places
                # An addon's own text, and no value in it.
                # The first five runs would be planned one by one otherwise.
                cr.execute(  # pylint: disable=sql-injection
                    "SET plan_cache_mode = force_generic_plan; "
                    f"PREPARE {name} ({declared}) AS {body}"
                )
                prepared.names.add(name)
            given = ", ".join(f"%({key})s" for key in types)
            cr.execute(f"EXECUTE {name} ({given})", values)
            return
        except (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement):
            prepared.possible = False
    elif prepared:
        prepared.seen.add(name)
    cr.execute(statement, values)
