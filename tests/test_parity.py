"""C2: native Odoo and the job queue yield the same traces and the same messages."""

import dataclasses
import re
from pathlib import Path

import pytest

from . import campaigns, throttling
from .parity import audience, contents, differences, generated, pair
from .parity.comparison import Outcome, compare
from .parity.judged import Judged
from .parity.report import Report
from .support.environment import ROOT

pytestmark = pytest.mark.slow

README = ROOT / "mass_mailing_queue" / "readme" / "USAGE.md"

#: One recipient a job, as by default: composing for one is another way through Odoo.
SINGLE = ["personal", "partners", "registrations", "attachments"]

NASTY = {
    "contacts": audience.CONTACTS,
    "partners": audience.PARTNERS + audience.STRANGERS,
    "registrations": audience.REGISTRATIONS,
    "blacklist": audience.BLACKLIST,
    "mailings": contents.MAILINGS + contents.VERSIONS + contents.BROKEN,
}
NASTY_BATCHES = [
    pair.Batch(SINGLE, job_size=1),
    pair.Batch([one["key"] for one in contents.MAILINGS if one["key"] not in SINGLE]),
    *(pair.Batch([version["key"]]) for version in contents.VERSIONS),
    pair.Batch([contents.VERSIONS[0]["key"]], winner=True),
    # Native Odoo never gets past these.
    *(pair.Batch([broken["key"]], job_size=1) for broken in contents.BROKEN),
]


@dataclasses.dataclass
class Result:
    """Two sides that were compared."""

    judged: Judged
    claimed: dict
    unexpected: list


@pytest.fixture(scope="module")
def report():
    return Report(ROOT / "build" / "parity" / "report.md")


def send_and_compare(scope, report, title, world, batches, modules):
    native, queue, ids = pair.send_both(scope, world, batches, modules)
    judged = Judged(Outcome(native), Outcome(queue), world, ids)
    comparison = compare(judged.native, judged.queue)
    claimed, unexpected = differences.explain(judged, comparison)
    report.add(title, judged, comparison, claimed, unexpected)
    return Result(judged, claimed, unexpected)


@pytest.fixture(scope="module")
def nasty(module_scope, report):
    """Hand-made audience and contents."""
    return send_and_compare(
        module_scope, report, "by hand", NASTY, NASTY_BATCHES, campaigns.MODULES
    )


@pytest.fixture(scope="module")
def drawn(module_scope, report):
    """Generated audience and contents, sent with the limits' addon installed, too."""
    world = generated.world()
    batches = [pair.Batch([one["key"] for one in world["mailings"]])]
    return send_and_compare(
        module_scope, report, "generated", world, batches, throttling.MODULES
    )


@pytest.fixture(params=["nasty", "drawn"])
def result(request):
    """Each of them."""
    return request.getfixturevalue(request.param)


def test_nothing_differs_but_what_is_meant_to(result):
    """Traces, messages and what is left in the database are the same otherwise."""
    found = result.unexpected
    examples = "\n".join(map(str, found[:20]))
    assert not found, f"{len(found)} unexpected differences:\n{examples}"


def test_intended_differences_are_exactly_so(result):
    """Each proves what it claims: no other difference hides behind it."""
    for difference, claimed in result.claimed.items():
        if claimed:
            difference.prove(result.judged, claimed)


def test_every_intended_difference_occurs(nasty, drawn):
    """One that explains nothing any more is to be taken out of the table."""
    idle = [
        difference.name
        for difference in differences.DIFFERENCES
        if not nasty.claimed[difference] and not drawn.claimed[difference]
    ]
    assert not idle


def test_the_audience_is_as_nasty_as_it_is_meant_to_be(nasty):
    """Every status and every reason that upstream knows for a recipient occurs."""
    traces = nasty.judged.native.traces.values()
    outcomes = {(trace["trace_status"], trace["failure_type"]) for trace in traces}
    assert outcomes == {
        ("sent", False),
        ("error", "unknown"),
        ("error", "mail_email_invalid"),
        ("cancel", "mail_bl"),
        ("cancel", "mail_dup"),
        ("cancel", "mail_email_invalid"),
        ("cancel", "mail_email_missing"),
        ("cancel", "mail_optout"),
    }


def test_intended_differences_are_documented_and_proven():
    """The readme names those of the table and those that other tests prove; no more."""
    section = README.read_text().partition("## What differs")[2]
    named = re.findall(r"^- \*\*(.+?)\.\*\*", section, re.MULTILINE)
    table = [difference.name for difference in differences.DIFFERENCES]
    assert sorted(named) == sorted([*table, *differences.PROVEN_ELSEWHERE])
    for place in differences.PROVEN_ELSEWHERE.values():
        path, _colons, test = place.partition("::")
        assert f"def {test}(" in Path(ROOT, path).read_text(), place
