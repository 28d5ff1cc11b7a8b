"""A real load balancer in front of Odoo nodes: HAProxy, as an operator sets it up."""

import socket

import requests

from .config import HOST
from .process import Process, free_port, wait_until

START_SECONDS = 20

# A job's request lasts as long as the job. queue_job's runner hangs up after a second,
# and what waits for a worker must be handed on all the same. A node is given no more
# than it has workers for: what waits, waits here, for whichever node is free first.
# A check without a host is one that Odoo answers with an error.
CONFIGURATION = """\
defaults
    mode http
    no option abortonclose
    option redispatch
    retries 3
    timeout check 10s
    timeout connect 2s
    timeout client 120s
    timeout queue 120s
    timeout server 120s
frontend odoo
    bind {host}:{port}
    default_backend nodes
backend nodes
    balance leastconn
    option httpchk
    http-check send meth GET uri /web/health ver HTTP/1.1 hdr Host odoo
    default-server check inter 500ms fall 2 rise 1 maxconn {workers}
"""


class Balancer:
    """Starts HAProxy, stops it.

    :param environment: see `environment.Environment`
    :param folder: for its configuration and its log
    :param workers: requests that a node handles at a time
    """

    def __init__(self, environment, folder, workers):
        self.environment = environment
        self.folder = folder
        self.port = free_port()
        self.workers = workers
        self._process = None

    @property
    def url(self):
        return f"http://{HOST}:{self.port}"

    def start(self, servers):
        """Start it in front of these `OdooServer`s, whether they run yet or not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "haproxy.cfg"
        lines = [
            f"    server node{number} {HOST}:{server.port}\n"
            for number, server in enumerate(servers, 1)
        ]
        values = {"host": HOST, "port": self.port, "workers": self.workers}
        path.write_text(CONFIGURATION.format(**values) + "".join(lines))
        self._process = Process(
            "HAProxy",
            [self.environment.haproxy, "-db", "-f", path],
            log=self.folder / "haproxy.log",
        )
        self._process.wait_for(self._listens, START_SECONDS)
        return self

    def wait_for_node(self):
        """Wait until it knows of a node that answers."""
        wait_until(self._serves, START_SECONDS, "a node behind HAProxy")

    def stop(self):
        if self._process:
            self._process.stop(seconds=1)
            self._process = None

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def _serves(self):
        return requests.get(f"{self.url}/web/health", timeout=START_SECONDS).ok
