# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import math
import time
from datetime import datetime, timedelta, timezone

from odoo import fields, models
from odoo.tools import format_datetime
from odoo.tools.lru import LRU

from .. import sql_pace
from ..exceptions import DeliveryPostponed
from ..ledger import Ledger
from ..sending_hours import SendingHours

#: Workers look at the sending hours again after this (seconds): somebody may have
#: changed them.
LOOK = 1.0

#: So do jobs that wait for them, should nobody call them (seconds).
LOOK_AGAIN = 900.0

#: What takes longer has no end that is worth a date (seconds): ten years.
FORESIGHT = 10 * 365 * 86_400

#: Until when a mailing may be sent (``time.monotonic()``), by database and mailing.
OPEN_UNTIL = LRU(256)


class MailingMailing(models.Model):
    """Which mailing goes first, and when none of it may leave."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    queue_priority = fields.Selection(
        [("0", "Low"), ("1", "Normal"), ("2", "High"), ("3", "Urgent")],
        "Priority",
        default="1",
        required=True,
        tracking=True,
        help="Which mailing goes first when several are sent at the same time. Those "
        "of the same priority take turns. It can be changed while they are sent.",
    )
    queue_hours_id = fields.Many2one(
        "mailing.queue.hours",
        "Sending Hours",
        ondelete="restrict",
        index="btree_not_null",
        tracking=True,
        help="Days and times outside of which the mailing waits; then it goes on by "
        "itself. Empty: it is sent at any time. It can be changed while it is sent.",
    )

    def write(self, vals):
        """Let the jobs that wait follow a change of priority or hours."""
        result = super().write(vals)
        if "queue_priority" in vals:
            self._queue_after_commit(sql_pace.prioritize_jobs)
        if "queue_hours_id" in vals:
            self._queue_call_jobs()
        return result

    def _queue_after_commit(self, statement):
        """Run a statement on the jobs of these mailings once this is committed.

        On the ledger: jobs start and end all the time, and under the ORM's REPEATABLE
        READ each would make this transaction fail. The fan-out writes the mailing with
        every slice, so none of its jobs keeps what was before.

        :param statement: a function of ``sql_pace.py`` that takes mailings' ids
        """
        ids, env = self._queue_under_way().ids, self.env

        def run():
            with Ledger(env) as ledger:
                ledger.run(statement, ids)

        if ids:
            self.env.cr.postcommit.add(run)

    # ------------------------------------------------------------------
    # Priority
    # ------------------------------------------------------------------

    def _queue_urgency(self):
        """Return how urgent the mailing is, from 0 to ``slicing.MOST_URGENT``."""
        return int(self.queue_priority or 1)

    # ------------------------------------------------------------------
    # Sending hours
    # ------------------------------------------------------------------

    def _queue_call_jobs(self):
        """Let the jobs that wait for the sending hours look at them again."""
        self._queue_after_commit(sql_pace.call_jobs)

    def _queue_check_hours(self, ledger):
        """Make sure that emails may leave now. Extension point.

        Called before a job composes anything, and last of all before each claim. Costs
        nothing for a second after it has looked.

        :raises DeliveryPostponed: outside of the sending hours; the mailing's waiting
            jobs come back later, too
        """
        key = self.env.cr.dbname, self.id
        if time.monotonic() < OPEN_UNTIL.get(key, 0):
            return
        lasts = LOOK
        if found := ledger.run(sql_pace.sending_hours, self.id):
            *when, version = found
            hours = SendingHours(*when)
            now = datetime.now(timezone.utc)
            if wait := hours.opens_in(now):
                # queue_job cuts off what is less than a second.
                seconds = min(wait, LOOK_AGAIN) + 1
                ledger.run(sql_pace.postpone_jobs, self.id, version, seconds)
                raise DeliveryPostponed(self._queue_describe_opening(wait), seconds)
            lasts = min(lasts, hours.closes_in(now))
        OPEN_UNTIL[key] = time.monotonic() + lasts

    def _queue_opens_in(self):
        """Return in how many seconds the mailing may be sent.

        :return: 0 for now, ``inf`` for never
        """
        if not self.queue_hours_id:
            return 0.0
        hours = self.queue_hours_id._get_sending_hours()
        return hours.opens_in(datetime.now(timezone.utc))

    def _queue_describe_opening(self, seconds):
        """Return when the mailing goes on, as the user reads times.

        :param float seconds: until then
        """
        if seconds == math.inf:
            return self.env._("Sending hours: no day is chosen.")
        moment = fields.Datetime.now() + timedelta(seconds=math.ceil(seconds))
        # The context's zone is the user's, and nothing has to be read for it.
        tz = self.env.context.get("tz")
        return self.env._(
            "Sending hours: goes on %(weekday)s %(time)s.",
            weekday=format_datetime(self.env, moment, tz=tz, dt_format="EEEE"),
            time=format_datetime(self.env, moment, tz=tz, dt_format="HH:mm"),
        )

    def _queue_next_eta(self):
        """Leave new jobs to the sending hours."""
        seconds = math.ceil(min(self._queue_opens_in(), LOOK_AGAIN))
        return seconds or super()._queue_next_eta()

    def _queue_may_stall(self):
        """Leave out who waits for their sending hours."""
        return (
            super()
            ._queue_may_stall()
            .filtered(lambda mailing: not mailing._queue_opens_in())
        )

    def _queue_waits_for(self, standstill):
        """Say when the sending hours begin."""
        if self._queue_may_plan() and (seconds := self._queue_opens_in()):
            return self._queue_describe_opening(seconds)
        return super()._queue_waits_for(standstill)

    def _queue_within_hours(self, seconds):
        """Return how long sending takes with the hours in which nothing is sent.

        :param float seconds: how long it takes without, ``False`` if nobody knows
        """
        if not (seconds and self.queue_hours_id):
            return seconds
        hours = self.queue_hours_id._get_sending_hours()
        lasts = hours.lasts(datetime.now(timezone.utc), seconds)
        return lasts < math.inf and lasts

    def _queue_obstacle(self):
        """Say before *Send* when the sending hours begin."""
        words = super()._queue_obstacle()
        if seconds := not words and self._queue_opens_in():
            return self._queue_describe_opening(seconds)
        return words
