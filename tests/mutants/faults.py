"""Mutants of whose fault something is."""

from . import mutant

CHECK = "models/mailing_mailing_check.py"
COMPOSE = "models/mailing_mailing_compose.py"
CONTENT = "models/mailing_mailing_content.py"
CONTROL = "models/mailing_mailing_control.py"
DELIVER = "models/mailing_mailing_deliver.py"
JOB = "models/mailing_mailing_job.py"
SESSION = "models/mailing_mailing_session.py"
FAULTS = "faults.py"

mutant(
    "content_not_judged",
    "the look at others when an email cannot be composed",
    (
        COMPOSE,
        "            self._queue_blame_content(ledger, trace_id, describe(error))\n",
        "",
    ),
    tests=[
        "TestFaults.test_a_job_of_one_recipient_does_not_judge_alone",
        "TestDeliver.test_content_that_fails_for_all_pauses",
    ],
)
mutant(
    "built_content_not_judged",
    "the look at others when an email cannot be built",
    (
        DELIVER,
        "        if failure or (reply.cause",
        "        if False and (reply.cause",
    ),
    tests=["TestFaults.test_what_breaks_while_it_is_built_pauses_too"],
)
mutant(
    "languages_mixed",
    "the look at others of the same language",
    (CONTENT, "spread(alike or peers, PEERS)", "spread(peers, PEERS)"),
    tests=["TestFaults.test_content_that_breaks_in_one_language_pauses"],
)
mutant(
    "only_recipient_fails",
    "the pause for a mailing's only recipient",
    (CONTENT, "        if peers and self._queue", "        if self._queue"),
    tests=["TestFaults.test_the_only_recipient_does_not_fail"],
)
mutant(
    "works_not_remembered",
    "the memory of what works",
    (CONTENT, "time.monotonic() + FOUND_LASTS", "0"),
    tests=["TestFaults.test_what_works_is_not_tried_again_for_each_who_fails"],
)
mutant(
    "resume_not_checked",
    "the look at the content at Resume",
    (CONTROL, "            mailing._queue_check_resume()\n", ""),
    tests=[
        "TestFaults.test_resume_refuses_content_that_is_still_broken",
        "TestFaults.test_resume_before_planning_looks_at_the_content",
    ],
)
mutant(
    "tried_for_good",
    "the undoing of what Resume tries",
    ("ledger.py", "savepoint.close(rollback=True)", "savepoint.close(rollback=False)"),
    tests=["TestFaults.test_resume_leaves_nothing_of_what_it_tried"],
)
mutant(
    "empty_attachment_sent",
    "the look at files of attachments",
    (COMPOSE, "        self._queue_check_attachments()\n", ""),
    tests=["TestFaults.test_an_attachment_whose_file_is_gone_is_refused"],
)
mutant(
    "personal_server_chosen",
    "the look at whose mail server it is",
    (CHECK, "        if owner := server.owner_user_id:", "        if owner := False:"),
    tests=["TestFaults.test_a_personal_server_of_another_is_refused"],
)
mutant(
    "memory_fails_recipients",
    "what is known to be the machine's",
    (FAULTS, "            MemoryError\n            | errors", "            errors"),
    tests=[
        "TestFaults.test_memory_that_is_short_is_shared_by_fewer",
        "TestFaults.test_a_message_under_way_when_memory_ends_waits",
        "TestFaults.test_trouble_while_connecting_blames_no_server",
    ],
)
mutant(
    "causes_unknown",
    "the look at what an error comes from",
    (FAULTS, "        error = error.__cause__ or (", "        error = None and ("),
    tests=["TestFaults.test_trouble_is_known_through_what_wraps_it"],
)
mutant(
    "conflict_fails",
    "the second try after a conflict",
    (FAULTS, "TRIES = 3", "TRIES = 1"),
    tests=["TestFaults.test_a_conflict_is_tried_again_at_once"],
)
mutant(
    "chunks_not_halved",
    "the smaller chunk after a shortage",
    (JOB, "max(len(trace_ids) // 2, 1)", "max(len(trace_ids), 1)"),
    tests=["TestFaults.test_memory_that_is_short_is_shared_by_fewer"],
)
mutant(
    "one_holds_up_all",
    "the later turn of a recipient that is too much for a worker",
    (
        JOB,
        "            ledger.run(sql.put_off, trace_ids, RECIPIENT_AFTER)\n",
        "            return\n",
    ),
    tests=["TestFaults.test_memory_that_is_short_is_shared_by_fewer"],
)
mutant(
    "job_goes_on_in_trouble",
    "the end of a job in trouble",
    (
        DELIVER,
        "                    raise reply.trouble\n",
        "                    continue\n",
    ),
    tests=[
        "TestFaults.test_what_ends_the_process_is_raised_and_waits",
        "TestDeliver.test_what_cannot_be_read_to_send_is_tried_again",
    ],
)
mutant(
    "left_out_for_ever",
    "the settling of whom another addon leaves out",
    (
        JOB,
        "            self._queue_settle_left_out("
        "ledger, set(due).difference(later), routes)\n",
        "",
    ),
    tests=["TestFaults.test_whom_another_addon_leaves_out_is_settled_once"],
)
mutant(
    "sent_twice_by_an_addon",
    "the look at emails that another addon has dealt with",
    (COMPOSE, ' and mail.state == "outgoing"', ""),
    tests=["TestFaults.test_an_email_that_another_addon_has_dealt_with_is_not_sent"],
)
