"""The real server, as a child process: the same `isthmus serve` that runs in earnest."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from pathlib import Path

from isthmus.demo.table import DemoProblem

_START_SECONDS = 30.0
_STOP_SECONDS = 40.0  # a little more than scim.stop_timeout, within which requests in flight end
_PROGRAM = """
from isthmus.web.process import die_with_parent
die_with_parent({parent})
from isthmus.cli.main import run
run()
"""


class ServerProcess:
    """`isthmus serve` for one configuration; its log goes to a file beside it."""

    def __init__(self, configuration: Path, *, operations_port: int) -> None:
        self._configuration = configuration
        self._port = operations_port
        self.log = configuration.parent / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start, wait until it is ready, and return the seconds that took.

        Raises:
            DemoProblem: it ended or was not ready in time; carries the end of its log.
        """
        started = time.monotonic()
        # The kernel stops the server if the demo is killed; Ctrl-C reaches the demo alone, which stops it in order.
        program = _PROGRAM.format(parent=os.getpid())
        command = [sys.executable, "-c", program, "--config", str(self._configuration), "serve"]
        if os.geteuid() == 0:
            command.append("--allow-root")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603  (our own interpreter)
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        while not self._is_ready():
            if self._process.poll() is not None:
                raise DemoProblem(f"The server ended at once (exit {self._process.returncode}).\n{self._log_end()}")
            if time.monotonic() - started > _START_SECONDS:
                raise DemoProblem(f"The server was not ready within {_START_SECONDS:.0f} s.\n{self._log_end()}")
            time.sleep(0.02)  # between two questions, bounded by the deadline above
        return time.monotonic() - started

    def wait(self) -> int:
        """Wait until the server ends by itself and return its exit code."""
        return 0 if self._process is None else self._process.wait()

    def stop(self) -> None:
        """Let requests in flight end, then stop; kill what does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False  # not listening yet
        finally:
            connection.close()

    def _log_end(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])
