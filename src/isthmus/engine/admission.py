"""Keep a hung target from holding every thread: DESIGN section 2, "Processes"."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.engine.answers import unavailable


class Admission:
    """Count the threads of this process that wait for targets.

    At most a quarter of the threads may wait for one connector and half of them for all targets together. A further
    quarter may wait until another request has changed the same object; they never keep that one from its target.
    """

    def __init__(self, threads: int) -> None:
        self._per_connector = max(1, threads // 4)
        self._all = max(1, threads // 2)
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._total = 0
        self._locks = threading.BoundedSemaphore(max(1, threads // 4))

    @contextmanager
    def lock(self, connector: str) -> Iterator[None]:
        """Hold a place while another request works on the same object.

        Raises:
            ScimError: 503 at once when no place is free.
        """
        if not self._locks.acquire(blocking=False):
            raise unavailable(f"too many changes of the same objects of connector {connector!r} wait already", 5)
        try:
            yield
        finally:
            self._locks.release()

    @contextmanager
    def target(self, connector: str) -> Iterator[None]:
        """Hold a place while the target is asked.

        Raises:
            ScimError: 503 at once when no place is free.
        """
        with self._lock:
            mine = self._waiting.get(connector, 0)
            if mine >= self._per_connector or self._total >= self._all:
                raise unavailable(f"too many requests already wait for the target of connector {connector!r}", 5)
            self._waiting[connector] = mine + 1
            self._total += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[connector] -= 1
                self._total -= 1

    def waiting(self) -> dict[str, int]:
        """Return how many threads wait, by connector."""
        with self._lock:
            return {name: count for name, count in self._waiting.items() if count}
