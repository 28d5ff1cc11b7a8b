"""What marketers and administrators see and press, in a real browser.

Pictures of it are kept in `build/screens`.
"""

from collections import Counter

import pytest
from playwright.sync_api import expect

from . import campaigns, throttling
from .support.browser import DEVICES, PATIENCE
from .support.ledger import compare
from .support.process import wait_until
from .support.sink_rules import Rule

pytestmark = pytest.mark.slow

RECIPIENTS = 160
ASK = "queue_progress"
#: Who sits before the screen, and as whom Odoo knows them.
PEOPLE = {"marketer": "Marketer", "admin": "Administrator"}


def people(env, step, mailing_id):
    """A marketer, whose mailing it is, and a user without rights."""
    groups = {
        "marketer": "mass_mailing.group_mass_mailing_user",
        "internal": "base.group_user",
    }
    for login, group in groups.items():
        user = env["res.users"].create(
            {
                "name": login.title(),
                "login": login,
                "password": login,
                "group_ids": [
                    (6, 0, (env.ref(group) | env.ref("base.group_user")).ids)
                ],
            }
        )
        if login == "marketer":
            mailing = env["mailing.mailing"].browse(mailing_id)
            mailing.write(
                {
                    "user_id": user.id,
                    "subject": "Summer sale",
                    # What the editor shows, and makes the email of.
                    "body_arch": mailing.body_html,
                }
            )
    env["mailing.provider"].search([("server_ids", "!=", False)]).name = "Gmail"


class Office(throttling.Bench):
    """A server with campaigns to send, and a browser."""

    def __init__(self, scope, browser):
        super().__init__(scope, RECIPIENTS, job_size=25, workers=4, slots=2)
        scope.shell(self.database).run(people, mailing_id=self.draft)
        self.browser = browser

    def screen(self, login="marketer", device="desktop"):
        return self.browser.screen(self.server.rpc(login, login), device)

    def copy(self):
        (mailing,) = self.rpc.call("mailing.mailing", "copy", [[self.draft]])
        return mailing

    def sent(self, mailing):
        return campaigns.count(self.database, mailing, "sent", "open")


@pytest.fixture(scope="module")
def office(module_scope, browser):
    return Office(module_scope, browser)


@pytest.fixture(autouse=True)
def alone(office):
    """Nothing is under way but the test's own, and the server takes everything."""
    office.sink.rules()
    yield
    office.sink.rules()
    office.rpc.press("mailing.provider", "action_resume", [office.account])
    for mailing in office.rpc.search(
        "mailing.mailing", [("state", "in", ("in_queue", "sending"))]
    ):
        office.cancel(mailing)


def asks(screen):
    """A list that grows with each look of the page at its mailings."""
    found = []
    screen.page.on(
        "request", lambda request: ASK in request.url and found.append(request)
    )
    return found


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("login", PEOPLE)
def test_a_mailing_is_sent_watched_paused_edited_resumed_and_cancelled(
    office, login, device
):
    """Every step of a campaign, without once reloading the page."""
    office.limit(4)
    mailing = office.copy()
    with office.screen(login, device) as screen:
        screen.form("mailing.mailing", mailing)
        screen.page.evaluate("window.isTheSamePage = true")
        screen.press("action_launch")
        dialog = screen.text(".modal")
        assert f"{RECIPIENTS} people will receive" in dialog
        assert "Gmail" in dialog and "Duration a minute" in dialog
        screen.keep(f"send-{login}")
        screen.confirm("Send to all")

        screen.see(".o_mailing_queue_progress")
        wait_until(lambda: screen.number("sent") > 4, 60, "the bar to move")
        assert "Gmail: 4 a second" in screen.text(".o_mailing_queue_waits")
        assert "emails/s" in screen.text(".o_mailing_queue_progress")
        screen.keep(f"sending-{login}")

        screen.press("action_queue_pause")
        screen.see(".alert-warning", "This mailing is paused.")
        screen.see(".alert-warning", f"Paused by {PEOPLE[login]}.")
        wait_until(
            lambda: screen.number("sent") == office.sent(mailing), 30, "the last ones"
        )
        screen.keep(f"paused-{login}")
        sent = office.sent(mailing)
        screen.page.locator("div[name=subject] :is(input, textarea)").first.fill(
            "Sale!"
        )
        screen.page.locator("button.o_form_button_save").click()
        screen.see(".alert-warning", f"{sent} people got the earlier version")
        assert office.sent(mailing) == sent
        screen.keep(f"edited-{login}")

        screen.press("action_queue_resume")
        screen.see(".o_mailing_queue_waits", "Gmail")
        wait_until(lambda: screen.number("sent") > sent + 4, 60, "the bar to move")

        screen.press("action_queue_cancel")
        screen.see(".modal", "Those who have it keep it")
        screen.keep(f"cancel-{login}")
        screen.confirm("Cancel the rest")
        screen.miss(".o_mailing_queue_progress [data-part=waiting]")
        campaigns.wait_until_done(office.database, mailing)
        # The form has followed: what can be done now is something else.
        screen.see("button[name=action_duplicate]")
        assert screen.number("sent") == office.sent(mailing)
        assert screen.number("sent") + screen.number("cancelled") == RECIPIENTS
        screen.page.get_by_role("tab", name="Sending").click()
        screen.see(".o_mailing_queue_pace canvas")
        screen.keep(f"cancelled-{login}")

        # Now it rests.
        looks = asks(screen)
        screen.page.wait_for_timeout(6_000)
        assert not looks
        assert screen.page.evaluate("window.isTheSamePage")
        assert not screen.faults


