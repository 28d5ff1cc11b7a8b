# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

import os
from unittest.mock import patch

from odoo.tools import config

from odoo.addons.mass_mailing_queue.tests.common import QueueCase

from .. import sql


class ProviderCase(QueueCase):
    """The account of one server that no preset knows, with one limit of 10 a second."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = cls.server.queue_provider_id
        cls.limit = cls.provider.limit_ids

    @classmethod
    def _server(cls, host, **values):
        """Create an outgoing server."""
        return cls.env["ir.mail_server"].create(
            {"name": host, "smtp_host": host, **values}
        )

    @classmethod
    def _add_limit(cls, amount, period="second", provider=None, **values):
        """Add a limit to an account."""
        return cls.env["mailing.provider.limit"].create(
            {
                "provider_id": (provider or cls.provider).id,
                "amount": amount,
                "period": period,
                **values,
            }
        )

    def _run_sql(self, statement, *args):
        """Run a statement of ``sql.py`` as a sender would."""
        self.env.flush_all()
        result = statement(self.env.cr, *args)
        self.env.invalidate_all()
        return result

    def _prepare(self, *domains, provider=None):
        """Have the rows that senders move."""
        provider = provider or self.provider
        self._run_sql(sql.ensure, provider.id, list(domains or [""]))

    def _committed(self):
        """Run what waits for the end of the transaction."""
        self.env.flush_all()
        self.env.cr.postcommit.run()
        self.env.invalidate_all()

    def _configure(self, channels, workers=8):
        """Let the running configuration have these channels, and so many workers."""
        values = {"ODOO_QUEUE_JOB_CHANNELS": channels}
        self.startPatcher(patch.dict(os.environ, values))
        self.startPatcher(patch.dict(config.options, {"workers": workers}))
        self.env.invalidate_all()
