"""The parts that know no Odoo, against whatever a server, a file or a person says."""

import base64
import importlib
import io
import logging
import re
import smtplib
import string
import sys
import types
from datetime import datetime, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[1]


def load(addon, *names):
    """Modules of an addon without the addon, whose other modules need Odoo."""
    parent = types.ModuleType(f"fuzzed_{addon}")
    parent.__path__ = [str(ROOT / addon)]
    sys.modules[parent.__name__] = parent
    return [importlib.import_module(f"{parent.__name__}.{name}") for name in names]


discretion, replies, reply_times, reply_words, slicing, smtp = load(
    "mass_mailing_queue",
    "discretion",
    "replies",
    "reply_times",
    "reply_words",
    "slicing",
    "smtp",
)
(presets,) = load("mass_mailing_queue_throttle", "presets")

COMMANDS = ("connect", "auth", "mail", "rcpt", "data")
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)

# What servers say, in pieces that may stand in any order and contradict each other.
PIECES = st.sampled_from(
    """4.7.1 5.1.1 5.4.5 2.0.0 5.999.999 4.2.2 127.0.0.1 quota exceeded limit daily
    hourly too many connections recipients account suspended disabled your sender
    address rejected mailbox full try again in 99999999 days retry after Mon, 32 Feb
    2026 25:61:61 +9999 GMT 5 minutes domain is not allowed to send per hour
    mapiexception relay greylisted unknown user server busy
    <ann@example.com>""".split()
)
WAITS = st.builds(
    "4.7.1 try again in {} {}".format,
    st.integers(0, 10**7),
    st.sampled_from(["s", "minutes", "h", "days"]),
)
TEXTS = st.one_of(
    st.text(st.characters(), max_size=300),
    st.lists(PIECES, max_size=30).map(" ".join),
    st.lists(PIECES, max_size=30).map("\n".join),
    st.binary(max_size=300).map(lambda data: data.decode("latin-1")),
    st.sampled_from(["\udcff\0", "9" * 5000, "5.7.1 " * 2000, "\u0665\u0660"]),
)
CODES = st.one_of(st.integers(), st.integers(0, 999), st.none(), st.text(max_size=5))


def check_reply(reply):
    assert isinstance(reply, replies.Reply)
    assert reply.verdict in replies.Verdict
    assert reply.code in range(1000)
    assert re.fullmatch(r"([245]\.\d{1,3}\.\d{1,3})?", reply.enhanced)
    assert reply.limit in ("", "rate", "connections", "hour", "day", "month")
    assert isinstance(reply.account, bool)
    check_storable(reply.text, replies.MAX_TEXT)


def check_storable(text, length):
    assert len(text) <= length and "\0" not in text and "\n" not in text
    text.encode()


@given(CODES, TEXTS | WAITS, st.sampled_from(COMMANDS))
@example(450, "4.7.1 try again in 33 days", "rcpt")
@example(450, "4.7.1 try again after 1 Jan 0001 00:00 +9959", "rcpt")
def test_any_reply_means_something(code, text, command):
    """Never an exception, always a known class, a text that can be stored."""
    reply = replies.classify(code, text, command, NOW)
    check_reply(reply)
    assert reply.verdict is not replies.Verdict.SENT
    if reply.until is not None:
        assert NOW < reply.until <= NOW + reply_times.MAX_WAIT


@given(st.integers(400, 599), TEXTS, st.sampled_from(("rcpt", "data")))
def test_no_reply_to_a_refused_message_is_in_doubt(code, text, command):
    """A server that says no has not accepted; whatever else it says."""
    reply = replies.classify(code, text, command, NOW)
    assert reply.verdict is not replies.Verdict.IN_DOUBT


def failures():
    """Exceptions of smtplib and others, some wrapped in others."""
    data = st.one_of(st.binary(max_size=200), TEXTS)
    refused = st.dictionaries(TEXTS, st.tuples(CODES, data), max_size=2)
    plain = st.one_of(
        st.builds(smtplib.SMTPDataError, CODES, data),
        st.builds(smtplib.SMTPConnectError, CODES, data),
        st.builds(smtplib.SMTPHeloError, CODES, data),
        st.builds(smtplib.SMTPAuthenticationError, CODES, data),
        st.builds(smtplib.SMTPSenderRefused, CODES, data, TEXTS),
        st.builds(smtplib.SMTPRecipientsRefused, refused),
        st.builds(smtplib.SMTPServerDisconnected, TEXTS),
        st.builds(smtplib.SMTPNotSupportedError, TEXTS),
        st.builds(ConnectionResetError, TEXTS),
        st.builds(TimeoutError, TEXTS),
        st.builds(ValueError, TEXTS),
        st.just(AssertionError()),
    )

    def wrap(pair):
        inner, outer = pair
        outer.__context__ = inner if inner is not outer else None
        return outer

    return st.one_of(plain, st.tuples(plain, st.builds(KeyError, TEXTS)).map(wrap))


@given(failures(), st.sampled_from(("connect", "data", "build")))
def test_any_exception_is_a_reply_or_none(error, command):
    reply = smtp.read_failure(error, command)
    if reply is not None:
        check_reply(reply)


@given(failures())
def test_what_is_wrong_fits_on_a_line(error):
    check_storable(discretion.describe(error), discretion.MAX_REASON)


