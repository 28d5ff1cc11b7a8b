# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import time

from odoo import models
from odoo.tools.lru import LRU

from .. import sql
from ..discretion import conceal
from ..exceptions import DeliveryStopped
from ..faults import is_trouble, try_again
from ..ledger import undone
from ..shared_work import composing
from ..slicing import spread
from .mailing_mailing import CONTENT_FIELDS

#: Recipients for whom the email is made to find out whose fault it is, and those among
#: whom such are looked for that read the same language.
PEERS, CANDIDATES = 5, 50

#: What was found is not asked again for so long (seconds).
FOUND_LASTS = 60.0

#: Until when content is known to work (``time.monotonic()``), by database, mailing,
#: language and content.
WORKS_UNTIL = LRU(256)


class MailingMailing(models.Model):
    """Tell a recipient's fault from one of what everybody is to get.

    The whole mailing is the judge of that, and not the few recipients of a job: if the
    email can be made for another one, it is the recipient; if for nobody, the content.
    """

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_blame_content(self, ledger, trace_id, reason):
        """Have the mailing paused if its email can be made for nobody.

        Whoever reads the same language is asked, if anybody does. What works is not
        tried again for a minute, however many recipients fail.

        :param int trace_id: whose email could not be made
        :param str reason: why
        :raises DeliveryStopped: if it pauses
        """
        traces = self.env["mailing.trace"].browse(
            [trace_id, *ledger.run(sql.peers, self.id, trace_id, CANDIDATES)]
        )
        languages = self._queue_languages(traces)
        language = languages.get(trace_id)
        content = tuple(
            self[name].ids if name == "attachment_ids" else self[name]
            for name in CONTENT_FIELDS
        )
        key = self.env.cr.dbname, self.id, language, repr(content)
        if time.monotonic() < WORKS_UNTIL.get(key, 0):
            return
        peers = [peer for peer in traces.ids[1:] if peer in languages]
        alike = [peer for peer in peers if languages.get(peer) == language]
        if peers and self._queue_find_fault(spread(alike or peers, PEERS)) is None:
            WORKS_UNTIL[key] = time.monotonic() + FOUND_LASTS
            return
        reason = conceal(reason)
        self._queue_request_pause("content", reason)
        raise DeliveryStopped(reason)

    def _queue_languages(self, traces):
        """Return the language of each recipient, as a dict of trace id → code."""
        records = self.env[self.mailing_model_real].browse(traces.mapped("res_id"))
        partners = records.exists()._mail_get_partners()
        return {
            trace.id: partners[trace.res_id][:1].lang
            for trace in traces
            if trace.res_id in partners
        }

    def _queue_find_fault(self, trace_ids, apart=True):
        """Make the emails of recipients, and undo it, until it works for one.

        :param bool apart: see ``ledger.undone``
        :return: the exception of the first one, ``None`` if it works for one of them
        """
        fault = None
        for trace_id in trace_ids:
            try:
                try_again(self._queue_make_undone, trace_id, apart)
                return None
            except Exception as error:
                if is_trouble(error):
                    raise
                fault = fault or error
        return fault

    def _queue_make_undone(self, trace_id, apart):
        with undone(self.env, apart) as env, composing():
            # What is in memory of a job's chunk is no matter of this one.
            mailing = self.with_env(env).with_context(mass_mailing_queue_cargo=None)
            for route in mailing._queue_compose_chunk([trace_id]):
                for parcel in route.parcels:
                    for server, message in mailing._queue_build(route, parcel):
                        server._prepare_email_message__(message, None)
