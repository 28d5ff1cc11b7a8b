# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import api, models

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
            lambda text: original(text, link_tracker_vals, blacklist, base_url),
            html,
            "shorten",
            self._name,
            repr((link_tracker_vals, blacklist, base_url)),
            # A link's text is its label: another one is another tracked link.
            in_links=False,
        )
