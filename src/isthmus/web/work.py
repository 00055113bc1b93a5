"""Requests under way in this process: how many are worked on, and which only wait for their body.

granian gives a request a thread once its headers are there, and reading a body blocks that thread for as long as the
client likes. Therefore threads that wait for a body do not count: granian may start many more threads than are allowed
to work at a time, and starts them only when they are needed.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.scim.errors import Unavailable

BODIES_AT_ONCE = 1024
"""Bodies that may be on their way at a time; each holds a thread with a small stack and no lock."""


class Work:
    """Counts and limits the requests of one process: at most `places` are worked on, others wait their turn."""

    def __init__(self, places: int, *, bodies: int = BODIES_AT_ONCE) -> None:
        self.crowded = False
        """Whether a body was refused since this was last set to False: those that do not go on should make room."""
        self._bodies = bodies
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(places):
            self._places.put(None)
        self._keys = itertools.count()
        self._began: dict[int, float] = {}
        self._receiving: dict[int, float] = {}
        self._lock = threading.Lock()

    def begin(self) -> int:
        """Count a request and wait until it may be worked on; return its key for `end`."""
        key = next(self._keys)
        self._began[key] = time.monotonic()
        self._places.get()
        return key

    def end(self, key: int) -> None:
        """Let the next request go on."""
        del self._began[key]
        self._places.put(None)

    @contextmanager
    def receiving(self, key: int) -> Iterator[None]:
        """Give the place away while the body comes.

        Raises:
            Unavailable: too many bodies are on their way.
        """
        with self._lock:
            if len(self._receiving) >= self._bodies:
                self.crowded = True
                raise Unavailable(
                    "too many requests are being received at once", {"Connection": "close"}, retry_after=2
                )
            self._receiving[key] = time.monotonic()
        began = self._began.pop(key)
        self._places.put(None)
        try:
            yield
        finally:
            del self._receiving[key]
            self._began[key] = began
            self._places.get()

    def oldest(self) -> float:
        """Return the seconds since the oldest request began that is not waiting for its body; 0 if there is none."""
        return _oldest(self._began)

    def oldest_body(self) -> float:
        """Return how long the oldest body has been on its way; 0 if there is none."""
        return _oldest(self._receiving)


def _oldest(began: dict[int, float]) -> float:
    times = list(began.values())  # one step of the interpreter: other threads add and remove
    return max(0.0, time.monotonic() - min(times)) if times else 0.0
