"""Emails a second: ours, native Odoo's, and what building and sending alone allows."""

import statistics

from .contenders import Ceiling, Native, NativeTuned, Ours, capture

#: The headline is the plain one's.
RECIPIENTS = {"plain": 10_000, "newsletter": 2_000}
ROUNDS = 3


def measure(scope, content):
    """Let all send the same campaign in turn, and compare them round by round.

    :return: rates and the medians of the rounds' ratios
    """
    recipients = RECIPIENTS[content]
    contenders = {
        "native_untuned_rate": Native(scope, recipients, content),
        "native_tuned_rate": NativeTuned(scope, recipients, content),
        "ours_rate": Ours(scope, recipients, content),
    }
    contenders["ceiling_rate"] = Ceiling(
        scope.sink().start(), recipients, capture(scope, content)
    )
    seen = {name: [] for name in contenders}
    for number in range(1, ROUNDS + 1):
        for name, contender in contenders.items():
            seen[name].append(contender.send())
            print(f"{content} round {number}: {name} {seen[name][-1]:.1f}", flush=True)
    figures = {name: statistics.median(rates) for name, rates in seen.items()}
    # The better of the two is what we are compared with.
    native = max(("native_untuned_rate", "native_tuned_rate"), key=figures.get)
    figures["native_rate"] = figures[native]
    for name, other in (
        ("native", native),
        ("native_untuned", "native_untuned_rate"),
        ("ceiling", "ceiling_rate"),
    ):
        figures[f"ratio_to_{name}"] = statistics.median(
            one / another
            for one, another in zip(seen["ours_rate"], seen[other], strict=True)
        )
    suffix = "" if content == "plain" else f"_{content}"
    return {f"{name}{suffix}": round(value, 2) for name, value in figures.items()}


def plain(scope):
    return measure(scope, "plain")


def newsletter(scope):
    return measure(scope, "newsletter")
