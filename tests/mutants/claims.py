"""Mutants of the claim, the record and the reconciler."""

from . import mutant

SQL = "sql.py"
DELIVER = "models/mailing_mailing_deliver.py"
RUNNER = "models/mailing_mailing_runner.py"
CONTROL = "models/mailing_mailing_control.py"

CRASHES = "tests/test_crashes.py::"
PIPELINING = "tests/test_pipelining.py::"
SESSIONS = "tests/test_sessions.py::"
RECONCILER = "tests/test_reconciler.py::"
REFUSED = "TestDeliver.test_claim_is_refused_where_nothing_may_be_sent"

mutant(
    "claim_not_durable",
    "the commit of a claim before its message leaves",
    (
        DELIVER,
        "        status, parcel.attempts, parcel.passed_over, parcel.last_end = "
        "ledger.run(\n            sql.claim,",
        '        ledger.run(lambda cr: cr.execute("BEGIN"))\n'
        "        status, parcel.attempts, parcel.passed_over, parcel.last_end = "
        "ledger.run(\n            sql.claim,",
    ),
    (
        DELIVER,
        '        return status == "process"\n',
        '        if status != "process":\n'
        '            ledger.run(lambda cr: cr.execute("COMMIT"))\n'
        '        return status == "process"\n',
    ),
    (
        DELIVER,
        '                    _logger.warning("Trace %s: no longer claimed", '
        "parcel.trace_id)\n",
        '                    _logger.warning("Trace %s: no longer claimed", '
        "parcel.trace_id)\n"
        '                ledger.run(lambda cr: cr.execute("COMMIT"))\n',
    ),
    tests=[CRASHES + "test_h11_worker_killed_after_the_server_accepted"],
)
mutant(
    "claim_not_on_disk",
    "the claim that is on disk where synchronous_commit is off",
    (
        "ledger.py",
        '+ _DURABLE.format(local="false"),\n',
        '+ " NULL",\n',
    ),
    tests=["tests/test_durability.py::test_a_claim_survives"],
)
mutant(
    "decision_not_on_disk",
    "the decision that is on disk where synchronous_commit is off",
    (
        "ledger.py",
        '    env.cr.execute("SELECT" + _DURABLE.format(local="true"))\n',
        "    return\n",
    ),
    tests=[
        "tests/test_durability.py::"
        "test_a_decision_survives[action_queue_pause-queue_paused]"
    ],
)
mutant(
    "claim_of_anybody",
    "the claim's look at the recipient's status",
    (
        SQL,
        "AND trace.trace_status = 'outgoing' AND trace.queue_planned\n",
        "AND trace.queue_planned\n",
    ),
    tests=["TestDeliver.test_claim_is_won_once"],
)
mutant(
    "claim_of_native",
    "the claim's look at whose recipient it is",
    (
        SQL,
        "AND trace.trace_status = 'outgoing' AND trace.queue_planned\n",
        "AND trace.trace_status = 'outgoing'\n",
    ),
    tests=["TestDeliver.test_native_traces_are_not_ours_to_send"],
)
mutant(
    "claim_of_held",
    "the claim's look at recipients that a person keeps back",
    (SQL, "          AND NOT COALESCE(trace.queue_held, false)\n", ""),
    tests=[REFUSED],
)
mutant(
    "claim_while_paused",
    "the claim's look at a pause",
    (SQL, "          AND NOT COALESCE(mailing.queue_paused, false)\n", ""),
    tests=[REFUSED],
)
mutant(
    "claim_while_cancelled",
    "the claim's look at a cancellation",
    (SQL, "          AND NOT COALESCE(mailing.queue_cancelled, false)\n", ""),
    tests=[REFUSED],
)
mutant(
    "claim_in_draft",
    "the claim's look at the mailing's state",
    (SQL, "          AND mailing.state = 'sending'\n", ""),
    tests=[REFUSED],
)
mutant(
    "claim_of_blacklisted",
    "the claim's look at the blacklist",
    (SQL, "THEN 'mail_bl'", "THEN NULL"),
    tests=["TestDeliver.test_claim_looks_at_exclusions_itself"],
)
mutant(
    "claim_of_opted_out",
    "the claim's look at opt-outs",
    (SQL, "THEN 'mail_optout'", "THEN NULL"),
    tests=["TestDeliver.test_claim_looks_at_exclusions_itself"],
)
mutant(
    "record_over_bounce",
    "the record's respect for what the recipient did meanwhile",
    (
        SQL,
        "CASE WHEN mine.open THEN %(status)s ELSE trace_status END",
        "%(status)s",
    ),
    tests=[
        "TestDeliver.test_h2_record_keeps_what_the_recipient_did",
        "tests/test_hazards.py::"
        "test_h2_bounce_during_delivery_is_kept_and_nobody_mailed_twice",
    ],
)
mutant(
    "record_of_others",
    "the record's look at whose claim it is",
    (SQL, " AND queue_claim_token = %(token)s\n    RETURNING id", "\nRETURNING id"),
    tests=["TestDeliver.test_h2_record_keeps_what_the_recipient_did"],
)
mutant(
    "doubt_not_seen",
    "the watch over the moment that nobody can answer for",
    (
        DELIVER,
        "        if session.awaiting_reply:\n            return",
        "        if False:\n            return",
    ),
    tests=[
        "TestDeliver.test_lost_answer_is_in_doubt_and_stays",
        CRASHES + "test_h8_connection_lost_before_the_answer",
    ],
)
mutant(
    "doubt_not_noted",
    "the note that the final dot leaves",
    (
        "smtp.py",
        "            self.handed_over = self.awaiting_reply = self._unanswered = "
        "True\n",
        "            self.handed_over = True\n",
    ),
    tests=[
        "TestModules.test_only_the_final_dot_makes_doubt",
        CRASHES + "test_h8_connection_lost_before_the_answer",
    ],
)
mutant(
    "doubt_too_late",
    "the window that opens before the last bytes leave",
    (
        "smtp.py",
        "            self.handed_over = self.awaiting_reply = self._unanswered = "
        "True\n"
        "            send(data[-len(END) :])\n",
        "            send(data[-len(END) :])\n"
        "            self.handed_over = self.awaiting_reply = self._unanswered = "
        "True\n",
    ),
    tests=[
        SESSIONS + "test_an_interruption_hides_no_delivery",
        PIPELINING + "test_the_last_bytes_leave_by_themselves[pieces0]",
    ],
)
mutant(
    "unwatched_used",
    "the refusal of a connection that cannot be watched",
    (
        "models/mailing_mailing_session.py",
        "            if not session.watched and not self",
        "            if False and not self",
    ),
    tests=[
        SESSIONS
        + "test_a_connection_that_cannot_be_watched_is_refused[wrapper-Wrapper]"
    ],
)
mutant(
    "bypassed_used",
    "the look at what another addon's connection delivers past us",
    (
        DELIVER,
        "                if session.bypassed:\n",
        "                if False:\n",
    ),
    tests=[
        SESSIONS + "test_a_connection_that_delivers_past_us_is_used_once[False-sent]"
    ],
)
mutant(
    "bypassed_not_doubted",
    "the doubt about what another addon's connection does unseen",
    (
        "smtp.py",
        "            self.awaiting_reply = True\n            return method(",
        "            return method(",
    ),
    tests=[PIPELINING + "test_a_delivery_past_us_is_noticed[True-ToTheSocket]"],
)
mutant(
    "doubt_sent_again",
    "Retry's exception for recipients in doubt",
    (
        "sql_people.py",
        "           AND (COALESCE(failure_type, '') = 'queue_in_doubt') = %s\n",
        "           AND %s IS NOT NULL\n",
    ),
    tests=["TestDeliver.test_lost_answer_is_in_doubt_and_stays"],
)
mutant(
    "live_claim_doubted",
    "the look at the lock of a claim that seems dead",
    (
        "sql_repair.py",
        "    return try_lock(cr, LOCK_CLAIM, token)\n",
        "    return True\n",
    ),
    tests=[RECONCILER + "test_a_live_claim_is_left_alone"],
)
mutant(
    "no_reconciler",
    "all that the reconciler does",
    (
        RUNNER,
        "            asleep = ledger.run(sql_guard.guard_check)\n",
        "            return\n",
    ),
    tests=[
        "TestControl.test_reconciler_gives_orphans_a_job",
        "TestControl.test_reconciler_doubts_dead_claims_only",
        "TestControl.test_reconciler_settles_mails_and_finishes",
        "TestControl.test_reconciler_takes_up_a_stopped_plan",
        "TestControl.test_reconciler_cancels_idle_jobs",
        RECONCILER + "test_a_mailing_that_nobody_finished",
        RECONCILER + "test_a_dead_job_of_a_node_with_a_fast_clock",
    ],
)
mutant(
    "cancels_what_is_paused",
    "the look at whether anybody cancelled the mailing",
    ("sql_people.py", "WHERE id = %s AND queue_cancelled)", "WHERE id = %s)"),
    tests=["TestControl.test_pause_and_resume_as_a_marketer"],
)
mutant(
    "one_decides_about_all",
    "the pause that stays when a person decides about a few recipients",
    (
        CONTROL,
        'if mailing.state in ("done", "draft"):\n                mailing.write',
        "if True:\n                mailing.write",
    ),
    tests=["TestControl.test_deciding_about_one_decides_about_no_other"],
)
