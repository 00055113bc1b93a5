"""Keep a hung target from holding every thread (docs/decisions/0003)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.engine.answers import unavailable
from isthmus.engine.turns import Pause, Turns

PATIENCE = 1.0  # seconds within which a healthy target answers
_NOT_YET = float("inf")


class Admission:
    """Count the threads of this process that wait for targets.

    At most a quarter of the threads may wait for one connector and half of them for all targets together. A further
    quarter may wait until another request has changed the same object; they never keep that one from its target.
    """

    def __init__(self, threads: int, turns: Turns | None = None) -> None:
        self._turns = turns or Turns()
        self._per_connector = max(1, threads // 4)
        self._all = max(1, threads // 2)
        self._mutex = threading.Lock()
        self._own = _Own()
        self._places: dict[str, set[_Place]] = {}
        self._total = 0
        self._queue: deque[_Waiting] = deque()
        self._longest_queue = max(1, threads // 4)
        self._locks = threading.BoundedSemaphore(max(1, threads // 4))
        self._lock_queue = 0

    # -- places for those who wait for another request

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
        with self._mutex:
            if self._lock_queue >= self._longest_queue:
                return False
            self._lock_queue += 1
        try:
            return self._locks.acquire(timeout=PATIENCE)
        finally:
            with self._mutex:
                self._lock_queue -= 1

    # -- places for those who wait for a target

    @contextmanager
    def target(self, connector: str) -> Iterator[None]:
        """Hold a place while the target is asked: this thread's, if it has one, or else one of its own.

        Raises:
            ScimError: 503, no place is free.
        """
        place = self._own.places.get(connector)
        entered = place is None
        if place is None:
            place = self.enter(connector)
        place.asks_since = time.monotonic()
        try:
            yield
        finally:
            place.asks_since = _NOT_YET
            if entered:
                self.leave(connector)

    def enter(self, connector: str) -> _Place:
        """Take a place for this thread, which will ask the target, until `leave`; one that it has stays.

        While the target answers within a second, up to a quarter of the threads wait that long for a place; so a burst
        is served, and a target that hangs refuses at once.

        Raises:
            ScimError: 503, no place is free.
        """
        own = self._own.places
        if (place := own.get(connector)) is not None:
            return place
        place = _Place()
        with self._mutex:
            waiting = None
            if self._has_room(connector):
                self._admit(connector, place)
            else:
                waiting = self._queued(connector, place)
        if waiting is not None:
            self._wait(waiting)
        own[connector] = place
        return place

    def leave(self, connector: str) -> None:
        """Give this thread's place to whoever waits for one; nothing happens if it has none."""
        place = self._own.places.pop(connector, None)
        if place is None:
            return
        with self._mutex:
            self._places[connector].discard(place)
            self._total -= 1
            self._pass_on()

    def waiting(self) -> dict[str, int]:
        """Return how many threads wait, by connector."""
        with self._mutex:
            return {name: len(places) for name, places in self._places.items() if places}

    def _has_room(self, connector: str) -> bool:
        return len(self._places.get(connector, ())) < self._per_connector and self._total < self._all

    def _admit(self, connector: str, place: _Place) -> None:
        self._places.setdefault(connector, set()).add(place)
        self._total += 1

    def _queued(self, connector: str, place: _Place) -> _Waiting:
        if len(self._queue) >= self._longest_queue or self._patience(connector, time.monotonic()) <= 0:
            raise _refusal(connector)
        waiting = _Waiting(connector, place, self._turns.pause())
        self._queue.append(waiting)
        return waiting

    def _patience(self, connector: str, arrived: float) -> float:
        """Return how long the target's slowest call may still take before nobody waits any more."""
        since = min((place.asks_since for place in self._places.get(connector, ())), default=arrived)
        return PATIENCE - (time.monotonic() - min(arrived, since))

    def _wait(self, waiting: _Waiting) -> None:
        while True:
            with self._mutex:
                left = self._patience(waiting.connector, waiting.arrived)
                if left <= 0 and waiting in self._queue:
                    self._queue.remove(waiting)
                    raise _refusal(waiting.connector)
            if waiting.pause.wait(max(0.0, left)):
                return

    def _pass_on(self) -> None:
        """Admit the first in the queue for whom there is room now."""
        for waiting in self._queue:
            if self._has_room(waiting.connector):
                self._queue.remove(waiting)
                self._admit(waiting.connector, waiting.place)
                waiting.pause.end()
                return


class _Place:
    """A thread's place. `asks_since`: when its call of the target began (monotonic)."""

    __slots__ = ("asks_since",)

    def __init__(self) -> None:
        self.asks_since = _NOT_YET


class _Waiting:
    """A thread that queues for a place."""

    __slots__ = ("arrived", "connector", "pause", "place")

    def __init__(self, connector: str, place: _Place, pause: Pause) -> None:
        self.connector = connector
        self.place = place
        self.pause = pause
        self.arrived = time.monotonic()


class _Own(threading.local):
    """This thread's places, by connector."""

    def __init__(self) -> None:
        self.places: dict[str, _Place] = {}


def _refusal(connector: str) -> Exception:
    return unavailable(f"too many requests already wait for the target of connector {connector!r}", 5)
