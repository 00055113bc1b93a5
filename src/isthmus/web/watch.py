"""The background thread of a SCIM worker: looks after its connections, its parent and its end."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable

import structlog

from isthmus.web.connections import HandshakeGuard, StallGuard, stop_accepting

log = structlog.get_logger("isthmus.web")

_TICK = 0.1
_SLOW_TICKS = 10


class Watch:
    """Runs until the process ends.

    `life` is the reading end of a pipe whose writing end only the supervisor has. End of file means that this worker is to
    accept no further connections: a newer generation has taken over, or the supervisor is gone. What was accepted goes on;
    every answer from then on tells its client to close the connection (`draining`). Ends itself `stop_timeout` seconds
    after whoever started it has gone, should granian's own graceful stop not have ended by then.
    """

    def __init__(
        self,
        *,
        life: int,
        listener: socket.socket,
        tls: bool,
        stall_limit: float,
        stop_timeout: float,
        every_second: Callable[[], None],
    ) -> None:
        self.draining = False
        self._life = life
        self._listener = listener
        self._handshakes = HandshakeGuard(listener) if tls else None
        self._stalls = StallGuard(stall_limit)
        self._stop_timeout = stop_timeout
        self._every_second = every_second
        self._parent = os.getppid()
        self._orphan_since: float | None = None

    def start(self) -> None:
        """Start the thread; call it after the fork, in the process it is to look after."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        count = 0
        while True:
            count += 1
            try:
                self._wait()
                if self._handshakes is not None and not self.draining:
                    cut = self._handshakes.look()
                    if cut:
                        log.warning("handshakes_cut", count=cut)
                if count % _SLOW_TICKS == 0:
                    self._slow()
            except Exception:
                # The one thread that must not end. What failed is tried again at the next tick.
                log.exception("watch_failed")
                time.sleep(1)

    def _wait(self) -> None:
        if self.draining:
            time.sleep(_TICK)
            return
        ended, _, _ = select.select([self._life], [], [], _TICK)
        if ended:
            self.draining = True
            stop_accepting(self._listener)
            log.info("draining")

    def _slow(self) -> None:
        cut = self._stalls.look()
        if cut:
            log.warning("stalled_requests_cut", count=cut)
        self._every_second()
        if os.getppid() == self._parent:
            return
        now = time.monotonic()
        if self._orphan_since is None:
            self._orphan_since = now
            os.kill(os.getpid(), signal.SIGTERM)  # granian's graceful stop: requests in flight end
        elif now - self._orphan_since > self._stop_timeout:
            log.error("killed", reason="requests did not end after the server process had gone")
            os.kill(os.getpid(), signal.SIGKILL)
