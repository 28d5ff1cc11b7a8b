# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging

from odoo import models

from ..faults import is_conflict, is_trouble
from ..ledger import transaction
from ..replies import Verdict

_logger = logging.getLogger(__name__)


class MailingMailing(models.Model):
    """Step 6: the mails of a chunk are archived or deleted, in bulk."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_settle(self, routes, outcomes):
        """Archive or delete the chunk's mails, in bulk. Step 6. Extension point.

        A crash before this leaves mails of settled traces, for the reconciler.
        """
        mail_ids = [parcel.mail_id for route in routes for parcel in route.parcels]
        addresses = {
            parcel.mail_id: [to for email in parcel.emails for to in email["email_to"]]
            for route in routes
            for parcel in route.parcels
        }
        for attempt in range(3):
            try:
                with transaction(self.env):
                    self._queue_settle_mails(mail_ids, outcomes, addresses)
                return
            except Exception as error:
                # An open or a bounce wrote one of the traces at the same moment, or
                # another addon what another worker writes.
                if not (is_trouble(error) or is_conflict(error)):
                    raise
                if attempt == 2:
                    _logger.info("Mailing %s: mails are settled later", self.id)

    def _queue_settle_mails(self, mail_ids, outcomes, addresses):
        mails = self.env["mail.mail"].sudo().browse(mail_ids).exists()
        mails = mails.with_context(mass_mailing_queue_settling=True)
        sent = mails.filtered(
            lambda mail: mail.id in outcomes
            and outcomes[mail.id].verdict is Verdict.SENT
        )
        failed = mails.filtered(
            lambda mail: mail.id in outcomes
            and outcomes[mail.id].verdict in (Verdict.REJECTED, Verdict.IN_DOUBT)
        )
        # The others were not accepted: they are composed anew when their turn comes.
        (mails - sent - failed).unlink()
        if sent:
            sent.write(
                {"state": "sent", "failure_type": False, "failure_reason": False}
            )
            sent._postprocess_sent_message(
                success_pids=[],
                success_emails=[to for mail in sent for to in addresses[mail.id]],
            )
        for mail in failed:
            failure_type, reason = self._queue_failure(outcomes[mail.id])
            mail.write(
                {
                    "state": "exception",
                    "failure_type": failure_type,
                    "failure_reason": reason,
                }
            )
            mail._postprocess_sent_message(
                success_pids=[],
                success_emails=[],
                failure_reason=reason,
                failure_type=failure_type,
            )
