"""The words on all our screens, in each language, on each device: whole and drawn.

Nothing is sent: mailings and accounts are put into the states that screens tell of.
Pictures of it are kept in `build/screens`.
"""

import pytest

from . import campaigns, throttling
from .support import words
from .support.browser import DEVICES
from .translations import LANGUAGES

pytestmark = pytest.mark.slow

#: Languages of the people who look, by their login.
PEOPLE = {"en": "en_US", **{code: f"{code}_{code.upper()}" for code in LANGUAGES}}
DIAGNOSE = "action-mass_mailing_queue.mailing_queue_diagnosis_action"
ACCOUNTS = "action-mass_mailing_queue_throttle.action_mailing_provider"


def stage(env, step, draft_id, languages):
    """Put one mailing into each state, by one and by two; accounts, and who looks.

    :return: dict of name → id of mailings, and of accounts
    """
    import time

    codes = list(languages.values())
    for code in codes:
        env["res.lang"]._activate_lang(code)
    env["base.language.install"].create(
        {
            "lang_ids": env["res.lang"].search([("code", "in", codes)]).ids,
            "overwrite": True,
        }
    ).lang_install()
    groups = "base.group_system", "mass_mailing.group_mass_mailing_user"
    for login, code in languages.items():
        env["res.users"].create(
            {
                "name": login.title(),
                "login": login,
                "password": login,
                "lang": code,
                "group_ids": [(4, env.ref(group).id) for group in groups],
            }
        )

    draft = env["mailing.mailing"].browse(draft_id)
    draft.write({"subject": "Summer sale", "body_arch": draft.body_html})
    reply = "550 5.1.1 No such user"

    def mailing(state, *traces, **values):
        """A mailing with one trace for each (number, values)."""
        made = draft.copy()
        made.write({"queue_managed": True, "queue_planned": True, "state": state})
        made.write({"subject": draft.subject, **values})
        res_ids = iter(range(1, 100))
        for number, trace in traces:
            env["mailing.trace"].create(
                [
                    {
                        "mass_mailing_id": made.id,
                        "model": "mailing.contact",
                        "res_id": next(res_ids),
                        "email": "somebody@example.com",
                        "queue_planned": True,
                        **trace,
                    }
                    for _number in range(number)
                ]
            )
        return made.id

    sent = {"trace_status": "sent", "sent_datetime": "2026-01-01 12:00:00"}
    waiting = {"trace_status": "outgoing"}
    failed = {
        "trace_status": "error",
        "failure_type": "mail_smtp",
        "failure_reason": reply,
        "queue_attempts": 1,
    }
    doubt = {
        "trace_status": "error",
        "failure_type": "queue_in_doubt",
        "failure_reason": "It may have arrived.",
    }
    held = {"trace_status": "outgoing", "queue_held": True}

    def troubled(number):
        return mailing(
            "sending",
            *((number, kind) for kind in (sent, failed, doubt, held)),
            queue_paused=True,
            queue_pause_reason="Paused by Administrator.",
            queue_earlier_version=number,
        )

    mailings = {
        "scheduled": mailing("in_queue", schedule_date="2099-01-01 12:00:00"),
        "sending": mailing("sending", (1, sent), (1, waiting)),
        "one": troubled(1),
        "two": troubled(2),
        "paused-itself": mailing(
            "sending",
            (25, failed),
            (40, waiting),
            queue_paused=True,
            queue_pause_reason=f"Too many emails failed.\n25 × {reply}",
        ),
        "cancelling": mailing("sending", (1, sent), (1, waiting), queue_cancelled=True),
        "done": mailing("done", (1, sent), (1, failed)),
    }

    now = time.time()
    account = env["mailing.provider"].search([("server_ids", "!=", False)])
    account.name = "Gmail"
    states = {
        "paused": {},
        "stopped": {"stopped": f"535 5.7.8 {reply[10:]}."},
        "resting": {
            "rest_reason": "451 4.7.0 Quota reached.",
            "rest_until": now + 9_000,
        },
        "reduced": {
            "reduced_rate": 0.5,
            "reduced_at": now,
            "reduced_capacity": 1,
            "capacity_at": now,
            "last_reply": "421 4.7.0 Slow down.",
        },
    }
    accounts = {"running": account.id}
    for name, live in states.items():
        made = account.copy({"name": name.title(), "capacity": 20})
        if name == "paused":
            made.write(
                {
                    "paused": True,
                    "pause_reason": "Paused by Administrator.",
                    "quota_problem": "Your account is under review.",
                    "quota_error": "The quota could not be read.",
                }
            )
        else:
            env["mailing.provider.state"].create({"provider_id": made.id, **live})
        accounts[name] = made.id
    # Whoever has waited for so long is not sent to.
    env["ir.cron"].search([]).active = False
    return mailings, accounts


class Stage:
    """A server on which nothing happens, and a browser."""

    def __init__(self, scope, browser):
        self.database = scope.database(throttling.MODULES)
        shell = scope.shell(self.database)
        self.draft = shell.run(campaigns.build, recipients=1, port=2525)
        self.mailings, self.accounts = shell.run(
            stage, draft_id=self.draft, languages=PEOPLE
        )
        self.server = scope.server(self.database, workers=2, cron_threads=0).start()
        self.browser = browser

    def screen(self, login, device):
        return self.browser.screen(self.server.rpc(login, login), device)


@pytest.fixture(scope="module")
def office(module_scope, browser):
    return Stage(module_scope, browser)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("login", PEOPLE)
