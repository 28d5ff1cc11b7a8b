"""The addons' own tests, as a plain Odoo runs them."""

import pytest

from . import campaigns, throttling
from .support import in_odoo

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("modules", "least"),
    [(campaigns.MODULES, 90), (throttling.MODULES, 170)],
    ids=["alone", "with-limits"],
)
def test_the_addons_pass_their_tests_in_odoo(scope, modules, least):
    """`odoo --test-tags /mass_mailing_queue` passes, and does run the tests.

    Those of the first addon pass with the second one installed, too.
    """
    tags = [f"/{module}" for module in {*campaigns.MODULES, *modules}]
    update = ["-u", campaigns.MODULES[0]]
    result = in_odoo.run(scope, scope.database(modules), tags, update)
    assert result.passed, result.failures or result.log
    assert result.tests >= least
