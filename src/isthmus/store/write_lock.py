"""One process at a time writes to the store."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from isthmus.store.errors import StoreBusy
from isthmus.store.folder import open_private

_PAUSE = 0.0002
_LONGEST_PAUSE = 0.002


class WriteLock:
    """A fair write lock between processes, in front of SQLite's own.

    SQLite lets waiters poll, so a process that writes slice after slice would starve the others. Here a waiter holds
    the gate while it waits for the lock: whoever just wrote finds the gate shut and comes second. Both are locks of the
    operating system: a process that dies gives them up. SQLite's lock stays the one that correctness rests on.
    Not thread-safe: the writer calls it from one thread at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._gate = open_private(folder / "gate.lock")
        self._lock = open_private(folder / "write.lock")

    def take_at_once(self) -> bool:
        """Take the lock if nobody has it or waits for it."""
        if not _try(self._gate):
            return False
        try:
            return _try(self._lock)
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def take(self, seconds: float) -> None:
        """Wait for the lock.

        Raises:
            StoreBusy: it did not come in that time.
        """
        deadline = time.monotonic() + seconds
        _lock(self._gate, deadline)
        try:
            _lock(self._lock, deadline)
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)

    def is_wanted(self) -> bool:
        """Tell whether another process waits; asked by the one that has the lock."""
        if not _try(self._gate):
            return True
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        return False

    def give_up(self) -> None:
        """Let the next one write."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._gate)
        os.close(self._lock)


def _lock(file: int, deadline: float) -> None:
    pause = _PAUSE
    while not _try(file):
        if time.monotonic() >= deadline:
            raise StoreBusy("another process keeps the store's write lock; try again")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _try(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
