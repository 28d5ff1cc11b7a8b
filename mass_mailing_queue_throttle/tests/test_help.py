# Copyright 2026 Odoo Community Association (OCA)
# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).

from odoo.tests import TransactionCase

from odoo.addons.mass_mailing_queue.tests.test_help import HelpCase


class TestProviderHelp(HelpCase, TransactionCase):
    module = "mass_mailing_queue_throttle"
