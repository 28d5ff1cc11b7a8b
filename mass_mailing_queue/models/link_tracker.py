# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models

from ..exceptions import LinksMissing
from ..links import Links


class LinkTracker(models.Model):
    """Links of emails that are made by jobs: looked up, made and titled once.

    The context's ``mass_mailing_queue_links`` is the :class:`~..links.Links` of the
    transaction. What else is in it comes from a caller.
    """

    _inherit = "link.tracker"

    def _queue_links(self):
        links = self.env.context.get("mass_mailing_queue_links")
        return links if isinstance(links, Links) else None

    @api.model
    def search_or_create(self, vals_list):
        """Look the links of a chunk's emails up once, and not for each recipient.

        A newsletter's links are the same in every email of it.
        """
        links = self._queue_links()
        if links is None or not isinstance(vals_list, list):
            return super().search_or_create(vals_list)
        key = tuple(tuple(sorted(vals.items())) for vals in vals_list)
        if key not in links.found:
            links.found[key] = super().search_or_create(vals_list).ids
        return self.browse(links.found[key])

    @api.model_create_multi
    def create(self, vals_list):
        """Leave links that all recipients share to a transaction of their own.

        Workers that compose at the same time do not see each other's: each would make
        its own.

        :raises LinksMissing: with the values of these
        """
        links = self._queue_links()
        if links and (missing := links.missing(vals_list)):
            raise LinksMissing(missing)
        return super().create(vals_list)

    @api.model
    def _get_title_from_url(self, url):
        """Ask a page that all recipients share once, and no page of one recipient.

        Upstream asks for each tracked link, which is for each recipient where links
        differ. To open such a link may mean something: yes, I am coming.
        """
        links = self._queue_links()
        if links is None:
            return super()._get_title_from_url(url)
        if not links.is_shared(url):
            return url
        if url not in links.titles:
            known = self.search(
                [("source_id", "=", links.source_id), ("url", "=", url)], limit=1
            )
            if known.title or not links.make:
                links.titles[url] = known.title or url
            else:
                links.titles[url] = super()._get_title_from_url(url)
        return links.titles[url]
