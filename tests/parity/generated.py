"""Audiences and contents that Hypothesis thinks up.

A database pair costs half a minute, so an example is not a pair: many contacts and
several mailings are drawn one by one and sent together. A deviation names its contact
and its mailing, so there is nothing to shrink. The same seed draws the same world.

    PARITY_CONTACTS=2000 PARITY_MAILINGS=20 PARITY_SEED=7 python -m pytest …
"""

import html
import os
import re

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from . import contents
from .audience import NEWS, OFFERS

CONTACTS = int(os.environ.get("PARITY_CONTACTS", "110"))
MAILINGS = int(os.environ.get("PARITY_MAILINGS", "3"))
SEED = int(os.environ.get("PARITY_SEED", "1"))

#: PostgreSQL stores neither NUL nor half a surrogate pair.
TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40
)
#: A line break in a name that is not ASCII is refused, or not, by version of Python.
NAME = TEXT.map(lambda text: re.sub(r"[\r\n]", " ", text))
WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
NICE = "abcdefgh"


def examples(strategy, count):
    """Draw `count` examples, the same ones for one seed.

    In rounds of a few: Hypothesis begins with the simplest example, which is left out,
    and soon only changes those it has.
    """
    found = []
    number = SEED * 1_000_000
    while len(found) < count:
        found += _round(strategy, number)
        number += 1
    return found[:count]


def _round(strategy, number):
    drawn = []

    @seed(number)
    @settings(
        max_examples=6,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example):
        drawn.append(example)

    draw()
    return drawn[1:]


def _case(address):
    return st.sampled_from([address, address.upper(), address.title(), f" {address} "])


#: Few, so that they are drawn twice, blacklisted, and opted out elsewhere.
SHARED = [f"{letter}@shared.example" for letter in NICE]
SHARED_ADDRESS = st.sampled_from(SHARED).flatmap(_case)
VALID = st.one_of(
    st.emails(),
    st.emails(),
    SHARED_ADDRESS,
    st.builds("{}@{}.example".format, WORDS, WORDS),
    st.builds('"{}" <{}>'.format, NAME, st.emails()),
    st.builds("{} <{}>".format, WORDS, st.emails()),
)
SEPARATOR = st.sampled_from([",", ", ", ";", " ", "\n"])
ADDRESS = st.one_of(
    VALID,
    VALID,
    st.builds("{}{}{}".format, VALID, SEPARATOR, VALID),
    st.builds("{}{}{}".format, VALID, SEPARATOR, TEXT),
    TEXT,
    st.just(False),
)
SUBSCRIPTIONS = st.dictionaries(
    st.sampled_from([NEWS, OFFERS]), st.booleans(), min_size=1
)
CONTACT = st.fixed_dictionaries(
    {
        "name": st.one_of(NAME, NAME, WORDS, st.just(False)),
        "email": ADDRESS,
        "lists": SUBSCRIPTIONS,
    }
)

#: A brace would begin a placeholder, and a wrong one sends nothing natively.
LITERAL = TEXT.map(lambda text: text.replace("{", "(").replace("\n", " "))
PLACEHOLDER = st.sampled_from(
    [
        "{{ object.name }}",
        "{{ object.email or 'nobody' }}",
        "{{ object.id }}",
        "{{ (object.name or '').upper() }}",
        "{{ object.missing_one if False else '' }}",
        "{{ object.company_name }}",
    ]
)
LINE = st.lists(LITERAL | PLACEHOLDER, max_size=3).map(" ".join)
URL = st.builds(
    "https://shop.example/{}?{}".format,
    WORDS,
    st.sampled_from(["", "a=1&b=2", "q=%20#top", "utm_source=x"]),
)


def _escaped(template, *strategies):
    """HTML with these texts in it."""
    return st.builds(
        lambda *texts: template.format(*(html.escape(text) for text in texts)),
        *strategies,
    )


BLOCK = st.one_of(
    _escaped("<p>{}</p>", LITERAL),
    _escaped('<p class="x" style="color: red">{}<br/>{}</p>', LITERAL, LITERAL),
    _escaped('<a href="{}">{}</a>', URL, LITERAL),
    _escaped('<a href="{}"><img src="/web/image/{}" alt="{}"/></a>', URL, WORDS, WORDS),
    _escaped("<table><tr><td>{}</td></tr></table>", LITERAL),
    _escaped("<!-- {} --><pre>{}</pre>", st.just("comment"), LITERAL),
    st.sampled_from(
        [
            contents.GREETING,
            contents.PERSONAL,
            contents.LEAVE,
            contents.LINKS,
            '<p t-foreach="range(2)" t-as="n"><t t-out="n"/></p>',
            '<p t-att-title="object.name">Title</p>',
            '<a t-attf-href="https://shop.example/for/{{ object.id }}">Yours</a>',
        ]
    ),
)
ATTACHMENT = st.builds(
    contents.attachment,
    WORDS,
    st.binary(max_size=200),
    st.sampled_from(["text/plain", "image/png", "application/x-odd", "text/html"]),
)
SENDER = st.builds('"{}" <{}@parity.example>'.format, WORDS, st.sampled_from("abc"))
MAILING = st.fixed_dictionaries(
    {
        # Not empty: that is refused when Send is pressed.
        "subject": LINE.map("S {}".format),
        "preview": LINE,
        "body": st.lists(BLOCK, max_size=6).map(lambda blocks: "x" + "".join(blocks)),
        "lists": st.sampled_from([[NEWS], [OFFERS], [NEWS, OFFERS]]),
        "keep_archives": st.booleans(),
        "reply_to": st.none() | SENDER,
        "email_from": SENDER,
        "use_exclusion_list": st.booleans(),
        "attachments": st.lists(ATTACHMENT, max_size=2),
        "user": st.sampled_from(["marketer", "french"]),
    }
)


def _mailing(number, drawn):
    body = drawn.pop("body")
    mode = "new" if drawn["reply_to"] else "update"
    return contents.mailing(f"drawn {number}", body, **{**drawn, "reply_to_mode": mode})


def world():
    """A world of generated contacts and mailings."""
    mailings = examples(MAILING, MAILINGS)
    # Beyond a hundred recipients native Odoo takes another way: its mail queue.
    mailings[0]["lists"] = [NEWS, OFFERS]
    return {
        "contacts": examples(CONTACT, CONTACTS),
        "partners": [],
        "registrations": [],
        "blacklist": dict.fromkeys(SHARED[:2], True),
        "mailings": [_mailing(number, one) for number, one in enumerate(mailings)],
    }
