# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Work that the emails of a campaign have in common is done once.

Odoo cleans the HTML of each email, and Python parses and folds each of its headers, as
if there were no other. For a newsletter that is half of the processor's time. What
does it are pure functions that no model can override: the same text gives the same
result. They are replaced where Odoo looks them up, by functions that remember, and
nothing else of Odoo is: what is not known is asked of the original.
"""

import email.policy
from contextlib import contextmanager
from contextvars import ContextVar
from email import quoprimime
from email.headerregistry import HeaderRegistry
from functools import lru_cache

from odoo import tools
from odoo.orm import fields_textual
from odoo.tools import mail

from odoo.addons.mail.models import mail_render_mixin

from .stencils import Stencil, TextStencil

#: Headers that hold web addresses.
_ADDRESSES = frozenset({"list-unsubscribe"})
#: Longest line that RFC 5322 (2.1.1) allows, without its end and some room for signs.
MAX_LINE = 980

#: What is known of the emails that are being made, ``None`` if none are.
_stencils = ContextVar("mass_mailing_queue_stencils", default=None)


@contextmanager
def composing():
    """Let the emails that are made in this block share what they have in common."""
    token = _stencils.set({})
    try:
        yield
    finally:
        _stencils.reset(token)


def share(function, text, *key, kind=Stencil, **options):
    """Return what a function makes of HTML, without it where that is known.

    :param function: see :class:`~.stencils.Stencil`
    :param key: says which function it is, with what else it is given
    :param kind: of stencil, with its options
    """
    stencils = _stencils.get()
    if stencils is None or not isinstance(text, str):
        return function(text)
    key = (*key, text.count("<"))
    if key not in stencils:
        stencils[key] = kind(function, **options)
    return stencils[key](text)


def _sanitize(src, *args, original=fields_textual.html_sanitize, **options):
    return share(
        lambda text: original(text, *args, **options), src, args, *options.items()
    )


def _html2plaintext(html, *args, original=tools.html2plaintext, **options):
    return share(
        lambda text: original(text, *args, **options),
        html,
        "text",
        args,
        *options.items(),
        kind=TextStencil,
    )


class HeaderClasses(HeaderRegistry):
    """Makes the class of a header once, where Python does so for each of its values."""

    def __init__(self, original):
        """
        :param original: the registry whose classes it has
        """
        vars(self).update(vars(original))
        self._made = {}

    def __getitem__(self, name):
        kind = self.registry.get(name.lower(), self.default_class)
        if kind not in self._made:
            self._made[kind] = super().__getitem__(name)
        return self._made[kind]


class SharedHeaders(type(email.policy.SMTP)):
    """Odoo's policy for outgoing emails, which keeps parsed headers and folded ones.

    Nor does it fold web addresses: Python can do that only by encoding them, which RFC
    2047 (5) forbids there and many clients do not undo, and which takes it longer than
    all else of an email's headers.
    """

    def header_store_parse(self, name, value):
        """Parse a text that was a header before no second time."""
        if type(value) is not str:
            return super().header_store_parse(name, value)
        return _parse_header(self.header_factory, name, value)

    def _fold(self, name, value, *args, **kwargs):
        if (
            name.lower() in _ADDRESSES
            and self.max_line_length
            and len(value) < MAX_LINE - len(name)
        ):
            return self.clone(max_line_length=None)._fold(name, value, *args, **kwargs)
        kept = getattr(value, "mass_mailing_queue_folded", None)
        if kept is None:
            return super()._fold(name, value, *args, **kwargs)
        key = (
            name,
            self.linesep,
            self.max_line_length,
            self.utf8,
            self.refold_source,
            args,
            tuple(kwargs.items()),
        )
        if key not in kept:
            kept[key] = super()._fold(name, value, *args, **kwargs)
        return kept[key]


@lru_cache(maxsize=4)
def _policy(factory):
    return email.policy.EmailPolicy(header_factory=factory)


@lru_cache(maxsize=512)
def _parse_header(factory, name, value):
    name, header = _policy(factory).header_store_parse(name, value)
    header.mass_mailing_queue_folded = {}
    return name, header


_original_encode = quoprimime.body_encode


@lru_cache(maxsize=2048)
def _encode_line(line, *how):
    return _original_encode(line, *how)


def _encode_body(body, maxlinelen=76, eol="\n"):
    # Another end of a line than this one is read by the original.
    if "\r" in body:
        return _original_encode(body, maxlinelen, eol)
    return eol.join(
        (_encode_line if len(line) < MAX_LINE else _original_encode)(
            line, maxlinelen, eol
        )
        for line in body.split("\n")
    )


_original_split = mail.email_split_tuples


@lru_cache(maxsize=2048)
def _split_once(text):
    return tuple(_original_split(text))


def _split(text):
    # Whole lists that somebody imports are not kept.
    if type(text) is not str or len(text) > 500:
        return _original_split(text)
    return list(_split_once(text))


fields_textual.html_sanitize = _sanitize
tools.html2plaintext = _html2plaintext
# The renderer normalizes one template anew for each recipient.
mail_render_mixin.html_normalize = lru_cache(maxsize=16)(
    mail_render_mixin.html_normalize
)
# Python quotes a line of a body by itself, and most are the same in all emails.
quoprimime.body_encode = _encode_body
# The addresses of one email are taken apart forty times on its way.
mail.email_split_tuples = _split
email.policy.SMTP = SharedHeaders(**vars(email.policy.SMTP))
if type(email.policy.SMTP.header_factory) is HeaderRegistry:
    email.policy.SMTP = email.policy.SMTP.clone(
        header_factory=HeaderClasses(email.policy.SMTP.header_factory)
    )
