"""Keep a hung target from holding every thread (docs/decisions/0003)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.engine.answers import unavailable
from isthmus.engine.turns import Turns

PATIENCE = 1.0  # seconds within which a healthy target answers


class Admission:
    """Count the threads of this process that wait for targets.

    At most a quarter of the threads may wait for one connector and half of them for all targets together. A further
    quarter may wait until another request has changed the same object; they never keep that one from its target.
    """

    def __init__(self, threads: int, turns: Turns | None = None) -> None:
        self._turns = turns or Turns()
        self._per_connector = max(1, threads // 4)
        self._all = max(1, threads // 2)
        self._free = threading.Condition()
        self._asking: dict[str, dict[object, float]] = {}
        self._total = 0
        self._queued = 0
        self._longest_queue = max(1, threads // 4)
        self._locks = threading.BoundedSemaphore(max(1, threads // 4))

    @contextmanager
    def lock(self, connector: str) -> Iterator[None]:
        """Hold a place while another request works on the same object.

        Raises:
            ScimError: 503, no place is free.
        """
        with self._turns.lent():
            if not self._locks.acquire(blocking=False) and not self._queued_for_lock():
                raise unavailable(f"too many changes of the same objects of connector {connector!r} wait already", 5)
            try:
                yield
            finally:
                self._locks.release()

    def _queued_for_lock(self) -> bool:
        with self._free:
            if self._queued >= self._longest_queue:
                return False
            self._queued += 1
        try:
            return self._locks.acquire(timeout=PATIENCE)
        finally:
            with self._free:
                self._queued -= 1

    @contextmanager
    def target(self, connector: str) -> Iterator[None]:
        """Hold a place while the target is asked.

        While the target answers within a second, up to a quarter of the threads wait that long for a place; so a burst
        is served, and a target that hangs refuses at once.

        Raises:
            ScimError: 503, no place is free.
        """
        key = object()
        with self._turns.lent():
            with self._free:
                self._enter(connector, key)
            try:
                yield
            finally:
                with self._free:
                    del self._asking[connector][key]
                    self._total -= 1
                    self._free.notify_all()

    def _enter(self, connector: str, key: object) -> None:
        asking = self._asking.setdefault(connector, {})
        if len(asking) >= self._per_connector or self._total >= self._all:
            self._queue(connector, asking)
        asking[key] = time.monotonic()
        self._total += 1

    def _queue(self, connector: str, asking: dict[object, float]) -> None:
        refusal = unavailable(f"too many requests already wait for the target of connector {connector!r}", 5)
        if self._queued >= self._longest_queue:
            raise refusal
        arrived = time.monotonic()
        self._queued += 1
        try:
            while len(asking) >= self._per_connector or self._total >= self._all:
                left = PATIENCE - (time.monotonic() - min([arrived, *asking.values()]))
                if left <= 0 or not self._free.wait(left):
                    raise refusal
        finally:
            self._queued -= 1

    def waiting(self) -> dict[str, int]:
        """Return how many threads wait, by connector."""
        with self._free:
            return {name: len(asking) for name, asking in self._asking.items() if asking}
