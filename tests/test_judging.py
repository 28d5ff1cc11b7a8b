"""One mailing, one email per address: also when many decide at once."""

import contextlib
from collections import Counter

import pytest

from . import campaigns, sending


def share_addresses(env, step, mailing_id, addresses):
    """Give the contacts so few addresses that several share each one."""
    contacts = env["mailing.mailing"].browse(mailing_id).contact_list_ids.contact_ids
    for number, contact in enumerate(contacts.sorted("id")):
        contact.email = f"shared{number % addresses}@example.com"


def make_version(env, step, mailing_id, share):
    """Make the mailing a version of a test, and add another; return both ids."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    campaign = env["utm.campaign"].create({"name": "Test"})
    mailing.write(
        {
            "ab_testing_enabled": True,
            "ab_testing_pc": share,
            "campaign_id": campaign.id,
        }
    )
    other = mailing.copy({"campaign_id": campaign.id, "ab_testing_pc": share})
    other.contact_list_ids = mailing.contact_list_ids
    versions = mailing + other
    versions.action_send_mail()
    return versions.ids


def make_winner(env, step, mailing_id):
    """Send the rest of the test the version that won; return the winner's id."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    action = mailing.action_select_as_winner()
    return action["res_id"]


def plan_in_slices(env, step, mailing_id, slice_size):
    """Plan everybody as the job does, in slices of this size."""
    from odoo.service.model import retrying

    from odoo.addons.mass_mailing_queue import slicing
    from odoo.addons.queue_job.exception import RetryableJobError

    slicing.SLICE_SIZE = slice_size
    mailing = env["mailing.mailing"].browse(mailing_id)
    mailing.read(["queue_slices"])
    step("ready")
    while True:
        # As queue_job does, what is postponed or collides is run again.
        try:
            return retrying(mailing._job_plan, env)
        except RetryableJobError:
            env.cr.rollback()


def plan_at_once(shell, *mailing_ids, slice_size=20):
    """Several processes plan a mailing each, at the same moment."""
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(
                shell.start(
                    plan_in_slices, mailing_id=mailing_id, slice_size=slice_size
                )
            )
            for mailing_id in mailing_ids
        ]
        go_on_together(runs)


def go_on_together(runs, until="ready"):
    """Let them wait for each other, and then run to their ends."""
    for run in runs:
        run.wait_for(until)
    for run in runs:
        run.go_on()
    for run in runs:
        run.result()


def mailed(sink):
    """How many messages each address got."""
    return Counter(to for message in sink.messages() for to in message.recipients)


def waiting(database):
    """How many traces of any mailing wait, by address."""
    return Counter(
        dict(
            database.query(
                "SELECT email, count(*)::int FROM mailing_trace "
                "WHERE trace_status = 'outgoing' GROUP BY email"
            )
        )
    )


@pytest.fixture
def test_of_two(scope):
    """Two versions of a test whose people share addresses."""
    database, sink, shell, mailing_id = sending.prepare(scope, 600, None)
    shell.run(share_addresses, mailing_id=mailing_id, addresses=100)
    versions = shell.run(make_version, mailing_id=mailing_id, share=50)
    return database, sink, shell, versions


def test_two_versions_planned_at_once_share_no_address(test_of_two):
    """What is decided for a whole test is decided under one lock of its campaign."""
    database, _sink, shell, versions = test_of_two
    plan_at_once(shell, *versions)
    found = waiting(database)
    assert len(found) == 100
    assert set(found.values()) == {1}, found.most_common(5)


def test_a_winner_planned_with_a_version_shares_no_address(test_of_two):
    """Nor whoever is drawn for a version that has not planned them yet."""
    database, _sink, shell, versions = test_of_two
    winner = shell.run(make_winner, mailing_id=versions[0])
    plan_at_once(shell, *versions, winner)
    found = waiting(database)
    assert len(found) == 100
    assert set(found.values()) == {1}, found.most_common(5)
    people = database.query("SELECT count(*), count(DISTINCT res_id) FROM mailing_trace")
    assert people == [(600, 600)], "everybody belongs to one of the three"


def edit(env, step, mailing_id, emails):
    """Give the mailing's contacts, by id, these addresses; None keeps one."""
    contacts = env["mailing.mailing"].browse(mailing_id).contact_list_ids.contact_ids
    for contact, email in zip(contacts.sorted("id"), emails, strict=True):
        if email:
            contact.email = email


