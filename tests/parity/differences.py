"""Where the job queue is meant to differ from native Odoo.

Every deviation must be claimed by an entry, and every entry must occur: one that
explains nothing any more is wrong, too. What an entry claims it proves. The names are
those of the addon's `readme/`.
"""

import dataclasses
from collections.abc import Callable

from . import leftovers, outcomes


@dataclasses.dataclass(frozen=True)
class Difference:
    """One way in which the job queue is meant to differ.

    :param name: as people read it
    :param why: what goes wrong natively
    :param claims: from `judged.Judged` and a deviation, whether this is its cause
    :param prove: from `judged.Judged` and all that it claimed, asserts that it is
        exactly so
    """

    name: str
    why: str
    claims: Callable
    prove: Callable


#: In the order in which they claim.
DIFFERENCES = (
    Difference(
        "Jobs, claims and replies are kept",
        "native has no place for them",
        leftovers.claims_own,
        leftovers.prove_own,
    ),
    Difference(
        "Scheduled actions are triggered more often",
        "without a job runner they run the jobs",
        leftovers.claims_triggers,
        leftovers.prove_triggers,
    ),
    Difference(
        "A test's sample is drawn once",
        "native draws at every call, at random (H7)",
        outcomes.claims_sample,
        outcomes.prove_sample,
    ),
    Difference(
        "Content that cannot be made for one recipient fails that one",
        "natively the whole mailing, and all behind it, stop for ever",
        outcomes.claims_unrendered,
        outcomes.prove_unrendered,
    ),
    Difference(
        "An address that no server can be given is known before Send",
        "natively it fails when it is sent (H32)",
        outcomes.claims_unmailable,
        outcomes.prove_unmailable,
    ),
    Difference(
        "A link to a place in the email stays",
        "natively it becomes a tracked link to the home page (H31)",
        outcomes.claims_place,
        outcomes.prove_place,
    ),
    Difference(
        "Of equal addresses the first is mailed",
        "natively it depends on names, on batches of 50 and on the content (H29)",
        outcomes.claims_equal,
        outcomes.prove_equal,
    ),
    Difference(
        "Of several addresses each is mailed once",
        "natively all of a field are mailed, unless all of them were before",
        outcomes.claims_stripped,
        outcomes.prove_stripped,
    ),
    Difference(
        "Who opted out with the first of several addresses is not mailed",
        "natively all of them must have opted out, which nobody can do",
        outcomes.claims_opted_out,
        outcomes.prove_opted_out,
    ),
    Difference(
        "Web addresses in headers are not encoded",
        "natively they are, to be folded (H30)",
        outcomes.claims_encoded,
        outcomes.prove_encoded,
    ),
    Difference(
        "An address is mailed as it is seen",
        "natively it fails, or is another address that does not exist (H32)",
        outcomes.claims_respelled,
        outcomes.prove_respelled,
    ),
    Difference(
        "The server's reason is on the trace",
        "natively it is lost with the mail",
        leftovers.claims_reason,
        leftovers.prove_reason,
    ),
    Difference(
        "Nothing is made for those who get nothing",
        "natively links, copies of attachments and a Message-ID stay behind",
        leftovers.claims_unmade,
        leftovers.prove_unmade,
    ),
    Difference(
        "The company is the responsible's",
        "natively the scheduled action's, with its alias domain",
        leftovers.claims_company,
        leftovers.prove_company,
    ),
    Difference(
        "A mailing is done when its last email has left",
        "natively when it is composed (H13)",
        leftovers.claims_early,
        leftovers.prove_early,
    ),
)

UNIT = "mass_mailing_queue/tests"

#: Those that it takes more than one sending to see: the tests that prove them.
PROVEN_ELSEWHERE = {
    "An opt-out that comes late still counts": (
        f"{UNIT}/test_deliver.py::test_late_exclusions_cancel"
    ),
    "An address that was changed is looked up again": (
        f"{UNIT}/test_judging.py::test_corrected_to_an_address_that_has_the_mail"
    ),
    "Versions of a test mail no address twice": (
        "tests/test_judging.py::test_two_versions_planned_at_once_share_no_address"
    ),
    "Changed recipients are planned from the start": (
        "tests/test_judging.py::test_lists_swapped_for_partners_while_paused"
    ),
    "A line break in a name adds no header": (
        "tests/test_headers.py::test_a_value_that_breaks_out_fails_its_recipient_only"
    ),
    "A temporary refusal is tried again": (
        f"{UNIT}/test_deliver.py::test_temporary_refusal_is_tried_again_and_then_fails"
    ),
    "An unreachable server fails nobody": (
        "tests/test_campaign.py::test_an_outage_fails_nobody"
    ),
    "A server that refuses the sender pauses the mailing": (
        "tests/test_bad_input.py::test_a_refused_sender_pauses_and_says_why"
    ),
    "An email whose fate is unknown is in doubt": (
        f"{UNIT}/test_deliver.py::test_lost_answer_is_in_doubt_and_stays"
    ),
    "No page is opened for a link that differs by recipient": (
        "tests/test_outside_requests.py"
        "::test_a_page_of_one_recipient_is_never_asked_and_a_common_one_once"
    ),
    "An open or a bounce is never overwritten": (
        "tests/test_hazards.py"
        "::test_h2_bounce_during_delivery_is_kept_and_nobody_mailed_twice"
    ),
    "What nobody could get is refused at Send": (
        "tests/test_bad_input.py::test_what_cannot_be_sent_is_refused_at_send"
    ),
    "Sending to nobody sends to nobody": (
        "tests/test_hazards.py::test_h5_nobody_is_not_everybody"
    ),
    "Cancel ends in done": (
        f"{UNIT}/test_control.py::test_h14_cancel_stops_what_waits_and_ends_done"
    ),
    "Retry keeps the recipients' traces": (
        f"{UNIT}/test_control.py::test_retry_failed_reuses_the_trace"
    ),
    "A scheduled mailing waits for its time": (
        f"{UNIT}/test_plan.py::test_scheduled_mailing_waits_for_its_time"
    ),
    "A copy of a database sends nothing by itself": (
        "tests/test_copies.py::test_a_restored_copy_pauses_and_asks"
    ),
}


def explain(judged, comparison):
    """Find the cause of each deviation.

    :return: dict of difference → deviations that it claims, and the rest
    """
    claimed = {difference: [] for difference in DIFFERENCES}
    unexpected = []
    for deviation in comparison.deviations:
        for difference in DIFFERENCES:
            if difference.claims(judged, deviation):
                claimed[difference].append(deviation)
                break
        else:
            unexpected.append(deviation)
    return claimed, unexpected