def test_sentences_stand_apart_and_everything_is_filled_in(office, login, device):
    """Each state of a mailing and of an account, with all that is said of it."""
    faults = []

    def look(name, screen):
        screen.keep(f"words-{login}-{name}")
        faults.extend(f"{name}: {fault}" for fault in words.faults(screen.page))

    with office.screen(login, device) as screen:
        for name, mailing in office.mailings.items():
            screen.form("mailing.mailing", mailing)
            screen.see(".o_mailing_queue_progress" if name != "scheduled" else ".alert")
            look(name, screen)
        for name, account in office.accounts.items():
            look(f"account-{name}", screen.form("mailing.provider", account))
        screen.open(ACCOUNTS, ".o_kanban_view .o_kanban_record")
        look("accounts", screen)
        screen.form("mailing.mailing", office.draft)
        screen.press("action_launch")
        screen.see(".modal .o_form_view")
        look("send", screen)
        screen.open(DIAGNOSE)
        screen.see("div[name=report] .alert")
        look("diagnose", screen)
        assert not screen.faults
    assert not faults, "\n".join(sorted(set(faults)))


#: Where a screen has a placeholder, the field, and what is drawn of it.
PLACEHOLDERS = [
    ("{mailing}", "queue_hours_id", "At any time"),
    (DIAGNOSE, "test_email", "you@example.com"),
    ("{account}", "api_region", "e.g. eu-west-1"),
    ("{account}", "api_endpoint", "the provider's usual one"),
    ("{server}", "queue_provider_id", "chosen by the server's host name"),
]


@pytest.mark.parametrize(("path", "field", "text"), PLACEHOLDERS)
def test_a_placeholder_is_drawn(office, path, field, text):
    """Of fields that are empty, on whichever page of their form they are."""
    admin = office.server.rpc()
    admin.write("mailing.provider", [office.accounts["paused"]], {"quota_api": "ses"})
    (server,) = admin.search("ir.mail_server", [])
    admin.write("ir.mail_server", [server], {"queue_provider_id": False})
    path = path.format(
        mailing=f"mailing.mailing/{office.draft}",
        account=f"mailing.provider/{office.accounts['paused']}",
        server=f"ir.mail_server/{server}",
    )
    with office.screen("en", "desktop") as screen:
        screen.open(path, ".o_form_view .o_form_sheet")
        drawn = screen.page.locator(f'div[name={field}] [placeholder="{text}"]')
        for tab in screen.page.locator(".o_notebook_headers a").all():
            if not drawn.count():
                tab.click()
                screen.see(".o_notebook_headers a.active", tab.inner_text())
        screen.see(f'div[name={field}] [placeholder="{text}"]')
        if path == DIAGNOSE:
            assert screen.text(".oe_title") == "All mailings under way"
        screen.keep(f"placeholder-{field}")


#: Where a column's content ends, beside where the column does; and whether both differ.
CUT_OFF = """
cells => cells
    .filter((cell) => {
        const [end] = [...cell.querySelectorAll("span")].slice(-1);
        return !end || cell.scrollWidth > cell.clientWidth ||
            end.getBoundingClientRect().right > cell.getBoundingClientRect().right;
    })
    .map((cell) => cell.outerHTML)
"""


@pytest.mark.parametrize("width", [1366, 1024])
def test_the_lists_percentage_is_read_to_its_end(office, width):
    """Also of a mailing that is paused, on the screen of a small laptop."""
    with office.screen("de", "desktop") as screen:
        screen.page.set_viewport_size({"width": width, "height": 768})
        screen.open("email-marketing", ".o_list_view, .o_kanban_view")
        screen.page.locator(".o_switch_view.o_list").click()
        screen.see(".o_list_view")
        # Whosever they are.
        facet = screen.page.locator(".o_facet_remove")
        while facet.count():
            # A click on a page that is still being loaded goes nowhere.
            facet.first.click()
            screen.page.wait_for_timeout(500)
        screen.see(".o_data_row .o_mailing_queue_progress")
        cells = ".o_data_row td[name=queue_progress_data]:has(.progress)"
        screen.keep(f"list-{width}")
        assert screen.page.locator(cells).count() >= 5
        assert not screen.page.locator(cells).evaluate_all(CUT_OFF)


#: The titles of lists of ours, in the language of who reads them.
TITLES = {"failed": "Fehlgeschlagen", "in_doubt": "Ungewiss", "waiting": "Wartend"}


@pytest.mark.parametrize("part", [*TITLES, "sent"])
def test_recipients_are_read_on_a_phone(office, part):
    """The address and the reason come first, and nothing is empty."""
    with office.screen("de", "phone") as screen:
        screen.form("mailing.mailing", office.mailings["two"])
        screen.see(f"[data-part={part}]").click()
        row = screen.see(".o_data_row, .o_kanban_record:not(.o_kanban_ghost)", "@")
        screen.keep(f"traces-{part}")
        screen.see(".o_control_panel, .o_main_navbar", TITLES.get(part))
        words = row.inner_text()
        assert words.lstrip().startswith("somebody@example.com"), words
        if part == "failed":
            assert "No such user" in words
        box = row.bounding_box()
        assert box["width"] <= 390
        lines = len([line for line in words.splitlines() if line.strip()])
        assert box["height"] <= 20 + 30 * lines, words
        assert not screen.page.evaluate(
            "document.querySelector('.o_content').scrollWidth > innerWidth"
        )
