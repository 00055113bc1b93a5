"""Ends what the library's own timeouts miss: a stalled TLS handshake, a write into a full socket.

OpenLDAP's library waits without limit in both (measured with a stopped slapd). Shutting the socket down from another
thread ends the wait with "can't contact". One thread serves all connections of the process; it ends when none is left.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_GRACE = 0.3
"""Seconds that the library's own timeout comes first: its error says more."""


class Watched:
    """A socket that may be cut. `expired` tells that it was."""

    __slots__ = ("deadline", "expired", "sockets")

    def __init__(self, *sockets: socket.socket) -> None:
        self.sockets = sockets
        self.deadline: float | None = None
        self.expired = False

    def cut(self) -> None:
        for each in self.sockets:
            with contextlib.suppress(OSError):  # the other side was first, or it was never connected
                each.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """Cuts sockets whose time is up."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: set[Watched] = set()
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    def add(self, watched: Watched) -> None:
        with self._changed:
            self._watched.add(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="ldap watchdog")
                self._thread.start()

    def remove(self, watched: Watched) -> None:
        with self._changed:
            self._watched.discard(watched)
            if not self._watched:
                self._changed.notify()

    @contextmanager
    def limit(self, watched: Watched, seconds: float) -> Iterator[None]:
        """Cut the socket if the block has not ended a moment after `seconds`."""
        self.begin(watched, seconds)
        try:
            yield
        finally:
            watched.deadline = None

    def begin(self, watched: Watched, seconds: float) -> None:
        """Cut the socket a moment after `seconds`, unless its `deadline` was cleared before."""
        deadline = time.monotonic() + seconds + _GRACE
        watched.deadline = deadline
        if deadline < self._wakes:
            with self._changed:
                self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while self._watched:
                now = time.monotonic()
                # A block that begins after this look is seen because its deadline is before `_wakes`.
                self._wakes = now + 3600.0
                wakes = self._wakes
                for each in self._watched:
                    deadline = each.deadline
                    if deadline is None:
                        continue
                    if deadline <= now:
                        each.deadline = None
                        each.expired = True
                        each.cut()
                    else:
                        wakes = min(wakes, deadline)
                self._wakes = wakes
                self._changed.wait(wakes - now)
            self._thread = None
            self._wakes = 0.0


watchdog = Watchdog()
"""The one of this process."""

# Threads do not survive a fork, and the lock may have been held.
os.register_at_fork(after_in_child=watchdog.__init__)  # type: ignore[misc]
