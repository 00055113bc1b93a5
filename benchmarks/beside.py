"""Servers that are measured beside the host: started the same way, on the same certificate."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

from benchmarks.testing import Served, descendants, free_port

START_SECONDS = 20


class Beside:
    """`python -m MODULE PORT CERTIFICATE KEY ...`, in a session of its own as the host is.

    Linux shares the processors out between sessions first (sched_autogroup): a server in the session of the load
    generator is interrupted half as often as one in another, and costs a third less CPU time.
    """

    def __init__(self, served: Served, module: str, *arguments: str) -> None:
        self.port = free_port()
        tls = served.configuration / "tls"
        certificate = (str(tls / "server.crt"), str(tls / "server.key"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(self.port), *certificate, *arguments], start_new_session=True
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            assert self._process.poll() is None, f"{module} ended"
            assert time.monotonic() < deadline, f"{module} did not start"
            time.sleep(0.05)

    def pids(self) -> list[int]:
        """Return its processes."""
        return [self._process.pid, *descendants(self._process.pid)]

    def close(self) -> None:
        """End it; a kill would leave its worker behind."""
        self._process.terminate()
        self._process.wait(20)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True