@pytest.mark.parametrize("device", DEVICES)
def test_lists_and_cards_show_progress_by_one_question(office, device):
    """All bars on a page are moved by one request each time."""
    office.limit(2)
    mailings = [office.copy() for _number in range(3)]
    for mailing in mailings:
        office.rpc.press("mailing.mailing", "action_launch", [mailing])
    bars = ".o_mailing_queue_progress .progress-bar.bg-success"
    with office.screen(device=device) as screen:
        for view in ("kanban",) if screen.on_phone else ("list", "kanban"):
            screen.open("email-marketing", ".o_list_view, .o_kanban_view")
            if not screen.on_phone:
                screen.page.locator(f".o_switch_view.o_{view}").click()
            screen.see(f".o_{view}_view")
            looks = asks(screen)
            screen.see(bars)
            with screen.page.expect_request(lambda request: ASK in request.url) as look:
                pass
            assert sorted(look.value.post_data_json["params"]["args"][0]) == mailings
            screen.keep(view)
            assert len(looks) <= 2
        assert not screen.faults


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("login", PEOPLE)
def test_in_doubt_and_failed_emails_are_decided_about(office, login, device):
    """Count as sent, send again, retry: nobody else gets anything twice."""
    office.limit(throttling.UNLIMITED)
    office.sink.rules(
        Rule("rcpt", match="contact1@", reply="550 5.1.1 No such user"),
        Rule("rcpt", match="contact2@", reply="550 5.1.1 No such user"),
        Rule("end", match="contact3@", action="accept-drop", times=1),
        # Each after others on its connection, or the server would be the suspect.
        Rule("end", match="contact30@", action="drop", times=1),
    )
    mailing = office.launch()
    office.finish(mailing)
    office.sink.rules()
    with office.screen(login, device) as screen:
        screen.form("mailing.mailing", mailing)
        screen.see(
            ".alert-warning",
            "2 emails may have arrived.",
        )
        screen.keep(f"in-doubt-{login}")
        screen.page.locator("[data-part=in_doubt]").click()
        screen.see(".o_data_row, .o_kanban_record", "contact3@").click()
        screen.see(".o_form_view", "this email may have arrived")
        assert screen.text("div[name=queue_attempts]") == "1"
        screen.keep(f"trace-{login}")
        has_job = screen.page.locator("button[name=action_view_queue_job]").count()
        # A phone has it behind a menu.
        assert bool(has_job) == (login == "admin" and not screen.on_phone)
        screen.press("action_queue_count_as_sent")
        screen.confirm("Count as sent")
        screen.miss("button[name=action_queue_count_as_sent]:visible")

        screen.form("mailing.mailing", mailing)
        screen.see(".alert-warning", "1 email may have arrived")
        screen.page.locator(".alert button[name=action_queue_send_again]").click()
        screen.see(".modal", "a second time")
        screen.keep(f"send-again-{login}")
        screen.confirm("Send again")
        screen.miss(".alert button[name=action_queue_send_again]")
        wait_until(
            lambda: campaigns.state(office.database, mailing) == "done", 60, "its end"
        )
        wait_until(lambda: screen.number("sent") == RECIPIENTS - 2, 30, "the bar")
        assert screen.number("failed") == 2

        screen.press("action_retry_failed")
        screen.see(".modal", "emails in doubt are left alone")
        screen.confirm("Retry failed")
        screen.miss("[data-part=failed]")
        wait_until(lambda: screen.number("sent") == RECIPIENTS, 60, "the bar")
        screen.miss("[data-part=waiting]")
        screen.keep(f"all-sent-{login}")
        assert not screen.faults
    verdict = compare(office.sink, office.database, mailing, recipients=RECIPIENTS)
    assert verdict.flawless, str(verdict)


