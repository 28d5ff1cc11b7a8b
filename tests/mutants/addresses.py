"""Mutants of who gives away addresses, and of what becomes of another audience."""

from . import mutant

JUDGING = "models/mailing_mailing_addresses.py"
COMPOSE = "models/mailing_mailing_compose.py"
JOB = "models/mailing_mailing_job.py"
PLAN = "models/mailing_mailing_plan.py"
TRACES = "models/mailing_mailing_traces.py"
SQL = "sql.py"
SQL_ADDRESSES = "sql_addresses.py"

ADDRESSES = "tests/test_judging.py::"

mutant(
    "versions_lock",
    "the lock of a whole test",
    (
        JUDGING,
        "            return sql.LOCK_CAMPAIGN, campaign_id\n",
        "            return sql.LOCK_ADDRESSES, self.id\n",
    ),
    tests=[ADDRESSES + "test_two_versions_planned_at_once_share_no_address"],
)
mutant(
    "winner_takes_drawn",
    "the look at whom a version has drawn when the winner is planned",
    (
        PLAN,
        "            known = sql_plan.drawn_records(",
        "            sql_plan.drawn_records(",
    ),
    tests=["TestJudging.test_a_winner_leaves_out_who_is_drawn"],
)
mutant(
    "not_judged_again",
    "the second look at an address",
    (JOB, "                self._queue_judge(ledger, routes)\n", ""),
    tests=[
        "TestJudging.test_corrected_to_an_address_that_has_the_mail",
        "TestJudging.test_edited_while_it_waits",
        "TestJudging.test_a_version_knows_the_edited_addresses_of_the_others",
    ],
)
mutant(
    "judged_together",
    "the lock of workers who give away addresses",
    (
        SQL_ADDRESSES,
        '    cr.execute("SELECT pg_advisory_xact_lock(%s, %s)", lock, '
        "log_exceptions=False)\n",
        "",
    ),
    tests=[ADDRESSES + "test_two_recipients_edited_to_one_address_are_mailed_once"],
)
mutant(
    "claimed_is_given",
    "the look at who is claimed when addresses are given away",
    (SQL_ADDRESSES, "ANY(%s) AND trace_status = 'outgoing' ORDER", "ANY(%s) ORDER"),
    tests=["TestJudging.test_who_is_claimed_keeps_an_address"],
)
mutant(
    "exchanged_is_lost",
    "the look at whether who has an address still does",
    (
        JUDGING,
        "            found.update(self._queue_find_edited(ledger, found))\n",
        "            pass\n",
    ),
    tests=["TestJudging.test_addresses_that_are_exchanged"],
)
mutant(
    "claim_of_another_address",
    "the claim's look at the address",
    (
        SQL,
        "          AND (%(email)s::text IS NULL\n",
        "          AND (%(email)s::text IS NULL OR true\n",
    ),
    tests=[
        "TestJudging.test_an_email_of_another_address_cannot_be_claimed",
        ADDRESSES + "test_an_email_of_an_earlier_address_is_not_sent",
    ],
)
mutant(
    "all_of_a_field",
    "the addresses of a field that somebody else has",
    (
        JUDGING,
        "            if len(mine) < len(parcel.found):\n",
        "            if False:\n",
    ),
    tests=["TestJudging.test_crossed_addresses_are_mailed_once_each"],
)
mutant(
    "composed_for_another_model",
    "the look at a trace's model",
    (COMPOSE, "        traces -= self._queue_leave_other_models(traces)\n", ""),
    tests=["TestJudging.test_a_trace_of_another_model_is_never_composed"],
)
mutant(
    "former_audience",
    "what a change of the audience sets off",
    (
        JUDGING,
        "                mailing.sudo()._queue_change_audience()\n",
        "                pass\n",
    ),
    tests=[
        "TestJudging.test_lists_swapped_for_partners",
        "TestJudging.test_an_audience_that_changes_while_it_is_sent",
    ],
)
mutant(
    "claim_of_former_audience",
    "the claim's look at whether the audience was changed",
    (
        SQL,
        "          AND NOT COALESCE(mailing.queue_audience_changed, false)\n",
        "",
    ),
    tests=["TestJudging.test_nobody_of_a_changed_audience_is_claimed"],
)
mutant(
    "former_sample",
    "the sample that is forgotten with its audience",
    (
        JUDGING,
        "        sql_plan.forget_sample(self.env.cr, self.id)\n"
        '        values = {"queue_sampled": False, ',
        "        values = {",
    ),
    tests=["TestJudging.test_a_test_is_drawn_anew_from_another_audience"],
)
mutant(
    "left_for_good",
    "the traces of who is back in the audience",
    (
        TRACES,
        "        if sql_plan.forget_former(\n"
        "            self.env.cr, self.id, self.mailing_model_real, res_ids\n"
        "        ):\n",
        "        if False:\n",
    ),
    tests=["TestJudging.test_an_audience_that_is_changed_back"],
)
