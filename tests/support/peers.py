"""Which process is at the other end of a local connection."""

import os
from pathlib import Path


def pid_of_port(port, proc=Path("/proc")):
    """The process that has `port` as its own end of a TCP connection, or None.

    :param port: local port of the process sought
    """
    inode = _inode(port, proc / "net" / "tcp")
    return inode and _owner(f"socket:[{inode}]", proc)


def _inode(port, table):
    suffix = f":{port:04X}"
    for line in table.read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(suffix) and words[9] != "0":
            return words[9]
    return None


def _owner(link, proc):
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            for descriptor in (folder / "fd").iterdir():
                if os.readlink(descriptor) == link:
                    return int(folder.name)
        except OSError:
            # Gone meanwhile, or not ours to look at.
            continue
    return None