def send_one(env, step, mailing_id, number):
    """Send to one recipient as its job does, from the moment it is told."""
    from odoo.addons.mass_mailing_queue.ledger import Ledger

    mailing = env["mailing.mailing"].browse(mailing_id)
    trace = mailing.mailing_trace_ids.sorted("id")[number]
    judge = type(mailing)._queue_judge

    def wait_and_judge(self, *args):
        step("composed")
        return judge(self, *args)

    type(mailing)._queue_judge = wait_and_judge
    with Ledger(env) as ledger:
        mailing._queue_deliver(ledger, [trace.id], 30)


def send_at_once(shell, mailing_id, *numbers):
    """Each recipient by a worker of its own; all have composed when one judges."""
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(
                shell.start(send_one, mailing_id=mailing_id, number=number)
            )
            for number in numbers
        ]
        go_on_together(runs, "composed")


def test_two_recipients_edited_to_one_address_are_mailed_once(scope):
    """Two workers judge at the same moment: one finds the other's decision."""
    database, sink, shell, mailing_id = sending.prepare(scope, 2)
    emails = ["same@example.com"] * 2
    shell.run(edit, mailing_id=mailing_id, emails=emails)
    send_at_once(shell, mailing_id, 0, 1)
    assert mailed(sink) == {"same@example.com": 1}
    query = "SELECT email, failure_type FROM mailing_trace ORDER BY failure_type"
    assert database.query(query) == [
        ("same@example.com", "mail_dup"),
        ("same@example.com", None),
    ]


def test_two_workers_with_two_addresses_of_one_recipient(scope):
    """The later address is mailed; the email that was made before it is not sent."""
    _database, sink, shell, mailing_id = sending.prepare(scope, 1)
    with shell.start(send_one, mailing_id=mailing_id, number=0) as early:
        early.wait_for("composed")
        shell.run(edit, mailing_id=mailing_id, emails=["new@example.com"])
        early.go_on()
        early.result()
    assert mailed(sink) == {"contact0@example.com": 1}


def test_an_email_of_an_earlier_address_is_not_sent(scope):
    """What another worker decided between judging and claim is what counts."""
    database, sink, shell, mailing_id = sending.prepare(scope, 1)

    def judge_then_wait(env, step, mailing_id):
        from odoo.addons.mass_mailing_queue.ledger import Ledger

        mailing = env["mailing.mailing"].browse(mailing_id)
        claim = type(mailing)._queue_claim

        def wait_and_claim(self, *args):
            step("judged")
            return claim(self, *args)

        type(mailing)._queue_claim = wait_and_claim
        with Ledger(env) as ledger:
            mailing._queue_deliver(ledger, mailing.mailing_trace_ids.ids, 30)

    with shell.start(judge_then_wait, mailing_id=mailing_id) as early:
        early.wait_for("judged")
        shell.run(edit, mailing_id=mailing_id, emails=["new@example.com"])
        with shell.start(judge_then_wait, mailing_id=mailing_id) as late:
            late.wait_for("judged")
            early.go_on()
            early.result()
            assert not sink.messages()
            late.go_on()
            late.result()
    assert mailed(sink) == {"new@example.com": 1}
    assert campaigns.count(database, mailing_id, "sent") == 1


def swap_lists_for_partners(env, step, mailing_id):
    """As over RPC while it is paused; partners have the ids of contacts, too."""
    mailing = env["mailing.mailing"].browse(mailing_id)
    taken = mailing.mailing_trace_ids.mapped("res_id")
    partners = env["res.partner"].create(
        [
            {"name": f"Partner {number}", "email": f"partner{number}@example.com"}
            for number in range(max(taken) + 5)
        ]
    )
    mailing.write(
        {
            "mailing_model_id": env["ir.model"]._get("res.partner").id,
            "mailing_domain": repr([("id", "in", partners[-5:].ids)]),
        }
    )
    return partners[-5:].mapped("email")


def press(env, step, mailing_id, action):
    """Press a button."""
    getattr(env["mailing.mailing"].browse(mailing_id), action)()


def test_lists_swapped_for_partners_while_paused(scope):
    """Those of the new audience are mailed, and nobody whose id is a contact's."""
    database, sink, shell, mailing_id = sending.prepare(scope, 12)
    shell.run(press, mailing_id=mailing_id, action="action_queue_pause")
    emails = shell.run(swap_lists_for_partners, mailing_id=mailing_id)
    shell.run(press, mailing_id=mailing_id, action="action_queue_resume")
    shell.run(sending.run_jobs)
    campaigns.wait_until_done(database, mailing_id, 30)
    assert mailed(sink) == dict.fromkeys(emails, 1)
    assert campaigns.count(database, mailing_id, "cancel") == 12
