# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Words of a reply that differ by recipient, and must not be read. Free of Odoo.

Anybody can subscribe with an address of any words, and servers quote addresses. So
whatever stands for a recipient is taken out before a reply is read, and whatever
differs from one recipient to the next before replies are compared.
"""

import hashlib
import re
import unicodedata
from itertools import pairwise

#: Stands for what was taken out. No word, and no part of any rule.
TAKEN = "\N{OBJECT REPLACEMENT CHARACTER}"

#: What is read of a reply (characters). The rest says nothing new.
MAX_TEXT = 2000

#: No address is longer (characters, RFC 5321).
MAX_LENGTH = 320

#: An enhanced status code (RFC 3463), and not a part of an IP address
ENHANCED = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")

#: More recipients of one message than that are not looked for.
MAX_RECIPIENTS = 100

# Anything like an address, whoever's: also one that the recipient forwards to, and one
# inside another (VERP). Bounded, so that long runs cost no more than short ones.
_ADDRESS = re.compile(
    r"(?:\"(?:[^\"\\]|\\.){1,64}\"|[^\s\"<>()\[\],;:@]{1,64})"
    r"(?:@|%40)(?:\[[\w.:-]{1,255}\]|[\w.:-]{1,255})"
)

# A plain word stands for an address behind one of these …
_NOUNS = (
    r"user(?: ?name)?s?|mail ?box(?:es)?|recipients?|accounts?|address(?:ee)?|alias"
    r"|login|destination|receiver|customer|member|contact|person|named?|called|inbox"
    r"|for|to|unknown|such|invalid|non-?existent|rcpt|local part|host|domain"
    r"|benutzer|empfänger|postfach|konto|adresse|utilisateur|destinataire|compte"
    r"|usuario|destinatario|buzón|cuenta|utente|casella|indirizzo"
)
# … or before one of these, if it is the first.
_VERBS = (
    r"is|was|has|does|doesn't|isn't|unknown|not|no|over|cannot|can't|could|user"
    r"|mail ?box|account"
)
_OPEN, _CLOSE = r"[\"'`<(\[{«‹“”„‘’‚|]", r"[\"'`>)\]}»›“”‘’|]"

# Some scripts have no spaces between an address and the words around it.
_LETTER = "[0-9a-z_]"

_LEADING_CODE = re.compile(r"\s*[245]\.\d{1,3}\.\d{1,3}(?=\s)")


def fold(text):
    """Return a text as it is compared: one spelling and case of each letter.

    >>> fold("5.7.1 ＭÜNCHEN Straße")
    '5.7.1 münchen strasse'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFC", folded)


def without_recipients(text, recipients, names="apart"):
    """Return a folded text without what stands for its recipients.

    Taken out are all addresses, whoever's; the recipients' addresses in any spelling;
    words that have both parts of one; their domains and the hosts below them; and the
    part before the at sign. That one is often a common word. If it has other
    characters than letters it is taken out wherever it is a word; a plain word only
    where it stands for an address: quoted, in brackets, alone behind a colon, behind
    words like "user", or in front of the sentence.

    So a reply means the same for any address, except for a recipient whose address
    has the reply's own words where a name could be: one called ``quota`` if the server
    says "account quota exceeded", or ``5.4.5``.

    :param str text: folded (:func:`fold`)
    :param recipients: addresses
    :param str names: which parts before the at sign are taken out: those that stand
        ``apart`` as described, ``all``, or ``none``

    >>> without_recipients("550 no such user: daily-limit", ["Daily-Limit@example.com"])
    '550 no such user: ￼'
    >>> without_recipients("daily limit exceeded for daily", ["daily@example.com"])
    'daily limit exceeded for ￼'
    >>> without_recipients("<mx.example.com>: host not found", ["a@example.com"])
    '<￼>: host not found'
    >>> without_recipients("5.1.1 <5.1.1@example.com> unknown", ["5.1.1@example.com"])
    '5.1.1 <￼> unknown'
    """
    # What a server says before anything else is its own code, unless nothing else in
    # its reply names the recipient.
    lead = _LEADING_CODE.match(text)
    begin = lead.end() if lead else 0
    rest = _take_out(text[begin:], recipients, names)
    if lead and rest == text[begin:]:
        return _ADDRESS.sub(TAKEN, _take_out(text, recipients, names))
    return text[:begin] + _ADDRESS.sub(TAKEN, rest)


