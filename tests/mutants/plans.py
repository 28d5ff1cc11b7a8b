"""Mutants of the fan-out, the finalizer and what they read."""

from . import mutant

SQL = "sql.py"
PLAN = "models/mailing_mailing_plan.py"
TRACES = "models/mailing_mailing_traces.py"
MAILING = "models/mailing_mailing.py"
TRACE = "models/mailing_trace.py"
WIZARD = "wizards/mail_compose_message.py"

CHUNKS = "tests/test_chunks.py::"
RACES = "tests/test_races.py::"
HAZARDS = "tests/test_hazards.py::"
SMALL_READS = (
    "TestScale.test_h20_h21_planning_reads_its_own_slice_only",
    "TestScale.test_h20_h21_composing_reads_its_own_chunk_only",
)

mutant(
    "two_fan_outs",
    "the lock that keeps a second fan-out away",
    (
        PLAN,
        "        if not sql.try_lock(self.env.cr, sql.LOCK_PLAN, self.id):\n"
        "            # Another",
        "        if False:\n            # Another",
    ),
    tests=[RACES + "test_two_fan_outs_do_not_overlap"],
)
mutant(
    "old_snapshot",
    "the look at whether another fan-out planned since the snapshot",
    (
        "models/mailing_mailing_addresses.py",
        "        return committed == sql_plan.plan_position(self.env.cr, *plans)\n",
        "        return True\n",
    ),
    tests=[RACES + "test_a_fan_out_that_looked_before_another_planned"],
)
mutant(
    "planned_while_paused",
    "the fan-out's look at a pause",
    (
        PLAN,
        "            and not (self.queue_paused or self.queue_cancelled)\n",
        "",
    ),
    tests=["TestControl.test_nobody_is_planned_while_paused_or_cancelled"],
)
mutant(
    "planned_before_its_time",
    "the fan-out's look at the schedule",
    (
        PLAN,
        "not self.schedule_date or self.schedule_date <= fields.Datetime.now()",
        "True",
    ),
    tests=["TestPlan.test_scheduled_mailing_waits_for_its_time"],
)
mutant(
    "second_sample",
    "the sample of an A/B test that is kept",
    (
        PLAN,
        "if not self._queue_is_sampled() or self.queue_sampled:",
        "if not self._queue_is_sampled():",
    ),
    tests=[
        "TestPlan.test_h7_ab_sample_is_drawn_once",
        HAZARDS + "test_h7_a_resumed_ab_test_keeps_its_sample",
    ],
)
mutant(
    "versions_share",
    "the other versions' samples when one is drawn",
    (
        PLAN,
        "            mass_mailing_queue_drawn=(self.mailing_model_real, drawn)\n",
        "",
    ),
    tests=["TestPlan.test_versions_of_a_test_share_nobody"],
)
mutant(
    "nobody_is_everybody",
    "the difference between nobody and everybody",
    (
        MAILING,
        "            if res_ids is None:\n",
        "            if not res_ids:\n",
    ),
    tests=[
        "TestPlan.test_h5_empty_list_sends_to_nobody",
        HAZARDS + "test_h5_nobody_is_not_everybody",
    ],
)
mutant(
    "links_too_late",
    "the links that are made before the jobs",
    (
        PLAN,
        'write({"state": "sending"})\n        self._queue_prepare_links()',
        'write({"state": "sending"})',
    ),
    tests=["TestPlan.test_links_are_made_before_the_jobs"],
)
mutant(
    "links_each_time",
    "the links that are looked up once a chunk",
    ("models/link_tracker.py", "        if links is None or", "        if True or"),
    tests=["TestDeliver.test_links_are_looked_up_once_a_chunk"],
)
mutant(
    "links_of_each_worker",
    "the links of an edit that one worker makes",
    (
        "models/link_tracker.py",
        "            raise LinksMissing(missing)",
        "            pass",
    ),
    tests=["TestLinks.test_links_of_an_edit_are_made_in_a_transaction_of_their_own"],
)
mutant(
    "pages_of_one_recipient",
    "the pages that are not asked, as they are one recipient's",
    ("models/link_tracker.py", "if not links.is_shared(url):", "if False:"),
    tests=["TestLinks.test_no_page_of_one_recipient_is_asked"],
)
mutant(
    "places_are_pages",
    "the links to a place in the email",
    (
        "models/mail_render_mixin.py",
        "for one in sorted(fragments(text))",
        "for one in ()",
    ),
    tests=["TestLinks.test_h31_a_link_to_a_place_in_the_email_stays"],
)
mutant(
    "codes_of_others",
    "the codes of links that no other worker chooses",
    (
        "models/link_tracker_code.py",
        "        if not isinstance(links, Links) or links.make:",
        "        if True:",
    ),
    tests=["TestLinks.test_workers_choose_different_codes"],
)
mutant(
    "addresses_as_written",
    "the one spelling by which recipients are judged",
    (
        WIZARD,
        'emails = map(clean, info["mail_to_normalized"])',
        'emails = info["mail_to_normalized"]',
    ),
    tests=["TestAddresses.test_all_spellings_of_an_address_are_one_person"],
)
mutant(
    "unmailable_addresses",
    "the addresses that no server can be given, told before Send",
    (WIZARD, "= list(filter(mailable, emails))", "= list(emails)"),
    tests=["TestAddresses.test_what_no_server_can_be_given_is_told_before_send"],
)
mutant(
    "other_spellings",
    "the contacts in another spelling who leave by the link",
    (
        "models/mailing_list.py",
        "for spelling in spellings.keys() - {written}:",
        "for spelling in ():",
    ),
    tests=["TestAddresses.test_who_leaves_by_the_link_has_left"],
)
mutant(
    "hours_in_a_gap",
    "the week that is looked at behind a change of the clock",
    ("sending_hours.py", "range(-1, DAYS_AHEAD)", "range(-1, 9)"),
    tests=[
        "tests/test_sending_hours.py"
        "::test_near_any_change_of_a_clock_the_next_opening_is_open"
    ],
)
mutant(
    "all_opt_outs",
    "the look-up of a slice's own opt-outs",
    ("models/mailing_list.py", "        if emails is None:\n", "        if True:\n"),
    tests=SMALL_READS,
)
mutant(
    "whole_blacklist",
    "the look-up of a slice's own blacklisted addresses",
    (
        WIZARD,
        "        if not self._queue_is_slice():\n            return super()._get_bl",
        "        if True:\n            return super()._get_bl",
    ),
    tests=SMALL_READS,
)
mutant(
    "all_seen",
    "the look-up of a slice's own addresses among those already reached",
    (
        TRACES,
        "        if any(self._get_seen_list_extra()):\n",
        "        if True:\n",
    ),
    tests=SMALL_READS[:1],
)
mutant(
    "mailing_locked",
    "the care for traces that others insert while the mailing is planned",
    (
        PLAN,
        "        self.invalidate_recordset()\n        if not self._queue_may_plan():",
        "        self.env.cr.execute(\n"
        '            "SELECT 1 FROM mailing_mailing WHERE id = %s FOR UPDATE", '
        "[self.id]\n        )\n"
        "        self.invalidate_recordset()\n        if not self._queue_may_plan():",
    ),
    tests=[
        CHUNKS
        + "test_h25_a_trace_is_inserted_while_the_mailing_is_planned_and_finished"
    ],
)
mutant(
    "two_finalizers",
    "the finalizer's lock",
    (
        PLAN,
        "if not mailing or not sql.try_lock(self.env.cr, sql.LOCK_FINISH, self.id):",
        "if not mailing:",
    ),
    tests=[RACES + "test_two_workers_that_finish_a_mailing_at_once"],
)
mutant(
    "done_too_early",
    "the finalizer's own look at who still waits",
    (PLAN, "            or mailing._queue_has_open_traces()\n", ""),
    tests=["TestControl.test_a_finish_that_comes_too_early_finishes_nothing"],
)
mutant(
    "done_before_planned",
    "the finalizer's look at whether everybody is planned",
    (PLAN, "            or not (mailing.queue_planned or cancelled)\n", ""),
    tests=["TestControl.test_a_finish_that_comes_too_early_finishes_nothing"],
)
mutant(
    "no_open_index",
    "the index of who still waits",
    (
        TRACE,
        "(mass_mailing_id, trace_status) WHERE trace_status IN ('outgoing', 'process')",
        "(id) WHERE false",
    ),
    tests=["TestScale.test_h22_every_look_up_has_an_index"],
    installs=True,
)
mutant(
    "second_plan",
    "the unique index that forbids a second plan of a recipient",
    (
        TRACE,
        "_queue_plan_uniq = models.UniqueIndex(",
        "_queue_plan_uniq = models.Index(",
    ),
    tests=["TestPlan.test_no_second_plan_of_a_recipient"],
    installs=True,
)
mutant(
    "cancelled_is_planned_later",
    "the end of planning when a cancelled mailing is done",
    (
        "models/mailing_mailing_plan.py",
        '                "queue_planned": True,\n'
        '                "queue_audience_changed": False,\n',
        '                "queue_audience_changed": False,\n',
    ),
    tests=["TestControl.test_whom_a_cancelled_mailing_had_not_come_to_stays_unplanned"],
)
mutant(
    "put_back_unseen",
    "the collision of who puts recipients back with the finalizer",
    (
        "models/mailing_mailing_control.py",
        "                sql_people.touch(self.env.cr, mailing.id)\n",
        "                pass\n",
    ),
    tests=[
        "tests/test_races.py::"
        "test_who_is_put_back_while_the_mailing_is_finished_is_sent"
    ],
)
