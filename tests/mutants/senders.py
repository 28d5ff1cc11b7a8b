"""Mutants of delivery: who sends, what a reply means, when a worker stops."""

from . import mutant

COMPOSE = "models/mailing_mailing_compose.py"
DELIVER = "models/mailing_mailing_deliver.py"
JOB = "models/mailing_mailing_job.py"
SESSION = "models/mailing_mailing_session.py"
SETTLE = "models/mailing_mailing_settle.py"
MAIL = "models/mail_mail.py"
SMTP = "smtp.py"
JUDGEMENT = "judgement.py"
REPLIES = "replies.py"

CHUNKS = "tests/test_chunks.py::"
PIPELINING = "tests/test_pipelining.py::"
HAZARDS = "tests/test_hazards.py::"
NATIVE_SENDERS = (
    "TestDeliver.test_h28_native_senders_leave_our_mails_alone",
    HAZARDS + "test_h28_native_senders_leave_composed_mails_alone",
)

mutant(
    "native_sends_ours",
    "the mails that Send Now and the mail queue leave alone",
    (
        MAIL,
        "        return super(MailMail, native).send(",
        "        return super().send(",
    ),
    (
        MAIL,
        "        return super(MailMail, native)._send(",
        "        return super()._send(",
    ),
    tests=NATIVE_SENDERS,
)
mutant(
    "native_retries_ours",
    "the mails that Retry leaves alone",
    (
        MAIL,
        "        return super(MailMail, native).action_retry(",
        "        return super().action_retry(",
    ),
    tests=NATIVE_SENDERS[:1],
)
mutant(
    "native_queue_full",
    "the place in the mail queue that our mails do not take",
    (MAIL, '+ [("queue_managed", "=", False)]', ""),
    tests=["TestDeliver.test_our_mails_take_no_place_in_the_mail_queue"],
)
mutant(
    "composing_sends",
    "composing that never sends",
    (
        "wizards/mail_compose_message.py",
        "            self.force_send = False\n            return\n",
        "            self.force_send = True\n            return\n",
    ),
    (MAIL, "super(MailMail, native).send(", "super().send("),
    (MAIL, "super(MailMail, native)._send(", "super()._send("),
    tests=[
        "TestDeliver.test_h4_composing_never_sends",
        HAZARDS + "test_h4_small_batches_send_nothing_while_composing",
    ],
)
mutant(
    "opened_overwritten",
    "the statuses that settling leaves alone",
    (
        "models/mailing_trace.py",
        "            return self\n        return super().set_sent(",
        "            pass\n        return super().set_sent(",
    ),
    ("models/mailing_trace.py", "if name not in OUTCOME", "if name"),
    tests=[HAZARDS + "test_h2_bounce_during_delivery_is_kept_and_nobody_mailed_twice"],
)
mutant(
    "copy_sends",
    "the look at whether the database is a copy, before a job sends",
    (
        JOB,
        "        if reason := ledger.run(sql_guard.guard_check):\n",
        "        if reason := None:\n",
    ),
    tests=["TestDeliver.test_copy_of_a_database_does_not_send"],
)
mutant(
    "neutralized_sends",
    "the pause in a neutralized copy",
    ("data/neutralize.sql", "SET queue_paused = true,", "SET queue_paused = false,"),
    tests=["TestHooks.test_neutralized_copy_sends_nothing"],
)
mutant(
    "text_not_read",
    "the text of a reply, which says what its code does not",
    (REPLIES, "if rule is not None and rule.verdict:", "if False:"),
    tests=["TestReplies.test_providers", "TestReplies.test_ambiguous"],
)
mutant(
    "recipient_read",
    "what is taken out of a reply, as anybody can subscribe with it",
    (
        REPLIES,
        "words = without_recipients(folded, recipients)[:MAX_TEXT]",
        "words = folded",
    ),
    tests=[
        "TestReplies.test_no_recipient_steers",
        "tests/test_reply_words.py::test_no_address_steers_what_its_refusal_means",
    ],
)
mutant(
    "name_blames",
    "the second look at a reply that a recipient is called like",
    (REPLIES, "if reading[0] in _OURS and recipients:", "if False:"),
    tests=[
        "TestReplies.test_a_plain_word_is_read_unless_it_stands_for_an_address",
    ],
)
mutant(
    "retried_for_ever",
    "the number of attempts that a recipient has",
    (DELIVER, "            if attempts >= MAX_ATTEMPTS:\n", "            if False:\n"),
    tests=["TestDeliver.test_temporary_refusal_is_tried_again_and_then_fails"],
)
mutant(
    "outage_fails",
    "the outage that costs no recipient an attempt",
    (
        SMTP,
        "return Reply(Verdict.UNREACHABLE, text=str(error) or type(error).__name__)",
        "return Reply(Verdict.REJECTED, text=str(error))",
    ),
    tests=["TestDeliver.test_h9_outage_costs_no_recipient"],
)
mutant(
    "outage_not_known",
    "the outage that other jobs know of",
    (
        SESSION,
        "        if wait := ledger.run(sql_outage.outage_wait, server_id or 0):\n",
        "        if wait := None:\n",
    ),
    tests=["TestDeliver.test_nothing_is_composed_during_an_outage"],
)
mutant(
    "one_outages_all",
    "the suspicion against a message that breaks its connection",
    (
        JUDGEMENT,
        "        if self._suspect(reply, parcel, server_ref, SUSPECTS):\n",
        "        if True:\n",
    ),
    tests=["TestJudgement.test_a_message_that_breaks_its_connection_holds_nobody_up"],
)
mutant(
    "free_for_ever",
    "the bound of how often a message may break its connection without an attempt",
    (
        JUDGEMENT,
        "            parcel.passed_over += 1\n",
        "            pass\n",
    ),
    tests=[
        "TestJudgement.test_a_message_that_breaks_its_connection_holds_nobody_up",
        "TestJudgement.test_a_421_for_one_domain_holds_nobody_up",
    ],
)
mutant(
    "shared_quota_counts",
    "the look at whether others meet the same quota",
    (
        JUDGEMENT,
        "        if reply.verdict is Verdict.SLOW_DOWN and "
        "self._is_shared(reply, parcel):\n            return reply\n",
        "",
    ),
    tests=["TestJudgement.test_a_quota_that_others_meet_too_costs_nobody_an_attempt"],
)
mutant(
    "refusal_of_all_believed",
    "the look at whether everybody is refused in the same words",
    (
        JUDGEMENT,
        "        if len(moments) < ALIKE - 1:\n",
        "        if True:\n",
    ),
    tests=["TestJudgement.test_the_same_refusal_for_everybody_fails_nobody"],
)
mutant(
    "refused_among_accepted",
    "the look at whether others were accepted in between",
    (
        JUDGEMENT,
        "        if self._accepted_since(since):\n            return reply\n",
        "",
    ),
    tests=["TestJudgement.test_the_same_refusal_for_some_is_their_own"],
)
mutant(
    "refused_stay_failed",
    "the recipients who wait again when a refusal turns out to be ours",
    (
        JUDGEMENT,
        "        self._ledger.run(\n            sql_refusal.put_back_refused,",
        "        _unused = (\n            sql_refusal.put_back_refused,",
    ),
    tests=["TestJudgement.test_the_same_refusal_for_everybody_fails_nobody"],
)
mutant(
    "sender_stops_all",
    "the recipients of a refused sender, who wait alone",
    (
        JUDGEMENT,
        "        elif reply.verdict is Verdict.BROKEN and "
        "self._is_another_sender(reply, parcel):\n",
        "        elif False:\n",
    ),
    tests=["TestJudgement.test_a_refused_sender_is_that_senders"],
)
mutant(
    "stated_time_ignored",
    "the time that a server states",
    (
        DELIVER,
        "            delay = stated_wait(reply) or slicing.retry_delay(attempts)\n",
        "            delay = slicing.retry_delay(attempts)\n",
    ),
    tests=["TestJudgement.test_a_stated_time_is_kept"],
)
mutant(
    "session_not_probed",
    "the probe of a session that has rested",
    (SMTP, "        if session and not session.is_alive():\n", "        if False:\n"),
    tests=["tests/test_sessions.py::test_a_session_that_the_server_closed"],
)
mutant(
    "session_not_kept",
    "the session that a process keeps for its next job",
    (SMTP, "            if session.linger:\n", "            if False:\n"),
    tests=["tests/test_sessions.py::test_one_session_serves_many_jobs"],
)
mutant(
    "session_rests_for_ever",
    "the end of a connection that nobody comes for",
    (
        SMTP,
        "        if time.monotonic() - self.last_used >= self.linger:\n",
        "        if False:\n",
    ),
    tests=[PIPELINING + "test_a_connection_that_has_rested_ends_by_itself"],
)
mutant(
    "lease_not_given_back",
    "the look at who waits for the lease of a connection that rests",
    (
        SMTP,
        "        return self.lease is not None and self.lease.is_wanted()\n",
        "        return False\n",
    ),
    tests=[PIPELINING + "test_a_connection_whose_lease_is_wanted_ends_first"],
)
mutant(
    "forked_with_sessions",
    "the connections that a forked process leaves to its parent",
    (SMTP, "os.register_at_fork(after_in_child=SESSIONS.abandon)\n", ""),
    tests=[PIPELINING + "test_a_forked_process_has_none_of_its_parents_connections"],
)
mutant(
    "attachment_an_email",
    "the attachment that all emails of a chunk share",
    (
        "parcels.py",
        "self._contents.get(content, content)",
        "bytes(bytearray(content))",
    ),
    tests=["TestModules.test_equal_attachments_are_held_once_and_all_within_bounds"],
)
mutant(
    "chunk_without_bytes",
    "the bytes that a chunk may have",
    (
        "parcels.py",
        "if self.size and self.size + size > self.limit:",
        "if False:",
    ),
    tests=["TestModules.test_equal_attachments_are_held_once_and_all_within_bounds"],
)
mutant(
    "job_without_end",
    "the time after which a job starts no message",
    (
        JOB,
        "            if composing > begun + seconds:\n",
        "            if False:\n",
    ),
    (
        DELIVER,
        "                if time.monotonic() > route.until:\n",
        "                if False:\n",
    ),
    tests=["TestDeliver.test_no_message_starts_after_the_jobs_time"],
)
mutant(
    "old_snapshot_settles",
    "the fresh snapshot under which mails are settled",
    (
        DELIVER,
        "                self._queue_keep_session(ledger, route, session)\n"
        "            commit(self.env)\n",
        "                self._queue_keep_session(ledger, route, session)\n",
    ),
    tests=[CHUNKS + "test_h26_settling_collides_with_no_record"],
)
mutant(
    "commit_an_email",
    "the commits that are per chunk",
    (
        DELIVER,
        "        session.last_used = time.monotonic()\n        if reply.verdict",
        "        session.last_used = time.monotonic()\n        commit(self.env)\n"
        "        if reply.verdict",
    ),
    tests=[
        CHUNKS + "test_h19_no_transaction_outlives_its_chunk",
        CHUNKS + "test_h27_commits_are_per_chunk_and_not_per_email",
    ],
)
mutant(
    "settled_one_by_one",
    "the mails that are deleted together",
    (
        SETTLE,
        "            sent._postprocess_sent_message(\n"
        "                success_pids=[],\n"
        "                success_emails=[to for mail in sent for to in "
        "addresses[mail.id]],\n"
        "            )\n",
        "            for mail in sent:\n"
        "                mail._postprocess_sent_message(\n"
        "                    success_pids=[], success_emails=addresses[mail.id]\n"
        "                )\n",
    ),
    tests=["TestScale.test_h23_settling_takes_as_many_statements_for_any_chunk"],
)
mutant(
    "held_not_kept",
    "the recipients of a job that a person cancelled",
    (
        "models/queue_job.py",
        ".queue_held = state != PENDING\n",
        ".queue_held = False\n",
    ),
    tests=["TestQueueJob.test_cancelled_job_holds_its_recipients"],
)
mutant(
    "pause_outlives_resume",
    "the look at whether somebody has resumed since a pause was asked for",
    (
        "models/mailing_mailing_pause.py",
        "if resumes not in (None, mailing.queue_resumes):",
        "if False:",
    ),
    tests=["TestControl.test_what_was_asked_for_before_a_resume_does_not_pause"],
)
mutant(
    "written_unseen",
    "the commit of what a caller has written before it sends",
    (
        JOB,
        "        commit(self.env)\n        with Ledger(self.env) as ledger:\n"
        "            try:\n",
        "        with Ledger(self.env) as ledger:\n            try:\n",
    ),
    tests=["tests/test_hooks.py::test_what_the_caller_has_just_written_decides"],
)
mutant(
    "metrics_without_token",
    "the token that figures are asked for with",
    (
        "controllers/metrics.py",
        'return known and bool(token) and kind.lower() == "bearer"',
        "return True",
    ),
    tests=["tests/test_metrics.py::test_without_the_token_there_is_no_answer[-Bearer]"],
)
mutant(
    "metrics_with_empty_token",
    "the look at whether there is a token at all",
    (
        "controllers/metrics.py",
        "for text in (token or secrets.token_hex(), sent)",
        "for text in (token, sent)",
    ),
    (
        "controllers/metrics.py",
        "return known and bool(token) and",
        "return known and",
    ),
    tests=["tests/test_metrics.py::test_without_the_token_there_is_no_answer[-Bearer]"],
)
mutant(
    "pause_not_seen",
    "the look at the mailing before each claim",
    (
        "sql.py",
        "AND NOT COALESCE(mailing.queue_paused, false)",
        "AND true",
    ),
    tests=[
        "tests/test_pause.py::test_pause_stops_within_one_message_of_each_worker",
    ],
)
mutant(
    "data_left_open",
    "the end of a connection on which a message was begun and not ended",
    (
        SMTP,
        "            or (self.in_message and not self.accepted)\n",
        "",
    ),
    tests=[
        "tests/test_sessions.py::"
        "test_a_message_that_is_refused_at_its_data_costs_no_other"
    ],
)
mutant(
    "suspects_forgotten",
    "what other jobs learn of a connection that a message broke",
    (
        "sql_outage.py",
        "                                ELSE outage.suspects || EXCLUDED.suspects END",
        "                                ELSE EXCLUDED.suspects END",
    ),
    tests=[
        "TestJudgement.test_several_that_break_new_connections_are_the_servers_fault"
    ],
)
mutant(
    "same_one_knocks",
    "the turn of others after a message that postponed everybody",
    (
        DELIVER,
        "            ledger.run(\n                sql_refusal.pass_over,",
        "            _unused = (\n                sql_refusal.pass_over,",
    ),
    tests=[
        "TestJudgement.test_several_that_break_new_connections_are_the_servers_fault"
    ],
)
mutant(
    "doubts_not_counted",
    "the look at failures after a doubt on a connection that has delivered",
    (
        DELIVER,
        "FAILURES = (Verdict.REJECTED, Verdict.DEFERRED, Verdict.IN_DOUBT)",
        "FAILURES = (Verdict.REJECTED, Verdict.DEFERRED)",
    ),
    tests=["TestPause.test_doubts_on_connections_that_delivered_pause_it_too"],
)
mutant(
    "deferred_claimed",
    "the claim's look at when the next attempt is due",
    (
        "sql.py",
        "          AND COALESCE(trace.queue_next_attempt, '-infinity')\n"
        "              <= now() AT TIME ZONE 'utc'\n"
        "          AND (%(email)s",
        "          AND (%(email)s",
    ),
    tests=["TestDeliver.test_claim_is_refused_where_nothing_may_be_sent"],
)
mutant(
    "attempts_of_the_look",
    "the number of attempts as it is when a recipient is claimed",
    (
        DELIVER,
        "        status, parcel.attempts, parcel.passed_over,",
        "        status, _attempts, parcel.passed_over,",
    ),
    tests=["TestDeliver.test_the_attempts_that_count_are_those_at_the_claim"],
)
mutant(
    "waits_for_quit",
    "the end of waiting for a server's goodbye",
    (SMTP, "self.connection.sock.settimeout(LEAVE_SECONDS)", "pass"),
    tests=[
        "tests/test_pipelining.py::"
        "test_a_server_that_is_silent_at_quit_is_not_waited_for"
    ],
)
mutant(
    "resume_after_cancel",
    "what Resume leaves alone, as it is being cancelled",
    (
        "models/mailing_mailing_control.py",
        "            lambda m: not m.queue_cancelled\n",
        "            lambda m: True\n",
    ),
    tests=["TestControl.test_what_is_being_cancelled_stays_so"],
)
