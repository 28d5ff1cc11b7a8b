# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import threading
from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .. import sql_outage, sql_runner
from .common import QueueCase, refused


@tagged("-at_install", "post_install")
class TestProgress(QueueCase):
    """What the screens say of a mailing that is under way."""

    def _planned(self, count=5):
        self._contacts(*[f"c{number}@example.com" for number in range(count)])
        mailing = self._mailing()
        mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        return mailing.with_user(self.user)

    def _runner(self):
        """Lead as a job runner does."""
        self.cr.execute("SELECT pg_advisory_xact_lock(%s)", [sql_runner.RUNNER_LOCK])

    def _row(self, mailing):
        (row,) = mailing.queue_progress(waits=True)
        return row

    def _numbers(self, mailing):
        names = ("total", "sent", "waiting", "failed", "in_doubt", "cancelled", "held")
        row = self._row(mailing)
        return {name: row[name] for name in names if row[name]}

    def test_everybody_is_counted_once(self):
        mailing = self._planned(7)
        traces = self._traces(mailing)
        now = fields.Datetime.now()
        traces[0].write({"trace_status": "open", "sent_datetime": now})
        traces[1].write({"trace_status": "bounce", "sent_datetime": now})
        traces[2].write({"trace_status": "error", "failure_type": "unknown"})
        traces[3].write({"trace_status": "error", "failure_type": "queue_in_doubt"})
        traces[4].write({"trace_status": "cancel"})
        traces[5].write({"trace_status": "process"})
        traces[6].write({"queue_held": True})
        self.assertEqual(
            self._numbers(mailing),
            {
                "total": 7,
                "sent": 2,
                "failed": 1,
                "in_doubt": 1,
                "cancelled": 1,
                "waiting": 2,
                "held": 1,
            },
        )
        self.assertEqual(
            (mailing.queue_failed, mailing.queue_in_doubt, mailing.queue_held),
            (1, 1, 1),
        )

    def test_a_decision_is_counted_no_more_once_it_is_taken(self):
        mailing = self._planned(2)
        traces = self._traces(mailing)
        # As they are when a retry, or Cancel, has dealt with them.
        traces[0].write({"trace_status": "sent", "failure_type": "queue_in_doubt"})
        traces[1].write({"trace_status": "cancel", "queue_held": True})
        self.assertEqual(
            self._numbers(mailing), {"total": 2, "sent": 1, "cancelled": 1}
        )

    def test_who_has_no_trace_yet_waits_too(self):
        mailing = self._planned(3)
        mailing.sudo().write({"queue_planned": False, "queue_recipients": 10})
        self.assertEqual(self._numbers(mailing), {"total": 10, "waiting": 10})

    def test_rate_is_that_of_the_last_minute(self):
        mailing = self._planned(8)
        now = fields.Datetime.now()
        sent = self._traces(mailing)[:4]
        for trace, ago in zip(sent, (300, 40, 20, 10), strict=True):
            trace.write(
                {
                    "trace_status": "sent",
                    "sent_datetime": now - timedelta(seconds=ago),
                }
            )
        self._runner()
        row = self._row(mailing)
        self.assertAlmostEqual(row["rate"], 3 / 60)
        self.assertAlmostEqual(row["seconds_left"], 4 / (3 / 60))

    def test_a_campaign_that_has_just_begun_has_a_rate(self):
        mailing = self._planned(4)
        self.cr.execute(
            """
            UPDATE mailing_trace SET trace_status = 'sent',
                   sent_datetime = now() AT TIME ZONE 'utc' - interval '2 seconds'
             WHERE id = ANY(%s)
            """,
            [self._traces(mailing)[:2].ids],
        )
        self.env.invalidate_all()
        self.assertAlmostEqual(self._row(mailing)["rate"], 1)

    def test_it_says_what_it_waits_for(self):
        mailing = self._planned()
        self.assertIn("No job runner", self._row(mailing)["waits_for"])
        self._runner()
        self.assertNotIn("No job runner", self._row(mailing)["waits_for"] or "")
        later = fields.Datetime.now() + timedelta(hours=1)
        self._traces(mailing).queue_next_attempt = later
        self.assertIn("tried again at", self._row(mailing)["waits_for"])
        self.env.flush_all()
        sql_outage.outage_begin(self.cr, self.server.id, "no route")
        sql_outage.outage_retry_in(self.cr, self.server.id, 600)
        self.assertIn("not reachable", self._row(mailing)["waits_for"])
        mailing.action_queue_pause()
        self.assertEqual(
            self._row(mailing)["waits_for"], f"Paused by {self.user.name}."
        )

    def test_another_servers_outage_is_not_ours(self):
        mailing = self._planned()
        self._runner()
        sql_outage.outage_begin(self.cr, self.server.id + 1000, "no route")
        sql_outage.outage_retry_in(self.cr, self.server.id + 1000, 600)
        self.assertNotIn("not reachable", self._row(mailing)["waits_for"] or "")

    def test_it_runs_while_it_changes_by_itself(self):
        mailing = self._planned()
        self.assertTrue(self._row(mailing)["running"])
        mailing.action_queue_pause()
        self.assertFalse(self._row(mailing)["running"])
        trace = self._traces(mailing)[0]
        trace.trace_status = "process"
        self.assertTrue(self._row(mailing)["running"], "a worker still has one")
        trace.trace_status = "outgoing"
        mailing.action_queue_resume()
        self._run_jobs()
        self.assertFalse(self._row(mailing)["running"])

    def test_a_scheduled_mailing_does_not_run_yet(self):
        self._contacts("a@example.com")
        mailing = self._mailing(
            schedule_type="scheduled",
            schedule_date=fields.Datetime.now() + timedelta(days=1),
        )
        mailing.action_put_in_queue()
        row = self._row(mailing.with_user(self.user))
        self.assertFalse(row["running"])
        self.assertFalse(row["waits_for"])

    def test_native_and_new_mailings_have_no_bar(self):
        native = self._mailing()
        self.assertFalse(native.queue_progress_data)
        self.assertFalse(self.env["mailing.mailing"].new({}).queue_progress_data)
        managed = self._planned()
        both = native | managed.sudo()
        self.assertEqual(
            [bool(data) for data in both.mapped("queue_progress_data")], [False, True]
        )

    def test_two_statements_for_any_number(self):
        mailing = self._planned()
        self._runner()
        mailings = mailing
        for _number in range(5):
            mailings |= mailing.copy()
        for records, waits in ((mailing, True), (mailings, True), (mailings, False)):
            statements = self._statements(lambda: records.queue_progress(waits=waits))  # noqa: B023
            self.assertLessEqual(len(statements), 2, statements)

    def test_an_outage_is_that_of_the_server_in_use(self):
        """Which server that is, follows each change of the servers."""
        mailing = self._planned()
        self._runner()
        self.cr.execute(
            "INSERT INTO mailing_queue_outage (server_ref, since, retry_at, failures) "
            "VALUES (%s, now(), now() AT TIME ZONE 'utc' + interval '1 minute', 1)",
            [self.server.id],
        )
        self.assertIn("not reachable", self._row(mailing)["waits_for"])
        other = self.server.copy({"sequence": self.server.sequence - 1})
        self.assertNotIn("not reachable", self._row(mailing)["waits_for"] or "")
        other.active = False
        self.assertIn("not reachable", self._row(mailing)["waits_for"])
        other.active = True
        self.assertNotIn("not reachable", self._row(mailing)["waits_for"] or "")
        other.unlink()
        self.assertIn("not reachable", self._row(mailing)["waits_for"])

    def test_cards_ask_no_more_for_many_than_for_one(self):
        mailing = self._planned()
        mailings = mailing.browse()
        for _number in range(4):
            mailings |= self._planned()
        costs = [
            len(self._statements(lambda: records.mapped("queue_progress_data")))  # noqa: B023
            for records in (mailing, mailings)
        ]
        self.assertEqual(costs, [2, 2])
        self.assertTrue(all(mailings.mapped("queue_progress_data")))

    def _statements(self, look):
        """Return what is asked of traces and mailings, with nothing cached."""
        statements = []

        def note(_cr, statement, *_params):
            # Other addons may look at a few rows of their own.
            text = str(getattr(statement, "code", statement))
            if "mailing_trace" in text or "mailing_mailing" in text:
                statements.append(text)

        look()
        self.env.flush_all()
        self.env.invalidate_all()
        with patch.object(
            threading.current_thread(), "query_hooks", (note,), create=True
        ):
            look()
        return statements

    def test_pace_has_a_bar_for_each_minute(self):
        mailing = self._planned(4)
        begin = fields.Datetime.to_datetime("2026-03-01 10:00:30")
        for trace, minutes in zip(self._traces(mailing), (0, 0, 1, 3), strict=True):
            trace.write(
                {
                    "trace_status": "sent",
                    "sent_datetime": begin + timedelta(minutes=minutes),
                }
            )
        self.assertEqual(
            mailing.queue_pace(),
            {
                "seconds": 60,
                "points": [
                    ["2026-03-01 10:00:00", 2],
                    ["2026-03-01 10:01:00", 1],
                    ["2026-03-01 10:02:00", 0],
                    ["2026-03-01 10:03:00", 1],
                ],
            },
        )
        self._traces(mailing)[3].sent_datetime = begin + timedelta(days=1)
        pace = mailing.queue_pace()
        self.assertLessEqual(len(pace["points"]), 90)
        emails = sum(count for _begin, count in pace["points"]) * pace["seconds"] / 60
        self.assertAlmostEqual(emails, 4, delta=2, msg="rounded for each bar")

    def test_pace_of_nothing_is_empty(self):
        self.assertEqual(self._planned().queue_pace()["points"], [])

    def test_who_may_not_read_mailings_learns_nothing(self):
        mailing = self._planned()
        other = new_test_user(self.env, "nobody", groups="base.group_user")
        for method in ("queue_progress", "queue_pace"):
            with self.assertRaises(AccessError):
                getattr(mailing.with_user(other), method)()

    def test_retry_leaves_out_what_is_in_doubt_and_says_how_many_there_are(self):
        self.replies = {"c0@example.com": refused("c0@example.com", 550, b"no")}
        mailing = self._planned(2)
        self._run_jobs()
        self._traces(mailing)[1].write(
            {"trace_status": "error", "failure_type": "queue_in_doubt"}
        )
        mailing.invalidate_recordset()
        self.assertEqual((mailing.queue_failed, mailing.queue_in_doubt), (1, 1))
        mailing.action_retry_failed()
        mailing.invalidate_recordset()
        self.assertEqual((mailing.queue_failed, mailing.queue_in_doubt), (0, 1))

    def test_after_an_edit_the_form_says_who_has_the_earlier_version(self):
        mailing = self._planned(3)
        self._perform(self._jobs("_job_send")[0])
        mailing.action_queue_pause()
        mailing.write({"subject": "News"})
        self.assertEqual(mailing.queue_earlier_version, 1)
        mailing.action_queue_resume()
        self.assertEqual(mailing.queue_earlier_version, 1, "it stays true")
        self._run_jobs()
        mailing.copy().action_launch()
        self.assertEqual(mailing.copy().queue_earlier_version, 0)

    def test_job_of_a_recipient_is_for_those_who_may_read_jobs(self):
        mailing = self._planned(1)
        trace = self._traces(mailing)
        manager = new_test_user(
            self.env,
            "operator",
            groups="mass_mailing.group_mass_mailing_user,"
            "queue_job.group_queue_job_manager",
        )
        action = trace.with_user(manager).action_view_queue_job()
        job = self.env["queue.job"].browse(action["res_id"])
        self.assertEqual(job.uuid, trace.queue_job_uuid)
        with self.assertRaises(AccessError):
            trace.with_user(self.user).action_view_queue_job()
