# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging

from odoo import api, fields, models
from odoo.tools import config, plaintext2html

from .. import sql_watch
from ..wording import plural

_logger = logging.getLogger(__name__)

#: Checks in a row in which the number of those who wait grew, and minutes without
#: anything sent, until somebody is told.
ALERT_GROWING, ALERT_MINUTES = 3, 10

#: A runner that restarts is away for one check.
RUNNER_CHECKS = 2


class MailingQueueAlert(models.Model):
    """Something that somebody has to look at: told once, and once when it is over.

    ============  ============  ==================================================
    from          to            when
    ============  ============  ==================================================
    (none)        watching      it is seen for the first time
    watching      raised        it was seen in enough checks in a row: people are told
    raised        over          it is seen no more: people are told
    over          raised        as from *watching*
    ============  ============  ==================================================

    One row for each kind and mailing, written by one scheduled action.
    """

    _name = "mailing.queue.alert"
    _description = "Sending Alert"
    _order = "state, raised_at desc, id desc"
    _log_access = False
    _rec_name = "kind"

    kind = fields.Selection(
        [
            ("depth", "Too many wait"),
            ("growing", "More and more wait"),
            ("stalled", "Nothing is sent"),
            ("runner", "No job runner"),
        ],
        required=True,
    )
    mailing_id = fields.Many2one("mailing.mailing", ondelete="cascade")
    state = fields.Selection(
        [("raised", "Raised"), ("over", "Over"), ("watching", "Watching")],
        required=True,
        default="watching",
    )
    checks = fields.Integer(
        "Checks in a Row", help="Number of checks in a row in which it was seen."
    )
    value = fields.Integer(
        default=-1,
        help="What the last check measured, where the next needs it. -1: nothing yet.",
    )
    message = fields.Char("What is Wrong")
    raised_at = fields.Datetime("Raised")
    cleared_at = fields.Datetime("Over Since")

    _kind_uniq = models.UniqueIndex("(kind, COALESCE(mailing_id, 0))")

    # ------------------------------------------------------------------
    # Checks
    # ------------------------------------------------------------------

    @api.model
    def _cron_check(self):
        """Look at everything, tell what began and what is over (scheduled action)."""
        self.env.flush_all()
        person = self._find_person()
        alerts = self.with_context(lang=person.lang) if person else self
        for name in alerts._get_checks():
            getattr(alerts, name)()

    @api.model
    def _get_checks(self):
        """Return the names of the methods that check. Extension point.

        Each takes nothing, asks one thing that an index answers and calls
        :meth:`_follow`.
        """
        return ["_check_depth", "_check_growing", "_check_stalled", "_check_runner"]

    @api.model
    def _check_depth(self):
        limit = self._setting("alert_depth", 0)
        count = sql_watch.depth(self.env.cr) if limit else 0
        self._follow(
            "depth",
            {
                False: self.env._(
                    "%(count)s recipients wait, more than %(limit)s.",
                    count=count,
                    limit=limit,
                )
            }
            if count > limit
            else {},
        )

    @api.model
    def _check_growing(self):
        """Watch those who wait and are planned: planning itself makes them more."""
        checks = self._setting("alert_growing", ALERT_GROWING)
        alert = self._watched("growing")
        count = sql_watch.depth(self.env.cr, planned_only=True)
        grown = checks and 0 <= alert.value < count
        alert.value = count
        self._follow(
            "growing",
            {
                False: self.env._(
                    "More and more recipients wait: %s now. More mailings are being "
                    "sent than the workers can handle.",
                    count,
                )
            }
            if grown
            else {},
            checks,
        )

    @api.model
    def _check_stalled(self):
        minutes = self._setting("alert_minutes", ALERT_MINUTES)
        ids = sql_watch.stalled(self.env.cr, minutes) if minutes else []
        mailings = self.env["mailing.mailing"].browse(ids)._queue_may_stall()
        self._follow(
            "stalled",
            {
                mailing.id: plural(
                    self.env,
                    minutes,
                    self.env._(
                        "No email of %(mailing)s has left for %(count)s minute. %(why)s"
                    ),
                    self.env._(
                        "No email of %(mailing)s has left for %(count)s minutes. "
                        "%(why)s"
                    ),
                    mailing=mailing.display_name,
                    why=row["waits_for"] or "",
                ).rstrip()
                for mailing, row in zip(
                    mailings, mailings.queue_progress(waits=True), strict=True
                )
            },
        )

    @api.model
    def _check_runner(self):
        """Watch a runner that is configured, or was seen before."""
        mailings = self.env["mailing.mailing"]
        alert = self._watched("runner")
        present = mailings._queue_runner_is_present()
        if present:
            alert.value = True
        missed = not present and (
            alert.value > 0 or "queue_job" in config["server_wide_modules"]
        )
        self._follow(
            "runner",
            {
                False: self.env._(
                    "No job runner starts the jobs of mailings: they are sent slowly, "
                    "by the scheduled action."
                )
            }
            if missed and mailings.search_count(mailings._queue_domain_sending(), 1)
            else {},
            RUNNER_CHECKS,
        )

    @api.model
    def _setting(self, name, default):
        return self.env["mailing.mailing"]._queue_setting(name, default)

    # ------------------------------------------------------------------
    # Raising and clearing
    # ------------------------------------------------------------------

    @api.model
    def _watched(self, kind, mailing_id=False):
        """Return the row of a kind of alert."""
        key = {"kind": kind, "mailing_id": mailing_id}
        domain = [(name, "=", value) for name, value in key.items()]
        return self.search(domain, limit=1) or self.create(key)

    @api.model
    def _follow(self, kind, found, needed=1):
        """Raise what was seen often enough, clear what is seen no more.

        :param dict found: id of the mailing, or ``False`` → what is wrong, in words
        :param int needed: checks in a row
        """
        for mailing_id, message in found.items():
            alert = self._watched(kind, mailing_id)
            alert.write({"checks": alert.checks + 1, "message": message})
            if alert.state != "raised" and alert.checks >= needed:
                alert._raise()
        for alert in self.search([("kind", "=", kind), ("checks", ">", 0)]):
            if alert.mailing_id.id not in found:
                alert._clear()

    def _raise(self):
        self.ensure_one()
        now = fields.Datetime.now()
        self.write({"state": "raised", "raised_at": now, "cleared_at": False})
        _logger.warning("Alert raised: %s mailing=%s", self.kind, self.mailing_id.id)
        if self.mailing_id:
            self.mailing_id._queue_log("stall", "no-progress")
        advice = self.env._("Open Diagnose to see what to do.")
        self._tell(self._label(), f"{self.message}\n{advice}")

    def _clear(self):
        self.ensure_one()
        raised = self.state == "raised"
        self.checks = 0
        if raised:
            self.write({"state": "over", "cleared_at": fields.Datetime.now()})
            _logger.info("Alert over: %s mailing=%s", self.kind, self.mailing_id.id)
            self._tell(self.env._("Over: %s", self._label()), self.message)

    def _label(self):
        return dict(self._fields["kind"]._description_selection(self.env))[self.kind]

    # ------------------------------------------------------------------
    # Telling
    # ------------------------------------------------------------------

    @api.model
    def _find(self, model, name):
        """Return the record that a parameter names, if there is one."""
        return self.env[model].browse(self._setting(name, 0)).exists()

    @api.model
    def _find_person(self):
        return self._find("res.users", "alert_user_id") or self.env.ref(
            "base.user_admin", raise_if_not_found=False
        )

    def _tell(self, subject, text):
        """Tell the person and the channel of the settings.

        With neither: whoever is responsible for the mailing, or the administrator.
        """
        body = plaintext2html(text)
        channel = self._find("discuss.channel", "alert_channel_id")
        if channel:
            channel.message_post(
                body=plaintext2html(f"{subject}\n{text}"),
                message_type="comment",
                subtype_xmlid="mail.mt_comment",
            )
        person = self._find("res.users", "alert_user_id")
        if not person and not channel:
            person = self.mailing_id.user_id or self._find_person()
        if person:
            self.env["mail.thread"].message_notify(
                subject=subject,
                body=body,
                partner_ids=person.partner_id.ids,
                model=self.mailing_id and "mailing.mailing",
                res_id=self.mailing_id.id,
            )
