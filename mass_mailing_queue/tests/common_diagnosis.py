# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import os
import socketserver
import threading
from types import SimpleNamespace
from unittest.mock import patch

from odoo.tools import config

from .. import sql_runner
from ..wizards import mailing_queue_diagnosis_latency as latency
from .common import QueueCase


class Conversation(socketserver.StreamRequestHandler):
    """A mail server as far as somebody is measured who delivers nothing."""

    def handle(self):
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")
            if verb == b"QUIT":
                return


class DiagnosisCase(QueueCase):
    """A mailing that nothing is in the way of, and what Diagnose says of it.

    Time passes only where a test says so.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        smtp_server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation)
        smtp_server.daemon_threads = True
        cls.addClassCleanup(smtp_server.server_close)
        thread = threading.Thread(target=smtp_server.serve_forever, daemon=True)
        thread.start()
        cls.addClassCleanup(smtp_server.shutdown)
        cls.host, cls.port = smtp_server.server_address
        cls.server.write({"smtp_host": cls.host, "smtp_port": cls.port})
        cls.office = cls.env["ir.mail_server"].create(
            {
                "name": "Office",
                "smtp_host": "smtp.example.net",
                "from_filter": "example.net",
            }
        )
        cls.env.company.email = "office@example.net"

    def setUp(self):
        super().setUp()
        self.registry_enter_test_mode()
        self.now = 0.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        self.startPatcher(patch.object(latency, "time", clock))
        self._configure_server(
            workers=4, limit_time_real=120, limit_memory_soft=2 * 1024**3
        )
        self._set_environment(
            # As a job runner calls Odoo: anybody who listens will do.
            ODOO_QUEUE_JOB_HOST=self.host,
            ODOO_QUEUE_JOB_PORT=str(self.port),
            ODOO_QUEUE_JOB_CHANNELS="root:2,root.mail:2",
        )
        # Lead as a job runner does.
        self.cr.execute("SELECT pg_advisory_xact_lock(%s)", [sql_runner.RUNNER_LOCK])
        self._contacts(*[f"c{number}@example.com" for number in range(5)])
        self.mailing = self._mailing()

    def _configure_server(self, **options):
        self.startPatcher(patch.dict(config.options, options))

    def _set_environment(self, **values):
        self.startPatcher(patch.dict(os.environ, values))

    def _planned(self):
        """Let every recipient have a job, and return their traces."""
        self.mailing.action_launch()
        self._perform(self._jobs("_job_plan"))
        return self._traces(self.mailing)

    def _diagnose(self, mailing=None, **values):
        self.env.flush_all()
        self.env.invalidate_all()
        mailing = self.mailing if mailing is None else mailing
        return (
            self.env["mailing.queue.diagnosis"]
            .create({"mailing_id": mailing.id, **values})
            ._find()
        )

    def _found(self, title, gravity, **values):
        """Return the one finding whose title has these words, which is so grave."""
        findings = self._diagnose(**values)
        found = [finding for finding in findings if title in finding["title"]]
        titles = "\n".join(finding["title"] for finding in findings)
        self.assertEqual(len(found), 1, f"{title}\nis not among\n{titles}")
        self.assertEqual(found[0]["gravity"], gravity, title)
        return found[0]

    def _assert_absent(self, title, **values):
        titles = [finding["title"] for finding in self._diagnose(**values)]
        self.assertFalse([one for one in titles if title in one])
