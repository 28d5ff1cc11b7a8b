# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import doctest
import smtplib
import unittest
from email import message_from_bytes, policy
from email.message import EmailMessage

from odoo.tests import BaseCase, tagged

from .. import (
    addresses,
    capacities,
    discretion,
    links,
    parcels,
    replies,
    reply_times,
    reply_words,
    sending_hours,
    slicing,
    smtp,
    stencils,
)
from ..smtp import Session, read_failure


@tagged("-at_install", "post_install")
class TestModules(BaseCase):
    """The parts that need no Odoo keep what their documentation says."""

    def test_doctests(self):
        suite = unittest.TestSuite(
            doctest.DocTestSuite(module)
            for module in (
                addresses,
                capacities,
                discretion,
                links,
                replies,
                reply_times,
                reply_words,
                sending_hours,
                slicing,
                smtp,
                stencils,
            )
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

    def test_equal_attachments_are_held_once_and_all_within_bounds(self):
        def emails(content, body="words"):
            return [
                {
                    "body": body,
                    "body_alternative": None,
                    "attachments": [("a.pdf", content, "application/pdf")],
                }
            ]

        first, second = emails(bytes(range(100))), emails(bytes(range(100)))
        with parcels.Cargo(limit=150) as cargo:
            self.assertTrue(cargo.load(first))
            self.assertTrue(cargo.load(second))
            self.assertIs(first[0]["attachments"][0][1], second[0]["attachments"][0][1])
            self.assertEqual(cargo.size, 110)
            self.assertFalse(cargo.load(emails(b"x" * 41)), "another's own")
            self.assertFalse(cargo.load(emails(bytes(range(100)), "x" * 41)), "texts")
            self.assertTrue(cargo.load(emails(b"x" * 35)))
        with parcels.Cargo(limit=150) as cargo:
            self.assertTrue(cargo.load(emails(b"x" * 1000)), "one at least")

    def test_attached_messages_stay_as_they_are(self):
        """However broken: eight-bit headers, several parts without an end."""
        attached = b"Subject: Zo\xeb\r\nContent-Type: multipart/mixed\r\n\r\nwords\r\n"
        message = EmailMessage(policy=policy.SMTP)
        message.set_content("words")
        message.add_attachment(message_from_bytes(attached))
        self.assertFalse(smtp.broken_headers(message))
        smtp.set_boundaries(message, "token")
        self.assertEqual(message.get_boundary(), "==token0=")
        self.assertIn(b"Content-Type: multipart/mixed\r\n\r\nwords", bytes(message))

    def test_parts_end_where_they_are_said_to(self):
        """What is read is what was built; nested parts end with texts of their own."""
        inner = EmailMessage(policy=policy.SMTP)
        inner.set_content("forwarded")
        inner.add_alternative("<p>forwarded</p>", subtype="html")
        inner.set_boundary("its-own")
        message = EmailMessage(policy=policy.SMTP)
        message["Subject"] = "News"
        message.add_alternative("words", subtype="plain")
        message.add_alternative("<p>words</p>", subtype="html")
        message.add_attachment(inner)
        message.add_attachment(b"data", "application", "pdf", filename="a.pdf")
        route = parcels.Route(1, "", (), {})
        smtp.set_boundaries(message, route.boundary)
        read = message_from_bytes(message.as_bytes(), policy=policy.SMTP)
        kinds = [part.get_content_type() for part in message.walk()]
        self.assertEqual([part.get_content_type() for part in read.walk()], kinds)
        self.assertEqual(kinds.count("multipart/alternative"), 2)
        found = [part.get_boundary() for part in read.walk() if part.get_boundary()]
        self.assertEqual(len(set(found)), 3)
        self.assertEqual(found[2], "its-own")
        for boundary in found[:2]:
            self.assertIn(route.boundary, boundary)
        for part, other in zip(read.walk(), message.walk(), strict=True):
            if not part.is_multipart():
                found, expected = part.get_content(), other.get_content()
                self.assertEqual(
                    found.splitlines() if isinstance(found, str) else [found],
                    expected.splitlines() if isinstance(expected, str) else [expected],
                )
        self.assertNotEqual(parcels.Route(1, "", (), {}).boundary, route.boundary)
