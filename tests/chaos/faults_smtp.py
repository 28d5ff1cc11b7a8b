"""Faults of the mail server: it is away, slow, silent, rude or wrong."""

from ..support.sink_rules import Rule
from .faults import fault, outage

LONG = "250 " + "x" * 9000

#: Recipients that the server does not know, and those that it makes wait.
UNKNOWN = r"contact\d*73@"
GREY = r"contact\d*[05]5@"


@fault(hold=4)
def smtp_refuses(world):
    """Nobody listens on its port."""
    world.note("the mail server is down")
    with outage(world, "the mail server was down"):
        world.sink.stop()
        yield
    world.sink.start()


def scripted(name, hold, *rules, doc, ends_sessions=False, **needs):
    """Register a fault of which the mail server's rules are all there is.

    :param ends_sessions: close those that are open, as the rules are about new ones
    """

    def run(world):
        world.note(doc)
        closing = (Rule("mail", reply="421 4.3.2 Closing", times=4),)
        added = (*rules, *(closing if ends_sessions else ()))
        world.obey(*added)
        yield
        world.obey_no_more(*added)

    run.__name__, run.__doc__ = name, doc
    fault(hold, **needs)(run)


scripted("smtp_slow", 6, Rule("end", delay=0.5), doc="the mail server is slow")
for stage in ("connect", "ehlo", "tls", "auth", "mail", "rcpt", "data", "end"):
    scripted(
        f"smtp_hangs_at_{stage}",
        3,
        Rule(stage, action="hang", times=2),
        doc=f"the mail server is silent at {stage}, twice",
        ends_sessions=stage in ("connect", "ehlo", "tls", "auth"),
        tls=stage == "tls",
    )
scripted(
    "smtp_drops_after_data",
    3,
    Rule("end", action="drop", times=2),
    Rule("end", action="accept-drop", times=2),
    doc="the connection is lost after the final dot: two not accepted, two accepted",
)
scripted(
    "smtp_drops_before_data",
    3,
    Rule("data", action="drop", times=3),
    Rule("rcpt", action="drop", times=3),
    doc="the connection is lost before the message",
)
scripted(
    "smtp_421",
    4,
    *(Rule(stage, reply="421 4.3.2 Closing", times=3) for stage in ("mail", "rcpt")),
    Rule("end", reply="421 4.7.0 Too many messages", times=3),
    doc="421 in the middle of a session",
)
scripted(
    "smtp_4xx",
    8,
    Rule("rcpt", GREY, reply="450 4.2.0 Greylisted", times=1, each=True),
    Rule("end", reply="451 4.3.0 Local error in processing", times=5),
    doc="4xx for some recipients and some messages",
)
scripted(
    "smtp_5xx",
    60,
    Rule("rcpt", UNKNOWN, reply="550 5.1.1 No such user"),
    doc="5xx for some recipients",
)
scripted(
    "smtp_slow_down",
    4,
    Rule("end", over=10, reply="454 4.7.0 Throttling failure: Maximum sending rate"),
    doc="more than 10 messages a second are refused",
)
scripted(
    "smtp_garbage",
    4,
    *(Rule(stage, action="garbage", times=2) for stage in ("mail", "rcpt", "end")),
    doc="the mail server answers garbage",
)
scripted(
    "smtp_long_lines",
    4,
    *(Rule(stage, reply=LONG, times=2) for stage in ("rcpt", "end")),
    doc="the mail server answers lines that are too long",
)
scripted(
    "smtp_tls_fails",
    4,
    Rule("tls", action="garbage", times=3),
    Rule("tls", reply="454 4.7.0 TLS not available", times=3),
    doc="the TLS handshake fails",
    ends_sessions=True,
    tls=True,
)
scripted(
    "smtp_login_expires",
    4,
    Rule("auth", reply="535 5.7.8 Token expired", times=4),
    doc="the login has expired",
    ends_sessions=True,
)
