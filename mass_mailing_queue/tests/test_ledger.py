# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import psycopg2
from psycopg2 import errors

from odoo.tests import BaseCase, tagged

from ..ledger import is_server_trouble


@tagged("-at_install", "post_install")
class TestLedger(BaseCase):
    """Which errors are PostgreSQL's, and which those of who asks."""

    def test_trouble_of_the_server_is_nobodys_failure(self):
        for trouble in (
            errors.DiskFull,
            errors.OutOfMemory,
            errors.TooManyConnections,
            errors.AdminShutdown,
            errors.LockNotAvailable,
            errors.SerializationFailure,
            errors.InternalError_,
            psycopg2.InterfaceError,
            psycopg2.DatabaseError,
        ):
            self.assertTrue(is_server_trouble(trouble()), trouble)
        for mistake in (
            errors.UniqueViolation,
            errors.NotNullViolation,
            errors.UndefinedColumn,
            errors.NumericValueOutOfRange,
        ):
            self.assertFalse(is_server_trouble(mistake()), mistake)
