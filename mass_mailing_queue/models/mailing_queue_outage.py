# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import fields, models


class MailingQueueOutage(models.Model):
    """A server that cannot be reached, or asks us to slow down.

    One row a server while it lasts, written only by ``sql.outage_*`` on the ledger:
    jobs read it before they connect, so that one of them knocks and the others wait.
    """

    _name = "mailing.queue.outage"
    _description = "Outgoing Server Outage"
    _log_access = False
    _order = "since"

    server_ref = fields.Integer(
        required=True,
        help="Outgoing mail server, 0 for the one of the server's configuration file.",
    )
    since = fields.Datetime(required=True)
    retry_at = fields.Datetime(required=True)
    failures = fields.Integer(help="Tries in a row that failed.")
    reply = fields.Char(help="The last failure, in the server's words.")
    suspects = fields.Json(
        help="Recipients whose messages broke a new connection, nobody accepted in "
        "between: several of them are the server's fault.",
    )

    _server_ref_uniq = models.UniqueIndex("(server_ref)")
