# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What a function makes of HTML, found again in texts that differ in words.

Free of Odoo.
"""

import re
import secrets

_TAG = re.compile(r"(<[^>]*>)")
#: Elements whose text is no text.
_RAW = re.compile(
    r"(script|style|title|textarea|xmp|iframe|noembed|noframes|plaintext)", re.I
)
_LINK = re.compile(r"<(/?)a[\s>]", re.I)
#: Where links lead and pictures come from, and the words of that.
_TARGET = re.compile(r'\s(?:href|src)="([^"]*)"')
_WORD = re.compile(r"([A-Za-z0-9_-]+)")


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


class Stencil:
    """What a function makes of HTML that differs in plain words, such as names.

    The first text is the reference. Of another one with the same tags, and with plain
    words where it differs, the function makes what it makes of the reference, with
    these words in it. Where they go is found with marks in their place, and tried with
    the reference's.

    A place is the number of a token, and that of a word in it.

    :param function: of a text, which neither reads nor changes plain words
    :param bool in_links: whether that holds for words in links, too
    """

    # A whole text: what stands beside it could change what it means.
    _found = r"(?<=>)%s(?=<)"

    def __init__(self, function, in_links=True):
        self._function = function
        self._in_links = in_links
        # The first text's tokens, and what is made of it.
        self._reference = None
        # A result with places in it: [text, place, text, …].
        self._places, self._pattern = set(), []
        self._refused = set()
        # A word that may begin anything, as those it stands for may.
        self._mark = f"m{secrets.token_hex(8)}"

    def __call__(self, text):
        """Return what the function makes of a text, by itself or from the reference."""
        tokens = _TAG.split(str(text))
        if self._reference is None:
            self._type = type(text)
            self._reference, self._result = tokens, self._function(text)
            return self._result
        words = {}
        if len(tokens) == len(self._reference):
            for number, (token, other) in enumerate(
                zip(tokens, self._reference, strict=True)
            ):
                if token != other and not self._compare(number, token, other, words):
                    return self._function(text)
            if not words:
                return self._result
            if self._knows(words):
                return self._fill(self._pattern, words)
        return self._function(text)

    def _compare(self, number, token, other, words):
        """Find the words in which a token differs.

        :param dict words: place → word, to be filled
        :return: whether it differs in words only
        """
        words[number, 0] = token
        return True

    def _knows(self, words):
        """Return whether the pattern has these places, or can have them."""
        places = words.keys()
        plain = all(self._is_plain(place, word) for place, word in words.items())
        if places & self._refused or not plain:
            return False
        return places <= self._places or self._learn(self._places | places)

    def _learn(self, wanted):
        """Find where these places of the reference are in the result."""
        if not any(map(self._is_special, wanted)):
            marked = list(self._reference)
            for number in {number for number, _part in wanted}:
                parts = self._split(number)
                for _number, part in filter(lambda it: it[0] == number, wanted):
                    parts[part] = f"{self._mark}x{number}x{part}x"
                marked[number] = "".join(parts)
            found = re.split(
                self._found % rf"{self._mark}x(\d+)x(\d+)x",
                str(self._function(self._type("".join(marked)))),
            )
            places = zip(map(int, found[1::3]), map(int, found[2::3]), strict=True)
            pattern = [found[0]]
            for place, text in zip(places, found[3::3], strict=True):
                pattern += [place, text]
            if self._fill(pattern, {}) == self._result:
                self._places, self._pattern = wanted, pattern
                return True
        self._refused |= wanted - self._places
        return False

    def _split(self, number):
        """Return the parts of a token of the reference."""
        return [self._reference[number]]

    def _is_plain(self, place, word):
        return is_plain(word) and place[0] % 2 == 0

    def _is_special(self, place):
        """Return whether the function may read what stands there."""
        before = self._reference[: place[0]]
        if not self._in_links:
            links = filter(None, map(_LINK.match, reversed(before)))
            if (link := next(links, None)) and not link[1]:
                return True
        return bool(before and _RAW.match(before[-1], 1))

    def _fill(self, pattern, words):
        """Return the result with these words in it, and the reference's elsewhere."""
        parts = list(pattern)
        for index in range(1, len(parts), 2):
            place = parts[index]
            word = words.get(place)
            parts[index] = self._split(place[0])[place[1]] if word is None else word
        return type(self._result)("".join(parts))


class TextStencil(Stencil):
    """The same for a function that makes plain text, which has no tags.

    To it the targets of links and pictures are words, too: texts may differ in parts
    of them, such as the code of each recipient. Spaces it does read.
    """

    _found = "%s"

    def __init__(self, function):
        super().__init__(function)
        self._known_parts = {}

    def _compare(self, number, token, other, words):
        ours, theirs = self._take_apart(number, token), self._split(number)
        if ours[::2] != theirs[::2]:
            return False
        for part in range(1, len(ours), 2):
            if ours[part] != theirs[part]:
                words[number, part] = ours[part]
        return True

    def _take_apart(self, number, token):
        if number % 2:
            return _WORD.split(token)
        core = token.strip()
        before, _core, after = token.partition(core) if core else (token, "", "")
        return [before, core, after]

    def _split(self, number):
        if number not in self._known_parts:
            self._known_parts[number] = self._take_apart(
                number, self._reference[number]
            )
        return list(self._known_parts[number])

    def _is_plain(self, place, word):
        if place[0] % 2:
            return True
        return is_plain(word) and "  " not in word and "\n" not in word

    def _is_special(self, place):
        number, part = place
        if not number % 2:
            return super()._is_special(place)
        before = "".join(self._split(number)[:part])
        begin = len(before)
        # What a name ends with tells the kind of a file.
        return before.endswith(".") or not any(
            target.start(1) < begin < target.end(1)
            for target in _TARGET.finditer(self._reference[number])
        )
