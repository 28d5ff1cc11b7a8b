# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.queue_job.jobrunner.runner import PG_ADVISORY_LOCK_ID

from .. import sql_plan, sql_runner
from ..ledger import Ledger
from .common import QueueCase


@tagged("-at_install", "post_install")
class TestPlan(QueueCase):
    """Every recipient gets one trace and one job, slice by slice."""

    def _plan(self, mailing):
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))

    def test_send_plans_one_trace_and_job_per_recipient(self):
        contacts = self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        self.assertEqual(mailing.state, "sending")
        self.assertEqual(self._traces(mailing).mapped("res_id"), contacts.ids)
        self.assertEqual(len(self._jobs("_job_send")), 2)
        self.assertEqual(
            set(self._jobs("_job_send").mapped("uuid")),
            set(self._traces(mailing).mapped("queue_job_uuid")),
        )
        # An account's own channel is below it.
        self.assertRegex(self._jobs("_job_send")[0].channel, r"^root\.mail(\.|$)")

    def test_exclusions_are_upstreams(self):
        """Blacklist, opt-out, duplicate, invalid and missing, as natively."""
        contacts = self._contacts(
            "a@example.com",
            "A@EXAMPLE.com",
            "black@example.com",
            "out@example.com",
            "nonsense",
            False,
        )
        self.env["mail.blacklist"]._add("black@example.com")
        contacts[3].subscription_ids.opt_out = True
        mailing = self._mailing()
        self._plan(mailing)
        self.assertEqual(
            self._statuses(mailing),
            [
                ("a@example.com", "outgoing", False),
                ("a@example.com", "cancel", "mail_dup"),
                ("black@example.com", "cancel", "mail_bl"),
                ("out@example.com", "cancel", "mail_optout"),
                ("nonsense", "cancel", "mail_email_invalid"),
                ("", "cancel", "mail_email_missing"),
            ],
        )

    def test_opt_in_elsewhere_outweighs_opt_out(self):
        other = self.env["mailing.list"].create({"name": "Other"})
        first = self._contacts("a@example.com")
        self._contacts("a@example.com", lists=other)
        first.subscription_ids.opt_out = True
        mailing = self._mailing(contact_list_ids=[(6, 0, (self.list + other).ids)])
        self._plan(mailing)
        self.assertEqual(self._traces(mailing)[0].trace_status, "outgoing")

    def test_opt_out_with_a_second_address(self):
        """It counts by the first address, and makes nobody a duplicate."""
        contacts = self._contacts(
            "out@example.com, in@example.com",
            "in@example.com",
            "black@example.com, other@example.com",
            "first@example.com, out@example.com",
        )
        (contacts[0] + contacts[2]).subscription_ids.opt_out = True
        self.env["mail.blacklist"]._add("black@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        self.assertEqual(
            self._statuses(mailing),
            [
                ("out@example.com", "cancel", "mail_optout"),
                ("in@example.com", "outgoing", False),
                ("black@example.com", "cancel", "mail_bl"),
                ("first@example.com", "outgoing", False),
            ],
        )
        self._run_jobs()
        self.assertEqual(mailing.sent, 2)

    def test_h6_duplicates_across_slices(self):
        """H6, H29: an address is mailed once, to its first record by id."""
        self._contacts(*[f"c{number}@example.com" for number in range(4)])
        self._contacts("c0@example.com", "c3@example.com")
        mailing = self._mailing()
        with self._slice_size(2):
            self._plan(mailing)
        self.assertEqual(
            [status for _email, status, _type in self._statuses(mailing)],
            ["outgoing"] * 4 + ["cancel"] * 2,
        )

    def _run_scheduled_action(self):
        with self.enter_registry_test_mode():
            self.env.ref(
                "mass_mailing.ir_cron_mass_mailing_queue"
            ).method_direct_trigger()
        self.env.invalidate_all()

    def _slice_size(self, size):
        return patch("odoo.addons.mass_mailing_queue.slicing.SLICE_SIZE", size)

    def test_interrupted_plan_goes_on_where_it_stopped(self):
        self._contacts(*[f"c{number}@example.com" for number in range(5)])
        mailing = self._mailing()
        mailing.action_launch()
        with self._slice_size(2), Ledger(self.env) as ledger:
            self.assertTrue(mailing._queue_plan_slice(ledger))
            self.assertEqual(len(self._traces(mailing)), 2)
            self._perform(self._jobs("_job_plan"))
        self.assertEqual(len(self._traces(mailing)), 5)
        self.assertEqual(len(self._jobs("_job_send")), 5)

    def test_no_second_plan_of_a_recipient(self):
        """H6: the database itself refuses it."""
        contact = self._contacts("a@example.com")
        mailing = self._mailing()
        self._plan(mailing)
        with self.assertRaisesRegex(Exception, "queue_plan_uniq"), self.cr.savepoint():
            mailing._queue_plan_traces(contact.ids)

    def test_h5_empty_list_sends_to_nobody(self):
        """H5: natively an empty slice sends to everybody."""
        self._contacts("a@example.com")
        mailing = self._mailing()
        mailing.action_send_mail(res_ids=[])
        self.assertFalse(self._jobs())
        self.assertFalse(self._traces(mailing))

    def test_h7_ab_sample_is_drawn_once(self):
        """H7: resuming an A/B test mails nobody outside its sample."""
        self._contacts(*[f"c{number}@example.com" for number in range(20)])
        mailing = self._mailing(ab_testing_enabled=True, ab_testing_pc=25)
        self._plan(mailing)
        self.assertEqual(len(self._traces(mailing)), 5)
        mailing.write({"state": "draft"})
        mailing.action_send_mail()
        self._run_jobs()
        self.assertEqual(len(self._traces(mailing)), 5)
        self.assertEqual(len(self.sent), 5)

    def test_versions_of_a_test_share_nobody(self):
        """Also when the second is drawn before the first has planned anybody."""
        self._contacts(*[f"c{number}@example.com" for number in range(20)])
        campaign = self.env["utm.campaign"].create({"name": "Test"})
        first, second = (
            self._mailing(
                ab_testing_enabled=True, ab_testing_pc=50, campaign_id=campaign.id
            )
            for _version in range(2)
        )
        for mailing in (first, second):
            mailing._queue_draw_sample()
        samples = [
            set(sql_plan.sample_slice(self.cr, mailing.id, 0, 100))
            for mailing in (first, second)
        ]
        self.assertEqual([len(sample) for sample in samples], [10, 10])
        self.assertFalse(samples[0] & samples[1])

    def test_nobody_is_mailed_whom_an_addon_leaves_out(self):
        """Not even the last of a slice that it leaves out whole."""
        self._contacts(*[f"c{number}@example.com" for number in range(5)])
        mailing = self._mailing()
        mailing.action_launch()
        with (
            self._slice_size(2),
            patch.object(type(mailing), "_get_recipients", return_value=[]),
        ):
            self._perform(self._jobs("_job_plan"))
        self._run_jobs()
        self.assertFalse(self._traces(mailing))
        self.assertEqual(mailing.state, "done")

    def test_scheduled_mailing_waits_for_its_time(self):
        """Resumed, or found by a plan that was enqueued before."""
        self._contacts("a@example.com")
        mailing = self._mailing()
        mailing.action_launch()
        mailing.action_cancel()
        mailing.write({"schedule_type": "scheduled", "schedule_date": "2099-01-01"})
        mailing.action_put_in_queue()
        mailing.action_queue_pause()
        mailing.action_queue_resume()
        self._run_jobs()
        self.assertFalse(self._traces(mailing))
        self.assertEqual(mailing.state, "in_queue")

    def test_links_are_made_before_the_jobs(self):
        """H17: also when the scheduled action or a call begins the mailing."""
        self._contacts("a@example.com")
        for begin in ("action_launch", "action_send_mail"):
            mailing = self._mailing()
            getattr(mailing, begin)()
            self._perform(
                self._jobs("_job_plan").filtered(
                    lambda job, mailing=mailing: job.mailing_id == mailing.id
                )
            )
            self.assertTrue(
                self.env["link.tracker"].search([("mass_mailing_id", "=", mailing.id)])
            )

    def test_links_behind_a_preview_are_made_once(self):
        """What is made before the jobs is what their emails link to."""
        self._contacts("a@example.com")
        mailing = self._mailing(
            preview="Only for {{ object.name.upper() }}",
            body_html='<div><a href="https://www.example.com/straße?ü=1">See</a></div>',
        )
        self._plan(mailing)
        links = self.env["link.tracker"].search([("mass_mailing_id", "=", mailing.id)])
        self.assertEqual(len(links), 1)
        self._run_jobs()
        self.assertEqual(mailing.link_trackers_count, 1)

    def test_large_audience_gets_larger_jobs(self):
        self._contacts(*[f"c{number}@example.com" for number in range(12)])
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "5")
        mailing = self._mailing()
        self._plan(mailing)
        sizes = [len(job.args[0]) for job in self._jobs("_job_send")]
        self.assertEqual(sizes, [5, 5, 2])

    def test_pressing_send_twice_plans_once(self):
        self._contacts("a@example.com", "b@example.com")
        mailing = self._mailing()
        mailing.action_launch()
        mailing.action_launch()
        self._run_jobs()
        self.assertEqual(sorted(self.sent), ["a@example.com", "b@example.com"])

    def test_bad_input_is_refused_in_words(self):
        mailing = self._mailing()
        with self.assertRaisesRegex(UserError, "Nobody would receive"):
            mailing.action_launch()
        self._contacts("a@example.com")
        for values, words in (
            ({"subject": " "}, "a subject"),
            ({"body_html": False}, "is empty"),
            ({"body_html": '<p><t t-out="object.nothing"/></p>'}, "placeholder"),
            ({"subject": "{{ object.nothing }}"}, "placeholder"),
        ):
            with self.assertRaisesRegex(UserError, words):
                self._mailing(**values).action_launch()

    def test_switched_off_is_native(self):
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.enabled", "False")
        self._contacts("a@example.com")
        mailing = self._mailing()
        mailing.action_launch()
        self.assertFalse(mailing.queue_managed)
        self.assertFalse(self._jobs())
        self._run_scheduled_action()
        self.assertEqual(mailing.state, "done")

    def test_other_addons_tests_are_native(self):
        """They look at once for what was sent, unless their class says otherwise."""
        self._contacts("a@example.com")
        with patch.object(type(self), "queue_mailings", False):
            mailing = self._mailing()
            mailing.action_launch()
            self._run_scheduled_action()
        self.assertFalse(mailing.queue_managed)
        self.assertEqual(mailing.state, "done")

    def test_scheduled_action_starts_what_is_due(self):
        self._contacts("a@example.com")
        mailing = self._mailing()
        mailing.write({"state": "in_queue"})
        self._run_scheduled_action()
        self.assertTrue(mailing.queue_managed)
        self._run_jobs()
        self.assertEqual((mailing.state, self.sent), ("done", ["a@example.com"]))

    def test_runner_lock_is_looked_up_where_the_runner_takes_it(self):
        self.assertFalse(sql_runner.runner_works(self.cr))
        self.cr.execute("SELECT pg_advisory_xact_lock(%s)", [sql_runner.RUNNER_LOCK])
        self.assertTrue(sql_runner.runner_works(self.cr))

    def test_runner_lock_is_queue_jobs(self):
        self.assertEqual(sql_runner.RUNNER_LOCK, PG_ADVISORY_LOCK_ID)
