"""More workers: as many as the machine has processors, and as many as a slow server."""

from ..support.sink_rules import Rule
from ..throttling import rate
from .contenders import Ours

RECIPIENTS = 2_000
#: What a distant server takes for a message (seconds).
LATENCY = 0.2
#: What a job costs by itself is a processor's time, which is not measured here.
JOB_SIZE = 25


def measure(scope):
    """Rates by workers, and with a job for each recipient; return figures by name."""
    figures = {}
    for content in ("plain", "newsletter"):
        suffix = "" if content == "plain" else f"_{content}"
        runs = {f"workers_{count}": (count, 0) for count in (1, 2, 4, 8)}
        runs["job_of_one"] = 4, 1
        for name, (senders, job_size) in runs.items():
            ours = Ours(scope, RECIPIENTS, content, senders, job_size)
            figures[f"{name}_rate{suffix}"] = round(ours.send(), 1)
            ours.server.stop()
            print(f"{content}: {name} {figures[f'{name}_rate{suffix}']}", flush=True)
    return figures


def behind_latency(scope):
    """Rates where the server takes its time; return figures by name.

    Each worker has the same share to send, so that all series take as long.
    """
    figures = {}
    for senders in (1, 2, 4, 8, 16):
        ours = Ours(scope, RECIPIENTS // 16 * senders, "plain", senders, JOB_SIZE)
        ours.sink.rules(Rule("end", delay=LATENCY))
        ours.send()
        arrivals = sorted(message.at for message in ours.sink.messages())
        # While all of them work: not while they start, nor the last one's end.
        tenth = len(arrivals) // 10
        figures[f"latency_{senders}_rate"] = round(rate(arrivals[tenth:-tenth]), 2)
        ours.server.stop()
        print(
            f"{LATENCY} s a message, {senders} workers: "
            f"{figures[f'latency_{senders}_rate']}",
            flush=True,
        )
    one, sixteen = figures["latency_1_rate"], figures["latency_16_rate"]
    figures["scaling_16"] = round(sixteen / one, 2)
    return figures
