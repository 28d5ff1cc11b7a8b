# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import unicodedata

from odoo.tests import tagged

from .. import addresses, sql_spellings
from .common import QueueCase

#: Spellings of one address, with what nobody sees around it and in it.
SPELLINGS = (
    "\u00a0ann@example.com",
    "ann@example.com\u200b",
    "\u200eann@example.com\u200f",
    "\ufeffann@example.com",
    "ann\u00ad@example.com",
    "Ann <\u200bann@example.com\u00a0>",
    "\tann@example.com\u3000",
    "ANN@Example.com\u2060",
)
IDN = (
    "x@münchen.example",
    unicodedata.normalize("NFD", "x@münchen.example"),
    "x@xn--mnchen-3ya.example",
    "X@MÜNCHEN.example\u200b",
    "x@münchen。example",
)
#: No server can be given these.
NEVER = ("a@na\u00a0me.example", '"a b"@example.com', "a@ﬁn.example", "a@ü..example")


@tagged("-at_install", "post_install")
class TestAddresses(QueueCase):
    """Addresses as people paste, export and import them."""

    def _send(self, mailing):
        """Send it, and return how many were promised and the statuses of traces."""
        counts = mailing._queue_count_audience()
        mailing.action_launch()
        self._run_jobs()
        self.assertEqual(mailing.state, "done")
        statuses = [why or status for _email, status, why in self._statuses(mailing)]
        for name, whys in (
            ("recipients", {"sent"}),
            ("blacklisted", {"mail_bl"}),
            ("opted_out", {"mail_optout"}),
            ("duplicates", {"mail_dup"}),
            ("invalid", {"mail_email_invalid", "mail_email_missing"}),
        ):
            found = sum(status in whys for status in statuses)
            self.assertEqual(counts[name], found, f"{name}: {statuses}")
        return counts["recipients"]

    def test_each_spelling_is_sent_to_the_address_that_is_seen(self):
        """H32: and planned under it."""
        for spelling in SPELLINGS:
            with self.subTest(spelling=ascii(spelling)):
                self.sent.clear()
                self.list.contact_ids.unlink()
                self._contacts(spelling)
                mailing = self._mailing()
                self.assertEqual(self._send(mailing), 1)
                self.assertEqual(self.sent, ["ann@example.com"])
                self.assertEqual(self._traces(mailing).email, "ann@example.com")

    def test_domains_of_other_languages_are_sent_in_ascii(self):
        """H32: all servers take that."""
        for spelling in (*IDN, "x@straße.example"):
            with self.subTest(spelling=ascii(spelling)):
                self.sent.clear()
                self.list.contact_ids.unlink()
                self._contacts(spelling)
                mailing = self._mailing()
                self.assertEqual(self._send(mailing), 1)
                wanted = "strae-oqa" if "ß" in spelling else "mnchen-3ya"
                self.assertEqual(self.sent, [f"x@xn--{wanted}.example"])
                self.assertTrue(self._traces(mailing).email.islower())

    def test_all_spellings_of_an_address_are_one_person(self):
        """H32: who gets one email."""
        for spellings in (SPELLINGS, IDN):
            with self.subTest(spellings=ascii(spellings)):
                self.sent.clear()
                self.list.contact_ids.unlink()
                self._contacts(*spellings)
                self.assertEqual(self._send(self._mailing()), 1)
                self.assertEqual(len(self.sent), 1)

    def test_partners_are_sent_to_as_contacts_are(self):
        self.env["res.partner"].create(
            [
                {"name": "Ann, Ü", "email": email, "function": "tester"}
                for email in (*SPELLINGS, *IDN, *NEVER)
            ]
        )
        mailing = self._mailing(
            mailing_model_id=self.env["ir.model"]._get("res.partner").id,
            mailing_domain="[('function', '=', 'tester')]",
        )
        self.assertEqual(self._send(mailing), 2)
        self.assertEqual(
            set(self.sent), {"ann@example.com", "x@xn--mnchen-3ya.example"}
        )

    def test_what_no_server_can_be_given_is_told_before_send(self):
        """H32: natively it fails when it is sent."""
        self._contacts(*NEVER, "fine@example.com", "a@na\u00a0me.example, b@x.example")
        mailing = self._mailing()
        self.assertEqual(self._send(mailing), 2)
        self.assertEqual(sorted(self.sent), ["b@x.example", "fine@example.com"])
        self.assertEqual(self._traces(mailing)[-1].email, "b@x.example")

    def test_a_blacklisted_address_is_not_mailed_in_any_spelling(self):
        for listed in ("ann@example.com", SPELLINGS[1], *IDN[:3]):
            with self.subTest(listed=ascii(listed)):
                self.list.contact_ids.unlink()
                self.env["mail.blacklist"].search([]).unlink()
                self.env["mail.blacklist"]._add(listed)
                self._contacts(
                    *(IDN if listed in IDN else ("ann@example.com", *SPELLINGS)),
                    "other@example.com",
                )
                self.assertEqual(self._send(self._mailing()), 1)
        self.assertEqual(set(self.sent), {"other@example.com"})

    def test_an_opt_out_counts_for_every_spelling(self):
        """Also of a contact that stays subscribed with another one."""
        for out in ("ann@example.com", SPELLINGS[0], SPELLINGS[5], *IDN[:3]):
            with self.subTest(out=ascii(out)):
                self.list.contact_ids.unlink()
                contacts = self._contacts(
                    *(IDN if out in IDN else ("ann@example.com", *SPELLINGS)),
                    "other@example.com",
                )
                gone = contacts.filtered(lambda contact, out=out: contact.email == out)
                gone.subscription_ids.opt_out = True
                self.assertEqual(self._send(self._mailing()), 1)
        self.assertEqual(set(self.sent), {"other@example.com"})

    def test_who_leaves_by_the_link_has_left(self):
        """Links have the address that was mailed; the contact is written otherwise."""
        for written in (SPELLINGS[0], SPELLINGS[5], IDN[1], IDN[2]):
            with self.subTest(written=ascii(written)):
                self.list.contact_ids.unlink()
                contact = self._contacts(written)
                mailing = self._mailing()
                mailing.action_launch()
                self._perform(self._jobs("_job_plan"))
                (route,) = mailing._queue_compose_chunk(self._traces(mailing).ids)
                email = self._traces(mailing).email
                headers = route.parcels[0].emails[0]["headers"]
                link = mailing._get_unsubscribe_oneclick_url(email, contact.id)
                self.assertEqual(headers["List-Unsubscribe"], f"<{link}>")
                lists = mailing.contact_list_ids
                lists._update_subscription_from_email(email, opt_out=True)
                self.assertTrue(contact.subscription_ids.opt_out)
                lists._update_subscription_from_email(email, opt_out=False)
                self.assertFalse(contact.subscription_ids.opt_out)
                self._run_jobs()

    def test_a_mailing_without_the_queue_is_left_alone(self):
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.enabled", "False")
        contact = self._contacts(SPELLINGS[0])
        mailing = self._mailing()
        mailing._action_send_mail()
        self.assertEqual(self._traces(mailing).email, contact.email_normalized)

    def test_postgresql_finds_the_spellings_that_python_does(self):
        texts = [*SPELLINGS, *IDN, *NEVER, "I\u0130\u0131@ÉÄ.example", "\u212a.a-b@x.y"]
        for text in texts:
            self.cr.execute(f"SELECT {sql_spellings.SKELETON.format('%s')}", [text])
            self.assertEqual(self.cr.fetchone()[0], addresses.skeleton(text))
