# License LGPL-3.0 or later (https://www.gnu.org/licenses/lgpl).
"""Run an addon's tests with every other addon loaded (a server-wide module).

Tests of the position ``at_install`` run when their addon was just loaded, before those
that depend on it: next to them, ours would not be there. Here they run after startup,
together with those of the position ``post_install``.
"""

from odoo.tests import loader
from odoo.tests.suite import OdooSuite

make_suite = loader.make_suite


class LateSuite(OdooSuite):
    """Tests of both positions."""

    def has_http_case(self):
        """Do without the assets of all pages, made in advance: no browser asks."""
        return False


def make_late_suite(module_names, position="at_install"):
    """Return the tests of both positions when it is the time of the later one."""
    if position == "at_install":
        return LateSuite()
    return LateSuite(
        test
        for when in ("at_install", "post_install")
        for test in make_suite(module_names, when)
    )


loader.make_suite = make_late_suite
