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

from isthmus.web.connections import StallGuard, inode_of, stop_accepting
from isthmus.web.work import Work

log = structlog.get_logger("isthmus.web")

_INTERVAL = 0.25
_OVERRUN = 5.0
"""Seconds by which an answer may be late without having been given up."""


class Watch:
    """Runs until the process ends.

    `life` is the reading end of a pipe whose writing end only the supervisor has. End of file means that this worker
    is to accept no further connections: a newer generation has taken over, or the supervisor is gone. What was
    accepted goes on; every answer from then on tells its client to close the connection (`draining`). Ends itself
    `stop_timeout` seconds after whoever started it has gone, should granian's own graceful stop not have ended by
    then.
    """

    def __init__(
        self,
        *,
        life: int,
        listener: socket.socket,
        work: Work,
        body_timeout: float,
        request_timeout: float,
        stop_timeout: float,
        every_second: Callable[[], None],
    ) -> None:
        self.draining = False
        self._life = life
        self._listener = listener
        self._work = work
        self._inode = inode_of(listener)
        # Behind a Unix socket stands a proxy of ours, and the kernel tells nothing of when data came.
        unix = listener.family == socket.AF_UNIX
        self._stalls = (
            None if unix else StallGuard(listener.getsockname()[1], body_timeout, longest=request_timeout + _OVERRUN)
        )
        self._stop_timeout = stop_timeout
        self._every_second = every_second
        self._parent = os.getppid()
        self._orphan_since: float | None = None
        self._next_second = 0.0

    def start(self) -> None:
        """Start the thread; call it after the fork, in the process it is to look after."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._wait()
                self._look()
            except Exception:
                # Descriptors go in any order while the process ends; anything else is tried again.
                log.exception("watch_failed")
                time.sleep(_INTERVAL)

    def _wait(self) -> None:
        if self.draining:
            time.sleep(_INTERVAL)
            return
        ended, _, _ = select.select([self._life], [], [], _INTERVAL)
        if ended:
            self.draining = True
            stop_accepting(self._listener, self._inode)
            log.info("draining")

    def _look(self) -> None:
        if self._stalls is not None:
            cut = self._stalls.look(self._work, crowded=self._work.crowded or self.draining)
            if cut:
                log.warning("stalled_requests_cut", count=cut)
        if time.monotonic() >= self._next_second:
            self._next_second = time.monotonic() + 1.0
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
