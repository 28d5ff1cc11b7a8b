# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""The links of a mailing while its emails are made. Free of Odoo."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote

#: The fragment of a link that leads to a place on the same page.
_FRAGMENT = re.compile(r"""<a\s[^>]*?\bhref\s*=\s*(["'])\s*(\#.*?)\1""", re.I | re.S)


@dataclass(eq=False)
class Links:
    """The links of the emails that are made in one transaction.

    A link is shared if the mailing's own content has it, address and label. Any other
    one differs by recipient: its page is nobody else's.
    """

    #: returns (address, label) of those that all recipients share, once it is asked
    find_shared: Callable = frozenset
    #: whether these are made here, and not in a transaction of their own
    make: bool = False
    #: ``utm.source`` of their mailing
    source_id: int = 0
    #: values of those that were made there before, and should have been found
    made: list = field(default_factory=list)
    #: what was looked up → ids of the trackers
    found: dict = field(default_factory=dict)
    #: address → title of its page
    titles: dict = field(default_factory=dict)

    @cached_property
    def shared(self):
        """The links of ``find_shared``; renderers encode addresses, or do not."""
        return {(unquote(url), label) for url, label in self.find_shared()}

    def missing(self, vals_list):
        """Return the values of shared links, of those that are about to be made."""
        if self.make:
            return []
        return [
            vals
            for vals in vals_list
            if vals not in self.made
            and (unquote(vals["url"]), vals.get("label") or "") in self.shared
        ]

    def is_shared(self, url):
        """Return whether a page is the same for all recipients."""
        return unquote(url) in {address for address, _label in self.shared}


def fragments(text):
    """Return the links of HTML that lead to a place on the same page.

    >>> fragments('<a class="x" href="#top">Up</a> <a href="https://x.example/#a">')
    {'#top'}
    """
    return {html.unescape(found[2]) for found in _FRAGMENT.finditer(text)}
