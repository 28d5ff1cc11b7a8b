# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import doctest
import smtplib
import unittest

from odoo.tests import BaseCase, tagged

from .. import discretion, replies, slicing, smtp
from ..smtp import Session, read_failure


@tagged("-at_install", "post_install")
class TestModules(BaseCase):
    """The parts that need no Odoo keep what their documentation says."""

    def test_doctests(self):
        suite = unittest.TestSuite(
            doctest.DocTestSuite(module)
            for module in (discretion, replies, slicing, smtp)
        )
        result = unittest.TextTestRunner(verbosity=0).run(suite)
        self.assertGreater(result.testsRun, 3)
        self.assertFalse(result.failures + result.errors)

    def test_h10_code_found_behind_wrapped_error(self):
        """H10: the code survives only on the exception's context."""
        try:
            try:
                raise smtplib.SMTPDataError(452, b"4.3.1 no space")
            except smtplib.SMTPDataError:
                raise ValueError("Mail Delivery Failed")  # noqa: B904
        except ValueError as error:
            reply = read_failure(error, "data")
        self.assertEqual((reply.code, reply.enhanced), (452, "4.3.1"))

    def test_only_the_final_dot_makes_doubt(self):
        """A connection lost before the final dot is not in doubt."""

        class Connection(smtplib.SMTP):
            def send(self, data):
                """Pretend that the network took it."""

            def getreply(self):
                return 250, b"ok"

        session = Session(Connection())
        session.connection.send("DATA\r\n")
        self.assertFalse(session.awaiting_reply)
        session.connection.send(b"body\r\n.\r\n")
        self.assertTrue(session.awaiting_reply)
        session.connection.getreply()
        self.assertFalse(session.awaiting_reply)
