"""Whoever subscribes with whatever address: replies mean for all the same."""

import ast
import re
from datetime import datetime, timezone
from pathlib import Path

from hypothesis import assume, example, given
from hypothesis import strategies as st

from .test_fuzz_modules import load

ROOT = Path(__file__).parents[1]

replies, reply_rules, reply_words = load(
    "mass_mailing_queue", "replies", "reply_rules", "reply_words"
)

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)

# Everything that a rule looks for, word by word, and what else is read
RULE_WORDS = sorted(
    {
        word
        for rule in reply_rules.RULES
        for phrase in rule.phrases
        for word in re.findall(r"(?<!\\)[a-z]{3,}", phrase)
    }
)
PHRASES = [
    "daily-limit",
    "daily limit exceeded",
    "rate-limit",
    "ratelimit",
    "relay-access-denied",
    "too.many.messages",
    "sending_paused_for_this_account",
    "exceeded-10-per-hour",
    "greylisted",
    "try-again-in-2-hours",
    "try again in 2 hours",
    "retry-after-5-days",
    "again_in_1_day",
    "sender address rejected",
    "mailbox-full",
    *reply_rules.CODES,
    "4.2.2",
    "5.7.1",
    "4.7.25",
]
WORDS = st.sampled_from(RULE_WORDS) | st.sampled_from(PHRASES)
SEPARATORS = st.sampled_from(["-", ".", "_", "+", "--", "=", "/"])


def joined(words, separators, most):
    return st.builds(
        lambda words, separator: separator.join(words),
        st.lists(words, min_size=1, max_size=most),
        separators,
    )


LOCALS = joined(WORDS, SEPARATORS, 4) | st.builds(str.upper, WORDS)
DOMAINS = st.builds(
    "{}.{}".format,
    joined(
        st.builds(lambda word: re.sub(r"[^a-z0-9.-]", "-", word), WORDS),
        st.sampled_from(["-", ".", ""]),
        4,
    ),
    st.sampled_from(["com", "example", "limit", "co.uk", "münchen"]),
)
COMMANDS = st.sampled_from(["rcpt", "data"])

# Refusals of one recipient, as servers word them. {local} stands alone only where
# the sentence says that it is a name.
REFUSALS = [
    "No such user: {address}",
    "5.1.1 <{address}>: Recipient address rejected: User unknown in local table",
    "5.1.1 <{address}>: Recipient address rejected: Access denied",
    "4.1.1 <{address}>: Recipient address rejected: unverified address",
    "5.1.1 unknown user {local}",
    "unknown user: {local}",
    'mailbox "{local}" unavailable',
    "mailbox '{local}' unavailable",
    "no mailbox here by that name: {local}",
    "User {local} not found, sorry",
    "5.2.1 account {local} is inactive",
    "[{local}] is not a mailbox",
    "{local}: user unknown",
    "{local} is not known here",
    "Address {address} does not exist (#5.1.1)",
    "{domain}: host not found",
    "no MX for {domain}",
    "4.4.4 mx1.{domain}[192.0.2.1] is out of reach",
    "connect to mail.{domain}: no route",
    "5.1.2 <{address}>: bad destination {domain}",
    "5.1.1 {address} {address} <{address}>",
    "5.7.1 {address}\n5.7.1 is not here",
    "not delivered: http://{domain}/?to={local}",
    "bounces+{local}={domain}@mx.example.net is full of mail",
    "SRS0=ab=cd={domain}={local}@relay.example.net: no",
    "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {address} not found",
]


def read(code, text, command, address):
    local, _at, domain = address.rpartition("@")
    text = text.format(address=address, local=local, domain=domain)
    reply = replies.classify(code, text, command, NOW, [address])
    meaning = reply.verdict, reply.limit, reply.account, reply.own, reply.until
    return *meaning, reply.enhanced


@given(
    st.sampled_from(REFUSALS),
    st.sampled_from([421, 450, 452, 550, 552, 554]),
    COMMANDS,
    LOCALS,
    DOMAINS,
)
def test_no_address_steers_what_its_refusal_means(text, code, command, local, domain):
    """Whatever the address says, a refusal of it is read as one of any other."""
    assert read(code, text, command, f"{local}@{domain}") == read(
        code, text, command, "zoe@neutral.example"
    )


def table(name):
    """A table of the addon's own tests, which need Odoo: (code, text, command, …)."""
    path = ROOT / "mass_mailing_queue" / "tests" / "test_replies.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return [tuple(map(value, row.elts)) for row in node.value.elts]
    raise KeyError(name)


def value(node):
    return node.id if isinstance(node, ast.Name) else ast.literal_eval(node)


TABLES = ("PROVIDERS", "AMBIGUOUS", "FIELD", "SIBLINGS")
REPLIES = [row for name in TABLES for row in table(name)]
# What a person's address begins with, and some that sound like replies
PEOPLE = st.from_regex(r"[a-z]{2,8}[0-9]{0,3}([._+-][a-z]{2,9})?", fullmatch=True)


@given(st.sampled_from(REPLIES), PEOPLE, DOMAINS)
def test_a_genuine_refusal_means_the_same_for_everybody(row, local, domain):
    """A provider that refuses all is heard whoever the recipient is."""
    code, text, command, _meaning = row
    assume(local not in re.findall(r"\w+", text.lower()))
    domain = f"x.{domain}"
    reply = replies.classify(code, text, command, NOW, [f"{local}@{domain}"])
    assert reply == replies.classify(code, text, command, NOW)


