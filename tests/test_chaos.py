"""Every kind of fault once, in small campaigns; `make chaos` has the large ones."""

import pytest

from .chaos import drafts, plan, report
from .conftest import BUILD

pytestmark = pytest.mark.slow

RUNS = 14
RECIPIENTS = 80


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


def statements_around_a_crash(env, step):
    """What becomes of a second connection when PostgreSQL crashes; runs inside Odoo."""
    import psycopg2

    from odoo.addons.mass_mailing_queue.ledger import Ledger, is_server_trouble

    def number(cr):
        cr.execute("SELECT 7")
        return cr.fetchone()[0]

    with Ledger(env) as ledger:
        found = [ledger.run(number)]
        step("used")
        for _attempt in range(2):
            try:
                found.append(ledger.run(number))
            except psycopg2.Error as error:
                found.append(is_server_trouble(error))
    return found


def test_a_second_connection_outlives_a_crash(campaigns):
    """The statement that meets the crash fails, and the next one has a new connection.

    psycopg2 takes a connection for open whose server has crashed since it was used.
    """
    with campaigns.workspace.scope() as scope:
        database = scope.database(plan.QUEUE)
        shell = scope.shell(database)
        with shell.start(statements_around_a_crash) as process:
            process.wait_for("used")
            database.close()
            database.postgres.restart(immediate=True)
            process.go_on()
            assert process.result() == [7, True, 7]
