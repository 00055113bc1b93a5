"""Waiting for an SQLite file: who writes next, first come, first served; and how all wait for its locks."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_PAUSE = 0.0002
LONGEST_PAUSE = 0.002
"""Seconds between two attempts to get a lock of SQLite."""

_LONGEST_RUN = 0.02
"""Seconds that writers of this process go on one after the other while those of another process wait."""
_REMEMBERED = 1.0
"""Seconds for which another process that had the database locked counts as one that writes."""


class WriteQueue:
    """The writers of one connector in this process stand in line before SQLite's own lock.

    Without a line whoever comes at the right moment is first: of 16 that write at once the unlucky wait for seconds,
    and the target seems to hang. Between processes it stays SQLite's lock, asked for by one of each process at a time;
    `make_room` tells when to leave it free for a moment.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()
        self._others_at = float("-inf")
        self._since = 0.0

    def enter(self, seconds: float) -> bool:
        """Wait for one's turn; False: it did not come in that time."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=max(0.0, seconds)):
            return True
        with self._mutex:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # it came in the very last moment

    def leave(self) -> None:
        """Let the next one write."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False

    def met_others(self) -> None:
        """Note that somebody outside this line has the database locked."""
        self._others_at = time.monotonic()

    def make_room(self) -> bool:
        """Tell whether the others, if they write too, had to wait long enough; asked by the one whose turn it is."""
        now = time.monotonic()
        if now - self._others_at > _REMEMBERED:
            self._since = now
            return False
        if now - self._since < _LONGEST_RUN:
            return False
        self._since = now
        return True


def patiently(seconds: float, attempt: Callable[[], T], *, meeting: Callable[[], None] | None = None) -> T:
    """Return what the attempt returns; repeat it for that long while another connection has the database locked.

    SQLite's own busy handler sleeps up to 100 ms between two looks and finds a busy database locked each time. A
    statement that was refused by a lock has done nothing. `meeting` is told of each refusal.

    Raises:
        sqlite3.Error: as the last attempt did.
    """
    until, pause = time.monotonic() + seconds, _PAUSE
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if not _locked(error) or time.monotonic() >= until:
                raise
        if meeting is not None:
            meeting()
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _locked(error: sqlite3.OperationalError) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_BUSY
