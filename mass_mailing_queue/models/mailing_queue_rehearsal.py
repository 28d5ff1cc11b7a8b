# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models

from .. import sql_pace
from ..wording import plural


class MailingQueueRehearsal(models.Model):
    """What a rehearsal came to: how many, how fast, how long, what failed.

    Figures are those of the copy that is rehearsed, and kept when it is deleted.
    """

    _name = "mailing.queue.rehearsal"
    _description = "Rehearsal of a Mailing"
    _order = "id desc"
    _rec_name = "mailing_id"

    mailing_id = fields.Many2one(
        "mailing.mailing", required=True, readonly=True, ondelete="cascade", index=True
    )
    copy_id = fields.Many2one(
        "mailing.mailing",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        groups="base.group_system",
        help="What is sent.",
    )
    state = fields.Selection(
        [("running", "Running"), ("stopped", "Stopped"), ("done", "Done")],
        default="running",
        required=True,
        readonly=True,
    )
    server = fields.Char("Rehearsal Server", readonly=True)
    started_at = fields.Datetime("Started", readonly=True)
    ended_at = fields.Datetime("Ended", readonly=True)
    reason = fields.Text(
        "Why it Ended", readonly=True, help="If it ended before everybody was sent to."
    )
    result = fields.Json(readonly=True)
    total = fields.Integer("Recipients", compute="_compute_figures")
    sent = fields.Integer(compute="_compute_figures")
    failed = fields.Integer(compute="_compute_figures")
    left_out = fields.Integer(
        compute="_compute_figures",
        help="Opted out, blacklisted, duplicates, invalid; or not sent when it ended.",
    )
    waiting = fields.Integer(compute="_compute_figures")
    rate = fields.Float(
        "Emails per Second",
        digits=(16, 1),
        compute="_compute_figures",
        help="From the first email to the last.",
    )
    duration = fields.Char(
        compute="_compute_figures", help="From the first email to the last."
    )
    failures = fields.Text(
        "Reasons for Failures",
        compute="_compute_figures",
        help="The most frequent one first.",
    )

    @api.depends("state", "result")
    def _compute_figures(self):
        for rehearsal in self:
            figures = rehearsal.result or rehearsal.sudo()._get_figures()
            seconds = figures.get("seconds", 0)
            for name in ("total", "sent", "failed", "left_out", "waiting"):
                rehearsal[name] = figures.get(name, 0)
            rehearsal.rate = rehearsal.sent / seconds if seconds else 0
            rehearsal.duration = bool(seconds) and rehearsal._describe(seconds)
            rehearsal.failures = "\n".join(
                f"{count} × {words}" for count, words in figures.get("failures", ())
            )

    def _describe(self, seconds):
        if seconds < 90:
            return plural(
                self.env,
                round(seconds),
                self.env._("%(count)s second"),
                self.env._("%(count)s seconds"),
            )
        return self.mailing_id._queue_describe_seconds(seconds)

    def _get_figures(self):
        """Return the figures of the copy as they are now."""
        if not self.copy_id:
            return {}
        (row,) = self.copy_id._queue_progress_rows()
        return {
            "total": row["total"],
            "sent": row["sent"],
            "failed": row["failed"] + row["in_doubt"],
            "left_out": row["cancelled"],
            "waiting": row["waiting"],
            "seconds": sql_pace.sending_seconds(self.env.cr, self.copy_id.id),
            "failures": self.copy_id._queue_failure_reasons(),
        }

    # ------------------------------------------------------------------
    # Life
    # ------------------------------------------------------------------

    def _start(self):
        """Send the copy. Extension point: what it needs is created before."""
        mailing = self.mailing_id.with_context(
            tracking_disable=True, mail_create_nosubscribe=True
        )
        host, port = mailing._queue_rehearsal_address()
        copy = mailing.copy(mailing._queue_prepare_rehearsal())
        # The report of traces leaves out sources of this name.
        copy.source_id.name = f"mass_mailing_queue.rehearsal.{self.id}"
        self.write(
            {
                "copy_id": copy.id,
                "server": f"{host}:{port}",
                "started_at": fields.Datetime.now(),
            }
        )
        copy.action_put_in_queue()

    def _end(self):
        """Keep the figures, now that the last email has left."""
        for rehearsal in self.filtered(lambda one: one.state == "running"):
            rehearsal.write(
                {
                    "result": rehearsal._get_figures(),
                    "ended_at": fields.Datetime.now(),
                    "state": "stopped" if rehearsal.reason else "done",
                }
            )

    def action_stop(self):
        """End it within one email per worker."""
        for rehearsal in self:
            rehearsal.mailing_id.check_access("write")
            running = rehearsal.sudo()
            if running.state == "running" and not running.reason:
                running.reason = self.env._("Stopped by %s.", self.env.user.name)
                running.copy_id.action_queue_cancel()
        return True

    def action_refresh(self):
        """Look again: the form is read anew."""
        return True