def test_emails_in_doubt_are_decided_about_in_their_list(office):
    """Some that are chosen, by the buttons above the list; the others wait."""
    office.limit(throttling.UNLIMITED)
    office.sink.rules(
        *[
            Rule("end", match=f"contact{number}@", action="accept-drop", times=1)
            for number in (3, 33, 63)
        ]
    )
    before = len(office.sink.messages())
    mailing = office.launch()
    office.finish(mailing)
    with office.screen() as screen:
        screen.form("mailing.mailing", mailing)
        screen.page.locator("[data-part=in_doubt]").click()

        def choose(number):
            row = screen.see(".o_data_row", f"contact{number}@")
            row.locator("input[type=checkbox]").check()

        choose(3)
        choose(33)
        screen.see(".o_control_panel", "2 selected")
        screen.keep("in-doubt-list")
        screen.page.locator("button[name=action_queue_count_as_sent]").click()
        screen.see(".modal", "nobody gets this mailing a second time")
        screen.confirm("Ok")
        expect(screen.page.locator(".o_data_row")).to_have_count(1)
        choose(63)
        screen.page.locator("button[name=action_queue_send_again]").click()
        screen.see(".modal", "may receive this mailing a second time")
        screen.confirm("Ok")
        screen.see(".o_view_nocontent")
        screen.keep("in-doubt-none")
        assert not screen.faults
    office.finish(mailing)
    arrived = Counter(
        message.recipients[0] for message in office.sink.messages()[before:]
    )
    assert len(arrived) == RECIPIENTS
    assert [email for email, times in arrived.items() if times > 1] == [
        "contact63@example.com"
    ]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("login", PEOPLE)
def test_sending_account_is_seen_by_all_and_changed_by_administrators(
    office, login, device
):
    """Who watches a mailing of the account sees its pause without pressing anything."""
    office.limit(2)
    mailing = office.launch()
    with office.screen(login, device) as screen, office.screen() as other:
        other.form("mailing.mailing", mailing)
        other.see(".o_mailing_queue_waits", "Gmail: 2 a second")
        screen.form("mailing.provider", office.account)
        screen.see(".o_form_view")
        screen.keep(f"account-{login}")
        pause = screen.page.locator("button[name=action_pause]")
        if login == "admin":
            screen.press("action_pause")
            other.see(".o_mailing_queue_waits", "Gmail: Paused by")
            other.keep("account-paused")
            screen.press("action_resume")
            screen.confirm("Resume")
            other.see(".o_mailing_queue_waits", "Gmail: 2 a second")
        else:
            assert not pause.count()
            assert not screen.page.locator(
                "div[name=api_key_id], div[name=api_secret]"
            ).count()
        assert not screen.faults and not other.faults


def test_who_has_no_rights_sees_nothing(office):
    """No menu, no form, no numbers."""
    mailing = office.copy()
    with office.screen("internal") as screen:
        screen.page.goto(
            f"{screen.rpc.url}/odoo/mailing.mailing/{mailing}", wait_until="commit"
        )
        screen.see(".o_notification, .modal, .o_view_nocontent")
        assert not screen.page.locator(".o_form_view").count()
        screen.keep("no-rights")
        menus = screen.rpc.call("ir.ui.menu", "load_menus", [False])
        names = {menu["name"] for menu in menus.values()}
        assert "Discuss" in names
        assert not names & {"Email Marketing", "Mailings", "Sending Accounts", "Alerts"}


def test_two_windows_and_two_presses_do_no_harm(office):
    """Paused in one window, the other follows; a second press finds nothing to do."""
    office.limit(2)
    mailing = office.launch()
    with office.screen() as one, office.screen() as two:
        for screen in (one, two):
            screen.form("mailing.mailing", mailing)
            screen.see("[data-part=waiting]")
        one.press("action_queue_pause")
        one.see(".alert-warning", "This mailing is paused.")
        two.see(".alert-warning", "This mailing is paused.")
        for screen in (one, two):
            screen.press("action_queue_cancel")
        for screen in (one, two):
            screen.confirm("Cancel the rest")
        for screen in (one, two):
            screen.miss("[data-part=waiting]")
            assert not screen.faults
            assert not screen.page.locator(".o_error_dialog").count()
    campaigns.wait_until_done(office.database, mailing, PATIENCE / 1_000)
