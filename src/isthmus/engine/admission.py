"""Keep a hung target from holding every thread (docs/decisions/0003)."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from isthmus.engine.answers import unavailable
from isthmus.engine.turns import Turns
from isthmus.scim.errors import ScimError

PATIENCE = 1.0  # seconds within which a healthy target answers


class Admission:
    """Count the threads of this process that wait for targets.

    At most a quarter of the threads may ask one connector at a time and half of them all targets together; a quarter
    more are let in while the target answers within a second, and wait until they may ask. A further quarter may wait
    until another request has changed the same object; they never keep that one from its target.
    """

    def __init__(self, threads: int, turns: Turns | None = None) -> None:
        self._turns = turns or Turns()
        self._per_connector = max(1, threads // 4)
        self._all = max(1, threads // 2)
        self._more = max(1, threads // 4)
        self._mutex = threading.Lock()
        self._own = _Own()
        self._inside: Counter[str] = Counter()
        self._asking: dict[str, set[Guest]] = {}
        self._asking_total = 0
        self._queue: deque[Guest] = deque()
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
            if self._lock_queue >= self._more:
                return False
            self._lock_queue += 1
        try:
            return self._locks.acquire(timeout=PATIENCE)
        finally:
            with self._mutex:
                self._lock_queue -= 1

    # -- places for those who wait for a target

    def enter(self, connector: str) -> None:
        """Let this thread in, which is going to ask the target, until `leave`; one that is in stays so.

        Who is let in may have to wait before it asks, but only while the target answers within a second. So a burst is
        served, and a target that hangs refuses at once.

        Raises:
            ScimError: 503, there is no room.
        """
        guests = self._own.guests
        if connector in guests:
            return
        with self._mutex:
            inside, everybody = self._inside[connector], self._inside.total()
            if inside >= self._per_connector or everybody >= self._all:
                full = inside >= self._per_connector + self._more or everybody >= self._all + self._more
                if full or self._patience(connector, time.monotonic()) <= 0:
                    raise _refusal(connector)
            self._inside[connector] += 1
        guests[connector] = Guest(connector)

    def leave(self, connector: str) -> None:
        """Make room for others; nothing happens if this thread is not in."""
        if self._own.guests.pop(connector, None) is not None:
            with self._mutex:
                self._inside[connector] -= 1

    def target(self, connector: str) -> _Asking:
        """Return a context to ask the target in. A thread that was not let in before is for this time.

        Raises:
            ScimError: on entering, 503: there is no room, or it did not come in time.
        """
        return _Asking(self, connector)

    def _begin(self, connector: str) -> tuple[Guest | None, bool]:
        """Return the guest that asks now, None if this thread does already, and whether it was let in for this."""
        guest = self._own.guests.get(connector)
        if guest is not None and guest.asks:
            return None, False
        entered = guest is None
        if guest is None:
            self.enter(connector)
            guest = self._own.guests[connector]
        try:
            self._ask(guest)
        except BaseException:
            if entered:
                self.leave(connector)
            raise
        return guest, entered

    @contextmanager
    def beside(self, connector: str, admitted: Callable[[], None]) -> Iterator[Guest]:
        """Wait meanwhile for what another thread asks the target, and count as one that asks as soon as there is room.

        Then `admitted` is called, by whichever thread made room; it must not wait. Until then the guest has the
        `patience` of those who queue for a place.

        Raises:
            ScimError: 503, there is no room.
        """
        guest = self._own.guests.get(connector)
        if guest is not None and guest.asks:
            yield guest
            return
        entered = guest is None
        if guest is None:
            self.enter(connector)
            guest = self._own.guests[connector]
        try:
            self._line_up(guest, admitted)
            try:
                yield guest
            finally:
                self._asked(guest)
        finally:
            if entered:
                self.leave(connector)

    def patience(self, guest: Guest) -> float:
        """Return how many seconds a guest may still wait for its place: without end (-1) once it has one.

        Raises:
            ScimError: 503, none came in time.
        """
        with self._mutex:
            if guest.asks:
                return -1.0
            left = self._patience(guest.connector, guest.arrived)
            if left <= 0:
                self._queue.remove(guest)
                raise _refusal(guest.connector)
            return left

    def waiting(self) -> dict[str, int]:
        """Return how many threads ask, by connector."""
        with self._mutex:
            return {name: len(asking) for name, asking in self._asking.items() if asking}

    def _ask(self, guest: Guest) -> None:
        pause = self._turns.pause()
        if not self._line_up(guest, pause.end):
            while not pause.wait(self.patience(guest)):
                pass

    def _line_up(self, guest: Guest, admitted: Callable[[], None]) -> bool:
        """Let the guest ask if there is room, or else when there is; return whether it may now."""
        with self._mutex:
            if self._has_room(guest.connector):
                self._admit(guest)
                return True
            guest.arrived, guest.admitted = time.monotonic(), admitted
            self._queue.append(guest)
            return False

    def _asked(self, guest: Guest) -> None:
        """Take back what `_line_up` gave."""
        with self._mutex:
            if not guest.asks:
                if guest in self._queue:
                    self._queue.remove(guest)
                return
            guest.asks = False
            self._asking[guest.connector].discard(guest)
            self._asking_total -= 1
            for waiting in self._queue:
                if self._has_room(waiting.connector):
                    self._queue.remove(waiting)
                    self._admit(waiting)
                    waiting.admitted()
                    return

    def _has_room(self, connector: str) -> bool:
        return len(self._asking.get(connector, ())) < self._per_connector and self._asking_total < self._all

    def _admit(self, guest: Guest) -> None:
        guest.asks, guest.since = True, time.monotonic()
        self._asking.setdefault(guest.connector, set()).add(guest)
        self._asking_total += 1

    def _patience(self, connector: str, arrived: float) -> float:
        """Return how much longer somebody waits who arrived then: not behind a call that takes longer than that."""
        since = min((one.since for one in self._asking.get(connector, ())), default=arrived)
        return PATIENCE - (time.monotonic() - min(arrived, since))


class Guest:
    """A thread that was let in. `asks`: it asks the target now, `since` then; before, it may be in the queue."""

    __slots__ = ("admitted", "arrived", "asks", "connector", "since")

    def __init__(self, connector: str) -> None:
        self.connector = connector
        self.asks = False
        self.since = self.arrived = 0.0
        self.admitted: Callable[[], None] = _nobody_waits


def _nobody_waits() -> None:
    raise AssertionError("a guest that never queued was taken from the queue")


class _Asking:
    """The context of `Admission.target`."""

    __slots__ = ("_admission", "_connector", "_entered", "_guest")

    def __init__(self, admission: Admission, connector: str) -> None:
        self._admission = admission
        self._connector = connector
        self._guest: Guest | None = None
        self._entered = False

    def __enter__(self) -> None:
        self._guest, self._entered = self._admission._begin(self._connector)

    def __exit__(self, *_error: object) -> None:
        try:
            if self._guest is not None:
                self._admission._asked(self._guest)
        finally:
            if self._entered:
                self._admission.leave(self._connector)


class _Own(threading.local):
    """Where this thread is in."""

    def __init__(self) -> None:
        self.guests: dict[str, Guest] = {}


def _refusal(connector: str) -> ScimError:
    return unavailable(f"too many requests already wait for the target of connector {connector!r}", 5)
