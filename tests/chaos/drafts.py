"""Campaigns that are ready to be sent, and a PostgreSQL that may be harmed."""

from ..support.environment import ROOT
from ..support.workspace import Workspace
from . import run

ADDONS = ROOT / "tests" / "addons"
UNDURABLE = "mass_mailing_queue_undurable"

#: So that the write-ahead log goes on while tables cannot grow, see `faults_database`.
INITDB = ("--wal-segsize=1",)


def workspace(folder):
    """A workspace whose PostgreSQL is its own, whatever `PGHOST` says."""
    return Workspace(folder, own=True, initdb=INITDB)


class Drafts:
    """Makes a campaign once for each set of modules, and runs copies of it.

    :param workspace: see `workspace`, started
    :param undurable: take out the claim's commit
    """

    def __init__(self, workspace, recipients, undurable=False):
        self.workspace = workspace
        self.recipients = recipients
        self.extra = (UNDURABLE,) if undurable else ()
        self.extra_addons = (ADDONS,) if undurable else ()
        self._scope = workspace.scope()
        self._made = {}

    def execute(self, plan):
        """Make a run of this plan; returns its `run.Result`."""
        modules = (*plan.modules, *self.extra)
        if modules not in self._made:
            self._made[modules] = run.build(
                self._scope, modules, self.recipients, self.extra_addons
            )
        with self.workspace.scope() as scope:
            return run.execute(
                scope,
                plan,
                *self._made[modules],
                self.recipients,
                self.extra_addons,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self._scope.close()
