# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import threading
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

from freezegun import freeze_time
from psycopg2 import IntegrityError

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .. import sql_pace
from ..models.mailing_mailing_pace import OPEN_UNTIL
from ..models.mailing_queue_hours import DAYS
from .common import QueueCase


@tagged("-at_install", "post_install")
class TestPriority(QueueCase):
    """Which mailing goes first."""

    def setUp(self):
        super().setUp()
        self._contacts("a@example.com", "b@example.com")

    def _begin(self, **values):
        mailing = self._mailing(**values)
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        return mailing

    def _set(self, mailing, priority):
        mailing.with_user(self.user).queue_priority = priority
        self.env.flush_all()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()

    def test_the_more_urgent_mailing_goes_first(self):
        mailings = [self._begin(queue_priority=number) for number in "1032"]
        normal, low, urgent, high = mailings
        order = [job.mailing_id for job in self._jobs("_job_send")]
        wanted = [mailing.id for mailing in (urgent, high, normal, low)]
        self.assertEqual(order, [one for one in wanted for _recipient in "ab"])

    def test_a_change_moves_the_jobs_that_wait(self):
        first, second = self._begin(), self._begin()
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, first.id)
        self._set(second, "3")
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, second.id)
        self._set(second, "0")
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, first.id)

    def test_jobs_keep_their_place_among_those_of_their_mailing(self):
        mailing = self._begin()
        jobs = self._jobs("_job_send")
        jobs[1].priority += 7
        before = jobs.mapped("priority")
        self._set(mailing, "3")
        self._set(mailing, "1")
        self.assertEqual(jobs.mapped("priority"), before)

    def test_only_waiting_jobs_of_the_mailing_change(self):
        mailing, other = self._begin(), self._begin()
        jobs = self._jobs("_job_send")
        started, by_hand = jobs.filtered(lambda job: job.mailing_id == mailing.id)
        started.state = "started"
        by_hand.priority = 1
        before = jobs.mapped("priority")
        self._set(mailing, "0")
        self.assertEqual(jobs.mapped("priority"), before)
        self.assertEqual(other.queue_priority, "1")

    def test_a_job_that_was_under_way_follows_within_a_minute(self):
        mailing, other = self._begin(), self._begin()
        jobs = self._jobs("_job_send")
        jobs.filtered(lambda job: job.mailing_id == other.id).state = "started"
        self._set(other, "3")
        jobs.state = "pending"
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, mailing.id)
        self.env["mailing.mailing"]._cron_queue_reconcile()
        self.env.invalidate_all()
        self.assertEqual(self._jobs("_job_send")[0].mailing_id, other.id)

    def test_who_may_not_write_mailings_sets_no_priority(self):
        mailing = self._begin()
        nobody = new_test_user(self.env, "nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            mailing.with_user(nobody).queue_priority = "3"


@tagged("-at_install", "post_install")
class TestSendingHours(QueueCase):
    """When a mailing waits."""

    def setUp(self):
        super().setUp()
        OPEN_UNTIL.clear()
        self._contacts("a@example.com", "b@example.com")
        self.open = self._prepare_hours(-2, 4)
        self.closed = self._prepare_hours(2, 4)
        self.hours = self.env["mailing.queue.hours"].create(self.closed)

    def _prepare_hours(self, begin, length):
        """Return the values of hours that begin in so many hours, every day."""
        now = datetime.now(timezone.utc)
        begin = (now.hour + now.minute / 60 + begin) % 24
        return {
            "name": "Hours",
            "tz": "UTC",
            "hour_from": begin,
            "hour_to": (begin + length) % 24,
            "sat": True,
            "sun": True,
        }

    def _begin(self, **values):
        mailing = self._mailing(**{"queue_hours_id": self.hours.id, **values})
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        return mailing

    def _commit(self):
        """Do what happens once a person's change is committed, and a second later."""
        self.env.flush_all()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()
        OPEN_UNTIL.clear()

    def test_outside_of_its_hours_a_mailing_waits(self):
        """Nobody is sent to, no attempt is spent, and all jobs wait together."""
        mailing = self._begin()
        jobs = self._jobs("_job_send")
        jobs.eta = False
        with patch.object(type(mailing), "_queue_compose") as compose:
            self._postponed(jobs[0])
        compose.assert_not_called()
        self.assertFalse(self.sent)
        self.assertEqual(self._traces(mailing).mapped("queue_attempts"), [0, 0])
        later = fields.Datetime.now() + timedelta(minutes=10)
        self.assertGreater(jobs[1].eta, later)

    def test_jobs_are_planned_for_later(self):
        self._begin()
        jobs = self._jobs("_job_send")
        self.assertEqual(len(jobs), 2)
        for job in jobs:
            self.assertGreater(job.eta, fields.Datetime.now())

    @freeze_time("2027-03-25 12:00:00")
    def test_hours_that_a_change_of_the_clock_leaves_out_are_closed(self):
        """It is planned, waits, and says when it goes on: in ten days."""
        self.hours.write(
            {
                **dict.fromkeys(DAYS[:6], False),
                "hour_from": 2.25,
                "hour_to": 2.75,
                "tz": "Europe/Berlin",
            }
        )
        mailing = self._begin()
        job = self._jobs("_job_send")[0]
        self.assertGreater(job.eta, datetime(2027, 3, 25, 12, 10))
        job.eta = False
        self._postponed(job)
        self.assertFalse(self.sent)
        mailing = mailing.with_context(tz="UTC", lang="en_US")
        self.assertIn("Sunday 00:15", self._waits_for(mailing))
        days = mailing._queue_within_hours(60) // 86_400
        self.assertEqual(days, 9)

    def test_hours_without_a_day_are_closed(self):
        """A constraint forbids them; what got past it does not open the mailing."""
        self.env.cr.execute(
            "ALTER TABLE mailing_queue_hours DROP CONSTRAINT IF EXISTS"
            " mailing_queue_hours_days_are_some"
        )
        self.hours.write(dict.fromkeys(DAYS, False))
        mailing = self._begin()
        job = self._jobs("_job_send")[0]
        self.assertTrue(job.eta)
        job.eta = False
        self._postponed(job)
        self.assertFalse(self.sent)
        self.assertIn("no day", self._waits_for(mailing))
        self.assertFalse(mailing._queue_within_hours(60))

    def test_a_marketer_changes_the_hours_and_it_goes_on(self):
        mailing = self._begin()
        self.hours.with_user(self.user).write(self.open)
        self._commit()
        self.assertFalse(any(self._jobs("_job_send").mapped("eta")))
        self._run_jobs()
        self.assertEqual(mailing.state, "done")
        self.assertEqual(len(self.sent), 2)

    def test_a_marketer_takes_the_hours_away_and_it_goes_on(self):
        mailing = self._begin()
        mailing.with_user(self.user).queue_hours_id = False
        self._commit()
        self._run_jobs()
        self.assertEqual(mailing.state, "done")

    def test_their_end_stops_a_job_within_one_message(self):
        self.env["ir.config_parameter"].set_param("mass_mailing_queue.job_size", "2")
        self.hours.write(self.open)
        mailing = self._begin()
        self._commit()

        def end(_address):
            self.hours.write(self.closed)
            OPEN_UNTIL.clear()

        self.replies["a@example.com"] = end
        self._postponed(self._jobs("_job_send"))
        self.assertEqual(self.sent, ["a@example.com"])
        self.assertEqual(
            self._traces(mailing).mapped("trace_status"), ["sent", "outgoing"]
        )

    def test_a_person_sending_to_some_keeps_to_the_hours(self):
        mailing = self._begin()
        self.assertEqual(self._traces(mailing)._send(), 0)
        self.assertFalse(self.sent)

    def test_hours_that_somebody_has_changed_postpone_nothing(self):
        """A worker found them over, a person changed them, the worker postpones."""
        mailing = self._begin()
        jobs = self._jobs("_job_send")
        jobs.eta = False
        self.env.flush_all()
        version = sql_pace.sending_hours(self.env.cr, mailing.id)[-1]
        self.env.cr.execute(
            "UPDATE mailing_queue_hours SET write_date = write_date + interval '1s'"
        )
        sql_pace.postpone_jobs(self.env.cr, mailing.id, version, 900)
        self.env.invalidate_all()
        self.assertFalse(any(jobs.mapped("eta")))

    def _waits_for(self, mailing):
        (row,) = mailing.queue_progress(waits=True)
        return row["waits_for"]

    def test_it_says_when_it_goes_on(self):
        mailing = self._begin()
        self.hours.write({"hour_from": 8.0, "hour_to": 8.5, "tz": "UTC"})
        now = datetime.now(timezone.utc)
        if (now.hour, now.minute < 30) == (8, True):
            self.hours.write({"hour_from": 20.0, "hour_to": 20.5})
        mailing = mailing.with_context(tz="UTC", lang="en_US")
        hour = f"{int(self.hours.hour_from):02}:00"
        self.assertRegex(
            self._waits_for(mailing), rf"^Sending hours: goes on \w+day {hour}\.$"
        )
        self.assertFalse(mailing._queue_may_stall(), "nobody is alarmed")
        self.assertFalse(mailing._queue_within_hours(False), "nobody knows")
        # Half an hour a day: an hour ends in the third opening at the latest.
        opens = mailing._queue_opens_in()
        for seconds, least in ((60, opens + 59), (3600, opens + 86_400 + 1799)):
            lasts = mailing._queue_within_hours(seconds)
            self.assertAlmostEqual(lasts, least, delta=5)
            self.assertFalse(mailing._queue_within_hours(0.0))
        mailing.queue_hours_id = False
        self.assertEqual(mailing._queue_may_stall(), mailing)
        self.assertNotIn("Sending hours", self._waits_for(mailing) or "")

    def test_they_are_in_the_zone_of_the_company(self):
        self.env.company.partner_id.tz = "Asia/Tokyo"
        self.env.user.tz = "Europe/Paris"
        hours = self.env["mailing.queue.hours"].create({"name": "By day"})
        self.assertEqual(hours.tz, "Asia/Tokyo")

    def test_a_pause_is_what_is_said_first(self):
        mailing = self._begin()
        mailing.action_queue_pause()
        self.assertNotIn("Sending hours", self._waits_for(mailing))

    def test_the_screens_ask_for_nothing_more(self):
        mailing = self._begin()
        mailing.queue_progress(waits=True)
        self.env.flush_all()
        for record in (mailing, self.hours, self._traces(mailing)):
            record.invalidate_model()
        statements = []

        def note(_cr, statement, *_params):
            # Other addons may look at a few rows of their own.
            text = str(getattr(statement, "code", statement))
            if "mailing_trace" in text or "queue_job" in text or "hours" in text:
                statements.append(text)

        thread = threading.current_thread()
        with patch.object(thread, "query_hooks", (note,), create=True):
            mailing.queue_progress(waits=True)
        self.assertLessEqual(len(statements), 3, statements)

    def test_versions_and_winner_of_a_test_keep_to_the_hours(self):
        mailing = self._mailing(
            queue_hours_id=self.hours.id,
            queue_priority="2",
            ab_testing_enabled=True,
            ab_testing_pc=50,
        )
        version = self.env["mailing.mailing"].browse(
            mailing.action_duplicate()["res_id"]
        )
        mailing.action_select_as_winner()
        winner = mailing.campaign_id.mailing_mail_ids.filtered(
            "ab_testing_is_winner_mailing"
        )
        for one in (version, winner):
            self.assertEqual(one.queue_hours_id, self.hours)
            self.assertEqual(one.queue_priority, "2")

    def test_hours_in_which_nothing_would_be_sent_are_refused(self):
        days = dict.fromkeys(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), False)
        for values in (days, {"hour_from": 24}, {"hour_to": -1}, {"hour_to": 25}):
            with (
                self.subTest(values),
                mute_logger("odoo.sql_db"),
                self.assertRaises(IntegrityError),
                self.cr.savepoint(),
            ):
                self.hours.write(values)
                self.env.flush_all()

    def test_hours_in_use_are_not_deleted(self):
        """Their mailings would be sent at night."""
        self._mailing(queue_hours_id=self.hours.id)
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(IntegrityError),
            self.cr.savepoint(),
        ):
            self.hours.unlink()

    def test_others_see_and_change_no_hours(self):
        nobody = new_test_user(self.env, "nobody", groups="base.group_user")
        with self.assertRaises(AccessError):
            self.hours.with_user(nobody).name  # noqa: B018
        with self.assertRaises(AccessError):
            self.hours.with_user(nobody).hour_to = 23
