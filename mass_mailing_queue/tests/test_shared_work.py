# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import email.policy
import itertools
from email import quoprimime
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from functools import cache, lru_cache, partial

from markupsafe import Markup

from odoo import tools
from odoo.tests import BaseCase, tagged
from odoo.tools import html_sanitize

from .. import shared_work

#: Where words may stand, ``%s`` is for one or two of them.
PLACES = (
    "<p>Dear %s,</p><p>hello</p>",
    "<div>%s</div>",
    "%s",
    "%s<p>first</p>%s",
    "<p>\n  %s\n  <br/>%s</p>",
    '<a href="https://example.com/?q=%s">%s</a>',
    "<style>p {color: %s}</style><p>%s</p>",
    "<title>%s</title><p>%s</p>",
    "<!-- %s --><p>%s</p>",
    "<!--[if mso]><b>%s</b><![endif]--><i>%s</i>",
    "<table><tr>%s<td>%s</td></tr></table>",
    "<pre>\n%s</pre><textarea>%s</textarea>",
    "<p>-<o:p></o:p>%s<br/></p>%s",
    "<p>%s<o:p></o:p>-<br/></p>%s",
    "<div>%s<br/><p>%s</p></div>",
    "<p>%s          </p>%s",
    "<blockquote>%s</blockquote><p>%s</p>",
    '<p title="a > b">%s</p>%s',
    "<script>%s</script><p>%s</p>",
    "<p>a<3 %s ></p>%s",
    '<div class="gmail_quote">%s</div><p>%s</p>',
)

WORDS = (
    "Anna",
    "Zoë O'Hara-Weiß",
    "名前 \U0001f600",
    "20 % off, {{ now }}",
    "",
    " ",
    "-",
    "--",
    "--\nAnna",
    "\n> quoted",
    "&amp;",
    "&nbsp;x",
    "O&#39;Hara & Sons",
    "a\xa0b",
    "a  b",
    "a\r\nb",
    "<b>bold</b>",
    "javascript:alert(1)",
    "expression(1)",
    '" onclick="x',
    "\u202e\u2028",
    "x" * 995,
    "On Monday Anna wrote:",
)

#: Where links lead, pictures come from, and what plain text reads of words.
TARGETS = (
    '<p><a href="https://example.com/r/%s">see</a> %s</p>',
    '<a href="%s">x</a>%s',
    '<p>%s<img src="https://example.com/t/%s/blank.gif"/></p>',
    '<img src="https://example.com/%s.gif?a=%s"/>',
    '<img src="https://example.com/a.%s"/><b>%s</b>',
    '<a href="https://example.com/?a=%s&amp;b=%s">%s</a>',
    '<a title="%s" href="/a">%s</a>',
    "<p>a <b> %s </b> %s b</p>",
    '<a href="data:%s">%s</a><img src="data:image/%s;base64,%s"/>',
    '<p>%s <!-- <a href="/x/%s"> --></p>',
    '<td>\n   %s\n  </td><a href="/x/%s-1">a</a><br>%s<br/>',
    "<h1>%s</h1><tr><td>%s</td></tr>",
    '<body><p href="/z/%s">%s</p></body>',
    "<p>a <%s>b</%s> c</p>",
)

CODES = ("abc", "ABC-1_2", "12", "i", "b", "gif", " a", "a ", "a \n b", "[1]")
CODES += ("strong", "https", "x/y", "a.png")


def fill(place, *words):
    return place % words[: place.count("%s")]


