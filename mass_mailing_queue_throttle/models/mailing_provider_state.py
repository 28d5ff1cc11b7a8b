# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models
from odoo.tools import SQL
from odoo.tools import sql as sql_tools


class MailingProviderState(models.Model):
    """What is known of a provider at this moment: one row each, written per message.

    Apart from ``mailing.provider``, so that senders and people who edit the form do
    not wait for each other. Written by ``sql….py`` only. Times are seconds since the
    epoch, by the database's clock.
    """

    _name = "mailing.provider.state"
    _description = "Sending Account's Live State"
    _log_access = False

    provider_id = fields.Many2one("mailing.provider", required=True, ondelete="cascade")
    version = fields.Integer(help="Changes whenever a person changes the provider.")
    tat = fields.Float(
        "Next Turn", help="When the next message may leave at the reduced rate."
    )
    reduced_rate = fields.Float(
        help="Messages a second, at the time of the last reduction."
    )
    reduced_at = fields.Float()
    reduced_capacity = fields.Integer(
        help="Senders, at the time of the last reduction."
    )
    capacity_at = fields.Float()
    taken = fields.Integer(help="Turns taken since the last reduction.")
    taken_at = fields.Float(help="When the last turn was taken.")
    counted_from = fields.Float(help="When counting of turns began.")
    refused = fields.Integer(help="Messages refused since the last reduction.")
    refusing_since = fields.Float(help="Nothing was accepted since.")
    rest_until = fields.Float()
    rest_reason = fields.Char()
    stopped = fields.Char(help="The reply that stopped the account.")
    last_reply = fields.Char()
    last_reply_at = fields.Float()

    _provider_uniq = models.UniqueIndex("(provider_id)")

    def init(self):
        """Give the columns that SQL counts on their defaults."""
        for name in ("version", "tat", "taken", "taken_at", "counted_from", "refused"):
            self.env.cr.execute(
                SQL(
                    "ALTER TABLE mailing_provider_state ALTER %s SET DEFAULT 0",
                    SQL.identifier(name),
                )
            )


class MailingProviderBucket(models.Model):
    """How far a limit is used: one row a limit, and a sending domain where it has one.

    Rates use ``tat``, the theoretical arrival time of GCRA; hours, days and months
    use ``counts``: messages by slot of the window, newest first, the newest being
    ``slot``. Written by ``sql….py`` only.
    """

    _name = "mailing.provider.bucket"
    _description = "Sending Account's Limit in Use"
    _log_access = False

    provider_id = fields.Many2one(
        "mailing.provider", required=True, ondelete="cascade", index=True
    )
    # A plain integer: with a foreign key, deleting a limit would collide with those who
    # send at the moment.
    limit_id = fields.Integer(required=True)
    shape = fields.Char(required=True, help="Period and unit that are counted.")
    domain = fields.Char(required=True)
    tat = fields.Float("Next Turn")

    _limit_uniq = models.UniqueIndex("(limit_id, domain)")

    def init(self):
        """Add the columns whose types the ORM does not have."""
        cr = self.env.cr
        cr.execute("ALTER TABLE mailing_provider_bucket ALTER tat SET DEFAULT 0")
        if not sql_tools.column_exists(cr, self._table, "counts"):
            cr.execute(
                """
                ALTER TABLE mailing_provider_bucket
                  ADD counts int[] NOT NULL DEFAULT '{}',
                  ADD slot bigint NOT NULL DEFAULT 0
                """
            )


class MailingProviderTally(models.Model):
    """Mail that left without asking, to be spent: rows are only added and removed."""

    _name = "mailing.provider.tally"
    _description = "Sending Account's Other Mail"
    _log_access = False

    provider_id = fields.Many2one(
        "mailing.provider", required=True, ondelete="cascade", index=True
    )
    domain = fields.Char()
    messages = fields.Integer()
    recipients = fields.Integer()
    sent_at = fields.Datetime()
