"""How soon a marketer sees a campaign of 100,000 that is being sent, in Chromium."""

import statistics
import time

from .. import campaigns, throttling
from ..support.browser import Browser
from ..support.process import wait_until
from .contenders import Ours

RECIPIENTS = 100_000
LOOKS = 7
#: Seconds after which a marketer waits.
LATE = 1.0
BAR = ".o_mailing_queue_progress"
#: What is pressed on the screen before, and what is then to be seen, in turn.
STEPS = {
    "form": (f".o_kanban_record:has({BAR})", ".o_form_sheet"),
    "traces": (f"{BAR} [data-part=waiting]", ".o_data_row"),
    "kanban": (".breadcrumb-item a >> nth=0", ".o_kanban_record"),
}


class Watched(Ours):
    """With limits, which have something to say on each screen."""

    modules = throttling.MODULES


def measure(scope):
    """Open each screen in turn, from the click to its content; return medians.

    The first round, which loads what a browser keeps, does not count.
    """
    ours = Watched(scope, RECIPIENTS, "plain")
    (mailing,) = ours.rpc.call("mailing.mailing", "copy", [[ours.draft]])
    # The list shows a person's own.
    ours.rpc.write("mailing.mailing", [mailing], {"user_id": ours.rpc.uid})
    ours.rpc.press("mailing.mailing", "action_launch", [mailing])
    wait_until(
        lambda: campaigns.count(ours.database, mailing, "sent") > RECIPIENTS // 100,
        600,
        "the first emails",
    )
    seconds = {name: [] for name in STEPS}
    environment = scope.workspace.environment
    with Browser(environment) as browser, browser.screen(ours.rpc) as screen:
        screen.open("email-marketing", ".o_list_view, .o_kanban_view")
        screen.page.locator("button.o_switch_view.o_kanban").click()
        screen.see(STEPS["form"][0])
        for _look in range(1 + LOOKS):
            for name, (press, shown) in STEPS.items():
                begun = time.monotonic()
                screen.page.locator(press).first.click()
                screen.see(shown if name == "traces" else f"{shown} {BAR}")
                seconds[name].append(time.monotonic() - begun)
    if campaigns.state(ours.database, mailing) != "sending":
        raise RuntimeError("the campaign ended before it was looked at")
    waiting = campaigns.count(ours.database, mailing, "outgoing")
    ours.server.stop()
    figures = {
        f"{name}_seconds": round(statistics.median(values[1:]), 2)
        for name, values in seconds.items()
    }
    print(f"{figures}, slowest {max(map(max, seconds.values())):.2f} s", flush=True)
    if late := [name for name, median in figures.items() if median >= LATE]:
        raise RuntimeError(f"not within {LATE} s: {', '.join(late)}")
    return {**figures, "waiting_while_watched": waiting}
