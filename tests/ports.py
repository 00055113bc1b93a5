"""Ports that nobody else takes before a server of ours listens there, or while it is stopped and started again."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

FIRST = 12_000
_kept: list[int] = []


def free_port() -> int:
    """Return a port of 127.0.0.1 that is this process's until it ends.

    A port that the system gives is free again at once: connections that others open, and servers that they start, come
    from the same range. Ours are below that range, and a socket with the port's name, in the namespace that vanishes
    with its process (unix(7)), keeps other test processes away.
    """
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(1_000):
        port = random.randrange(FIRST, max(end, FIRST + 1_000))
        with socket.socket(socket.AF_UNIX) as mark, socket.socket() as probe:
            try:
                mark.bind(f"\0isthmus-test-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _kept.append(os.dup(mark.fileno()))
            return port
    raise AssertionError("no port is free")
