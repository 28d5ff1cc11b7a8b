"""Every hazard that the page lists is shown by tests, and no test names another."""

from .chaos.native import NATIVE
from .support.hazards import hazards, named


def test_hazards_are_numbered_without_a_gap():
    """A code that is gone, or there twice, would be a hazard forgotten."""
    page = hazards()
    assert sorted(page, key=lambda code: int(code[1:])) == [
        f"H{number}" for number in range(1, len(page) + 1)
    ]
    assert all(hazard.natively and hazard.here for hazard in page.values())


def test_a_star_is_shown_natively():
    """What the page says happens without our addons, `make hazards` shows."""
    assert {code for code, hazard in hazards().items() if hazard.shown} == set(NATIVE)


def test_the_page_and_the_tests_agree():
    """The tests of a hazard exist and name it; whoever names one is on its list."""
    listed = {
        (code, test) for code, hazard in hazards().items() for test in hazard.tests
    }
    naming = {(code, test) for test, codes in named().items() for code in codes}
    assert listed == naming
    assert {code for code, _test in listed} == set(hazards())