def test_a_huge_reply_costs_what_a_long_one_does(monkeypatch):
    """Each rule looks once, and at no more than the first characters."""
    looks = []

    class Counting:
        def __init__(self, rule):
            self.rule = rule

        def matches(self, code, text, command):
            looks.append(len(text))
            return self.rule.matches(code, text, command)

        def __getattr__(self, name):
            return getattr(self.rule, name)

    rules = tuple(Counting(rule) for rule in replies.RULES)
    monkeypatch.setattr(replies, "RULES", rules)
    for piece in ("x", "domain ", "too many ", "5.7.1-", "exceeded ", "a\n"):
        looks.clear()
        check_reply(replies.classify(450, piece * 2_000_000, "data", NOW))
        assert 0 < len(looks) <= len(rules) and max(looks) <= replies.MAX_TEXT


# Headers

HEADER_TEXTS = st.one_of(
    TEXTS,
    st.text(string.printable, max_size=60),
    st.binary(max_size=20).map(
        lambda data: f"=?utf-8?q?{''.join(f'={byte:02X}' for byte in data)}?="
    ),
    st.lists(
        st.sampled_from(["\r", "\n", " ", "\t", "X: 1", "=?utf-8?q?=0D=0AX=3A_1?="])
    ).map("".join),
)


@given(HEADER_TEXTS, st.sampled_from(["Subject", "From", "Reply-To", "X-Any"]))
@example("=?utf-8?q?A=0D=0ABcc=3A_v=40evil.test?=", "Subject")
@example("=?utf-8?q?A=0D=0A=0D=0Abody?=", "X-Any")
def test_a_header_that_is_called_safe_adds_none(text, name):
    """What is written has this header and the others, once, and its body."""
    message = EmailMessage(policy=policy.SMTP)
    try:
        message[name] = text
    except Exception:
        # Refused by Python: is it by us, too?
        assert not smtp.is_safe_header(name, text)
        return
    if smtp.broken_headers(message):
        assert not smtp.is_safe_header(name, text)
        return
    message.set_content("body")
    try:
        written = message.as_bytes()
    except Exception:
        # Python's writer gives up on some: such a message does not leave.
        return
    read = message_from_bytes(written)
    assert sorted(read.keys()) == sorted(message.keys())
    assert read.get_payload(decode=True) == b"body\r\n"


# Addresses

LOCAL = st.text(string.ascii_letters + string.digits + "._+-'", min_size=1, max_size=40)
HOST = st.from_regex(r"[a-z0-9]{1,20}(\.[a-z0-9-]{1,10}){1,3}", fullmatch=True)


@given(TEXTS, LOCAL, HOST, st.sampled_from(["@", "%40"]), TEXTS)
def test_an_address_is_concealed_wherever_it_stands(before, local, host, at, after):
    text = f"{before} <{local}{at}{host}> {after}"
    assert f"{local}{at}{host}" not in discretion.conceal(text)


WORDS = st.text(string.printable + "é😀", min_size=1, max_size=40)


@given(TEXTS, WORDS, WORDS, st.booleans())
@example("", "a", ".", False)
def test_a_login_is_concealed_as_it_is_shown(text, user, password, plain):
    """In a reply that quotes the login, whatever is in either."""
    sent = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    word = replies.clean(password) if plain else sent
    concealed = discretion.conceal_words(
        replies.clean(f"535 {word} {text}"), discretion.login_words(user, password)
    )
    assert not word or word not in concealed.replace("[...]", "")


@given(TEXTS, LOCAL, HOST)
def test_upstreams_records_are_rewritten_in_our_jobs_only(text, local, host):
    """The message and the traceback; elsewhere a record is left alone."""
    address = f"{local}@{host}"
    logger = logging.getLogger(discretion.UPSTREAM_LOGGERS[0])
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Not into pytest's report, which cannot pass on what is no valid text.
    logger.propagate = False
    try:
        with discretion.discreet():
            try:
                raise ValueError(f"{text} {address}")
            except ValueError:
                logger.info("Refused: %s", {address: text}, exc_info=True)
        inside = stream.getvalue()
        logger.info("Refused: %s", address)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        logger.propagate = True
    assert address not in inside and "Traceback" in inside
    assert stream.getvalue()[len(inside) :] == f"Refused: {address}\n"


def test_what_leaves_a_job_has_no_addresses():
    """Neither the exception nor those it comes from; its class stays."""
    address = "ann@example.com"
    with pytest.raises(KeyError) as caught, discretion.discreet():
        try:
            raise smtplib.SMTPRecipientsRefused({address: (550, address.encode())})
        except smtplib.SMTPRecipientsRefused as error:
            raise KeyError(address, 5) from error
    assert caught.value.args == ("[address]", 5)
    assert address not in str(caught.value.__cause__)


# Settings

ANY = st.one_of(st.integers(), st.floats(), st.none(), st.booleans())


@given(st.integers(), st.integers())
def test_any_job_has_recipients(recipients, setting):
    size = slicing.job_size(recipients, setting)
    assert size >= 1
    for batch in slicing.batches(range(5), size):
        assert batch


@given(st.integers(), st.floats(0, 1e9), st.integers())
def test_time_is_never_out_and_never_endless(largest, seconds, limit):
    budget = slicing.time_budget(limit)
    assert 0 < budget <= 30
    assert slicing.chunk_size(50, seconds, budget) in range(1, 51)


@given(st.integers(-5, 10**9))
def test_delays_are_bounded(attempt):
    assert 300 <= slicing.retry_delay(attempt) <= 3600
    assert 0 < slicing.outage_delay(attempt) <= 900


@given(st.one_of(TEXTS, ANY))
def test_any_host_has_a_preset(host):
    assert presets.match(host) in presets.PRESETS.values()


@given(st.integers(), st.sampled_from(list(presets.RAMPS.values())))
def test_any_day_of_a_warm_up_allows_something(day, ramp):
    amount = ramp.amount(day)
    assert amount is None or amount >= 1
    if amount is None:
        assert day > 0
    else:
        assert amount <= ramp.steps[-1][1]
