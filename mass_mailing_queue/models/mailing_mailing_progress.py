# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models, tools
from odoo.tools import format_time

from .. import sql_screens
from ..wording import format_number, plural

#: Bars of the chart at most: more cannot be told apart on a phone.
CHART_BARS = 90


class MailingMailing(models.Model):
    """How far a mailing is, how fast, and what it waits for: for the screen.

    Counted from traces through an index, for any number of mailings at once; nobody
    writes the mailing to show it.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    queue_progress_data = fields.Json(
        "Progress",
        compute="_compute_queue_progress_data",
        help="Recipients by what became of them: sent, failed, in doubt, cancelled, "
        "waiting.",
    )
    queue_earlier_version_words = fields.Char(
        "Who Has the Earlier Version", compute="_compute_queue_words"
    )
    queue_held_words = fields.Char("Who Is Held", compute="_compute_queue_words")
    queue_in_doubt_words = fields.Char(
        "What Is in Doubt", compute="_compute_queue_words"
    )

    @api.depends("queue_earlier_version", "queue_held", "queue_in_doubt")
    @api.depends_context("lang")
    def _compute_queue_words(self):
        """Say how many people a warning is about, in whole sentences."""
        terms = {
            "earlier_version": (
                self.env._(
                    "%(count)s person got the earlier version. Everyone still waiting "
                    "will get the new one."
                ),
                self.env._(
                    "%(count)s people got the earlier version. Everyone still waiting "
                    "will get the new one."
                ),
            ),
            "held": (
                self.env._("%(count)s recipient is held."),
                self.env._("%(count)s recipients are held."),
            ),
            "in_doubt": (
                self.env._("%(count)s email may have arrived."),
                self.env._("%(count)s emails may have arrived."),
            ),
        }
        for mailing in self:
            for name, (one, many) in terms.items():
                count = mailing[f"queue_{name}"]
                words = bool(count) and plural(self.env, count, one, many)
                mailing[f"queue_{name}_words"] = words

    def _compute_queue_progress_data(self):
        managed = self.filtered(lambda mailing: mailing.queue_managed and mailing.id)
        rows = {row["id"]: row for row in managed._queue_progress_rows()}
        for mailing in self:
            mailing.queue_progress_data = rows.get(mailing.id, False)

    def queue_progress(self, waits=False):
        """Return how far these mailings are.

        Two statements, however many recipients and mailings there are; addons that tell
        more of what a mailing waits for ask one more.

        :param bool waits: also say what each one waits for
        :return: list of dicts: ``id``, ``state``, ``paused``, ``running`` (whether it
            changes by itself), numbers of recipients ``total``, ``sent``, ``waiting``,
            ``failed``, ``in_doubt``, ``cancelled``, ``held`` (among those waiting),
            ``rate`` (emails/second over the last minute), ``seconds_left`` (``False``
            if nobody knows), ``waits_for`` (a sentence or ``False``)
        :raises AccessError: if the user may not read mailings
        """
        self.check_access("read")
        return self._queue_progress_rows(waits)

    def _queue_progress_rows(self, waits=False):
        for model in ("mailing.trace", "queue.job"):
            self.env[model].flush_model()
        counts = sql_screens.progress(self.env.cr, self.ids, waits) if self else {}
        return [mailing._queue_prepare_progress(counts[mailing.id]) for mailing in self]

    def _queue_prepare_progress(self, counts):
        """Return one mailing's row of :meth:`queue_progress`.

        :param dict counts: see ``sql_screens.progress``
        """
        in_doubt = counts.get("in_doubt", 0)
        row = {
            "sent": sum(counts.get(name, 0) for name in sql_screens.SENT_STATUSES),
            "waiting": counts.get("outgoing", 0) + counts.get("process", 0),
            "failed": counts.get("error", 0) - in_doubt,
            "in_doubt": in_doubt,
            "cancelled": counts.get("cancel", 0),
        }
        total = sum(row.values())
        if self.state == "sending" and not self.queue_planned:
            # Those who have no trace yet wait, too: the bar must not grow.
            total = max(total, self.queue_recipients)
            row["waiting"] += total - sum(row.values())
        open_ = self.state == "sending" or self._queue_is_due()
        rate = counts["recent"] / max(counts["seconds"], 1)
        row |= {
            "id": self.id,
            "total": total,
            "held": counts.get("held", 0),
            "state": self.state,
            "paused": self.queue_paused,
            "running": open_ and (not self.queue_paused or "process" in counts),
            "rate": rate,
            "seconds_left": row["waiting"] / rate if open_ and rate else False,
            "waits_for": False,
        }
        if "standstill" in counts:
            if row["waiting"]:
                row["waits_for"] = self._queue_waits_for(counts["standstill"])
            if row["running"]:
                row["seconds_left"] = self._queue_within_hours(
                    self._queue_seconds_left(row["waiting"], rate)
                )
        return row

    def _queue_seconds_left(self, waiting, rate):
        """Return how long the rest takes, ``False`` if nobody knows. Extension point.

        Sending hours come on top.

        :param int waiting: recipients
        :param float rate: emails/second over the last minute
        """
        return waiting / rate if rate else False

    def _queue_waits_for(self, standstill):
        """Return a sentence on what keeps the mailing waiting. Extension point.

        What a person can do something about comes first. Nothing is asked for it,
        unless something is wrong.

        :param standstill: see ``sql_screens.STANDSTILL``
        :return: ``False`` if it is as fast as its workers are
        """
        self.ensure_one()
        if self.queue_cancelled:
            return self.env._("The rest is being cancelled.")
        if self.queue_paused:
            return self.queue_pause_reason or self.env._("Paused.")
        if self.state != "sending" and not self._queue_is_due():
            return False
        works, outages, seconds = standstill
        if outages and (wait := outages.get(str(self._queue_server_ref()))):
            return self.env._(
                "The mail server is not reachable: tried again at %s.",
                self._queue_clock(wait),
            )
        if not works:
            return self.env._("No job runner: sent slowly, by the scheduled action.")
        if seconds is not None:
            return self.env._(
                "Refused for now: tried again at %s.", self._queue_clock(seconds)
            )
        return False

    def _queue_describe_seconds(self, seconds):
        """Return a length of time in words.

        :param float seconds: more than 0
        """
        minutes = round(seconds / 60)
        if minutes < 1:
            return self.env._("less than a minute")
        if minutes == 1:
            return self.env._("a minute")
        if minutes < 60:
            return self.env._("%s minutes", minutes)
        if minutes < 72 * 60:
            return self.env._(
                "%(hours)s h %(minutes)s min",
                hours=minutes // 60,
                minutes=minutes % 60,
            )
        return self.env._("%s days", format_number(self.env, minutes / 1440, "%.1f"))

    @tools.ormcache("self.env.company.id", "self.mail_server_id.id", "self.email_from")
    def _queue_server_ref(self):
        """Return the server's id, 0 for that of the configuration file: for screens."""
        return self._queue_find_server().id or 0

    def _queue_clock(self, seconds):
        """Return the time of day in so many seconds, as the user reads it."""
        moment = fields.Datetime.add(fields.Datetime.now(), seconds=seconds)
        # The context's zone is the user's, and nothing has to be read for it.
        return format_time(self.env, moment, self.env.context.get("tz"), "short")

    def queue_pace(self):
        """Return the emails a minute over the campaign, for the chart.

        :return: dict: ``seconds`` of each span, ``points``: list of [begin (UTC),
            emails a minute]
        :raises AccessError: if the user may not read mailings
        """
        self.check_access("read")
        if not self:
            return False
        self.ensure_one()
        self.env["mailing.trace"].flush_model()
        seconds, points = sql_screens.pace(self.env.cr, self.id, CHART_BARS)
        return {
            "seconds": seconds,
            "points": [
                [fields.Datetime.to_string(begin), round(count * 60 / seconds, 1)]
                for begin, count in points
            ],
        }
