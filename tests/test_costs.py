"""What an email may cost, in counts: a machine's seconds differ, these do not.

`make bench PARTS=costs` has the same figures, larger and with the time of each step.
"""

import pytest

from .bench import costs
from .bench.contenders import Ours

pytestmark = pytest.mark.slow

RECIPIENTS = 200
JOB_SIZE = 50

#: By content: statements, commits and calls of functions an email. A tenth above what
#: was counted, so that it is noticed when an email becomes dearer.
MOST = {
    "plain": (5.8, 2.8, 17_300),
    "newsletter": (6.6, 2.8, 28_700),
}


@pytest.mark.parametrize("content", MOST)
def test_an_email_costs_what_it_did(scope, content):
    """No change makes emails dearer without being seen."""
    ours = Ours(scope, RECIPIENTS, content, job_size=JOB_SIZE)
    ours.server.stop()
    seen = costs.profiled(scope, ours.database, ours.draft)
    found = tuple(
        round(seen[name] / RECIPIENTS, 2) for name in ("statements", "commits", "calls")
    )
    print(f"{content}: {found}")
    assert all(
        number <= most for number, most in zip(found, MOST[content], strict=True)
    ), found
