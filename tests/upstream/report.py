"""What our addons change in other people's tests, as a table."""

from .suites import DIFFERENCES

COLUMNS = ("suite", "passed without", "passed with", "skipped", "failed on both sides")


def regressions(without, beside):
    """Tests that pass without our addons and not with them."""
    return without.passed - beside.passed


def unexpected(without, beside):
    """Regressions that nobody has explained, and explanations that nobody needs."""
    broken = regressions(without, beside)
    ran = without.passed | without.failed | without.skipped
    stale = {test for test in DIFFERENCES if test in ran} - broken
    return sorted(broken - set(DIFFERENCES)), sorted(stale)


def render(results, versions):
    """The report as Markdown.

    :param results: list of (suites, outcome without, outcome with)
    :param versions: words that say what was compared
    """
    lines = ["# Other people's tests with our addons beside them", "", versions, ""]
    for cells in (COLUMNS, ["---"] * len(COLUMNS)):
        lines.append("|".join(cells).join("||"))
    broken, failed = set(), set()
    for suites, without, beside in results:
        broken |= regressions(without, beside)
        failed |= without.failed & beside.failed
        for suite in suites:
            before, after = without.of(suite), beside.of(suite)
            if not (before.passed or before.failed or before.skipped):
                lines.append(f"|{suite}|no tests in this Odoo||||")
                continue
            numbers = (
                len(before.passed),
                len(after.passed),
                len(after.skipped),
                len(before.failed & after.failed),
            )
            lines.append("|".join([suite, *map(str, numbers)]).join("||"))
    lines += ["", "## Passed without and not with", ""]
    lines += [
        f"- `{addon}` {test}: {DIFFERENCES.get((addon, test), 'UNEXPLAINED')}"
        for addon, test in sorted(broken)
    ] or ["None."]
    lines += ["", "## Failed on both sides", ""]
    lines += [f"- `{addon}` {test}" for addon, test in sorted(failed)] or ["None."]
    return "\n".join(lines) + "\n"
