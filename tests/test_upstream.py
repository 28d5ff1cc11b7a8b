"""The tests of Odoo's mailings pass with our addons beside them.

`make upstream` compares all suites of the family, without our addons and with them.
"""

from .upstream import runs
from .upstream.suites import DIFFERENCES, OURS

SUITES = (
    "utm",
    "link_tracker",
    "mass_mailing",
    "mass_mailing_sms",
    "test_mass_mailing",
)


def test_odoos_own_tests_pass_beside_us(scope):
    """Every one that can: nothing fails that is not explained, and they did run."""
    outcome = runs.run(scope, ("test_mass_mailing", *OURS), SUITES)
    assert outcome.failed <= set(DIFFERENCES), sorted(outcome.failed - set(DIFFERENCES))
    for suite in SUITES:
        assert outcome.of(suite).passed, suite
    print(f"passed={len(outcome.passed)} skipped={len(outcome.skipped)}")
    assert len(outcome.passed) >= 120
