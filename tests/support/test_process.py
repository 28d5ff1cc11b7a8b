"""What processes of one machine must not take from each other."""

import contextlib
import subprocess
import sys

from .environment import ROOT

ASK = """
from tests.support.process import free_port
print(free_port(), free_port(), flush=True)
input()
"""


def test_no_port_is_given_twice():
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", ASK],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _number in range(3)
        ]
        ports = [
            port for process in processes for port in process.stdout.readline().split()
        ]
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
    assert len(ports) == len(set(ports)) == 6, ports
