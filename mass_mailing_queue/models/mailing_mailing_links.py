# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import time

import lxml.html

from odoo import models
from odoo.tools import is_html_empty
from odoo.tools.mail import URL_SKIP_PROTOCOL_REGEX, validate_url

from odoo.addons.link_tracker.tools.html import find_links_with_urls_and_labels

from .. import sql, sql_plan
from ..ledger import Ledger, transaction
from ..links import Links


class MailingMailing(models.Model):
    """Tracked links: those that all recipients share are made once."""

    # One large model in several files, by what happens to a mailing.
    _inherit = "mailing.mailing"  # pylint: disable=consider-merging-classes-inherited

    def _queue_links(self, make=False, made=()):
        """Return what is known of the links before emails are made.

        :param bool make: whether to make those that all recipients share
        :param made: values of those that are there; if one is not found, it is made
        :return: :class:`~..links.Links`, for one transaction
        """
        return Links(self._queue_shared_links, make, self.source_id.id, list(made))

    def _queue_shared_links(self):
        """Return address and label of the links that the content has as they are.

        Where a link is made by a placeholder, it differs by recipient.
        """
        if is_html_empty(self.body_html):
            return frozenset()
        body = self._prepend_preview(self.body_html, self.preview)
        _nodes, found = find_links_with_urls_and_labels(
            lxml.html.fromstring(self._replace_local_links(body)),
            self.env["ir.config_parameter"].sudo().get_param("web.base.url"),
            skip_regex=rf"^{URL_SKIP_PROTOCOL_REGEX}",
        )
        return frozenset((validate_url(one["url"]), one["label"]) for one in found)

    def _queue_make_links(self, vals_list):
        """Make trackers of links in a transaction of their own.

        One worker of a mailing does so at a time, and sees what another one has made
        before: the lock may have been taken with a snapshot that is older.

        :param list vals_list: of the trackers
        """
        with Ledger(self.env) as ledger:
            while True:
                with transaction(self.env):
                    if not sql.try_lock(self.env.cr, sql.LOCK_LINKS, self.id):
                        time.sleep(0.2)
                        continue
                    source_id = self.source_id.id
                    if ledger.run(
                        sql_plan.count_links, source_id
                    ) != sql_plan.count_links(self.env.cr, source_id):
                        continue
                    self.env["link.tracker"].with_context(
                        mass_mailing_queue_links=self._queue_links(make=True)
                    ).search_or_create(vals_list)
                return
