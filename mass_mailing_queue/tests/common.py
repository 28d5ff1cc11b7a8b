# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import smtplib
from unittest.mock import patch

from odoo.tests import TransactionCase, new_test_user

from odoo.addons.base.models.ir_mail_server import (
    IrMail_Server,
    MailDeliveryException,
)
from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.queue_job.job import Job

from .. import smtp


def wrapped(error):
    """Return what ``send_email`` raises for an SMTP error."""
    failure = MailDeliveryException("Mail Delivery Failed")
    failure.__context__ = error
    return failure


def refused(address, code, text):
    return wrapped(smtplib.SMTPRecipientsRefused({address: (code, text)}))


class QueueCase(TransactionCase):
    """A mailing to a list of contacts; jobs are run here, in the order they wait."""

    #: See ``ledger.in_foreign_test``.
    queue_mailings = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context=dict(cls.env.context, tracking_disable=True))
        cls.env["ir.mail_server"].search([]).active = False
        cls.server = cls.env["ir.mail_server"].create(
            {"name": "Server", "smtp_host": "smtp.example.com"}
        )
        cls.list = cls.env["mailing.list"].create({"name": "Customers"})
        cls.user = new_test_user(
            cls.env, "marketer", groups="mass_mailing.group_mass_mailing_user"
        )
        cls.env["mailing.queue.guard"]._accept()

    def setUp(self):
        super().setUp()
        # No session of another test.
        self.startPatcher(patch.object(smtp, "SESSIONS", smtp.SessionPool()))
        self.sent = []
        self.replies = {}
        self.startPatcher(
            patch.object(
                IrMail_Server, "send_email", autospec=True, side_effect=self._send_email
            )
        )

    def _let_native_send(self):
        """Undo what keeps Odoo's own senders from sending in a test."""
        for method, value in (("_disable_send", False), ("_connect__", None)):
            self.startPatcher(patch.object(IrMail_Server, method, return_value=value))

    def _send_email(self, server, message, **_kwargs):
        address = str(message["To"]).rpartition("<")[2].rstrip(">")
        failure = self.replies.get(address)
        if callable(failure):
            failure = failure(address)
        if failure is not None:
            raise failure
        self.sent.append(address)
        return message["Message-Id"]

    @classmethod
    def _contacts(cls, *emails, lists=None):
        return cls.env["mailing.contact"].create(
            [
                {
                    "name": f"Contact {number}",
                    "email": email,
                    "list_ids": [(4, one.id) for one in lists or cls.list],
                }
                for number, email in enumerate(emails, start=1)
            ]
        )

    @classmethod
    def _mailing(cls, **values):
        return cls.env["mailing.mailing"].create(
            {
                "subject": "News for {{ object.name }}",
                "body_html": '<p>Dear <t t-out="object.name"/>, see '
                '<a href="https://www.example.com/offer">the offer</a>.</p>',
                "email_from": "news@example.org",
                "reply_to_mode": "new",
                "reply_to": "news@example.org",
                "mailing_model_id": cls.env.ref("mass_mailing.model_mailing_list").id,
                "contact_list_ids": [(6, 0, cls.list.ids)],
                "user_id": cls.user.id,
                **values,
            }
        )

    def _jobs(self, method=None, states=("pending",)):
        domain = [("mailing_id", "!=", False), ("state", "in", list(states))]
        if method:
            domain.append(("method_name", "=", method))
        return self.env["queue.job"].search(domain, order="priority, id")

    def _perform(self, job_record):
        """Run one job's body as the controller would, without its transactions."""
        job = Job.load(self.env, job_record.uuid)
        job.set_started()
        job.store()
        result = job.func(*job.args, **job.kwargs)
        job.set_done(result=result)
        job.store()
        self.env.flush_all()
        self.env.invalidate_all()
        return result

    def _postponed(self, job):
        """Run a job that must postpone itself, keep what it wrote, return why.

        ``assertRaises`` would roll back what the ledger has committed in real life.
        """
        try:
            self._perform(job)
        except RetryableJobError as postponed:
            self.env.flush_all()
            self.env.invalidate_all()
            self.assertTrue(postponed.ignore_retry, "no attempt of the job is spent")
            self.assertGreater(postponed.seconds, 0)
            return postponed
        return self.fail("The job was not postponed")

    def _run_jobs(self, limit=10_000):
        """Run waiting jobs until none is left."""
        for _count in range(limit):
            jobs = self._jobs()
            if not jobs:
                return
            self._perform(jobs[0])
        self.fail("Jobs keep coming")

    def _traces(self, mailing):
        return self.env["mailing.trace"].search(
            [("mass_mailing_id", "=", mailing.id)], order="res_id"
        )

    def _statuses(self, mailing):
        return [
            (trace.email, trace.trace_status, trace.failure_type)
            for trace in self._traces(mailing)
        ]
