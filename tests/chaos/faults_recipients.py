"""Faults of single recipients: their addresses break connections, or quote our rules.

They are poisonous from the beginning to the end of a run, and nobody else is to notice.
"""

import itertools
import re

from ..support.sink_rules import Rule
from .faults import fault

#: Local parts that say what a provider would, so that whoever may subscribe would
#: steer the whole account.
WORDS = (
    "daily-limit",
    "try-again-in-2-hours",
    "sending-paused-for-this-account",
    "submissionquotaexceeded",
    "mapiexceptionquotaexceeded",
)

#: Domain of the poisonous addresses → how many there are.
DOMAINS = {
    "drops-at-mail.example": 2,
    "drops-at-rcpt.example": 2,
    "drops-at-data.example": 2,
    "drops-after-dot.example": 2,
    "closes-at-rcpt.example": 2,
    "refuses.example": len(WORDS),
    "defers.example": 3,
}
_WORDS = itertools.cycle(WORDS)
#: Mixed, so that whoever breaks connections is not followed by another one always.
ADDRESSES = tuple(
    sorted(
        f"{next(_WORDS)}@{domain}"
        for domain, count in DOMAINS.items()
        for _number in range(count)
    )
)
POISONOUS = re.compile(rf"@({'|'.join(map(re.escape, DOMAINS))})$")

CLOSING = "421 4.7.0 TLS required for RCPT domain, closing connection."


def poison(name, domain, *answers, doc):
    """Register a fault by which all addresses of a domain are poisonous.

    :param answers: pairs of a stage and what a `Rule` says there, taken in turn
    """
    if domain not in DOMAINS:
        raise ValueError(f"nobody has an address at {domain}")
    addresses = [one for one in ADDRESSES if one.endswith(f"@{domain}")]
    rules = [
        Rule(stage, f"^{re.escape(address)}$", **answer)
        for address, (stage, answer) in zip(
            addresses, itertools.cycle(answers), strict=False
        )
    ]

    def run(world):
        world.note(doc)
        world.obey(*rules)
        yield

    run.__name__, run.__doc__ = name, doc
    fault(early=True, innocent=True)(run)


for stage, when in (("mail", "at-mail"), ("rcpt", "at-rcpt"), ("data", "at-data")):
    poison(
        f"poison_drops_at_{stage}",
        f"drops-{when}.example",
        (stage, {"action": "drop"}),
        doc=f"the connection is lost at {stage} for two recipients, each time",
    )
poison(
    "poison_drops_after_dot",
    "drops-after-dot.example",
    ("end", {"action": "drop"}),
    doc="the connection is lost once the message of two recipients is read",
)
poison(
    "poison_421",
    "closes-at-rcpt.example",
    ("rcpt", {"reply": CLOSING}),
    doc="421 for two recipients' domain, each time",
)
poison(
    "poison_refused",
    "refuses.example",
    ("rcpt", {"reply": "550 No such user: {text}"}),
    (
        "rcpt",
        {
            "reply": "550 5.1.10 RESOLVER.ADR.RecipientNotFound; "
            "Recipient {text} not found"
        },
    ),
    ("end", {"reply": "554 5.7.1 <{text}>: Message refused ({id})"}),
    doc="refusals for good quote recipients' addresses that are words of rules",
)
poison(
    "poison_deferred",
    "defers.example",
    ("rcpt", {"reply": "450 4.2.1 <{text}>: Recipient address rejected: busy"}),
    ("end", {"reply": "451 Not now for {text} ({id})"}),
    ("rcpt", {"reply": "421 4.7.1 {text} Greylisted, try again in 300 seconds"}),
    doc="refusals for now quote recipients' addresses that are words of rules",
)
