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
import re
import secrets
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from odoo.orm import fields_textual
from odoo.tools.lru import LRU

from odoo.addons.mail.models import mail_render_mixin

_TAG = re.compile(r"(<[^>]*>)")
#: Elements whose text is no text.
_RAW = re.compile(
    r"(script|style|title|textarea|xmp|iframe|noembed|noframes|plain)", re.I
)

#: Of these, one a language: the mailings that this process sends at a time.
_SANITIZERS = LRU(32)
_composing = ContextVar("mass_mailing_queue_composing", default=False)


def is_plain(text):
    """Return whether these are words, which HTML neither reads nor changes.

    >>> is_plain("Dear Zoë O'Hara, 20 %"), is_plain("a & b"), is_plain("<b>")
    (True, False, False)
    >>> is_plain(" "), is_plain("--"), is_plain("a\\xa0b")
    (False, False, False)
    """
    return (
        text.strip() != ""
        # Two dashes begin a signature.
        and not any(sign in text for sign in ("<", ">", "&", "--"))
        # No other break than "\n", and nothing that is written differently.
        and text.replace("\n", " ").isprintable()
    )


class Sanitizer:
    """Sanitizes texts that differ in plain words, such as names, and in nothing else.

    The first one is its reference. Another one with the same tags, and with plain
    words where it differs, is sanitized when the reference is, with these words in it.
    Where they go is found with marks in their place, and tried with the reference's.

    :param sanitize: the function, of a text
    """

    def __init__(self, sanitize):
        self._sanitize = sanitize
        # Each is assigned as one, as threads share a sanitizer.
        # The first text's tokens, and what it is sanitized.
        self._reference = None
        # Numbers of tokens; sanitized text with them in it: [text, number, text, …].
        self._known = frozenset(), []
        self._refused = set()
        self._mark = secrets.token_hex(8)

    def __call__(self, text):
        tokens = _TAG.split(text)
        if self._reference is None:
            result = self._sanitize(text)
            self._reference = tokens, result
            return result
        reference, result = self._reference
        if len(tokens) == len(reference):
            pairs = enumerate(zip(tokens, reference, strict=True))
            places = {place for place, (token, other) in pairs if token != other}
            if not places:
                return result
            if pattern := self._find_pattern(tokens, places):
                return _fill(tokens, pattern)
        return self._sanitize(text)

    def _find_pattern(self, tokens, places):
        """Return the sanitized text with these places in it, ``None`` if not known."""
        if places & self._refused or not all(is_plain(tokens[it]) for it in places):
            return None
        known, pattern = self._known
        return pattern if places <= known else self._learn(known | places)

    def _learn(self, wanted):
        """Find where these places of the reference are in the sanitized one."""
        reference, result = self._reference
        marked = list(reference)
        for place in wanted:
            marked[place] = f"{self._mark}x{place}x"
        pattern = re.split(
            # A whole text: what stands beside it could change what it means.
            rf"(?<=>){self._mark}x(\d+)x(?=<)",
            self._sanitize("".join(marked)),
        )
        pattern[1::2] = map(int, pattern[1::2])
        in_raw = any(_RAW.match(text.rpartition("<")[2]) for text in pattern[:-1:2])
        if not in_raw and _fill(reference, pattern) == result:
            self._known = frozenset(wanted), pattern
            return pattern
        self._refused |= wanted - self._known[0]
        return None


def _fill(tokens, pattern):
    return "".join(
        tokens[part] if number % 2 else part for number, part in enumerate(pattern)
    )


@contextmanager
def composing():
    """Let the emails that are made in this block share what they have in common."""
    token = _composing.set(True)
    try:
        yield
    finally:
        _composing.reset(token)


def _sanitize(src, *args, original=fields_textual.html_sanitize, **options):
    if not _composing.get() or args or not isinstance(src, str):
        return original(src, *args, **options)
    key = tuple(sorted(options.items())), src.count("<")
    sanitizer = _SANITIZERS.get(key)
    if sanitizer is None:
        sanitizer = Sanitizer(lambda text: original(text, **options))
        _SANITIZERS[key] = sanitizer
    return sanitizer(src)


class SharedHeaders(type(email.policy.SMTP)):
    """Odoo's policy for outgoing emails, which keeps parsed headers and folded ones."""

    def header_store_parse(self, name, value):
        if type(value) is not str:
            return super().header_store_parse(name, value)
        return _parse_header(self.header_factory, name, value)

    def _fold(self, name, value, *args, **kwargs):
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


@lru_cache(maxsize=512)
def _parse_header(factory, name, value):
    policy = email.policy.EmailPolicy(header_factory=factory)
    name, header = policy.header_store_parse(name, value)
    header.mass_mailing_queue_folded = {}
    return name, header


fields_textual.html_sanitize = _sanitize
# The renderer normalizes one template anew for each recipient.
mail_render_mixin.html_normalize = lru_cache(maxsize=16)(
    mail_render_mixin.html_normalize
)
email.policy.SMTP = SharedHeaders(**vars(email.policy.SMTP))
