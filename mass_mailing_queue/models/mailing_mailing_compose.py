# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import logging

from odoo import models, tools

from .. import sql
from ..addresses import clean
from ..discretion import describe
from ..exceptions import LinksMissing
from ..faults import is_trouble, try_again
from ..ledger import transaction
from ..links import Links
from ..parcels import Cargo, Parcel, Route
from ..shared_work import composing
from .mailing_mailing_addresses import find_addresses

_logger = logging.getLogger(__name__)


class MailingMailing(models.Model):
    """Step 1: the messages of a chunk are composed, in a transaction of their own."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_compose(self, ledger, trace_ids):
        """Make the messages of these recipients. Step 1. Extension point.

        Runs upstream's composer, mail creation and ``_prepare_outgoing_list`` and
        commits. Content that cannot be rendered for one recipient fails that one; if it
        can be for nobody, the content is at fault and nobody fails.

        :return: list of :class:`Route`
        :raises DeliveryStopped: when the mailing is paused for its content
        """
        routes, failures = self._queue_try_compose(trace_ids)
        if failures and len(trace_ids) > 1:
            routes, failures = [], {}
            for trace_id in trace_ids:
                found, failed = self._queue_try_compose([trace_id])
                routes += found
                failures.update(failed)
        for trace_id, error in failures.items():
            self._queue_blame_content(ledger, trace_id, describe(error))
            reason = self.env._("The email could not be made: %s", describe(error))
            ledger.run(sql.fail_outgoing, trace_id, reason)
        if failures:
            self._queue_check_failures(ledger)
        return routes

    def _queue_try_compose(self, trace_ids):
        """Compose in a transaction of its own.

        :return: list of :class:`Route`, dict of the first trace's id → exception
        :raises Exception: of which no recipient is the cause, see ``faults.py``
        """
        made = []

        def compose():
            while True:
                mailing = self.with_context(
                    mass_mailing_queue_links=self._queue_links(made=made)
                )
                try:
                    with transaction(self.env), composing():
                        return mailing._queue_compose_chunk(trace_ids)
                except LinksMissing as missing:
                    self._queue_make_links(missing.vals_list)
                    made.extend(missing.vals_list)

        try:
            return try_again(compose), {}
        except Exception as error:
            if is_trouble(error):
                raise
            _logger.warning(
                "Mailing %s: %s recipients from %s on cannot be composed (%s)",
                self.id,
                len(trace_ids),
                trace_ids[0],
                type(error).__name__,
            )
            return [], {trace_ids[0]: error}

    def _queue_compose_chunk(self, trace_ids):
        links = self.env.context.get("mass_mailing_queue_links")
        traces = self.env["mailing.trace"].browse(trace_ids).exists()
        traces -= self._queue_leave_other_models(traces)
        # Leftovers of a worker that died before it sent them.
        traces.mail_mail_id.filtered("queue_managed").unlink()
        records = self.env[self.mailing_model_real].browse(traces.mapped("res_id"))
        known = set(records.exists().ids)
        gone = traces.filtered(lambda trace: trace.res_id not in known)
        gone._queue_only_waiting()._queue_give_back()
        gone._queue_only_waiting().write(
            {
                "trace_status": "error",
                "failure_type": "unknown",
                "failure_reason": self.env._(
                    "The recipient was deleted before the email was sent."
                ),
            }
        )
        trace_by_record = {trace.res_id: trace.id for trace in traces - gone}
        if not trace_by_record:
            return []
        self._queue_check_server()
        self._queue_check_attachments()
        self.with_context(
            mass_mailing_queue_slice=True,
            mass_mailing_queue_traces=trace_by_record,
            mass_mailing_queue_links=links if isinstance(links, Links) else Links(),
        )._action_send_mail(res_ids=list(trace_by_record))
        # Another addon may have cancelled or sent one, or taken it for its own.
        mails = (
            (traces - gone)
            .mail_mail_id.sudo()
            .filtered(lambda mail: mail.queue_managed and mail.state == "outgoing")
        )
        for mail in mails:
            mail.mailing_trace_ids.write(
                {"mail_mail_id_int": mail.id, "message_id": mail.message_id}
            )
        routes = self._queue_prepare_routes(mails)
        for route in routes:
            route.parcels = [parcel for parcel in route.parcels if parcel.emails]
        return routes

    # Links of a queued mailing have the address that is mailed: what somebody does with
    # one, such as opting out, is looked up by it.

    def _get_unsubscribe_oneclick_url(self, email_to, res_id):
        return super()._get_unsubscribe_oneclick_url(
            self._queue_clean_address(email_to), res_id
        )

    def _get_unsubscribe_url(self, email_to, res_id):
        return super()._get_unsubscribe_url(self._queue_clean_address(email_to), res_id)

    def _get_view_url(self, email_to, res_id):
        return super()._get_view_url(self._queue_clean_address(email_to), res_id)

    def _queue_clean_address(self, email):
        return clean(email) if self.queue_managed and email else email

    def _queue_leave_other_models(self, traces):
        """Cancel the traces for records of another model than the mailing's.

        Those with the same ids are other people.

        :return: these traces
        """
        others = traces.filtered(lambda trace: trace.model != self.mailing_model_real)
        others._queue_only_waiting().write(
            {
                "trace_status": "cancel",
                "failure_type": "queue_audience",
                "failure_reason": self.env._(
                    "The recipients of the mailing were changed before this email was "
                    "sent."
                ),
            }
        )
        return others

    def _queue_prepare_routes(self, mails):
        """Prepare messages in memory: delivery reads nothing from the ORM.

        As many as there is room for. The other mails are deleted again.
        """
        cargo = self.env.context.get("mass_mailing_queue_cargo") or Cargo()
        left = mails.browse()
        list_ids = self.contact_list_ids.ids if self.mailing_on_mailing_list else []
        followers = self.env["mail.followers"]._get_mail_doc_to_followers(
            mails.filtered(
                lambda mail: mail.body_html and "/mail/unfollow" in mail.body_html
            ).ids
        )
        routes = []
        for server_id, alias_id, smtp_from, ids in mails._split_by_mail_configuration():
            server = self.env["ir.mail_server"].sudo().browse(server_id or [])
            alias = self.env["mail.alias.domain"].sudo().browse(alias_id or [])
            route = Route(
                mail_server_id=server.id,
                smtp_from=smtp_from,
                session_key=(
                    self.env.cr.dbname,
                    server.id,
                    server.write_date,
                    smtp_from,
                ),
                context={
                    "domain_notifications_email": alias.default_from_email,
                    "domain_bounce_address": alias.bounce_email,
                }
                if alias
                else {},
            )
            for mail in mails.browse(ids):
                emails = not left and self._queue_prepare_emails(
                    mail, server or mail.mail_server_id, followers
                )
                if left or not cargo.load(emails):
                    route.later += mail.mailing_trace_ids.ids
                    left += mail
                    continue
                sender = tools.mail.email_split_and_format_normalize(mail.email_from)
                route.parcels.append(
                    Parcel(
                        trace_id=mail.mailing_trace_ids.id,
                        mail_id=mail.id,
                        message_id=mail.message_id,
                        emails=emails,
                        email_from=sender[0] if sender else mail.email_from,
                        list_ids=list_ids,
                        found=find_addresses(
                            [mail.email_to, *mail.recipient_ids.mapped("email")]
                        ),
                        email=mail.mailing_trace_ids.email,
                        queue_emails=mail.mailing_trace_ids.queue_emails or None,
                    )
                )
            routes.append(route)
        left.unlink()
        return routes

    def _queue_prepare_emails(self, mail, server, followers):
        """Return the emails of a mail, and keep no file in the ORM's cache.

        Upstream reads attachments, and the ORM with them those of all other mails.
        """
        if not (files := mail.attachment_ids):
            return mail._prepare_outgoing_list(
                mail_server=server, doc_to_followers=followers
            )
        emails = mail.with_prefetch(mail.ids)._prepare_outgoing_list(
            mail_server=server, doc_to_followers=followers
        )
        files.invalidate_recordset(["raw", "datas", "db_datas"], flush=False)
        return emails
