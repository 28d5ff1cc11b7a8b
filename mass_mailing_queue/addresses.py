# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""One spelling for an address that was pasted, exported or imported. Free of Odoo.

Spreadsheets, web pages and macOS leave characters in addresses that nobody sees, and
write one letter as two. Natively such a recipient fails, or is mailed at an address
that does not exist.
"""

import re
import unicodedata
from contextlib import suppress

import idna

#: Without a width: soft hyphen, zero width space, marks and embeddings of direction,
#: word joiner, byte order mark. In domains, UTS 46 ignores them.
_UNSEEN = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
)
_INSIDE = re.compile(f"[{_UNSEEN}]")
#: Of no meaning before and behind an address only: all spaces and control characters,
#: and the joiners, which some scripts need in the middle of a word.
_EDGE = rf"[\s\x00-\x1f\x7f-\x9f\u034f\u200c\u200d{_UNSEEN}]+"
_EDGES = re.compile(rf"\A{_EDGE}|{_EDGE}\Z")

#: What IDNA takes for the dot of a domain.
_DOTS = re.compile("[\u3002\uff0e\uff61]")
#: What Odoo finds in a header for the envelope (``ir_mail_server.address_pattern``).
_ENVELOPE = re.compile(r'[^" ,<@]+@[^>" ,]+')


def clean(address):
    """Return the spelling under which an address is judged and mailed.

    Characters that nobody sees are taken off, letters are composed (NFC), the domain
    is in lower case and in letters of its language; the local part is, as in Odoo, in
    lower case if it is ASCII. No letter that is seen changes, and two addresses never
    become one: what may stand between them stays.

    :param str address: one address, without a name

    >>> clean("\\u00a0Ann@Example.com\\u200b")
    'ann@example.com'
    >>> clean("x@mu\\u0308nchen.example") == clean("x@xn--mnchen-3ya.example")
    True
    >>> clean("a@x.example\\u200bb@x.example")  # perhaps two
    'a@x.example\\u200bb@x.example'
    >>> clean("a\\u037eb@x.example")  # a Greek question mark is no semicolon
    'a\\u037eb@x.example'
    """
    address = _EDGES.sub("", address or "")
    local, at, domain = address.rpartition("@")
    if not at:
        return address
    if "@" not in local:
        local, domain = _INSIDE.sub("", local), _INSIDE.sub("", domain)
    local, domain = _compose(local), _read_domain(domain)
    return f"{local.lower() if local.isascii() else local}@{domain}"


def mailable(address):
    """Return how a cleaned address stands in a message and its envelope.

    :return: with an ASCII domain; ``None`` if no server could be given it

    >>> mailable("x@straße.example"), mailable("ann@example.com")
    ('x@xn--strae-oqa.example', 'ann@example.com')
    >>> mailable("x@na\\u00a0me.example") is mailable('"a b"@x.example') is None
    True
    """
    local, _at, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = idna.encode(domain).decode()
        except UnicodeError:
            return None
    address = f"{local}@{domain}"
    return address if _ENVELOPE.fullmatch(address) else None


def spellings(address):
    """Return the ways in which lists may have a cleaned address, itself among them.

    Those with characters that nobody sees are found by :func:`skeleton`.

    >>> sorted(spellings("x@münchen.example"))
    ['x@münchen.example', 'x@xn--mnchen-3ya.example']
    """
    return {address, mailable(address) or address}


def skeleton(address):
    """Return what all spellings of an address that are not ASCII have in common.

    The same as :data:`.sql_spellings.SKELETON` is in PostgreSQL.

    >>> skeleton("Jo\\u0308rg@x.example\\u200b") == skeleton("Jörg@x.example")
    True
    """
    return re.sub(LEFT_OUT, "", unicodedata.normalize("NFD", address)).lower()


def is_plain(address):
    """Return whether an address is written in one way only, and can be mailed.

    >>> is_plain("ann.o'hara+news@example.com"), is_plain("x@xn--mnchen-3ya.example")
    (True, False)
    """
    return bool(PLAIN.fullmatch(address)) and "xn--" not in address


#: What a :func:`skeleton` is without: all but ASCII, spaces and dots.
LEFT_OUT = "[^!-,/-~-]"

PLAIN = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@[a-z0-9.-]+")


def _compose(text):
    # Few signs become ASCII, among them one that separates addresses.
    for sign in text:
        if not sign.isascii() and unicodedata.normalize("NFC", sign).isascii():
            return text
    return unicodedata.normalize("NFC", text)


def _read_domain(domain):
    """Return a domain in its letters, also one that is written in ASCII."""
    domain = _DOTS.sub(".", _compose(domain.lower()))
    if "xn--" in domain:
        with suppress(UnicodeError):
            letters = idna.decode(domain)
            if idna.encode(letters).decode() == domain:
                return letters
    return domain
