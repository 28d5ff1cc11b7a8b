# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from email.utils import getaddresses
from unittest.mock import patch

from odoo.tests import tagged

from .. import sql, sql_addresses
from ..ledger import Ledger
from .common import QueueCase, refused


@tagged("-at_install", "post_install")
class TestJudging(QueueCase):
    """The address that is mailed is the one that is judged, and is mailed once."""

    def setUp(self):
        super().setUp()
        self.mailed = []

    def _send_email(self, server, message, **_kwargs):
        found = [address for _name, address in getaddresses([str(message["To"])])]
        result = super()._send_email(server, message)
        self.mailed += found
        return result

    def _plan(self, mailing):
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))

    def _partners(self, *emails):
        return self.env["res.partner"].create(
            [{"name": f"Partner {n}", "email": email} for n, email in enumerate(emails)]
        )

    def _mailing_to(self, records, **values):
        return self._mailing(
            mailing_model_id=self.env["ir.model"]._get_id(records._name),
            contact_list_ids=False,
            mailing_domain=repr([("id", "in", records.ids)]),
            **values,
        )

    # ------------------------------------------------------------------
    # One address
    # ------------------------------------------------------------------

    def test_corrected_to_an_address_that_has_the_mail(self):
        contacts = self._contacts("a@example.com", "wrong@example.com")
        mailing = self._mailing()
        self.replies["wrong@example.com"] = refused(
            "wrong@example.com", 550, b"5.1.1 No such user"
        )
        self._plan(mailing)
        self._run_jobs()
        contacts[1].email = "A@example.com"
        mailing.action_retry_failed()
        self._run_jobs()
        self.assertEqual(self.mailed, ["a@example.com"])
        self.assertEqual(
            self._statuses(mailing),
            [("a@example.com", "sent", False), ("a@example.com", "cancel", "mail_dup")],
        )
        self.assertEqual(mailing.state, "done")

    def test_edited_while_it_waits(self):
        """To an address that another recipient has, or has had before."""
        contacts = self._contacts("a@example.com", "b@example.com", "c@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        contacts[0].email = "new@example.com"
        contacts[1].email = "c@example.com"
        self._run_jobs()
        self.assertEqual(sorted(self.mailed), ["c@example.com", "new@example.com"])
        self.assertEqual(
            self._statuses(mailing),
            [
                ("new@example.com", "sent", False),
                ("c@example.com", "cancel", "mail_dup"),
                ("c@example.com", "sent", False),
            ],
        )

    def test_addresses_that_are_exchanged(self):
        """Whoever waits and has another address by now is nobody's double."""
        contacts = self._contacts(
            "a@example.com", "b@example.com", "c@example.com", "gone@example.com"
        )
        mailing = self._mailing()
        self._plan(mailing)
        contacts[0].email = "b@example.com"
        contacts[1].email = "c@example.com"
        contacts[2].email = "gone@example.com"
        contacts[3].unlink()
        self._run_jobs()
        self.assertEqual(
            sorted(self.mailed), ["b@example.com", "c@example.com", "gone@example.com"]
        )
        self.assertEqual(mailing.state, "done")

    def test_exclusions_of_the_new_address_count(self):
        """And those of the old one do not, when it waits and when it is retried."""
        contacts = self._contacts(
            "old.black@example.com", "b@example.com", "c@example.com", "d@example.com"
        )
        mailing = self._mailing()
        self._plan(mailing)
        self.env["mail.blacklist"]._add("old.black@example.com")
        self.env["mail.blacklist"]._add("black@example.com")
        contacts[0].email = "new@example.com"
        contacts[1].email = "black@example.com"
        contacts[2].email = "nonsense"
        contacts[3].email = False
        self._run_jobs()
        self.assertEqual(self.mailed, ["new@example.com"])
        self.assertEqual(
            self._statuses(mailing),
            [
                ("new@example.com", "sent", False),
                ("black@example.com", "cancel", "mail_bl"),
                ("nonsense", "cancel", "mail_email_invalid"),
                ("", "cancel", "mail_email_missing"),
            ],
        )

    def test_a_version_knows_the_edited_addresses_of_the_others(self):
        contacts = self._contacts(*[f"c{number}@example.com" for number in range(4)])
        campaign = self.env["utm.campaign"].create({"name": "Test"})
        first, second = (
            self._mailing(
                ab_testing_enabled=True, ab_testing_pc=50, campaign_id=campaign.id
            )
            for _version in range(2)
        )
        for mailing in (first, second):
            mailing.action_launch()
        for job in self._jobs("_job_plan"):
            self._perform(job)
        contacts.email = "same@example.com"
        self._run_jobs()
        self.assertEqual(self.mailed, ["same@example.com"])

    def test_what_wants_every_record_mailed_gets_it(self):
        """Also after an edit: an addon that answers so is asked again."""
        contacts = self._contacts("a@example.com", "a@example.com", "b@example.com")
        mailing = self._mailing()
        composer = type(self.env["mail.compose.message"])
        with patch.object(composer, "_get_done_emails", lambda *_args: []):
            self._plan(mailing)
            contacts[2].email = "a@example.com"
            self._run_jobs()
        self.assertEqual(self.mailed, ["a@example.com"] * 3)

    def test_an_email_of_another_address_cannot_be_claimed(self):
        self._contacts("a@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        trace = self._traces(mailing)
        claim = sql.claim, trace.id, 1, "node:1", "<id@x>", 1, []
        with Ledger(self.env) as ledger:
            for address in (
                ("b@example.com", None),
                ("a@example.com", "a@example.com b@example.com"),
            ):
                self.assertIsNone(ledger.run(*claim, *address)[0])
            self.assertEqual(ledger.run(*claim, "a@example.com", None)[0], "process")

    def test_who_is_claimed_keeps_an_address(self):
        """It is too late to give them another, and to give theirs away."""
        self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        first, second = self._traces(mailing)
        sql.claim(self.cr, first.id, 1, "node:1", "<id@x>", 1, [])
        with Ledger(self.env) as ledger:
            left = ledger.run_as_one(
                sql_addresses.judge,
                mailing._queue_addresses_lock(),
                mailing.id,
                None,
                {first.id: ["z@example.com"], second.id: ["a@example.com"]},
            )
        self.assertEqual(left, {second.id: []})
        self.assertEqual(
            self._statuses(mailing),
            [
                ("a@example.com", "process", False),
                ("a@example.com", "cancel", "mail_dup"),
            ],
        )

    def test_a_winner_leaves_out_who_is_drawn(self):
        """Also before the version that drew them has come to them."""
        self._contacts(*[f"c{number}@example.com" for number in range(10)])
        campaign = self.env["utm.campaign"].create({"name": "Test"})
        version = self._mailing(
            ab_testing_enabled=True, ab_testing_pc=50, campaign_id=campaign.id
        )
        version.action_launch()
        planning = self._jobs("_job_plan")
        with (
            patch("odoo.addons.mass_mailing_queue.slicing.SLICE_SIZE", 1),
            Ledger(self.env) as ledger,
        ):
            version._queue_plan_slice(ledger)
        winner = self.env["mailing.mailing"].browse(
            version.action_select_as_winner()["res_id"]
        )
        self._perform(self._jobs("_job_plan") - planning)
        self.assertEqual(len(self._traces(winner)), 5)
        self._perform(planning)
        people = self._traces(version) + self._traces(winner)
        self.assertEqual(len(set(people.mapped("res_id"))), 10)
        self.assertEqual(len(people), 10)

    # ------------------------------------------------------------------
    # Several addresses in one field
    # ------------------------------------------------------------------

    def _send_crossed(self, records, slice_size):
        mailing = self._mailing_to(records)
        size = patch("odoo.addons.mass_mailing_queue.slicing.SLICE_SIZE", slice_size)
        with size:
            self._plan(mailing)
        self._run_jobs()
        self.assertEqual(mailing.state, "done")
        return self._statuses(mailing)

    CROSSED = (
        "a@example.com, b@example.com",
        "b@example.com",
        "b@example.com, c@example.com",
        "c@example.com, a@example.com",
        "d@example.com",
    )

    def test_crossed_addresses_are_mailed_once_each(self):
        """A recipient's email goes to those that nobody before it has."""
        for model in ("res.partner", "mailing.contact"):
            for slice_size in (1, 2, 100):
                with self.subTest(model=model, slice_size=slice_size):
                    self.mailed = []
                    records = self.env[model].create(
                        [{"name": "Person", "email": email} for email in self.CROSSED]
                    )
                    statuses = self._send_crossed(records, slice_size)
                    self.assertEqual(
                        sorted(self.mailed), [f"{x}@example.com" for x in "abcd"]
                    )
                    self.assertEqual(
                        statuses,
                        [
                            ("a@example.com", "sent", False),
                            ("b@example.com", "cancel", "mail_dup"),
                            ("b@example.com", "sent", False),
                            ("c@example.com", "cancel", "mail_dup"),
                            ("d@example.com", "sent", False),
                        ],
                    )

    def test_a_second_address_that_is_added_later(self):
        records = self._partners("a@example.com", "b@example.com", "c@example.com")
        mailing = self._mailing_to(records)
        self._plan(mailing)
        records[0].email = "a@example.com, c@example.com, n@example.com"
        records[1].email = "c@example.com, b@example.com"
        self._run_jobs()
        self.assertEqual(sorted(self.mailed), [f"{x}@example.com" for x in "abcn"])

    # ------------------------------------------------------------------
    # Another audience
    # ------------------------------------------------------------------

    def test_a_trace_of_another_model_is_never_composed(self):
        contact = self._contacts("a@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        self.cr.execute(
            "UPDATE mailing_trace SET model = 'res.partner', res_id = %s "
            "WHERE mass_mailing_id = %s",
            [contact.id, mailing.id],
        )
        self.env.invalidate_all()
        self._run_jobs()
        self.assertFalse(self.mailed)
        trace = self._traces(mailing)
        self.assertEqual(trace.trace_status, "cancel")
        self.assertEqual(trace.failure_type, "queue_audience")
        self.assertEqual(mailing.state, "done")

    def _change(self, mailing, **values):
        mailing.action_queue_pause()
        mailing.write(values)
        mailing.action_queue_resume()

    def test_lists_swapped_for_partners(self):
        """They are planned from the beginning, each address once."""
        self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        self._perform(self._jobs("_job_send")[0])
        partners = self._partners("A@example.com", "p@example.com", "q@example.com")
        self._change(
            mailing,
            mailing_model_id=self.env["ir.model"]._get_id("res.partner"),
            mailing_domain=repr([("id", "in", partners[:2].ids)]),
        )
        self._run_jobs()
        self.assertEqual(sorted(self.mailed), ["a@example.com", "p@example.com"])
        self.assertEqual(mailing.state, "done")
        reasons = self._traces(mailing).filtered("failure_reason")
        self.assertEqual(reasons.mapped("email"), ["b@example.com"])

    def test_an_audience_that_is_changed_back(self):
        """Those who were left out meanwhile are planned after all."""
        other = self.env["mailing.list"].create({"name": "Other"})
        self._contacts("a@example.com", "b@example.com")
        self._contacts("o@example.com", "a@example.com", lists=other)
        mailing = self._mailing()
        self._plan(mailing)
        self._change(mailing, contact_list_ids=[(6, 0, other.ids)])
        self._perform(self._jobs("_job_plan"))
        self.assertEqual(self._waiting(mailing), ["a@example.com", "o@example.com"])
        self._change(mailing, contact_list_ids=[(6, 0, self.list.ids)])
        self._run_jobs()
        self.assertEqual(sorted(self.mailed), ["a@example.com", "b@example.com"])

    def test_who_was_left_out_of_another_audience_is_looked_at_anew(self):
        """Somebody's duplicate there, or opted out there, may be neither here."""
        other = self.env["mailing.list"].create({"name": "Other"})
        self._contacts("a@example.com", "left@example.com")
        self._contacts("a@example.com", "left@example.com", lists=other)
        contacts = self.list.contact_ids + other.contact_ids
        left = contacts.filtered(lambda contact: contact.email == "left@example.com")
        left.subscription_ids.opt_out = True
        mailing = self._mailing(contact_list_ids=[(6, 0, (self.list + other).ids)])
        self._plan(mailing)
        self.assertEqual(self._waiting(mailing), ["a@example.com"])
        left[1].subscription_ids.opt_out = False
        self._change(mailing, contact_list_ids=[(6, 0, other.ids)])
        self._run_jobs()
        self.assertEqual(sorted(self.mailed), ["a@example.com", "left@example.com"])

    def test_who_failed_and_is_no_recipient_any_more_is_not_retried(self):
        """As natively, where they are planned anew."""
        contacts = self._partners("a@example.com", "b@example.com", "c@example.com")
        mailing = self._mailing_to(contacts)
        for address in contacts.mapped("email"):
            self.replies[address] = refused(address, 550, b"5.1.1 No such user")
        self._plan(mailing)
        self._run_jobs()
        self.replies.clear()
        mailing.mailing_domain = repr([("id", "in", contacts[1:].ids)])
        contacts[2].active = False
        mailing.action_retry_failed()
        self._run_jobs()
        self.assertEqual((mailing.state, self.mailed), ("done", ["b@example.com"]))
        self.assertEqual(
            [why or status for _email, status, why in self._statuses(mailing)],
            ["queue_audience", "sent", "queue_audience"],
        )

    def test_the_duplicate_of_who_is_deleted_gets_the_email(self):
        """Once, of three with its address; as when contacts are merged."""
        contacts = self._contacts(*["a@example.com"] * 3, "b@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        contacts[0].unlink()
        self._run_jobs()
        self.assertEqual(mailing.state, "sending")
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self._run_jobs()
        self.assertEqual(sorted(self.mailed), ["a@example.com", "b@example.com"])
        self.assertEqual(mailing.state, "done")

    def test_the_duplicate_of_who_may_have_the_email_stays_one(self):
        contacts = self._contacts("a@example.com", "a@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        trace = self._traces(mailing)[0]
        with Ledger(self.env) as ledger:
            ledger.run(sql.claim, trace.id, 1, "node:1", "<id@x>", 1, [])
        trace.write({"trace_status": "error", "failure_type": "queue_in_doubt"})
        trace.action_queue_send_again()
        contacts[0].unlink()
        self._run_jobs()
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self._run_jobs()
        self.assertEqual((mailing.state, self.mailed), ("done", []))

    def test_an_outcome_of_another_worker_is_not_composed_over(self):
        """Who opted out, or was deleted, since another worker mailed them has it."""
        contacts = self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing_to(contacts)
        self._plan(mailing)
        traces = self._traces(mailing)
        self.assertEqual(traces._send(), 2)
        self.env["mail.blacklist"]._add("a@example.com")
        contacts[1].unlink()
        with Ledger(self.env) as ledger:
            mailing._queue_compose(ledger, traces.ids)
        self.env.invalidate_all()
        self.assertEqual(set(traces.mapped("trace_status")), {"sent"})

    def _waiting(self, mailing):
        traces = self._traces(mailing)
        return sorted(
            traces.filtered(lambda t: t.trace_status == "outgoing").mapped("email")
        )

    def test_an_audience_that_changes_while_it_is_sent(self):
        """Without a pause: no claim is won before the fan-out has looked."""
        contacts = self._contacts("a@example.com", "b@example.com", "c@example.com")
        mailing = self._mailing_to(contacts)
        self._plan(mailing)
        mailing.mailing_domain = repr([("id", "in", contacts[1:].ids)])
        traces = self._traces(mailing)
        self.assertEqual(traces._send(), 0)
        self._run_jobs()
        self.assertEqual(sorted(self.mailed), ["b@example.com", "c@example.com"])
        self.assertEqual(mailing.state, "done")

    def test_what_is_cancelled_with_another_audience_ends(self):
        """And who is retried then finds no fan-out to wait for."""
        contacts = self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing_to(contacts)
        self.replies["a@example.com"] = refused("a@example.com", 550, b"5.1.1 No")
        self._plan(mailing)
        self._perform(self._jobs("_job_send")[0])
        mailing.action_queue_pause()
        mailing.mailing_domain = repr([("id", "in", contacts[:1].ids)])
        mailing.action_queue_cancel()
        self._run_jobs()
        self.assertEqual(mailing.state, "done")
        del self.replies["a@example.com"]
        mailing.action_retry_failed()
        self._run_jobs()
        self.assertEqual((mailing.state, self.mailed), ("done", ["a@example.com"]))

    def test_nobody_of_a_changed_audience_is_claimed(self):
        """What was made before the change does not leave after it."""
        contacts = self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing_to(contacts)
        self._plan(mailing)
        trace = self._traces(mailing)[0]
        claim = sql.claim, trace.id, 1, "node:1", "<id@x>", 1, []
        mailing.mailing_domain = repr([("id", "in", contacts[1:].ids)])
        with Ledger(self.env) as ledger:
            self.assertIsNone(ledger.run(*claim)[0])

    def test_a_test_is_drawn_anew_from_another_audience(self):
        contacts = self._contacts(*[f"c{number}@example.com" for number in range(20)])
        mailing = self._mailing(ab_testing_enabled=True, ab_testing_pc=50)
        self._plan(mailing)
        partners = self._partners(*[f"p{number}@example.com" for number in range(10)])
        self._change(
            mailing,
            mailing_model_id=self.env["ir.model"]._get_id("res.partner"),
            mailing_domain=repr([("id", "in", partners.ids)]),
        )
        self._run_jobs()
        self.assertEqual(len(self.mailed), 5)
        self.assertFalse(set(self.mailed) & set(contacts.mapped("email")))

    def test_an_edit_that_changes_no_audience_plans_nothing_anew(self):
        self._contacts("a@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        self._change(
            mailing,
            contact_list_ids=[(6, 0, self.list.ids)],
            mailing_model_id=mailing.mailing_model_id.id,
            subject="Other news",
        )
        self.assertEqual(self._waiting(mailing), ["a@example.com"])
        self.assertTrue(mailing.queue_planned)
