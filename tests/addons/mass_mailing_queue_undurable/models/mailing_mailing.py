# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import psycopg2

from odoo import models


class MailingMailing(models.Model):
    _inherit = "mailing.mailing"

    def _queue_claim(self, ledger, parcel, token):
        """Claim in a transaction that ends with the record, not before SMTP."""
        ledger.run(_say, "BEGIN")
        claimed = False
        try:
            claimed = super()._queue_claim(ledger, parcel, token)
        finally:
            if not claimed:
                ledger.run(_say, "ROLLBACK")
        return claimed

    def _queue_record(self, ledger, parcel, token, reply):
        try:
            super()._queue_record(ledger, parcel, token, reply)
        except psycopg2.Error:
            # The claim is lost with the record; natively, too.
            ledger.run(_say, "ROLLBACK")
        else:
            ledger.run(_say, "COMMIT")


def _say(cr, statement):
    cr.execute(statement)