def _take_out(text, recipients, names):
    for address in addresses(recipients):
        for pattern in _patterns(text, address, names):
            text = pattern.sub(_cut, text)
    return text


def _cut(match):
    """Return what was matched without its group."""
    begin, end = match.span(match.lastindex)
    before, after = begin - match.start(), end - match.start()
    return f"{match[0][:before]}{TAKEN}{match[0][after:]}"


def addresses(value):
    """Return up to :data:`MAX_RECIPIENTS` folded addresses.

    >>> addresses("Ann <Ann@Example.com>"), addresses(["b@example.com", False, ""])
    (['ann@example.com'], ['b@example.com'])
    """
    found = []
    for address in (value,) if isinstance(value, str) else value or ():
        if isinstance(address, str) and len(found) < MAX_RECIPIENTS:
            address = fold(address[:MAX_LENGTH]).strip()
            if address := address.rpartition("<")[2].rstrip("> "):
                found.append(address)
    return found


def _patterns(text, address, which):
    """Yield regular expressions of what stands for an address in a text.

    Most replies name nobody, and then nothing is compiled. What is to be cut is the
    only group that has matched.

    :param str which: see :func:`without_recipients`
    """
    names, domains = _spellings(address)
    names = [name for name in names if name in text]
    domains = [domain for domain in domains if domain in text]
    dotted = [domain for domain in domains if "." in domain]
    words = [domain for domain in domains if domain not in dotted]
    words += names if which != "none" else []
    plain = [word for word in words if word.isalpha() and which != "all"]
    other = [word for word in words if word not in plain]
    local, host = _any_of(names), _any_of(domains)
    if names and domains:
        yield re.compile(rf"((?:\"{local}\"|{local})(?:@|%40)(?:\[{host}\]|{host}))")
    if dotted:
        found = _any_of(dotted)
        yield re.compile(rf"(?<![\w.-])((?:[\w-]+\.)*{found})(?![\w-]|\.\w)")
        yield re.compile(rf"(?<!{_LETTER})({found})(?!{_LETTER})")
    if names and domains:
        # Both parts in a word: encoded, or inside another address
        inside = r"\S*?(?<![^\W_]){}(?![^\W_])"
        yield re.compile(
            rf"(?<!\S)((?={inside.format(local)})(?={inside.format(host)})\S+)"
        )
    if other:
        word = _any_of(other)
        yield re.compile(rf"(?<!{_LETTER})(?<!\d\.)({word})(?!{_LETTER}|\.\d)")
    if plain:
        word = rf"({_any_of(plain)})(?!\w)"
        yield re.compile(
            rf"{_OPEN}{word}(?={_CLOSE})"
            rf"|(?<!\w)(?:{_NOUNS})(?!\w)[\s:=]{{0,3}}{_OPEN}?{word}"
            rf"|[:=]\s?{word}(?=\W*$|[.,;:!?)\]>])"
            rf"|^\s*{word}(?=\s?:|\s(?:{_VERBS})(?!\w))"
        )


def _any_of(words):
    longest_first = sorted(words, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, longest_first))})"


def _spellings(address):
    """Return how a text may spell both parts of an address: (names, domains).

    >>> _spellings("ann+news@mail.münchen.example")[0]
    ['ann+news', 'ann', 'news']
    >>> _spellings("ann@mail.münchen.example")[1][:3]
    ['mail.münchen.example', 'mail.xn--mnchen-3ya.example', 'münchen.example']
    """
    name, at, domain = address.rpartition("@")
    if not at:
        name, domain = address, ""
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    names = [name, *(name.split("+") if "+" in name else ())]
    domain = domain.strip("[]").rstrip(".")
    domains = []
    # A host's domain, too, but no top-level one.
    for _depth in range(5):
        domains += [domain, _to_ascii(domain), _to_unicode(domain)]
        domain = domain.partition(".")[2]
        if "." not in domain:
            break
    return _known(names), _known(domains)


