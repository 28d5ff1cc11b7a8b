# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo import models
from odoo.tools import config

from ..discretion import conceal_words
from ..models.mailing_mailing_job import CHUNK_SIZE
from ..replies import Verdict
from ..wording import format_number

#: An email that is larger costs more than it brings (bytes).
LARGE = 1_000_000

#: How often an email is in memory while it is made: values, record, parts, MIME.
COPIES = 4


class MailingQueueDiagnosis(models.TransientModel):
    """What is said of an email that was measured, and what to do about it."""

    # One model in several files, by what is looked at.
    _inherit = "mailing.queue.diagnosis"  # pylint: disable=consider-merging-classes-inherited

    def _describe_reply(self, reply, server, mailing):
        words = mailing._queue_login_words_of(server)
        text = conceal_words(f"{reply.code or ''} {reply.text}".strip(), words)
        name = server.name or config.get("smtp_server") or "localhost"
        if reply.verdict is Verdict.BROKEN:
            return self._finding(
                87,
                self.env._(
                    "The mail server %(server)s refuses us: %(reply)s",
                    server=name,
                    reply=text,
                ),
                self._for_administrator(
                    self.env._(
                        "Check user name, password and sender of the mail server."
                    )
                ),
                mailing=mailing,
            )
        return self._finding(
            82,
            self.env._(
                "The mail server %(server)s cannot be used: %(reply)s",
                server=name,
                reply=text or self.env._("it does not answer."),
            ),
            self._for_administrator(
                self.env._("Check its address and port, or ask its provider.")
            ),
            mailing=mailing,
        )

    def _get_steps(self):
        """Return the names of the steps, with what to do when one is slow."""
        return {
            "render": (
                self.env._("rendering"),
                self.env._("Simplify the content, or what its placeholders compute."),
            ),
            "build": (
                self.env._("building"),
                self.env._("Link to attachments and images instead of sending them."),
            ),
            "connect": (
                self.env._("connecting"),
                self.env._(
                    "The server is far away, greets slowly, or its name resolves "
                    "slowly."
                ),
            ),
            "tls": (
                self.env._("encryption"),
                self.env._("The server takes its time to agree on encryption."),
            ),
            "auth": (
                self.env._("login"),
                self.env._("The server takes its time to check the password."),
            ),
            "envelope": (
                self.env._("sender accepted"),
                self.env._("The server takes its time to check the sender."),
            ),
            "delivery": (
                self.env._("delivery"),
                self.env._(
                    "The server takes its time to accept emails. More jobs at a time "
                    "make up for it."
                ),
            ),
        }

    def _describe_times(self, times, parts, mailing):
        steps = self._get_steps()
        total = sum(times.values())
        details = [
            f"{steps[step][0]}: {format_number(self.env, seconds, '%.3f')} s"
            for step, seconds in times.items()
        ]
        if parts:
            details.append(self._describe_parts(parts))
        slow = self._get_slow()
        if total <= slow:
            return self._finding(
                11,
                self.env._(
                    "One email takes %s s.", format_number(self.env, total, "%.2f")
                ),
                details=details,
                mailing=mailing,
            )
        slowest = max(times, key=times.get)
        return self._finding(
            66 if total > 10 * slow else 47,
            self.env._(
                "One email takes %(total)s s; the slowest step is %(step)s: "
                "%(seconds)s s.",
                total=format_number(self.env, total, "%.2f"),
                step=steps[slowest][0],
                seconds=format_number(self.env, times[slowest], "%.2f"),
            ),
            self.env._(
                "%s A session is kept for further emails: connecting, encryption and "
                "login are not needed for each.",
                steps[slowest][1],
            ),
            details,
            mailing,
        )

    def _describe_parts(self, parts):
        return self.env._(
            "size: %(size)s kB; inline images: %(images)s (%(image_size)s kB); "
            "attachments: %(attachments)s (%(attachment_size)s kB)",
            size=parts.size // 1000,
            images=parts.images,
            image_size=parts.image_size // 1000,
            attachments=parts.attachments,
            attachment_size=parts.attachment_size // 1000,
        )

    def _describe_memory(self, parts, mailing):
        """Compare the memory that a chunk of emails takes with what a worker may have.

        :return: a list with a finding, or none
        """
        limit = config["limit_memory_soft"]
        needed = parts.size * CHUNK_SIZE * COPIES
        if not limit or needed < limit / 4:
            return []
        return [
            self._finding(
                45,
                self.env._(
                    "A job that sends %(count)s emails of %(size)s kB takes about "
                    "%(needed)s MB of memory, and a worker has %(limit)s MB "
                    "(limit_memory_soft).",
                    count=CHUNK_SIZE,
                    size=parts.size // 1000,
                    needed=needed // 10**6,
                    limit=limit // 10**6,
                ),
                self.env._(
                    "Link to attachments and images instead of sending them, or have "
                    "limit_memory_soft raised."
                ),
                mailing=mailing,
            )
        ]

    def _describe_size(self, parts, mailing):
        return self._finding(
            43,
            self.env._("Each email is %s kB large.", parts.size // 1000),
            self.env._(
                "Link to attachments and images instead of sending them: that is "
                "faster, and large emails are often taken for spam."
            ),
            [self._describe_parts(parts)],
            mailing,
        )
