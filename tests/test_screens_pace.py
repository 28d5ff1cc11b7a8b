"""Priority, sending hours and a rehearsal, as a marketer sees and presses them.

Pictures of it are kept in `build/screens`.
"""

import pytest

from .support.browser import DEVICES
from .support.process import wait_until
from .test_screens import RECIPIENTS, Office

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def office(module_scope, browser):
    office = Office(module_scope, browser)
    office.stand_in = module_scope.sink().start()
    return office


def value(office, mailing, column):
    query = f"SELECT {column} FROM mailing_mailing WHERE id = %s"
    return office.database.query(query, (mailing,))[0][0]


@pytest.mark.parametrize("device", DEVICES)
def test_a_marketer_sets_the_pace(office, device):
    """A priority by a star, hours that are made on the way, and it waits for them."""
    mailing = office.copy()
    with office.screen(device=device) as screen:
        page = screen.form("mailing.mailing", mailing).page
        page.get_by_role("tab", name="Settings").click()
        page.locator("div[name=queue_priority] .o_priority_star").last.click()
        wait_until(
            lambda: value(office, mailing, "queue_priority") == "3", 30, "its priority"
        )
        hours = office.rpc.save(
            "mailing.queue.hours",
            {"name": "Never on time", "hour_from": 3, "hour_to": 3.01, "tz": "UTC"},
        )
        screen.keep("pace")
        office.rpc.write("mailing.mailing", [mailing], {"queue_hours_id": hours})
        office.rpc.press("mailing.mailing", "action_launch", [mailing])
        screen.form("mailing.mailing", mailing)
        screen.see(".o_mailing_queue_waits", "Sending hours: goes on")
        screen.keep("hours-wait")
        screen.form("mailing.queue.hours", hours)
        screen.see(".o_form_sheet", "Days")
        screen.keep("hours")
        screen.miss(".o_error_dialog")
        assert not screen.faults
    office.cancel(mailing)


def test_the_chart_follows_the_pager(office):
    """Who turns to the next mailing sees the next mailing's speed."""
    office.limit(20)
    sent = {}
    for subject, recipients in (("All of them", RECIPIENTS), ("A few", 5)):
        mailing = office.copy()
        office.rpc.write("mailing.mailing", [mailing], {"subject": subject})
        office.rpc.press("mailing.mailing", "action_launch", [mailing])
        wait_until(lambda: office.sent(mailing) >= recipients, 60, "emails")  # noqa: B023
        office.cancel(mailing)
        sent[subject] = office.sent(mailing)
    assert len(set(sent.values())) == 2

    with office.screen() as screen:
        page = screen.open("email-marketing").page
        page.locator(".o_switch_view.o_list").click()
        screen.see(".o_data_row", "All of them").locator("td[name=subject]").click()

        def drawn():
            """The sum of the bars: all was sent within few minutes."""
            return page.evaluate(
                """selector => {
                    const canvas = document.querySelector(selector)
                    const chart = canvas && Chart.getChart(canvas)
                    return chart && chart.data.datasets[0].data.reduce((a, b) => a + b)
                }""",
                ".o_mailing_queue_pace canvas",
            )

        shown = set()
        for _turn in range(20):
            # Done, it is a text; before, an input.
            subject = screen.text("div[name=subject]")
            if subject in sent:
                page.get_by_role("tab", name="Sending").click()
                wait_until(lambda: drawn() == sent[subject], 30, subject)  # noqa: B023
                shown.add(subject)
            if shown == set(sent):
                break
            page.locator(".o_pager_next").click()
            page.wait_for_timeout(500)
        assert shown == set(sent)
        assert not screen.faults


@pytest.mark.parametrize("device", DEVICES)
def test_a_marketer_rehearses(office, device):
    """The report says how fast it was; the mailing is as it was."""
    office.limit(100)
    office.rpc.set_parameter(
        "mass_mailing_queue.rehearsal_server", f"localhost:{office.stand_in.port}"
    )
    mailing = office.copy()
    before = office.stand_in.count()
    with office.screen(device=device) as screen:
        screen.form("mailing.mailing", mailing)
        screen.press("action_queue_rehearse")
        screen.confirm("Rehearse")
        screen.see(".o_form_sheet", "Rehearsal Server")
        screen.keep("rehearsal-runs")
        office.stand_in.wait_for_messages(before + RECIPIENTS, 120)

        def over():
            screen.try_to_press("action_refresh")
            return not screen.page.locator("button[name=action_stop]").count()

        wait_until(over, 60, "it is over")
        screen.see("div[name=sent]", str(RECIPIENTS))
        screen.see(".o_form_sheet", "Emails per Second")
        screen.keep("rehearsal")
        assert not screen.faults
    assert value(office, mailing, "state") == "draft"
    assert not office.database.query(
        "SELECT 1 FROM mailing_trace WHERE mass_mailing_id = %s", (mailing,)
    )


def test_only_administrators_say_with_which_server(office):
    """The settings of it are theirs; a marketer is told whom to ask."""
    office.rpc.set_parameter("mass_mailing_queue.rehearsal_server", "")
    with office.screen() as screen:
        screen.form("mailing.mailing", office.copy())
        screen.press("action_queue_rehearse")
        screen.page.locator(".modal").get_by_role(
            "button", name="Rehearse", exact=True
        ).click()
        screen.see(".modal", "let the administrator enter one in the settings")
    with office.screen("admin") as screen:
        screen.open("action-mass_mailing.action_mass_mailing_configuration")
        screen.see("div[name=mass_mailing_queue_rehearsal_server]")
        screen.see("#mass_mailing_queue_rehearsal").scroll_into_view_if_needed()
        screen.keep("settings-rehearsal")
