# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, fields, models, tools

from odoo.addons.base.models.res_partner import _tz_get

from ..sending_hours import SendingHours

#: In the order of the numbers that Python has for them.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class MailingQueueHours(models.Model):
    """Days and times of the day outside of which mailings wait.

    A model of its own and no working time of ``resource``: marketers make and change
    them, and nights that go on after midnight have no place there.
    """

    _name = "mailing.queue.hours"
    _description = "Sending Hours"
    _order = "name, id"

    name = fields.Char(required=True, translate=True)
    # The names that the widget of the days of the week asks for.
    mon = fields.Boolean("Monday", default=True)
    tue = fields.Boolean("Tuesday", default=True)
    wed = fields.Boolean("Wednesday", default=True)
    thu = fields.Boolean("Thursday", default=True)
    fri = fields.Boolean("Friday", default=True)
    sat = fields.Boolean("Saturday")
    sun = fields.Boolean("Sunday")
    hour_from = fields.Float(
        "From",
        required=True,
        default=8.0,
        help="Mailings that wait go on at this time of each day that is chosen.",
    )
    hour_to = fields.Float(
        "Until",
        required=True,
        default=18.0,
        help="If it is not later than From, it is on the next day: a night belongs to "
        "the day on which it begins.",
    )
    tz = fields.Selection(
        _tz_get,
        "Time Zone",
        required=True,
        default=lambda self: self._default_tz(),
        help="These days and times are in this time zone, whoever sends and wherever "
        "recipients are.",
    )
    mailing_ids = fields.One2many("mailing.mailing", "queue_hours_id")

    _hours_are_some = models.Constraint(
        "CHECK (hour_from >= 0 AND hour_from < 24 AND hour_to >= 0 AND hour_to <= 24)",
        "Times are from 00:00 to 24:00.",
    )
    _days_are_some = models.Constraint(
        "CHECK (mon OR tue OR wed OR thu OR fri OR sat OR sun)",
        "Choose at least one day, or nothing would be sent.",
    )

    @api.model
    def _default_tz(self):
        return self.env.company.partner_id.tz or self.env.user.tz or "UTC"

    @api.model_create_multi
    def create(self, vals_list):
        """Forget what was cached of the hours that there were."""
        hours = super().create(vals_list)
        self.env.registry.clear_cache()
        return hours

    def write(self, vals):
        """Let mailings under way follow at once."""
        result = super().write(vals)
        self.env.registry.clear_cache()
        self.sudo().mailing_ids._queue_call_jobs()
        return result

    @tools.ormcache("self.id")
    def _get_sending_hours(self):
        """Return them as arithmetic, for screens: ask the ledger before sending."""
        hours = self.sudo()
        days = frozenset(number for number, day in enumerate(DAYS) if hours[day])
        return SendingHours(days, hours.hour_from, hours.hour_to, hours.tz)
