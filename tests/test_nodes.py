"""Several Odoo nodes of one database behind a load balancer, and what they share."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from . import campaigns, sending
from .support.config import HOST
from .support.ledger import compare
from .support.odoo import CRON, RUNNER
from .support.process import wait_until
from .support.rpc import Rpc
from .support.sink_rules import Rule

# A node has a worker for people beside those that the channel keeps busy.
WORKERS = 3
CHANNELS = "root:5,root.mail:4"

LEADERS = """
    SELECT activity.application_name
      FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
     WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
       AND lock.classid::bigint << 32 | lock.objid::bigint = 2293787760715711918
       AND activity.datname = current_database()
"""


class Nodes:
    """Two nodes of one database, and a campaign to send through them.

    :param recipients: of the campaign
    :param job_size: recipients a job
    """

    def __init__(self, scope, recipients, job_size=10):
        self.recipients = recipients
        self.sink = scope.sink().start()
        self.database = scope.database(campaigns.MODULES)
        self.shell = scope.shell(self.database)
        self.mailing = self.shell.run(
            campaigns.build, recipients=recipients, port=self.sink.port
        )
        self.database.execute(
            "INSERT INTO ir_config_parameter (key, value) "
            "VALUES ('mass_mailing_queue.job_size', %s)",
            (str(job_size),),
        )
        self.balancer = scope.balancer(WORKERS)
        self.first, self.second = (
            scope.server(
                self.database,
                label=label,
                workers=WORKERS,
                channels=CHANNELS,
                runner_url=(HOST, self.balancer.port),
            )
            for label in ("first", "second")
        )
        self.balancer.start([self.first, self.second])
        self._workers = {}

    def start(self, *nodes):
        """Start these nodes at once and wait until one of them leads."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: node.start(), nodes))
        for node in nodes:
            pids = node.wait_for_worker(count=WORKERS) + node.wait_for_worker(CRON)
            self._workers.update(dict.fromkeys(pids, node))
        self.balancer.wait_for_node()
        return wait_until(self.leader, 60, "a leading runner")

    def kill(self):
        """End what runs, without the time that an orderly end takes."""
        for node in (self.first, self.second):
            if node.running:
                node.kill()

    def send(self):
        """Press Send, as a person whom the balancer has led to some node."""
        rpc = Rpc(self.balancer.url, self.database.name)
        rpc.press("mailing.mailing", "action_launch", [self.mailing])

    def leader(self):
        """The node whose runner leads, or None; two of them would be a failure."""
        names = self.database.column(LEADERS)
        assert len(names) <= 1, "one runner leads"
        for node in (self.first, self.second):
            if node.running and any(
                name == f"odoo-{pid}"
                for name in names
                for pid in node.worker_pids(RUNNER)
            ):
                return node
        return None

    def other(self, node):
        return self.second if node is self.first else self.first

    def claims(self, node, condition="true"):
        """The workers of a node that took recipients, once for each of these."""
        workers = self.database.column(
            "SELECT queue_claimed_by FROM mailing_trace "
            f"WHERE queue_claimed_by IS NOT NULL AND {condition}"
        )
        pids = (int(worker.rpartition(":")[2]) for worker in workers)
        return [pid for pid in pids if self._workers[pid] is node]

    def wait_for(self, condition, what, seconds=120):
        """Wait, and look meanwhile that never two runners lead."""
        wait_until(lambda: self.leader() and condition(), seconds, what, 0.2)

    def wait_for_sent(self, count):
        self.wait_for(lambda: self.sink.count() >= count, f"{count} messages")

    def wait_until_done(self):
        self.wait_for(
            lambda: campaigns.state(self.database, self.mailing) == "done", "it is done"
        )

    def verdict(self):
        return compare(self.sink, self.database, self.mailing, self.recipients)


@pytest.fixture
def nodes(scope, environment):
    if not environment.haproxy:
        pytest.skip("HAProxy is missing: python3 setup/environment balancer")
    nodes = Nodes(scope, 400)
    yield nodes
    nodes.kill()


def test_one_runner_leads_and_both_nodes_send(nodes):
    """The leader spreads jobs over both nodes through the balancer: one email each."""
    leader = nodes.start(nodes.first, nodes.second)
    nodes.send()
    nodes.wait_until_done()
    assert nodes.leader() is leader, "nobody takes over from who lives"
    shares = [len(nodes.claims(node)) for node in (nodes.first, nodes.second)]
    print(f"shares={shares}")
    assert min(shares) >= 0.2 * nodes.recipients, shares
    verdict = nodes.verdict()
    assert verdict.flawless, str(verdict)


def test_the_leading_node_is_lost(nodes):
    """The other one takes over; in doubt is at most one recipient a killed worker."""
    leader = nodes.start(nodes.first, nodes.second)
    # Killed while the server keeps its answer back, a worker cannot know.
    nodes.sink.rules(Rule("end", reply_delay=0.2))
    nodes.send()
    nodes.wait_for_sent(100)
    assert nodes.claims(leader), "it sends, too"
    leader.kill()
    survivor = nodes.other(leader)
    wait_until(lambda: nodes.leader() is survivor, 60, "the other one leads")
    nodes.sink.rules()
    nodes.wait_for(
        lambda: not campaigns.count(nodes.database, nodes.mailing, "outgoing"),
        "the others are sent to",
    )
    nodes.shell.run(sending.reconcile)
    nodes.wait_until_done()
    verdict = nodes.verdict()
    print(verdict.summary())
    assert verdict.exactly_once, str(verdict)
    doubts = nodes.claims(leader, "failure_type = 'queue_in_doubt'")
    assert len(verdict.in_doubt) == len(doubts) == len(set(doubts)), str(verdict)
    assert verdict.statuses["sent"] == nodes.recipients - len(verdict.in_doubt)


def test_a_node_joins_and_another_one_leaves(nodes):
    """A new node takes its share at once; one that is told to end settles its jobs."""
    nodes.start(nodes.first)
    nodes.sink.rules(Rule("end", delay=0.2))
    nodes.send()
    nodes.wait_for_sent(20)
    nodes.start(nodes.second)
    assert nodes.leader() is nodes.first
    nodes.wait_for(
        lambda: len(nodes.claims(nodes.second)) >= 20, "the second one sends"
    )
    assert campaigns.count(nodes.database, nodes.mailing, "outgoing")
    nodes.first.stop()
    wait_until(lambda: nodes.leader() is nodes.second, 60, "the second one leads")
    nodes.sink.rules()
    nodes.wait_until_done()
    verdict = nodes.verdict()
    assert verdict.flawless, str(verdict)
