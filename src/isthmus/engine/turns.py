"""Let one of many threads run at a time, where they do not wait for anything.

A request takes some hundred microseconds of the interpreter, and gives it away at each step of SQLite. With 64 threads
that all want it back at once, handing it round costs several times the work itself. So requests take turns: whoever has
the place runs, the others sleep; a thread that must wait for something else (a target, a commit, a long scan) lends it
meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import AbstractContextManager
from types import TracebackType

_ENOUGH = 2
"""Threads that wait for their turn: so many keep the interpreter busy until others have fetched their requests."""
_LONGEST_REST = 0.25
_QUIET_SECONDS = 0.005
"""Nobody rests who would be called back at once: only if no place was lent for so long."""


class Turns:
    """The place: `with turns:` takes it, `with turns.lent():` gives it away while waiting."""

    def __init__(self) -> None:
        self._place = threading.Lock()  # a semaphore of two costs more than it brings: it is made of locks in Python
        self._ready: deque[threading.Lock] = deque()
        self._queued: deque[None] = deque()  # as long as the queue for the place: a number that threads count at once
        self._resting: deque[threading.Lock] = deque()
        self._lent_at = float("-inf")
        self._mutex = threading.Lock()  # over `_ready` and `Pause._ended` together
        self._local = _Held()
        self._lent = _Lent(self)
        self._later = _Later(self)

    def __enter__(self) -> None:
        self._take()
        self._local.held = 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._local.held = 0
        self._release()

    def rest(self) -> None:
        """Sleep while enough threads wait for their turn; called by one that has answered, before it fetches a request.

        It would only fetch it to sleep on it. So it is with reads; where threads wait for targets and commits, whoever
        lends its place calls one back, and nobody rests at first. Nobody rests for long either, so that a request finds
        a thread whatever happens.
        """
        if len(self._queued) < _ENOUGH or time.monotonic() - self._lent_at < _QUIET_SECONDS:
            return
        baton = self._local.baton
        self._resting.append(baton)
        if baton.acquire(timeout=_LONGEST_REST):
            return
        try:
            self._resting.remove(baton)
        except ValueError:  # it is being called back
            baton.acquire()

    def lent(self) -> AbstractContextManager[None]:
        """Return the context in which this thread has no place; may be nested, and does nothing without a place."""
        return self._lent

    def later(self) -> AbstractContextManager[None]:
        """Be counted as one that lends its place, until `arrive`: who first waits for a body needs none before."""
        return self._later

    def arrive(self) -> None:
        """Take the place after `later`; a thread that has its place keeps it."""
        if self._local.held == 2:
            self.take_back()

    def sleep(self, seconds: float) -> None:
        """Sleep without a place."""
        with self._lent:
            time.sleep(seconds)

    def give(self) -> None:
        """Give this thread's place away, if it has one."""
        local = self._local
        held = local.held
        if held:
            local.held = held + 1
            if held == 1:
                self._release()
                self._call_back()

    def take_back(self) -> None:
        """Wait for the place again that `give` gave away."""
        local = self._local
        held = local.held
        if held:
            if held == 2:
                self._take()
            local.held = held - 1

    def pause(self) -> Pause:
        """Return what this thread sleeps on until another one ends it; see `Pause`."""
        return Pause(self, self._local.held == 1)

    def _take(self) -> None:
        if not self._place.acquire(blocking=False):
            self._queued.append(None)
            self._place.acquire()
            self._queued.pop()

    def _call_back(self) -> None:
        """End the rest of one thread if too few are awake to keep the interpreter busy; a place was lent just now."""
        self._lent_at = time.monotonic()
        if self._resting and len(self._queued) < _ENOUGH:
            try:
                baton = self._resting.pop()
            except IndexError:
                return
            baton.release()

    def _release(self) -> None:
        """Hand the place to a thread whose pause has ended, or else leave it to whoever comes."""
        while True:
            if self._ready:  # only who has the place takes from it
                self._ready.popleft().release()
                return
            self._place.release()
            if not self._ready or not self._place.acquire(blocking=False):
                return


class Pause:
    """One thread's wait for what another one does; it sleeps without a place, and is woken once, with a place.

    Woken first and then queueing for the place, it would be woken twice.
    """

    __slots__ = ("_baton", "_ended", "_placed", "_sleeps", "_turns")

    def __init__(self, turns: Turns, placed: bool) -> None:
        self._turns = turns
        self._placed = placed
        self._baton = turns._local.baton if placed else _locked()
        self._ended = False
        self._sleeps = False

    def wait(self, seconds: float = -1) -> bool:
        """Sleep until `end` was called, and return True; False after that time. Called by the one who made it."""
        turns = self._turns
        if not self._placed:
            return self._baton.acquire(timeout=seconds)
        with turns._mutex:
            if self._ended:  # before this thread slept: it keeps its place
                return True
            self._sleeps = True
        turns._release()
        turns._call_back()
        if self._baton.acquire(timeout=seconds):
            return True
        with turns._mutex:
            in_time: bool = self._ended  # `end` came after the time, or before but the place was not free yet
            self._sleeps = False  # or the place would be handed to this thread while it queues for it below
        if in_time:
            self._baton.acquire()
        else:
            turns._take()
        return in_time

    def end(self) -> None:
        """Wake who waits, or will."""
        if not self._placed:
            self._baton.release()
            return
        turns = self._turns
        with turns._mutex:
            self._ended = True
            if not self._sleeps:
                return
            turns._ready.append(self._baton)
        if turns._place.acquire(blocking=False):
            turns._release()


class _Held(threading.local):
    """A thread's own: how often it lent its place, and one more; and the lock it sleeps on."""

    def __init__(self) -> None:
        self.held = 0
        self.baton = _locked()


def _locked() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


class _Lent(AbstractContextManager[None]):
    """The context of `Turns.lent`: without state of its own, so that one object serves every thread."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        self._turns.give()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._turns.take_back()


class _Later(AbstractContextManager[None]):
    """The context of `Turns.later`, for every thread too."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns

    def __enter__(self) -> None:
        self._turns._local.held = 2

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        local = self._turns._local
        if local.held == 1:
            self._turns._release()
        local.held = 0