def _known(words):
    return list(dict.fromkeys(filter(None, words)))


def _to_ascii(domain):
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}"
        for label in domain.split(".")
    )


def _to_unicode(domain):
    labels = []
    for label in domain.split("."):
        if label.startswith("xn--") and label.isascii():
            try:
                label = fold(label[4:].encode().decode("punycode"))
            except UnicodeError:
                return ""
        labels.append(label)
    return ".".join(labels)


# ----------------------------------------------------------------------------
# The same refusal
# ----------------------------------------------------------------------------

_URL = re.compile(r"\b([a-z][a-z0-9+.-]{1,10}://[^\s/?#]{1,255})[^\s<>\"']*")
_DATE = re.compile(
    r"(?:[a-z]{3},? )?(?:\d{1,2} [a-z]{3}|[a-z]{3} \d{1,2})(?: \d{4})?"
    r" \d{1,2}:\d\d(?::\d\d)?(?: \d{4})?(?: (?:utc|gmt|[+-]\d{4}))?"
)
_QUOTED = re.compile(r"(?<!\w)([\"'`])[^\"'`]{0,200}\d[^\"'`]{0,200}\1(?!\w)")
_IPV6 = re.compile(
    r"(?<![\w:])(?=[0-9a-f:.]{2,45}(?![\w:]))(?:[0-9a-f]{0,4}:){2,8}[0-9a-f.]*"
)
# A word of ASCII with a digit, or digits of any script
_NUMBER = re.compile(r"(?=[a-z_.+=/-]{0,100}\d)[0-9a-z_.+=/-]+|\d+")
_HEX = re.compile(r"(?<!\w)[0-9a-f]{8,}(?!\w)")
_MIXED = re.compile(r"(?<!\w)[A-Za-z+/]{10,}={0,2}(?!\w)", re.ASCII)
_RUN = re.compile(rf"{TAKEN}[\s{TAKEN}]*")


def signature(code, text, command, recipients=(), sender=()):
    """Return a short text that is the same for the same refusal of other recipients.

    It knows no language: addresses, numbers, dates, queue ids and the variable parts
    of URLs are left out, all other words count.

    :param int code: SMTP reply code
    :param str text: the reply in the server's words
    :param str command: what it answered
    :param recipients: addresses that are left out with their parts, plain words too
    :param sender: the same, of our own
    :return: 16 hexadecimal digits

    >>> one = signature(454, "4.7.1 <ann@a.org>: zut, 4Bx9Zk1", "rcpt", ["ann@a.org"])
    >>> one == signature(454, "4.7.1 <bob@b.org>: zut, 7Qq3Rw2", "rcpt", ["bob@b.org"])
    True
    >>> one == signature(454, "4.7.1 <ann@a.org>: nix, 4Bx9Zk1", "rcpt", ["ann@a.org"])
    False
    """
    text = _MIXED.sub(_hide_random, " ".join(text[:MAX_TEXT].split()))
    text = fold(text)[:MAX_TEXT]
    others = [*addresses(recipients), *addresses(sender)]
    text = without_recipients(text, others, "all")
    found = ENHANCED.search(text)
    text = _URL.sub(r"\1", text)
    for pattern in (_DATE, _QUOTED, _IPV6, _NUMBER, _HEX):
        text = pattern.sub(TAKEN, text)
    text = _RUN.sub(TAKEN, text)
    kept = "\n".join((str(code), found[1] if found else "", command, text.strip()))
    return hashlib.sha256(kept.encode(errors="replace")).hexdigest()[:16]


def _hide_random(match):
    """Return the word, unless it looks like the base64 of something random."""
    word = match[0]
    changes = sum(one.isupper() != other.isupper() for one, other in pairwise(word))
    return TAKEN if changes > 0.45 * len(word) else word
