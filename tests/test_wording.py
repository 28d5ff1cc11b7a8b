"""Numbers in texts: no term says `1 seconds`."""

import re

import polib
import pytest

from .translations import ADDONS, template

#: What our texts count.
NOUNS = (
    "seconds minutes hours days emails messages recipients people jobs workers senders "
    "places connections checks mailings characters records attempts addresses links "
    "attachments databases accounts times"
).split()

#: A number that is put in, and the noun in the plural behind it.
COUNTED = re.compile(rf"(%(?:\(\w+\))?s) ((?:\w+ )?(?:{'|'.join(NOUNS)}))\b")

#: A word that stands beside a field of a form.
BESIDE = re.compile(r"^<span[^>]*>\s*([a-z]+)\s*</span>$")

#: What may stay, and why its number is never 1.
NEVER_ONE = {
    "%s minutes": "a minute has words of its own",
    "%s days": "from three days on",
    "%(mailing)s: %(count)s recipients, %(first)s to %(last)s": "one has its own words",
    "%(count)s recipients wait, more than %(limit)s.": "more than a limit, which is 1",
    "Scheduled actions have not run for %s minutes.": "from five minutes on",
    "A job that sends %(count)s emails of %(size)s kB takes about %(needed)s MB of "
    "memory, and a worker has %(limit)s MB (limit_memory_soft).": "a constant",
    "The token must have at least %s ASCII characters; openssl rand -hex 32 makes a "
    "good one.": "a constant",
    "Mailings may use only %(now)s of this server's %(workers)s workers "
    "(%(channels)s).": "fewer than there are",
    "The channel %(channel)s lets %(before)s jobs run at a time, and the account "
    "allows %(most)s: further workers only wait.": "more than one",
    "Between 1 and %s workers can send at a time. To stop sending, pause the account.":
        "a constant",
    "Messages per Connection must be 0 or more, and Keep Idle Connections from 0 to %s "
    "seconds.": "a constant",
}  # fmt: skip

#: Nouns beside a field that never says 1.
BESIDE_NEVER_ONE = {"emails": "more than one, unless nothing is counted"}


def terms(addon):
    return {entry.msgid for entry in polib.pofile(str(template(addon)))}


def shapes(term):
    """The placeholders of a term, without order."""
    return sorted(re.findall(r"%(?:\(\w+\))?s", term))


@pytest.mark.parametrize("addon", ADDONS)
def test_a_counted_noun_has_a_singular(addon):
    """Two terms for each number, as Odoo's terms have no plural forms."""
    all_terms = terms(addon)
    missing = []
    for term in all_terms - set(NEVER_ONE):
        for place, noun in COUNTED.findall(term):
            one = noun.replace("people", "person").replace("addresses", "address")
            one = one if one.endswith("ss") else one.removesuffix("s")
            pattern = re.compile(rf"{re.escape(place)} {one}\b(?!s)")
            if not any(
                pattern.search(other) and shapes(other) == shapes(term)
                for other in all_terms
            ):
                missing.append(f"{place} {noun} in {term!r}")
    assert not missing, "\n".join(sorted(missing))


@pytest.mark.parametrize("addon", ADDONS)
def test_a_noun_beside_a_field_has_a_singular(addon):
    """Else its unit belongs into the label: the field may say 1."""
    beside = {match[1] for term in terms(addon) if (match := BESIDE.match(term))}
    assert not {
        noun
        for noun in beside - set(BESIDE_NEVER_ONE)
        if noun.endswith("s") and noun.removesuffix("s") not in beside
    }


def test_every_exception_is_needed():
    assert set(NEVER_ONE) <= set().union(*map(terms, ADDONS))
