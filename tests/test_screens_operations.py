"""Diagnose and alerts, as a marketer and an administrator see and press them.

Pictures of it are kept in `build/screens`.
"""

import pytest

from .support.browser import DEVICES
from .support.process import wait_until
from .test_screens import Office

pytestmark = pytest.mark.slow

FIRST = "div[name=report] .alert >> nth=0"


@pytest.fixture(scope="module")
def office(module_scope, browser):
    return Office(module_scope, browser)


@pytest.fixture
def mailing(office):
    """A mailing that is being sent slowly."""
    office.limit(2)
    mailing = office.launch()
    yield mailing
    office.rpc.press("mailing.provider", "action_resume", [office.account])
    office.cancel(mailing)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("login", ["marketer", "admin"])
def test_diagnose_names_what_is_wrong_and_what_is_slow(office, mailing, login, device):
    """From the mailing's own menu, to a paused account, to how long an email takes."""
    office.rpc.press("mailing.provider", "action_pause", [office.account])
    with office.screen(login, device) as screen:
        screen.form("mailing.mailing", mailing)
        screen.page.locator(".o_cp_action_menus button:visible").first.click()
        screen.see(".o-dropdown--menu .o_menu_item", "Diagnose").click()
        screen.see(FIRST, "Gmail")
        assert "paused" in screen.text(FIRST).lower()
        screen.keep(f"diagnose-{login}")

        before = office.sink.count()
        address = screen.page.locator("div[name=test_email] input")
        address.fill("somebody")
        screen.press("action_diagnose")
        screen.see(".modal, .o_notification", "somebody is not an email address.")
        screen.keep(f"diagnose-address-{login}")
        if screen.page.locator(".modal").count():
            screen.page.locator(".modal .btn-primary").click()
        address.fill("somebody@example.com")
        screen.press("action_diagnose")
        wait_until(lambda: office.sink.count() > before, 60, "the email that measures")
        screen.see("div[name=report]", "delivery")
        screen.keep(f"diagnose-measured-{login}")
        assert not screen.faults


def test_an_alert_is_seen_until_it_is_over(office, mailing):
    """Nothing is there to see before, and it says so."""
    check = office.rpc.reference("mass_mailing_queue.ir_cron_queue_alert")
    path = "action-mass_mailing_queue.mailing_queue_alert_action"
    with office.screen() as screen:
        screen.open(path).see(".o_view_nocontent", "Nothing has gone wrong")
        screen.keep("alerts-none")
        office.rpc.set_parameter("mass_mailing_queue.alert_depth", "1")
        for words in ("Raised", "Over"):
            office.rpc.press("ir.cron", "method_direct_trigger", [check])
            screen.open(path).see(".o_data_row", "Too many wait")
            screen.see(".o_data_row .badge", words)
            screen.keep(f"alerts-{words.lower()}")
            office.rpc.set_parameter("mass_mailing_queue.alert_depth", "0")
        assert not screen.faults


def test_diagnose_of_all_mailings(office, mailing):
    """From the menu; what nobody has to do anything about is said, too."""
    with office.screen() as screen:
        screen.open("action-mass_mailing_queue.mailing_queue_diagnosis_action")
        screen.see("div[name=report] .alert")
        screen.keep("diagnose-all")
        assert not screen.faults