@tagged("post_install", "-at_install")
class TestSharedWork(BaseCase):
    def test_what_is_shared_is_what_upstream_makes(self):
        """Texts that differ in any way, after each of them, in each place."""
        body, loose = (
            lru_cache(maxsize=None)(partial(html_sanitize, **options))
            for options in ({"sanitize_style": True}, {"sanitize_tags": False})
        )
        for sanitize, place, first in itertools.product((body, loose), PLACES, WORDS):
            stencil = shared_work.Stencil(sanitize)
            stencil(fill(place, first, first))
            for one, other in itertools.product(WORDS, (first, *WORDS[:2], "&amp;")):
                for text in (fill(place, one, other), fill(place, other, one)):
                    self.assertEqual(stencil(text), sanitize(text), (text, first))

    def test_names_cost_nothing(self):
        """Of a hundred emails, two are sanitized: the first, and it with a mark."""
        calls = []

        def sanitize(text):
            calls.append(text)
            return html_sanitize(text)

        stencil = shared_work.Stencil(sanitize)
        for number in range(100):
            stencil(f"<div><p>Dear Contact {number},</p><b>news</b></div>")
        self.assertEqual(len(calls), 2)

    def test_plain_text_is_what_upstream_makes(self):
        """Of texts that differ in words and in targets, too."""

        @cache
        def plain(text):
            try:
                return tools.mail.html2plaintext(text)
            except AttributeError:
                return "Odoo cannot read it."

        words = (*WORDS, *CODES)
        for place, first in itertools.product(
            (*PLACES, *TARGETS), (*WORDS[:2], *CODES[:4], "-", "")
        ):
            stencil = shared_work.TextStencil(plain)
            stencil(fill(place, *[first] * 4))
            for one, other in itertools.product(words, (first, "Anna")):
                for text in (
                    fill(place, *[one, other] * 2),
                    fill(place, *[other, one] * 2),
                ):
                    self.assertEqual(stencil(text), plain(text), (text, first))

    def test_codes_in_links_cost_nothing(self):
        """Of a hundred emails, two are made plain: the first, and it with marks."""
        calls = []

        def plain(text):
            calls.append(text)
            return tools.mail.html2plaintext(text)

        with shared_work.composing():
            for number in range(100):
                html = (
                    f"<p>Dear Contact {number},</p>"
                    f'<a href="https://example.com/r/x/m/{number}">news</a>'
                )
                found = shared_work._html2plaintext(html, original=plain)
                self.assertIn(f"Contact {number},", found)
                self.assertIn(f"[1] https://example.com/r/x/m/{number}", found)
        self.assertEqual(len(calls), 2)
        self.assertIs(tools.html2plaintext, shared_work._html2plaintext)

    def test_only_while_composing(self):
        """Whoever else sanitizes, gets the original."""
        calls = []
        for text in ("<p>a</p>", "<p>b</p>") * 2:
            shared_work.share(calls.append, text, "key")
        self.assertEqual(len(calls), 4)
        with shared_work.composing():
            for text in ("<p>a</p>", "<p>a</p>", None):
                shared_work.share(calls.append, text, "key")
        self.assertEqual(len(calls), 6)

    def test_words_in_links_are_labels(self):
        """Where a link's text matters, texts that differ there are not alike."""
        calls = []

        def label(text):
            calls.append(text)
            return Markup(text)

        stencil = shared_work.Stencil(label, in_links=False)
        for name in ("Anna", "Berta"):
            text = f"<p>Dear {name}, <b>see</b> <a href='x'>for <i>{name}</i></a></p>"
            self.assertEqual(stencil(Markup(text)), text)
        self.assertEqual(len([text for text in calls if "Berta" in text]), 1)
        found = stencil(Markup(text.replace("Dear Berta", "Dear Carla")))
        self.assertIsInstance(found, Markup)

    def test_headers_are_folded_as_python_does(self):
        headers = [
            ("Subject", "Zoë, this is our weekly newsletter " * 4),
            ("Subject", "short"),
            ("From", '"Zoë" <zoe@example.com>'),
            ("Message-Id", f"<{'a' * 90}@example.com>"),
            ("References", f"<{'b' * 90}@example.com> <{'c' * 90}@example.com>"),
            ("List-Unsubscribe", f"<https://example.com/{'d' * 990}>"),
            ("X-Empty", ""),
            ("Subject", "=?utf-8?q?encoded?="),
        ]
        plain = shared_work.SharedHeaders.__base__
        self.assertIsInstance(email.policy.SMTP, shared_work.SharedHeaders)
        for name, value in headers * 2:
            message = EmailMessage(policy=email.policy.SMTP)
            message[name] = value
            _name, header = plain.header_store_parse(email.policy.SMTP, name, value)
            self.assertEqual(message[name], header)
            for policy in (email.policy.SMTP, email.policy.SMTP.clone(linesep="\n")):
                folded = plain._fold(policy, name, header)
                self.assertEqual(policy.fold(name, message[name]), folded)

    def test_bodies_are_quoted_as_python_does(self):
        lines = [
            "",
            "words",
            "ends with a space ",
            "ends with a tab\t",
            "x" * 76,
            "x" * 75 + " ",
            "x" * 74 + "\t",
            "=" * 80,
            "Zo\xeb \x85 \x0b \x0c \x1c" * 20,
            "long " * 500,
        ]
        bodies = ["\n".join(pair) for pair in itertools.product(lines, repeat=2)]
        bodies += [f"{body}\n" for body in bodies]
        bodies += ["a\rb", "a\r\nb\r\n", "\n", "\n\n"]
        for body, how in itertools.product(bodies, [(), (78,), (40, "\r\n")]):
            expected = shared_work._original_encode(body, *how)
            self.assertEqual(quoprimime.body_encode(body, *how), expected, repr(body))

    def test_a_headers_class_is_made_once(self):
        """It is the one that Python makes for each value."""
        ours, python = email.policy.SMTP.header_factory, HeaderRegistry()
        for name in ("To", "Subject", "Content-Type", "X-Own", "x-OWN"):
            self.assertEqual(ours[name].__mro__[1:], python[name].__mro__[1:])
            self.assertIs(ours[name], ours[name.lower()])
        self.assertIsNot(python["To"], python["To"])

    def test_h30_web_addresses_in_headers_are_not_encoded(self):
        """H30: a link is what it is, in one line as long as a line may be."""
        link = f"<https://example.com/{'d' * 900}?e=zoe%40example.com>"
        message = EmailMessage(policy=email.policy.SMTP)
        message["List-Unsubscribe"] = link
        for linesep in ("\r\n", "\n"):
            text = message.as_string(policy=email.policy.SMTP.clone(linesep=linesep))
            line = f"List-Unsubscribe: {link}{linesep}"
            self.assertTrue(text.startswith(line), text)
        plain = EmailMessage(policy=email.policy.default)
        plain["List-Unsubscribe"] = link
        self.assertIn("=?utf-8?q?", plain.as_string())

    def test_addresses_are_split_as_odoo_does(self):
        texts = ("a@b.c", '"Zoë, X" <z@b.c>, d@b.c', "x y z@b.c", "@b.c", "no", "", 0)
        for text in texts * 2:
            found = shared_work._original_split(text)
            self.assertEqual(tools.mail.email_split_tuples(text), found)
            # What a caller does to its list is not seen by the next one.
            tools.mail.email_split_tuples(text).append("x")
        self.assertIs(tools.mail.email_split_tuples, shared_work._split)

    def test_a_line_break_is_refused_each_time(self):
        for _number in range(2):
            with self.assertRaises(ValueError):
                EmailMessage(policy=email.policy.SMTP)["Subject"] = "a\nBcc: x"
