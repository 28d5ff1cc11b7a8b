"""One mailing, one email per address: also when many decide at once."""

import contextlib
from collections import Counter

import pytest

from . import campaigns, sending
from .support.process import wait_until


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


def plan_explicitly(env, step, mailing_id, slice_size):
    """Plan records as `_send` does, so many at a time."""
    from odoo.addons.mass_mailing_queue.ledger import Ledger

    mailing = env["mailing.mailing"].browse(mailing_id)
    people = mailing.contact_list_ids.contact_ids.sorted("id").ids
    mailing.read(["queue_slices"])
    step("ready")
    with Ledger(env) as ledger:
        for start in range(0, len(people), slice_size):
            mailing._queue_plan_records(ledger, people[start : start + slice_size])


def plan_at_once(shell, *mailing_ids, slice_size=20, last=plan_in_slices):
    """Several processes plan a mailing each, at the same moment.

    :param last: how the last one does
    """
    functions = [plan_in_slices] * (len(mailing_ids) - 1) + [last]
    with contextlib.ExitStack() as stack:
        runs = [
            stack.enter_context(
                shell.start(function, mailing_id=mailing_id, slice_size=slice_size)
            )
            for function, mailing_id in zip(functions, mailing_ids, strict=True)
        ]
        go_on_together(runs)


def go_on_together(runs):
    """Let them wait for each other, and then run to their ends."""
    for run in runs:
        run.wait_for("ready")
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


def test_a_version_and_records_of_another_planned_at_once(test_of_two):
    """Records that other code sends to explicitly are decided about in turn, too."""
    database, _sink, shell, versions = test_of_two
    plan_at_once(shell, *versions, last=plan_explicitly)
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
    people = database.query(
        "SELECT count(*), count(DISTINCT res_id) FROM mailing_trace"
    )
    assert people == [(600, 600)], "everybody belongs to one of the three"


def edit(env, step, mailing_id, emails):
    """Give the mailing's contacts, by id, these addresses; None keeps one."""
    contacts = env["mailing.mailing"].browse(mailing_id).contact_list_ids.contact_ids
    for contact, email in zip(contacts.sorted("id"), emails, strict=True):
        if email:
            contact.email = email


def send_one(env, step, mailing_id, number, pause):
    """Send to one recipient as its job does, and wait at a point of its way."""
    from odoo.addons.mass_mailing_queue import sql_addresses
    from odoo.addons.mass_mailing_queue.ledger import Ledger

    mailing = env["mailing.mailing"].browse(mailing_id)
    place = sql_addresses if pause == "seen_emails" else type(mailing)
    function = getattr(place, pause)

    def wait_first(*args):
        if pause == "seen_emails":
            found = function(*args)
            # Asked for no address, it is asked whether that is to be asked at all.
            if args[3]:
                step("waiting")
            return found
        step("waiting")
        return function(*args)

    setattr(place, pause, wait_first)
    trace = mailing.mailing_trace_ids.sorted("id")[number]
    with Ledger(env) as ledger:
        mailing._queue_deliver(ledger, [trace.id], 30)


def test_two_recipients_edited_to_one_address_are_mailed_once(scope):
    """Two workers judge at the same moment: the second waits for the first."""
    database, sink, shell, mailing_id = sending.prepare(scope, 2)
    emails = ["same@example.com"] * 2
    shell.run(edit, mailing_id=mailing_id, emails=emails)
    one = {"mailing_id": mailing_id, "pause": "seen_emails"}
    two = {"mailing_id": mailing_id, "pause": "_queue_judge"}
    with (
        shell.start(send_one, number=0, **one) as first,
        shell.start(send_one, number=1, **two) as second,
    ):
        first.wait_for("waiting")
        second.wait_for("waiting")
        second.go_on()
        wait_until(
            lambda: database.value(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
                "AND NOT granted"
            )
            or sink.messages(),
            30,
            "the second waits for the lock, or has sent",
        )
        first.go_on()
        first.result()
        second.result()
    assert mailed(sink) == {"same@example.com": 1}
    query = "SELECT email, failure_type FROM mailing_trace ORDER BY res_id"
    assert database.query(query) == [
        ("same@example.com", None),
        ("same@example.com", "mail_dup"),
    ]


def test_an_edit_after_its_email_was_made_comes_too_late(scope):
    """The address that was judged is mailed, and noted."""
    _database, sink, shell, mailing_id = sending.prepare(scope, 1)
    one = {"mailing_id": mailing_id, "number": 0, "pause": "_queue_judge"}
    with shell.start(send_one, **one) as early:
        early.wait_for("waiting")
        shell.run(edit, mailing_id=mailing_id, emails=["new@example.com"])
        early.go_on()
        early.result()
    assert mailed(sink) == {"contact0@example.com": 1}


def test_an_email_of_an_earlier_address_is_not_sent(scope):
    """What another worker decided between judging and claim is what counts."""
    database, sink, shell, mailing_id = sending.prepare(scope, 1)
    one = {"mailing_id": mailing_id, "number": 0, "pause": "_queue_claim"}
    with shell.start(send_one, **one) as early:
        early.wait_for("waiting")
        shell.run(edit, mailing_id=mailing_id, emails=["new@example.com"])
        with shell.start(send_one, **one) as late:
            late.wait_for("waiting")
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
