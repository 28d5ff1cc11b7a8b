"""Two databases from one: native Odoo sends in the first, the addon in the second."""

import dataclasses

from tests.support.sink import Rule, Sink

from . import inside
from .audience import REFUSED

#: What the oracle has. The newsletter design and a model without the blacklist mixin
#: come with the second and the third; `queue_job` is not what is compared.
NATIVE = ("mass_mailing", "mass_mailing_themes", "mass_mailing_event", "queue_job")
SECONDS = 600


@dataclasses.dataclass
class Side:
    """What one of the two did.

    :param data: see `collect.collect`
    :param raised: what the scheduled action raised
    """

    label: str
    data: dict
    sink: Sink
    raised: list


@dataclasses.dataclass
class Batch:
    """Mailings that are launched together.

    :param keys: of these mailings
    :param job_size: how many recipients a job carries
    :param winner: select the one mailing as the winner of its test, not launch it
    """

    keys: list
    job_size: int = 25
    winner: bool = False

    def resolve(self, mailings):
        """The argument of `inside.send`."""
        launched = [{**mailings[key], "winner": self.winner} for key in self.keys]
        return {"mailings": launched, "job_size": self.job_size}


def send_both(scope, world, batches, modules):
    """Send the same mailings natively and with the addon.

    The oracle has never had the addon, rather than had it switched off: what the
    addon's overrides do wrong even then would be wrong on both sides, and not be seen.
    The addon is installed after the drafts were made, in a copy with the same ids,
    secrets and identity.

    :param scope: where databases and sinks are made
    :param dict world: see `world.Builder.build`, without the port
    :param batches: `Batch`es, one after the other
    :param modules: what the second database has on top
    :return: the two `Side`s and dict of key → mailing id
    """
    sinks = [_sink(scope, label) for label in ("native", "queue")]
    native = scope.database(NATIVE, label="native")
    # Never one that has loaded the addon for others: what it replaces stays replaced.
    loader = scope.workspace.loader("native")
    shell = scope.shell(native, label="native", loader=loader)
    mailings = shell.run(inside.build, SECONDS, world={**world, "port": sinks[0].port})
    queue = scope.copy(native, label="queue")
    queue.execute("UPDATE ir_mail_server SET smtp_port = %s", (sinks[1].port,))
    shells = [shell, scope.shell(queue, label="queue")]
    shells[1].run(inside.install, SECONDS, modules=list(modules))
    marks = _both(shells, inside.marks)
    batches = [batch.resolve(mailings) for batch in batches]
    raised = _both(shells, inside.send, [{"batches": batches}] * 2)
    data = _both(shells, inside.collect, marks)
    sides = [
        Side(*values)
        for values in zip(("native", "queue"), data, sinks, raised, strict=True)
    ]
    return *sides, {key: values["id"] for key, values in mailings.items()}


def _sink(scope, label):
    sink = scope.sink(f"sink-{label}", spool=True).start()
    sink.rules(Rule("rcpt", match=f"^{REFUSED}", reply="550 5.1.1 No such user"))
    return sink


def _both(shells, function, arguments=({}, {})):
    """Run it on both sides at the same time, and return what each returned."""
    runs = []
    try:
        for shell, values in zip(shells, arguments, strict=True):
            runs.append(shell.start(function, **values))
        return [run.result(SECONDS) for run in runs]
    finally:
        for run in runs:
            run.close()
