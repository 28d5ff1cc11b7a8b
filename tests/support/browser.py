"""A real browser in front of a real Odoo, as people use it."""

import contextlib
import re

from playwright.sync_api import TimeoutError as TooLate
from playwright.sync_api import expect, sync_playwright

from .environment import ROOT
from .process import wait_until

SCREENS = ROOT / "build" / "screens"
#: Milliseconds until something is on the screen: the machine may be busy.
PATIENCE = 60_000
#: Milliseconds for what is on the screen already.
SOON = 5_000
DEVICES = {
    "desktop": {"viewport": {"width": 1366, "height": 850}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "has_touch": True,
        "is_mobile": True,
    },
}


class Browser:
    """Starts Chromium, opens pages as users.

    :param environment: see `environment.Environment`
    """

    def __init__(self, environment):
        self.environment = environment
        self._exits = contextlib.ExitStack()

    def __enter__(self):
        expect.set_options(timeout=PATIENCE)
        playwright = self._exits.enter_context(sync_playwright())
        self._chromium = playwright.chromium.launch(
            executable_path=self.environment.chromium, args=["--no-sandbox"]
        )
        self._exits.callback(self._chromium.close)
        return self

    def __exit__(self, *_exception):
        self._exits.close()

    def screen(self, rpc, device="desktop"):
        """A tab of a user who is logged in.

        :param rpc: the user's session, a `rpc.Rpc`
        :param device: see `DEVICES`
        """
        context = self._chromium.new_context(**DEVICES[device])
        context.set_default_timeout(PATIENCE)
        session = rpc.http.cookies["session_id"]
        context.add_cookies([{"name": "session_id", "value": session, "url": rpc.url}])
        return Screen(context, rpc, device)


class Screen:
    """One tab, and what a person does in it."""

    def __init__(self, context, rpc, device):
        self.rpc = rpc
        self.device = device
        self.context = context
        self.page = context.new_page()
        self.faults = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))

    @property
    def on_phone(self):
        return self.device == "phone"

    def open(self, path, wait=".o_view_controller"):
        """Open a path below `/odoo` and wait for it: the bus never rests."""
        self.page.goto(f"{self.rpc.url}/odoo/{path}", wait_until="commit")
        self.page.locator(wait).first.wait_for()
        return self

    def form(self, model, record_id):
        return self.open(f"{model}/{record_id}", ".o_form_view .o_form_sheet")

    def see(self, selector, text=None):
        """Wait until this can be seen, and return it."""
        found = self.page.locator(selector)
        if text is not None:
            found = found.filter(has_text=text)
        expect(found.first).to_be_visible()
        return found.first

    def miss(self, selector):
        """Wait until this cannot be seen."""
        expect(self.page.locator(selector)).to_have_count(0)

    def press(self, name):
        """Press a button of the form's header, wherever the device has it."""
        wait_until(
            lambda: self.try_to_press(name), PATIENCE / 1_000, f"the button {name}"
        )

    def try_to_press(self, name):
        """Press a button of the form's header if it is there, return whether it was.

        A form that has news draws its buttons anew, below the finger as it were.
        """
        header = self.page.locator(".o_form_statusbar")
        button = header.locator(f"button[name={name}]:visible")
        # A phone shows the first button only, and the others in a menu.
        toggle = header.locator(".dropdown-toggle:visible")
        try:
            if not button.count() and self.on_phone and toggle.count():
                toggle.first.click(timeout=SOON)
                menu = self.page.locator(".o-dropdown--menu:visible").first
                # It is there before what is in it.
                menu.locator("button").first.wait_for(timeout=SOON)
                button = menu.locator(f"button[name={name}]")
                if not button.count():
                    self.page.keyboard.press("Escape")
            if button.count():
                button.first.click(timeout=SOON)
                return True
        except TooLate:
            self.page.keyboard.press("Escape")
        return False

    def confirm(self, label):
        """Answer the question that has come up."""
        dialog = self.page.locator(".modal:visible")
        dialog.get_by_role("button", name=re.compile(f"^{label}$")).click()
        expect(dialog).to_have_count(0)

    def text(self, selector):
        return " ".join(self.see(selector).inner_text().split())

    def number(self, part):
        """What the bar says of recipients: `sent`, `waiting`, …; 0 if nothing."""
        found = self.page.locator(f".o_mailing_queue_progress [data-part={part}] b")
        text = found.first.inner_text() if found.count() else "0"
        return int(re.sub(r"\D", "", text) or 0)

    def keep(self, name):
        """Keep a picture of it for people, in `build/screens`."""
        SCREENS.mkdir(parents=True, exist_ok=True)
        # Fonts and transitions.
        self.page.wait_for_timeout(700)
        self.page.screenshot(path=SCREENS / f"{name}-{self.device}.png")

    def close(self):
        self.context.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()
