"""Every kind of fault once, in small campaigns; `make chaos` has the large ones."""

import pytest

from .chaos import drafts, plan, report
from .conftest import BUILD

RUNS = 10
RECIPIENTS = 120


@pytest.fixture(scope="module")
def campaigns():
    """Campaigns to run, on a PostgreSQL of their own."""
    with (
        drafts.workspace(BUILD / "chaos") as workspace,
        drafts.Drafts(workspace, RECIPIENTS) as campaigns,
    ):
        yield campaigns


@pytest.fixture(scope="module")
def results():
    """What the runs were, written as a page at their end."""
    results = []
    yield results
    page = BUILD / "chaos" / "report.md"
    page.write_text(report.render(results))
    print(report.summary(results))


@pytest.mark.parametrize("number", range(RUNS))
def test_under_fire(campaigns, results, number):
    """Nobody twice, nobody lost, in doubt only whom a fault explains."""
    clocks = bool(campaigns.workspace.environment.faketime)
    result = campaigns.execute(plan.share(number, RUNS, RECIPIENTS, clocks))
    results.append(result)
    assert not result.problems, "\n".join([*result.events, result.logs])
    assert result.sent and not (result.duplicates or result.lost)
