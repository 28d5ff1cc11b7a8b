# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""What is read by more people than the one it is about. Free of Odoo.

Logs are read by operators, and by whoever they hand them to; a job's traceback by those
who manage jobs. Neither needs a recipient's address, which a trace's id leads to for
those who may see it, and nobody needs a password.
"""

import base64
import logging
import re
from contextlib import contextmanager
from contextvars import ContextVar
from traceback import format_exception

from .replies import clean

#: What an exception tells people (characters).
MAX_REASON = 500

# Bounded, as a run of a megabyte without an at sign must not take minutes. Also as it
# stands in the links of an email.
_ADDRESS = re.compile(r"[\w.!#$%&'*+/?^`{|}~-]{1,64}(?:@|%40)[\w.-]{1,255}")

#: Loggers of upstream code that runs in our jobs and quotes what it works on: the
#: refused recipient; a template, with what broke it; a statement, with its values.
UPSTREAM_LOGGERS = (
    "odoo.addons.base.models.ir_mail_server",
    "odoo.addons.mail.models.mail_render_mixin",
    "odoo.sql_db",
)

_discreet = ContextVar("mass_mailing_queue_discreet", default=False)


def conceal(text):
    """Return a text without anything that looks like an address.

    >>> conceal("550 <ann@example.com>: no such user, ann%40example.com")
    '550 <[address]>: no such user, [address]'
    """
    return _ADDRESS.sub("[address]", text)


def conceal_words(text, words):
    """Return a text without these words, however they are capitalized.

    >>> conceal_words("550 Ann@Example.com rejected", ["ann@example.com", False])
    '550 [...] rejected'
    """
    words = sorted(filter(None, words), key=len, reverse=True)
    if not words:
        return text
    pattern = "|".join(re.escape(word) for word in words)
    return re.sub(pattern, "[...]", text, flags=re.IGNORECASE)


def login_words(user, password):
    """Return how a server's answer may quote a login: as it is, and as it was sent.

    >>> conceal_words("535 AGFubgBzZXNhbWU= sesame", login_words("ann", "sesame"))
    '535 [...] [...]'
    """
    words = [word for word in (user, password) if word]
    encoded = [
        base64.b64encode(word.encode(errors="replace")).decode()
        for word in (*words, f"\0{user}\0{password}")
    ]
    # Plain as the text of a reply is shown, too.
    return encoded + [clean(word) for word in words]


def describe(error):
    """Return in a line what is wrong, for people.

    With what it comes from, as upstream's errors of rendering do not say it; some quote
    the whole template and a traceback instead, which is left out.

    >>> describe(ValueError("no such field")), describe(MemoryError())
    ('no such field', 'Memory error')
    """
    text, cause = str(error), error
    for _depth in range(10):
        cause = cause.__cause__ or cause
    if cause is not error:
        words = f"{type(cause).__name__}: {cause}"
        text = words if len(text) > MAX_REASON else f"{text} ({words})"
    return clean(text, MAX_REASON) or _class_in_words(error)


def _class_in_words(error):
    """Return what an exception is called, where it says nothing itself."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).capitalize()


@contextmanager
def discreet():
    """Keep addresses out of what upstream logs meanwhile, and of what is raised.

    An exception that leaves a job is logged with its traceback, by queue_job and again
    by Odoo, and stored with the job.
    """
    token = _discreet.set(True)
    try:
        yield
    except Exception as error:
        _conceal_exception(error)
        raise
    finally:
        _discreet.reset(token)


def _conceal_exception(error):
    seen, left = set(), [error]
    while left:
        error = left.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        left += [error.__cause__, error.__context__]
        error.args = tuple(
            conceal(str(arg)) if _ADDRESS.search(str(arg)) else arg
            for arg in error.args
        )


class _Filter(logging.Filter):
    """Rewrites records that are made inside :func:`discreet`."""

    def filter(self, record):
        if _discreet.get():
            record.msg, record.args = conceal(record.getMessage()), ()
            if record.exc_info:
                # What handlers would format by themselves.
                text = "".join(format_exception(*record.exc_info)).rstrip()
                record.exc_info, record.exc_text = None, conceal(text)
        return True


for _name in UPSTREAM_LOGGERS:
    logging.getLogger(_name).addFilter(_Filter())
