"""One connection for each thread, kept open; the idle ones make room when there are too many."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from isthmus.spi import Call

L = TypeVar("L")
T = TypeVar("T")

_LOOK_AGAIN = 0.02


class _Slot(Generic[L]):
    """The connection of one thread. Whoever holds `lock` may use or close it."""

    __slots__ = ("idle_since", "link", "lock", "thread")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.thread = threading.current_thread()
        self.link: L | None = None
        self.idle_since = 0.0


class Pool(ABC, Generic[L]):
    """The connections of one connector. One that ended while it was idle is replaced before anything is sent.

    A connector says by the abstract methods how its connections are opened, judged and closed; `most` is how many
    there may be at a time, and one that was idle for less than `ping_after` seconds is taken for alive.
    """

    def __init__(self, *, most: int, ping_after: float) -> None:
        self._most = most
        self._ping_after = ping_after
        self._own = threading.local()
        self._slots: list[_Slot[L]] = []
        self._changed = threading.Condition()
        self._count = 0
        self._apart: set[L] = set()
        self._closed = False

    @abstractmethod
    def _open(self, call: Call, only: str | None) -> L:
        """Return a new connection within the time of the call, to the server `only` if it is named."""

    @abstractmethod
    def _answers(self, link: L, call: Call) -> bool:
        """Tell whether an idle connection still reaches its target, in half of the call's time."""

    @abstractmethod
    def _quiet(self, link: L) -> bool:
        """Tell, without asking the target, whether nothing is under way or broken."""

    @abstractmethod
    def _reusable(self, link: L, error: BaseException | None) -> bool:
        """Tell whether a connection that was just used, with this outcome, may be used again."""

    @abstractmethod
    def _end(self, link: L) -> None:
        """Close it. Raises nothing."""

    @abstractmethod
    def _interrupt(self, link: L) -> None:
        """Make whoever uses it stop, for the connector is being closed."""

    @abstractmethod
    def _lost(self, error: BaseException) -> bool:
        """Tell whether this error means that the connection was dead."""

    @abstractmethod
    def _refusal(self, text: str, *, busy: bool) -> Exception:
        """Return the error for a call that gets no connection; `busy`: all of them are in use."""

    def _prepare(self, link: L, call: Call) -> None:
        """Make this thread's connection ready for the call; an error drops it."""

    @contextmanager
    def use(self, call: Call) -> Iterator[L]:
        """Give this thread's connection; closed afterwards unless it may be used again."""
        slot = self._slot()
        with slot.lock:
            link = self._ready(slot, call)
            error: BaseException | None = None
            try:
                yield link
            except BaseException as raised:
                error = raised
                raise
            finally:
                slot.idle_since = time.monotonic()
                if slot.link is link and not self._reusable(link, error):
                    self._drop(slot)

    @contextmanager
    def apart(self, call: Call, *, only: str | None = None) -> Iterator[L]:
        """Give a new connection that is closed afterwards: for imports, catalogues and other servers."""
        call.check()
        link = self._connect(call, only)
        with self._changed:
            self._apart.add(link)
        try:
            yield link
        finally:
            with self._changed:
                self._apart.discard(link)
            self._close(link)

    def read(self, call: Call, run: Callable[[L], T]) -> T:
        """Run something that changes nothing; once more on a new connection if the old one turns out to be dead."""
        fresh = self._slot().link is None
        try:
            with self.use(call) as link:
                return run(link)
        except Exception as error:
            if fresh or not self._lost(error) or not call.remaining():
                raise
        with self.use(call) as link:
            return run(link)

    def close(self) -> None:
        """Close all; those in use by others when they are given back."""
        with self._changed:
            self._closed = True
            slots, apart = list(self._slots), list(self._apart)
            self._changed.notify_all()
        for link in apart:
            self._interrupt(link)
        for slot in slots:
            with slot.lock:
                self._drop(slot)

    def _slot(self) -> _Slot[L]:
        slot: _Slot[L] | None = getattr(self._own, "slot", None)
        if slot is None:
            slot = self._own.slot = _Slot()
            with self._changed:
                self._slots.append(slot)
        return slot

    def _ready(self, slot: _Slot[L], call: Call) -> L:
        call.check()
        if slot.link is not None and not self._alive(slot, slot.link, call):
            self._drop(slot)
        if slot.link is None:
            slot.link = self._connect(call, None)
        try:
            self._prepare(slot.link, call)
        except BaseException:
            self._drop(slot)
            raise
        return slot.link

    def _alive(self, slot: _Slot[L], link: L, call: Call) -> bool:
        if not self._quiet(link):
            return False
        return time.monotonic() - slot.idle_since < self._ping_after or self._answers(link, call)

    def _connect(self, call: Call, only: str | None) -> L:
        self._make_room(call)
        try:
            return self._open(call, only)
        except BaseException:
            self._released()
            raise

    def _make_room(self, call: Call) -> None:
        while True:
            with self._changed:
                if self._closed:
                    raise self._refusal("the connector was closed", busy=False)
                self._slots = [slot for slot in self._slots if slot.link is not None or slot.thread.is_alive()]
                idle = sorted(self._slots, key=lambda slot: slot.idle_since)
                full = self._count >= self._most
                if not full:
                    self._count += 1
                dead = [slot for slot in idle if not slot.thread.is_alive()]
            freed = [self._freed(slot) for slot in dead]
            if not full:
                return
            if any(freed) or any(self._freed(slot) for slot in idle):
                continue
            with self._changed:
                # A connection may also become idle without a word; so look again after a short while.
                if self._count >= self._most:
                    self._changed.wait(min(_LOOK_AGAIN, call.remaining()))
            if not call.remaining():
                raise self._refusal(f"all {self._most} connections of this connector are in use", busy=True)

    def _freed(self, slot: _Slot[L]) -> bool:
        """Close a connection that nobody uses at this moment."""
        if slot is getattr(self._own, "slot", None) or not slot.lock.acquire(blocking=False):
            return False
        try:
            if slot.link is None:
                return False
            self._drop(slot)
            return True
        finally:
            slot.lock.release()

    def _drop(self, slot: _Slot[L]) -> None:
        link, slot.link = slot.link, None
        if link is not None:
            self._close(link)

    def _close(self, link: L) -> None:
        self._end(link)
        self._released()

    def _released(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()
