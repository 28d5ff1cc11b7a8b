# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging
from unittest.mock import patch

from odoo.exceptions import ValidationError
from odoo.tests import Form, new_test_user, tagged
from odoo.tools import config

from .common import QueueCase

LOGGER = "odoo.addons.mass_mailing_queue.models.mailing_mailing_pause"


@tagged("-at_install", "post_install")
class TestAlert(QueueCase):
    """Each alert is raised once, told once, and cleared when it is over."""

    def setUp(self):
        super().setUp()
        self.alerts = self.env["mailing.queue.alert"]
        self.person = new_test_user(self.env, "operator", groups="base.group_user")
        self.person.notification_type = "inbox"
        self._set("alert_user_id", self.person.id)
        self._contacts("a@example.com", "b@example.com")
        self.mailing = self._mailing()
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))

    def _set(self, name, value):
        key = f"mass_mailing_queue.{name}"
        self.env["ir.config_parameter"].set_param(key, str(value))

    def _check(self):
        self.alerts._cron_check()

    def _told(self):
        """What the person was told, oldest first."""
        messages = self.env["mail.message"].search(
            [("notified_partner_ids", "in", self.person.partner_id.ids)], order="id"
        )
        return messages.mapped("subject")

    def _raised(self):
        return self.alerts.search([("state", "=", "raised")]).mapped("kind")

    def _age(self, minutes=20):
        """Let so many minutes pass for the mailing."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE mailing_mailing SET queue_resumed_at = queue_resumed_at "
            "- %s * interval '1 minute' WHERE id = %s",
            [minutes, self.mailing.id],
        )
        self.env.cr.execute(
            "UPDATE mailing_trace SET sent_datetime = sent_datetime "
            "- %(m)s * interval '1 minute', queue_claimed_at = queue_claimed_at "
            "- %(m)s * interval '1 minute'",
            {"m": minutes},
        )
        self.env.invalidate_all()

    def test_too_many_wait(self):
        self._set("alert_depth", 1)
        self._check()
        self._check()
        self.assertEqual(self._raised(), ["depth"])
        self.assertEqual(self._told(), ["Too many wait"])
        self._run_jobs()
        self._check()
        self._check()
        self.assertFalse(self._raised())
        self.assertEqual(self._told(), ["Too many wait", "Over: Too many wait"])

    def test_as_many_as_the_limit_are_not_too_many(self):
        self._set("alert_depth", 2)
        self._check()
        self.assertFalse(self._raised())

    def test_more_and_more_wait(self):
        """Three checks in a row, not two; over when it does not grow any more."""
        late = []
        for number in range(4):
            self.assertFalse(self._raised(), number)
            self._check()
            late += self._contacts(f"late{number}@example.com").ids
            self.mailing._queue_plan_traces(late[-1:])
        self.assertEqual(self._raised(), ["growing"], "2, 3, 4")
        self.assertEqual(self._told(), ["More and more wait"])
        self._check()
        self.assertEqual(self._raised(), ["growing"])
        self._check()
        self.assertFalse(self._raised())
        self.assertEqual(len(self._told()), 2)

    def test_a_plan_grows_and_alarms_nobody(self):
        self.mailing.queue_planned = False
        for number in range(4):
            self._check()
            contact = self._contacts(f"late{number}@example.com")
            self.mailing._queue_plan_traces(contact.ids)
        self.assertFalse(self._raised())

    def test_nothing_is_sent(self):
        self._check()
        self.assertFalse(self._raised(), "it has just begun")
        self._age()
        with self.assertLogs(LOGGER, logging.INFO) as log:
            self._check()
        self.assertIn("event=stall", log.output[0])
        self.assertIn("reason=no-progress", log.output[0])
        self._check()
        alert = self.alerts.search([("state", "=", "raised")])
        self.assertEqual(alert.kind, "stalled")
        self.assertEqual(alert.mailing_id, self.mailing)
        self.assertEqual(self._told(), ["Nothing is sent"])
        self._perform(self._jobs("_job_send")[0])
        self._check()
        self.assertEqual(alert.state, "over")
        self.assertEqual(self._told(), ["Nothing is sent", "Over: Nothing is sent"])
        self._age()
        self._check()
        self.assertEqual(alert.state, "raised", "again")

    def test_who_is_meant_to_wait_alarms_nobody(self):
        """Paused, held, or waiting for a next attempt."""
        self._age()
        traces = self._traces(self.mailing)
        for model, vals, undo in (
            (self.mailing, {"queue_paused": True}, {"queue_paused": False}),
            (traces, {"queue_held": True}, {"queue_held": False}),
            (
                traces,
                {"queue_next_attempt": "2099-01-01"},
                {"queue_next_attempt": False},
            ),
            (traces, {"trace_status": "cancel"}, {"trace_status": "outgoing"}),
        ):
            model.write(vals)
            self._check()
            self.assertFalse(self._raised(), vals)
            model.write(undo)
        self._check()
        self.assertEqual(self._raised(), ["stalled"])

    def test_what_is_due_and_never_begins(self):
        """Its scheduled action is dead."""
        mailing = self._mailing(
            state="in_queue", queue_managed=True, schedule_date="2020-01-01"
        )
        self._check()
        self.assertEqual(
            self.alerts.search([("state", "=", "raised")]).mailing_id, mailing
        )

    def test_the_runner_is_gone(self):
        """One that was there before: two checks in a row, while something is sent."""
        present = patch.object(
            type(self.mailing), "_queue_runner_is_present", return_value=True
        )
        with present:
            self._check()
        self._check()
        self.assertFalse(self._raised(), "it may restart")
        self._check()
        self.assertEqual(self._raised(), ["runner"])
        with present:
            self._check()
        self.assertFalse(self._raised())
        self.assertEqual(self._told(), ["No job runner", "Over: No job runner"])

    def test_a_runner_that_was_never_there_is_not_missed(self):
        self._check()
        self._check()
        self.assertFalse(self._raised())

    def test_a_runner_that_is_configured_is_missed(self):
        modules = ["base", "web", "queue_job"]
        with patch.dict(config.options, {"server_wide_modules": modules}):
            self._check()
            self._check()
            self.assertEqual(self._raised(), ["runner"])
            self.mailing.action_queue_pause()
            self._check()
        self.assertFalse(self._raised(), "nobody waits for it")

    def test_a_channel_is_told(self):
        channel = self.env["discuss.channel"].create({"name": "Operations"})
        self._set("alert_user_id", 0)
        self._set("alert_channel_id", channel.id)
        self._age()
        self._check()
        (message,) = channel.message_ids.filtered(lambda m: m.message_type == "comment")
        self.assertIn("Nothing is sent", message.body)
        self.assertFalse(self._told())

    def test_with_nobody_named_the_responsible_is_told(self):
        self._set("alert_user_id", "junk")
        self.mailing.user_id = self.person
        self._age()
        self._check()
        self.assertEqual(self._told(), ["Nothing is sent"])

    def test_settings(self):
        """0 stays 0, and is never; what is no number is refused in words."""
        with Form(self.env["res.config.settings"]) as form:
            self.assertEqual(form.mass_mailing_queue_alert_minutes, 10)
            self.assertEqual(form.mass_mailing_queue_alert_growing, 3)
            form.mass_mailing_queue_alert_minutes = 0
            form.mass_mailing_queue_pause_failures = 0
        form.record.execute()
        with Form(self.env["res.config.settings"]) as form:
            self.assertEqual(form.mass_mailing_queue_alert_minutes, 0)
            self.assertEqual(form.mass_mailing_queue_pause_failures, 0)
            self.assertEqual(form.mass_mailing_queue_alert_user_id, self.person)
        self._age()
        self._check()
        self.assertFalse(self._raised())
        for values in (
            {"mass_mailing_queue_alert_minutes": -1},
            {
                "mass_mailing_queue_pause_failures": 10,
                "mass_mailing_queue_pause_window": 10,
            },
        ):
            with self.assertRaises(ValidationError):
                self.env["res.config.settings"].create(values)

    def test_a_marketer_reads_alerts_and_changes_none(self):
        self._age()
        self._check()
        alerts = self.alerts.with_user(self.user)
        self.assertEqual(alerts.search_count([("state", "=", "raised")]), 1)
        self.assertFalse(alerts.has_access("write"))
        self.assertFalse(alerts.has_access("create"))
        self.assertFalse(alerts.has_access("unlink"))
        self.assertFalse(self.alerts.with_user(self.person).has_access("read"))
