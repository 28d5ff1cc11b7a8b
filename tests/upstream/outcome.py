"""What became of each test, by the log of the Odoo that ran it."""

import re
from dataclasses import dataclass, field

LINE = re.compile(
    r"^\S+ \S+ \d+ (?P<level>\w+) \S+ odoo\.addons\.(?P<addon>\w+)\.tests\.\S+: "
    r"(?P<text>.*)$"
)
STARTING = re.compile(r"Starting (?P<test>\S+\.test\w*) \.\.\.")
SKIPPED = re.compile(r"skipped (?P<test>\S+\.test\w*) : ")
BROKEN = re.compile(r"(?:FAIL|ERROR): (?:Subtest )?(?P<test>\S+\.test\w*)")
# Of a class that could not be set up, no test starts.
BROKEN_CLASS = re.compile(
    r"^\S+ \S+ \d+ ERROR .*: ERROR: (?P<step>setUpClass|tearDownClass|setUpModule) "
    r"\(odoo\.addons\.(?P<addon>\w+)\.tests\.(?P<where>\S+)\)"
)


@dataclass
class Outcome:
    """Tests as (addon, class and method).

    :param passed: neither failed nor skipped
    :param failed: failed, or broke with an error; of a class that could not be set
        up, the class
    """

    passed: set = field(default_factory=set)
    failed: set = field(default_factory=set)
    skipped: set = field(default_factory=set)

    def of(self, addon):
        """The outcome of one addon's tests."""
        return Outcome(
            *(
                {test for test in tests if test[0] == addon}
                for tests in (self.passed, self.failed, self.skipped)
            )
        )


def read(lines):
    """The outcome that a log tells.

    >>> at = "2026-01-31 10:00:00,000 7 {} db odoo.addons.mail.tests.test_x: {}".format
    >>> outcome = read([
    ...     at("INFO", "Starting TestA.test_good ... "),
    ...     at("INFO", "Starting TestA.test_bad ... "),
    ...     at("ERROR", "FAIL: TestA.test_bad"),
    ...     at("INFO", "Starting TestA.test_parts ... "),
    ...     at("ERROR", "ERROR: Subtest TestA.test_parts (<subtest>)"),
    ...     at("INFO", "Starting TestA.test_later ... "),
    ...     at("INFO", "skipped TestA.test_later : no browser"),
    ... ])
    >>> outcome.passed, outcome.skipped
    ({('mail', 'TestA.test_good')}, {('mail', 'TestA.test_later')})
    >>> sorted(test for _addon, test in outcome.failed)
    ['TestA.test_bad', 'TestA.test_parts']
    """
    outcome = Outcome()
    started = set()
    kinds = (
        (STARTING, started),
        (SKIPPED, outcome.skipped),
        (BROKEN, outcome.failed),
    )
    for line in lines:
        if match := BROKEN_CLASS.match(line):
            outcome.failed.add((match["addon"], match["where"]))
        elif match := LINE.match(line):
            for pattern, tests in kinds:
                if found := pattern.match(match["text"]):
                    tests.add((match["addon"], found["test"]))
    outcome.passed = started - outcome.failed - outcome.skipped
    return outcome
