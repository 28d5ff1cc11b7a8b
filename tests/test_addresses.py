"""How addresses are cleaned, whatever people paste: one person, one spelling."""

import doctest
import re
import unicodedata

from hypothesis import assume, example, given
from hypothesis import strategies as st

from .test_fuzz_modules import load

(addresses,) = load("mass_mailing_queue", "addresses")
clean, mailable = addresses.clean, addresses.mailable

#: Nobody sees them; the last two join letters in some scripts.
UNSEEN = "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufeff"
EDGES = UNSEEN + "\u00a0\u2003\u3000\u2028\t\n\r \x00\x1f\x85\u200c\u200d"
AROUND = st.text(EDGES, max_size=4)

LETTERS = "abcXYZ019.-_+äöüßÉñ漢иש"
WORDS = st.text(LETTERS, min_size=1, max_size=8)
LABELS = st.sampled_from(
    "example münchen straße strasse bücher xn--mnchen-3ya 例え пример a-b ex".split()
)
DOMAINS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
ADDRESSES = st.builds("{}@{}".format, WORDS, DOMAINS)
#: And what nobody would expect.
ANYTHING = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from(LETTERS + EDGES + "@@;,\u037e\u212a\u1fef\u0308。")),
)


def test_its_examples_are_true():
    result = doctest.testmod(addresses)
    assert result.attempted and not result.failed


def seen(text):
    """What a person sees of an address, whatever its case and its composition."""
    gone = ("Cc", "Cf", "Mn", "Zs", "Zl", "Zp")
    text = unicodedata.normalize("NFC", re.sub("[\u3002\uff0e\uff61]", ".", text))
    return "".join(x for x in text.lower() if unicodedata.category(x) not in gone)


@given(AROUND, ADDRESSES, AROUND)
def test_what_nobody_sees_around_it_makes_no_difference(before, address, behind):
    assert clean(before + address + behind) == clean(address)
    assert mailable(clean(address)), "and a server can be given it"


@given(ADDRESSES, st.data())
def test_what_nobody_sees_in_it_makes_no_difference(address, data):
    """Where there is one address only; no space, which is seen, goes."""
    place = data.draw(st.integers(0, len(address)))
    sign = data.draw(st.sampled_from(UNSEEN))
    assert clean(address[:place] + sign + address[place:]) == clean(address)
    if 0 < place < len(address):
        spaced = address[:place] + "\u00a0" + address[place:]
        assert "\u00a0" in clean(spaced)


@given(ADDRESSES)
def test_composed_and_decomposed_letters_are_the_same(address):
    composed, apart = (unicodedata.normalize(form, address) for form in ("NFC", "NFD"))
    assert clean(composed) == clean(apart)


@given(ANYTHING)
@example("a\u037eb@x.example")
@example("\u212a@x.example")
@example("a@x.example\u200bb@y.example")
@example("a\u0308@x.example")
@example("\u0130@\u0130.example")
def test_no_letter_changes_and_nothing_new_is_read_from_it(text):
    """Cleaned twice is cleaned once, and what separates addresses stays as it is."""
    once = clean(text)
    assert clean(once) == once
    for sign in "@,;<>\"' ":
        assert once.count(sign) <= text.count(sign)
    assert once.count("@") == text.count("@")
    if "xn--" not in text.lower():
        assert seen(once) == seen(text)
    envelope = mailable(once)
    if envelope:
        assert envelope.rpartition("@")[0] == once.rpartition("@")[0]
        assert envelope.rpartition("@")[2].isascii()


@given(ADDRESSES | ANYTHING, ADDRESSES | ANYTHING)
@example("x@straße.example", "x@strasse.example")
@example("x@xn--mnchen-3ya.example", "x@münchen.example")
@example("x@nice\u3002example", "x@nice.example")
@example("A@x.example", "a@x.example")
def test_two_people_stay_two_and_one_is_one(one, other):
    """Addresses that are mailed at the same place are judged as one."""
    one, other = clean(one), clean(other)
    assume(mailable(one) and mailable(other))
    assert (mailable(one) == mailable(other)) == (one == other)


@given(ADDRESSES | ANYTHING)
def test_every_spelling_is_found(text):
    """By its ASCII form, or by the letters that all the others have."""
    assume("xn--" not in text.lower())
    assert addresses.skeleton(text) == addresses.skeleton(clean(text))
    assert clean(text) in addresses.spellings(clean(text))
    for spelling in addresses.spellings(clean(text)):
        assert clean(spelling) == clean(text)


@given(ADDRESSES)
def test_a_plain_address_has_one_spelling(address):
    """Those whose look-ups and forecast need not be asked about."""
    address = address.lower()
    if addresses.is_plain(address):
        assert clean(address) == mailable(address) == address
