"""The tests of Odoo's mailings pass with our addons beside them.

`make upstream` compares all suites of the family, without our addons and with them.
"""

import doctest

import pytest

from . import throttling
from .upstream import outcome, report, runs
from .upstream.suites import DIFFERENCES

pytestmark = pytest.mark.slow

#: Of the family, those that need nothing installed but ours.
SUITES = ("link_tracker", "mass_mailing")


def test_odoos_own_tests_pass_beside_us(scope):
    """Every one that can: nothing fails that is not explained, and they did run."""
    found = runs.run(scope, throttling.MODULES, SUITES)
    assert found.failed <= set(DIFFERENCES), sorted(found.failed - set(DIFFERENCES))
    for suite in SUITES:
        assert found.of(suite).passed, suite
    print(f"passed={len(found.passed)} skipped={len(found.skipped)}")
    assert len(found.passed) >= 60


def test_a_log_is_read():
    result = doctest.testmod(outcome)
    assert result.attempted and not result.failed


def test_what_passes_without_us_only_is_told():
    """Failed, skipped and vanished alike; what fails on both sides is not ours."""
    tests = [("mail", f"TestA.test_{number}") for number in range(5)]
    without = outcome.Outcome(set(tests[:4]), {tests[4]})
    beside = outcome.Outcome({tests[0]}, {tests[1], tests[4]}, {tests[2]})
    unexplained, stale = report.unexpected(without, beside)
    assert (unexplained, stale) == (tests[1:4], [])
    text = report.render([(("mail", "sms"), without, beside)], "Odoo")
    assert "|mail|4|1|1|1|" in text
    assert text.count("UNEXPLAINED") == 3
    assert "|sms|no tests in this Odoo||||" in text
