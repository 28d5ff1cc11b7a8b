# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models

from .. import sql_plan, sql_spellings
from ..addresses import clean, mailable
from ..models.mailing_mailing_addresses import find_addresses


class MailComposeMessage(models.TransientModel):
    """Compose for recipients whose traces exist already.

    Under the context key ``mass_mailing_queue_traces`` (record id → trace id) the
    composer links these traces instead of creating some. Under
    ``mass_mailing_queue_slice`` (set while planning and composing) exclusions are
    looked up for the slice's own addresses instead of being loaded whole, and addresses
    are judged as they are mailed.
    """

    _inherit = "mail.compose.message"

    def _action_send_mail(self, auto_commit=False):
        """Never commit in the middle of a job: what is composed is committed once."""
        if "mass_mailing_queue_traces" in self.env.context:
            auto_commit = False
        return super()._action_send_mail(auto_commit=auto_commit)

    def _compute_force_send(self):
        """Never send while composing: delivery needs a claim first.

        Upstream sends small batches at once, inside the job's transaction, which
        would be rolled back and sent again after any failure.
        """
        if "mass_mailing_queue_traces" in self.env.context:
            self.force_send = False
            return
        super()._compute_force_send()

    def _prepare_mail_values(self, res_ids):
        """Link the recipients' traces, and flag the mails as ours."""
        values_all = super()._prepare_mail_values(res_ids)
        traces = self.env.context.get("mass_mailing_queue_traces")
        if traces is None:
            return values_all
        for res_id, values in values_all.items():
            values["queue_managed"] = True
            values["mailing_trace_ids"] = [(4, traces[res_id])]
        self._queue_cancel_excluded(values_all, traces)
        return values_all

    def _queue_cancel_excluded(self, values_all, traces):
        """Cancel the traces of recipients that became excluded since planning.

        By the address that they have now, which is noted as upstream would.
        """
        excluded = {
            res_id: values
            for res_id, values in values_all.items()
            if values.get("state") == "cancel"
        }
        found = self._prepare_mail_values_mailing_traces(excluded)
        for res_id, values in found.items():
            trace = self.env["mailing.trace"].browse(traces[res_id])
            trace._queue_only_waiting().write(
                {
                    "trace_status": "cancel",
                    "failure_type": values.get("failure_type"),
                    "email": values["email"],
                    "queue_emails": False,
                }
            )

    def _process_mail_values_state(self, mail_values_dict):
        """Leave out who opted out with the first of several addresses.

        Upstream notes and looks up an opt-out by the first address, and then asks for
        all of them to have opted out: with a second one nobody could leave. The claim
        goes by the first, too: decided only there, somebody else could be left out as
        the duplicate of a recipient who gets nothing.

        And leave duplicates in: upstream's depend on batches and content. The planner
        decides about them, and ``_queue_judge``.
        """
        if not self._queue_is_slice():
            return super()._process_mail_values_state(mail_values_dict)
        # No two of them are alike.
        judged = {
            res_id: {**values, "body": res_id}
            for res_id, values in mail_values_dict.items()
        }
        leaving = self._queue_find_leaving(judged)
        super()._process_mail_values_state(
            {
                res_id: values
                for res_id, values in judged.items()
                if res_id not in leaving
            }
        )
        if leaving:
            blacklisted = self._get_blacklist_record_ids(
                leaving, self._get_recipients_data(leaving)
            )
            for res_id, values in leaving.items():
                why = "mail_bl" if res_id in blacklisted else "mail_optout"
                values.update(state="cancel", failure_type=why)
        for res_id, values in judged.items():
            values.pop("body")
            mail_values_dict[res_id].update(values)
        return mail_values_dict

    def _queue_find_leaving(self, mail_values_dict):
        """Return the values of those who opted out with one of several addresses."""
        several = {
            res_id: info["mail_to_normalized"][0]
            for res_id, info in self._get_recipients_data(mail_values_dict).items()
            if len(info["mail_to_normalized"]) > 1
        }
        optout = several and self._get_optout_emails(mail_values_dict)
        return {
            res_id: mail_values_dict[res_id]
            for res_id, email in several.items()
            if email in optout
        }

    def _get_recipients_data(self, mail_values_dict):
        """Judge recipients by the address that is mailed.

        Upstream takes addresses as they are written: with a character that nobody sees
        in one, it is nobody's duplicate and on no list. Nor does it see which no server
        can be given; without any other, the recipient is invalid here.
        """
        recipients = super()._get_recipients_data(mail_values_dict)
        if self._queue_is_slice():
            for info in recipients.values():
                emails = map(clean, info["mail_to_normalized"])
                info["mail_to_normalized"] = list(filter(mailable, emails))
        return recipients

    def _get_done_emails(self, mail_values_dict):
        """Say that nobody is a duplicate, unless the planner asks."""
        if not self._queue_is_slice():
            return super()._get_done_emails(mail_values_dict)
        if not self.env.context.get("mass_mailing_queue_probe"):
            return []
        return super(
            MailComposeMessage, self._queue_with_emails(mail_values_dict)
        )._get_done_emails(mail_values_dict)

    def _get_optout_emails(self, mail_values_dict):
        return super(
            MailComposeMessage, self._queue_with_emails(mail_values_dict)
        )._get_optout_emails(mail_values_dict)

    def _get_blacklist_record_ids(self, mail_values_dict, recipients_info=None):
        """Look up a slice's own addresses; upstream reads the whole blacklist."""
        if not self._queue_is_slice():
            return super()._get_blacklist_record_ids(
                mail_values_dict, recipients_info=recipients_info
            )
        if not self.use_exclusion_list:
            return set()
        records = self.env[self.model].browse(mail_values_dict)
        if isinstance(records, self.pool["mail.thread.blacklist"]):
            emails = {record.id: {clean(record.email_normalized)} for record in records}
        else:
            emails = {
                res_id: set(info["mail_to_normalized"])
                for res_id, info in (recipients_info or {}).items()
            }
        self.env["mail.blacklist"].flush_model(["email", "active"])
        wanted = {email for found in emails.values() for email in found if email}
        spellings = sql_spellings.find_spellings(self.env.cr, "mail_blacklist", wanted)
        blacklist = {
            spellings[email] for email in sql_plan.blacklisted(self.env.cr, spellings)
        }
        return {res_id for res_id, found in emails.items() if found & blacklist}

    def _queue_is_slice(self):
        return bool(
            self.env.context.get("mass_mailing_queue_slice") and self.mass_mailing_id
        )

    def _queue_with_emails(self, mail_values_dict):
        """Return self with the slice's addresses in the context, for the look-ups."""
        if not self._queue_is_slice():
            return self
        emails = {
            email
            for addresses in self._queue_addresses(mail_values_dict).values()
            for email in addresses
        }
        return self.with_context(mass_mailing_queue_emails=tuple(sorted(emails)))

    def _queue_recipient_values(self, records):
        """Return the values that the composer begins with: these records' recipients.

        :return: dict of record id → values
        """
        found = records._message_get_default_recipients()
        values_all = {}
        for res_id in records.ids:
            values = dict(found.get(res_id, {}), message_id=False)
            values["recipient_ids"] = [
                (4, pid) for pid in values.pop("partner_ids", [])
            ]
            values_all[res_id] = values
        return values_all

    def _queue_addresses(self, mail_values_dict):
        """Return all addresses (normalized) that emails would go to, each once.

        Upstream looks at the first one only of several in a partner's field, and then
        sends to all of them.

        :return: dict of record id → list, the recipient's first address first
        """
        return {
            res_id: find_addresses(info["mail_to"])
            for res_id, info in self._get_recipients_data(mail_values_dict).items()
        }
