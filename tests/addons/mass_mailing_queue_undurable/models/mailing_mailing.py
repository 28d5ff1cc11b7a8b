# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models


class MailingMailing(models.Model):
    _inherit = "mailing.mailing"

    def _queue_claim(self, ledger, parcel, token):
        """Claim in a transaction that ends with the record, not before SMTP."""
        ledger.run(_begin)
        claimed = super()._queue_claim(ledger, parcel, token)
        if not claimed:
            ledger.run(_commit)
        return claimed

    def _queue_record(self, ledger, parcel, token, reply):
        result = super()._queue_record(ledger, parcel, token, reply)
        ledger.run(_commit)
        return result


def _begin(cr):
    cr.execute("BEGIN")


def _commit(cr):
    cr.execute("COMMIT")
