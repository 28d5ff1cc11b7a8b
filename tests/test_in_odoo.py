"""The addons' own tests, as a plain Odoo runs them."""

import pytest

from . import campaigns, throttling
from .support import in_odoo

pytestmark = pytest.mark.slow


(FIRST,), (SECOND,) = campaigns.MODULES, throttling.MODULES
#: Tests of the first addon on what the second one changes. All of them with both:
#: `python -m tests.support.in_odoo --modules mass_mailing_queue_throttle TAGS`.
CHANGED = (
    "TestControl",
    "TestDeliver",
    "TestJudgement",
    "TestProgress",
    "TestRehearsal",
)


# Minutes of processor time: a busy machine needs many times as long.
@pytest.mark.timeout(in_odoo.SECONDS + 100)
@pytest.mark.parametrize(
    ("modules", "tags", "least"),
    [
        (campaigns.MODULES, [f"/{FIRST}"], 200),
        (
            throttling.MODULES,
            [f"/{SECOND}", *(f"/{FIRST}:{name}" for name in CHANGED)],
            120,
        ),
    ],
    ids=["alone", "with-limits"],
)
def test_the_addons_pass_their_tests_in_odoo(scope, modules, tags, least):
    """`odoo --test-tags /mass_mailing_queue` passes, and does run the tests."""
    update = ["-u", campaigns.MODULES[0]]
    result = in_odoo.run(scope, scope.database(modules), tags, update)
    assert result.passed, result.failures or result.log
    assert result.tests >= least
