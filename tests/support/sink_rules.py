"""What the sink answers: rules in a JSON file that it reads again when they change.

A rule is chosen at one stage of an SMTP session by a pattern, and says what happens
there. Where no rule matches, the sink accepts, as most servers do most of the time.
"""

import dataclasses
import itertools
import json
import os
import re
import time
from collections import Counter, deque
from pathlib import Path

STAGES = ("connect", "ehlo", "tls", "auth", "mail", "rcpt", "data", "end")
ACTIONS = ("reply", "garbage", "drop", "hang", "accept-drop", "accept-hang")


@dataclasses.dataclass(frozen=True)
class Rule:
    """One scripted answer.

    :param stage: `connect` (instead of the greeting), `ehlo`, `tls` (STARTTLS), `auth`,
        `mail` (matches the sender, and recipients that are named in the same piece),
        `rcpt`, `data` (before 354) or `end` (after the final dot); the last two match
        any recipient of the message, the first four match an empty string
    :param match: regular expression, searched for
    :param reply: the line to answer with; empty for the usual answer. In it, `{text}`
        is what was searched, and `{id}` another number each time
    :param action: `reply`; `garbage` answers with bytes that are no SMTP, at stage
        `tls` in place of the handshake; `drop` closes the connection without a word and
        `hang` keeps it open without one, none of them accepting; at stage `end`,
        `accept-drop` and `accept-hang` do so with the message accepted, and in the
        ledger
    :param delay: seconds to wait first
    :param reply_delay: at stage `end`, seconds between accepting the message and
        saying so: what is cut off here was delivered without its sender knowing
    :param times: how often it applies before it is spent; 0 for ever
    :param each: count `times` for each matched text apart, so that `times=1` at `rcpt`
        is a grey list
    :param over: apply only when so many messages were accepted within the last
        `window` seconds: a provider's limit, enforced
    :param window: the limit's window in seconds
    """

    stage: str
    match: str = ""
    reply: str = ""
    action: str = "reply"
    delay: float = 0.0
    reply_delay: float = 0.0
    times: int = 0
    each: bool = False
    over: int = 0
    window: float = 1.0

    def __post_init__(self):
        if self.stage not in STAGES:
            raise ValueError(f"stage {self.stage!r} is not one of {STAGES}")
        if self.action not in ACTIONS:
            raise ValueError(f"action {self.action!r} is not one of {ACTIONS}")
        if self.action.startswith("accept-") and self.stage != "end":
            raise ValueError("a message can be accepted at stage end only")
        if self.over and self.window <= 0:
            raise ValueError(f"window {self.window!r} is not above 0")
        if self.reply and not re.match(r"[2-5]\d\d[ -]", self.reply):
            raise ValueError(f"reply {self.reply!r} does not start with a code")
        re.compile(self.match)

    def about(self, text, number):
        """This rule, with its reply filled in."""
        reply = self.reply.replace("{text}", text).replace("{id}", f"{number:08x}")
        return dataclasses.replace(self, reply=reply)

    @property
    def accepts(self):
        """Whether a message that gets to the end under this rule is delivered."""
        if self.action == "reply":
            return not self.reply or self.reply.startswith("2")
        return self.action.startswith("accept-")


class RuleBook:
    """The rules in force, reread whenever their file is another one.

    The file is replaced, never written in place, so one `stat` per decision is enough
    to follow it and the decision after `write` returned already obeys.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._version = None
        self._rules = []
        self._uses = Counter()
        self._accepted = deque(maxlen=100_000)
        self._numbers = itertools.count(0xA51C00, 37)

    def accepted(self):
        """Note that a message was accepted now, for the rules that limit."""
        self._accepted.append(time.monotonic())

    def _is_over(self, rule):
        """Whether the limit that the rule enforces is used up."""
        if len(self._accepted) < rule.over:
            return False
        return time.monotonic() - self._accepted[-rule.over] < rule.window

    @staticmethod
    def write(path, rules):
        """Put `rules` in force; counts of the previous ones are forgotten."""
        partial = Path(f"{path}.new")
        partial.write_text(json.dumps([dataclasses.asdict(rule) for rule in rules]))
        os.replace(partial, path)

    def decide(self, stage, texts=("",)):
        """The first rule of `stage` that matches one of `texts`, and which of them.

        :return: `Rule` and the text, both None if there is none
        """
        self._follow()
        for number, rule in enumerate(self._rules):
            if rule.stage != stage or (rule.over and not self._is_over(rule)):
                continue
            for text in texts:
                if re.search(rule.match, text) and self._use(number, rule, text):
                    return rule.about(text, next(self._numbers)), text
        return None, None

    def _use(self, number, rule, text):
        """Take one of the rule's uses; returns whether there was one left."""
        if not rule.times:
            return True
        key = (number, text if rule.each else None)
        if self._uses[key] >= rule.times:
            return False
        self._uses[key] += 1
        return True

    def _follow(self):
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            version = None
        else:
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
        if version == self._version:
            return
        self._version = version
        self._uses.clear()
        stored = json.loads(self.path.read_text()) if version else []
        self._rules = [Rule(**values) for values in stored]
