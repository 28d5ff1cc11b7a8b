# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import re

from odoo import api, models

from ..links import Links, fragments
from ..shared_work import share


class MailRenderMixin(models.AbstractModel):
    """Work on links once for the emails of a chunk, not for each recipient."""

    _inherit = "mail.render.mixin"

    def _replace_local_links(self, html, base_url=None):
        original = super()._replace_local_links
        return share(
            lambda text: original(text, base_url), html, "local", self._name, base_url
        )

    @api.model
    def _shorten_links(self, html, link_tracker_vals, blacklist=None, base_url=None):
        original = super()._shorten_links
        return share(
            lambda text: original(
                text,
                link_tracker_vals,
                self._queue_skip_fragments(text, blacklist, base_url),
                base_url,
            ),
            html,
            "shorten",
            self._name,
            repr((link_tracker_vals, blacklist, base_url)),
            # A link's text is its label: another one is another tracked link.
            in_links=False,
        )

    def _queue_skip_fragments(self, text, blacklist, base_url):
        """Return the blacklist with links to a place in the same email.

        Upstream takes ``#top`` for the home page's, and tracks it.
        """
        links = self.env.context.get("mass_mailing_queue_links")
        if not (text and isinstance(links, Links)):
            return blacklist
        base_url = base_url or self.env["ir.config_parameter"].sudo().get_param(
            "web.base.url"
        )
        return [
            *(blacklist or []),
            *(f"^{re.escape(base_url + one)}$" for one in sorted(fragments(text))),
        ]
