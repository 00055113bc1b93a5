"""Let one of many threads run at a time, where they do not wait for anything.

A read takes some 50 us of the interpreter, and gives it away at each step of SQLite. With 64 threads that all want it
back at once, handing it round costs several times the work itself. So reads take turns: whoever has the place runs,
the others sleep; a thread that must wait for something else (a target, a commit, a long scan) lends it meanwhile.
"""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from types import TracebackType


class Turns:
    """The place for reads: `with turns:` takes it, `with turns.lent():` gives it away while waiting."""

    def __init__(self) -> None:
        self._place = threading.Lock()  # a semaphore of two costs more than it brings: it is made of locks in Python
        self._local = threading.local()
        self._lent = _Lent(self)

    def __enter__(self) -> None:
        self._place.acquire()
        self._local.held = 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._local.held = 0
        self._place.release()

    def lent(self) -> AbstractContextManager[None]:
        """Return the context in which this thread has no place; may be nested, and does nothing without a place."""
        return self._lent

    def sleep(self, seconds: float) -> None:
        """Sleep without a place."""
        with self._lent:
            time.sleep(seconds)

    def give(self) -> None:
        """Give this thread's place away, if it has one."""
        held = getattr(self._local, "held", 0)
        if held:
            self._local.held = held + 1
            if held == 1:
                self._place.release()

    def take_back(self) -> None:
        """Wait for the place again that `give` gave away."""
        held = getattr(self._local, "held", 0)
        if held:
            if held == 2:
                self._place.acquire()
            self._local.held = held - 1


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
