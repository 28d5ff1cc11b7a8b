"""What a marketer is told before Send, and when a mailing does not go on by itself.

Pictures of it are kept in `build/screens`.
"""

import pytest

from . import throttling
from .support.browser import DEVICES
from .support.process import wait_until
from .support.sink_rules import Rule
from .test_screens import Office

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def office(module_scope, browser):
    return Office(module_scope, browser)


def mixed_audience(env, step, mailing_id):
    """Two people, and one more for each reason to leave somebody out."""
    audience = env["mailing.list"].create({"name": "Mixed"})
    emails = ("one", "two", "ONE", "gone", "blocked")
    contacts = env["mailing.contact"].create(
        [
            {"email": f"{name}@example.net", "list_ids": [(4, audience.id)]}
            for name in emails
        ]
        + [{"name": "No address", "email": "nowhere", "list_ids": [(4, audience.id)]}]
    )
    contacts[3].subscription_ids.opt_out = True
    env["mail.blacklist"].create({"email": "blocked@example.net"})
    env["mailing.mailing"].browse(mailing_id).contact_list_ids = audience


@pytest.mark.parametrize("device", DEVICES)
def test_send_says_who_is_left_out_and_why(office, module_scope, device):
    """Each reason with its number, and nobody else."""
    mailing = office.copy()
    module_scope.shell(office.database).run(mixed_audience, mailing_id=mailing)
    with office.screen(device=device) as screen:
        screen.form("mailing.mailing", mailing)
        screen.press("action_launch")
        dialog = screen.text(".modal")
        assert "2 people will receive" in dialog
        for reason in ("opted_out", "blacklisted", "duplicates", "invalid"):
            assert screen.text(f".modal div[name={reason}]") == "1", reason
        screen.keep("send-left-out")
        assert not screen.faults


@pytest.mark.parametrize("device", DEVICES)
def test_a_mailing_that_pauses_itself_says_why(office, device):
    """The reasons, grouped, and a task for whoever is responsible."""
    office.limit(throttling.UNLIMITED)
    # Of every other recipient: the same for everybody would be nobody's failure.
    reply = "550 5.7.1 Your domain is not allowed here"
    office.sink.rules(Rule("rcpt", match=r"[02468]@", reply=reply))
    mailing = office.launch()
    with office.screen(device=device) as screen:
        screen.form("mailing.mailing", mailing)
        screen.see(".alert-warning", "This mailing is paused.")
        words = screen.text(".alert-warning")
        assert "× 550 5.7.1 Your domain is not allowed here" in words, words
        screen.keep("paused-itself")
        for part in ("failed", "waiting"):
            screen.page.locator(f"[data-part={part}]").click()
            screen.see(".o_data_row, .o_kanban_record", "contact")
            screen.keep(f"traces-{part}")
            screen.form("mailing.mailing", mailing)
        assert not screen.faults
    with office.screen("admin", device) as screen:
        screen.form("mailing.mailing", mailing)
        if not screen.on_phone:
            screen.page.locator(".o-form-buttonbox .o_button_more").click()
            screen.see("button[name=action_view_queue_jobs]").click()
            screen.see(".o_list_view .o_data_row", "Summer sale")
            screen.keep("jobs")
        assert not screen.faults
    (activity,) = office.rpc.call(
        "mail.activity",
        "search_read",
        [[("res_model", "=", "mailing.mailing"), ("res_id", "=", mailing)]],
    )
    assert activity["user_id"][1] == "Marketer"
    office.sink.rules()
    office.cancel(mailing)


def test_a_window_notices_what_is_resumed_elsewhere(office):
    """It rests, and looks now and then all the same."""
    office.limit(2)
    mailing = office.launch()
    office.rpc.press("mailing.mailing", "action_queue_pause", [mailing])
    with office.screen() as screen:
        screen.form("mailing.mailing", mailing)
        screen.see(".alert-warning", "This mailing is paused.")
        sent = screen.number("sent")
        office.rpc.press("mailing.mailing", "action_queue_resume", [mailing])
        screen.see(".o_mailing_queue_waits", "Gmail: 2 a second")
        wait_until(lambda: screen.number("sent") > sent, 60, "the bar to move")
        screen.miss(".alert-warning:has-text('This mailing is paused.')")
        assert not screen.faults
    office.cancel(mailing)


def test_who_is_held_is_sent_to_after_all(office):
    """Held recipients are counted, with what sends to them after all."""
    office.limit(2)
    mailing = office.launch()
    wait_until(lambda: office.sent(mailing), 60, "the first email")
    office.rpc.press("mailing.mailing", "action_queue_pause", [mailing])
    wait_until(
        lambda: not office.database.value(
            "SELECT count(*) FROM mailing_trace "
            "WHERE mass_mailing_id = %s AND trace_status = 'process'",
            (mailing,),
        ),
        30,
        "nobody is being sent to",
    )
    office.database.execute(
        "UPDATE mailing_trace SET queue_held = true WHERE id IN (SELECT id "
        "FROM mailing_trace WHERE mass_mailing_id = %s AND trace_status = 'outgoing' "
        "LIMIT 3)",
        (mailing,),
    )
    with office.screen() as screen:
        screen.form("mailing.mailing", mailing)
        words = screen.text(".alert-warning:has-text('held')")
        assert words.startswith("3 recipients are held. Their jobs"), words
        screen.keep("held")
        screen.press("action_queue_resume")
        screen.miss(".alert-warning:has-text('held')")
        assert not screen.faults
    office.cancel(mailing)


def test_the_hours_are_chosen_on_the_form(office):
    """By name, as any other record."""
    office.rpc.save(
        "mailing.queue.hours", {"name": "Office hours", "hour_from": 9, "hour_to": 17}
    )
    mailing = office.copy()
    with office.screen() as screen:
        page = screen.form("mailing.mailing", mailing).page
        page.get_by_role("tab", name="Settings").click()
        page.locator("div[name=queue_hours_id] input").fill("Office")
        page.locator(".o-autocomplete--dropdown-item", has_text="Office hours").click()
        page.locator("button.o_form_button_save").click()
        wait_until(
            lambda: office.database.value(
                "SELECT queue_hours_id FROM mailing_mailing WHERE id = %s", (mailing,)
            ),
            30,
            "its hours",
        )
        screen.keep("hours-chosen")
        assert not screen.faults