OURS = [
    row for row in REPLIES if row[3] in ("DAY", "HOUR", "RATE", "ACCOUNT", "SENDER")
]


@given(st.sampled_from(OURS), st.sampled_from(RULE_WORDS) | LOCALS, DOMAINS)
def test_who_is_called_like_a_reply_makes_it_no_worse(row, local, domain):
    """At worst it is read as about this recipient alone, or as a slower rate."""
    code, text, command, _meaning = row
    one = replies.classify(code, text, command, NOW, [f"{local}@{domain}"])
    all_ = replies.classify(code, text, command, NOW)
    assert severity(one) <= severity(all_)


def severity(reply):
    return {"SLOW_DOWN": 1, "BROKEN": 2}.get(reply.verdict.name, 0) + reply.account


# Of a language that nobody speaks, in any script. Its words have no digits.
LANGUAGE = st.text(st.characters(categories=["Lu", "Ll", "Lo"]), min_size=3, max_size=9)
IDS = st.from_regex(
    r"[0-9][0-9A-F]{7,11}|[0-9][a-zA-Z0-9]{3,6}-[0-9]{4}Ab", fullmatch=True
)
SHAPES = [
    "{w[0]} {w[1]} <{address}>: {w[2]} {w[3]}",
    "4.7.1 {w[0]} {local} {w[1]} {w[2]}, {w[3]} {id}",
    "{w[0]}{address}{w[1]} {w[2]} {w[3]}",
    "{w[0]} [{ip}] {w[1]}: {domain} {w[2]} ({id}) {w[3]}",
    "{w[0]} '{id} {w[3]}' {w[1]} https://x.example/{id}?to={address} {w[2]}",
    "{w[0]} {w[1]} {number} {w[2]} {w[3]} Sun, 0{digit} Mar 2026 12:0{digit}:00 +0000",
]


def shape(shape_, words, recipient):
    local, domain, id_, number, ip = recipient
    return shape_.format(
        w=words,
        local=local,
        domain=domain,
        address=f"{local}@{domain}",
        id=id_,
        number=number,
        digit=number % 9 + 1,
        ip=ip,
    )


RECIPIENTS = st.tuples(
    PEOPLE | LOCALS.filter(lambda local: " " not in local),
    DOMAINS,
    IDS,
    st.integers(0, 10**6),
    st.ip_addresses().map(str),
)


def sign(code, text, recipient):
    address = f"{recipient[0]}@{recipient[1]}"
    return reply_words.signature(code, text, "rcpt", [address])


@given(
    st.sampled_from(SHAPES),
    st.lists(LANGUAGE, min_size=4, max_size=4),
    RECIPIENTS,
    RECIPIENTS,
)
def test_the_same_refusal_of_others_has_the_same_signature(text, words, one, other):
    """In any language, whatever of it is the recipient's or the attempt's."""
    for recipient in (one, other):
        names = re.split(r"\W+", reply_words.fold(recipient[0]))
        assume(not {reply_words.fold(word) for word in words} & set(names))
    assert sign(550, shape(text, words, one), one) == sign(
        550, shape(text, words, other), other
    )


@given(
    st.sampled_from(SHAPES),
    st.lists(LANGUAGE, min_size=4, max_size=4),
    LANGUAGE,
    RECIPIENTS,
)
def test_another_word_or_code_is_another_refusal(text, words, word, recipient):
    signed = sign(550, shape(text, words, recipient), recipient)
    assert signed != sign(450, shape(text, words, recipient), recipient)
    assume(reply_words.fold(word) != reply_words.fold(words[2]))
    other = [*words[:2], word, words[3]]
    assert signed != sign(550, shape(text, other, recipient), recipient)


def test_different_replies_have_different_signatures():
    """No two of those that are known are taken for one."""
    seen = {}
    for code, text, command, _meaning in REPLIES:
        signed = replies.classify(code, text, command, NOW).signature
        seen.setdefault(signed, []).append(text)
    for texts in seen.values():
        plain = {re.sub(r"\S*@\S*|[\W\d]+", " ", text).strip() for text in texts}
        assert len(set(map(str.lower, plain))) == 1, texts


@example("a-" * 1000, "rcpt", ["a-a-a-a-a-a@a-a.a-a"])
@example("a." * 1000, "data", ["a.a.a@a.a.a.a.a.a.a.a"])
@example("\"'1" * 600, "data", ['"\'1"@x'])
@example("1:" * 1000, "data", ["::@[::1]"])
@example("a@" * 1000, "data", ["@@@@"])
@example("https://" * 250, "data", ["https://@https"])
@example("(((" * 600, "data", ["((((@)))"])
@given(
    st.text(max_size=300),
    COMMANDS,
    st.lists(st.text(max_size=60) | st.none() | st.integers(), max_size=5),
)
def test_any_address_can_be_looked_for(text, command, recipients):
    """Whatever is in it, and whatever is in the reply."""
    reply = replies.classify(450, text, command, NOW, recipients)
    assert re.fullmatch("[0-9a-f]{16}", reply.signature)
    for one in filter(lambda one: isinstance(one, str), recipients):
        replies.classify(450, text, command, NOW, one)
