"""When the write-ahead log is copied back into the database.

A checkpoint inside a commit makes that writer wait for tens of milliseconds; none at all lets the log grow and reads
slow down. So a thread per process copies passively, beside readers and writers, whenever enough has gathered. Only a
log that outgrows `_LARGE` (a bulk import outruns the thread) makes the writer help, between two transactions.
No checkpoint here ever makes a reader wait.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import struct
import threading
from pathlib import Path

from isthmus.store.connections import connect

_ENOUGH = 8_000  # pages of 4 KiB not yet copied: 32 MB
_LARGE = 32_000  # pages in the log: 128 MB
_REST = 2_000  # pages that a writer may copy while it holds the lock

# The log's index (https://www.sqlite.org/walformat.html): mxFrame at byte 16, nBackfill at byte 96, native byte order.
_FRAMES_AT = 16
_COPIED_AT = 96
_NUMBER = struct.Struct("=I")


class Checkpoints:
    """Copies the log back in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, writing=True)
        self._connection.execute("PRAGMA cache_size = -1000").close()
        self._connection.execute("SELECT value FROM counter").fetchone()  # opens log and index
        self._file = os.open(path.with_name(path.name + "-shm"), os.O_RDONLY | os.O_CLOEXEC)
        self._index = mmap.mmap(self._file, _COPIED_AT + 4, prot=mmap.PROT_READ)
        self._wanted = threading.Condition()
        self._asked = False
        self._stopped = False
        self.failure: sqlite3.Error | None = None
        self._thread = threading.Thread(target=self._work, name="store-checkpoints", daemon=True)
        self._thread.start()

    def state(self) -> tuple[int, int]:
        """Return how many pages the log has, and how many of them are not copied yet. No lock, no system call."""
        frames: int = _NUMBER.unpack_from(self._index, _FRAMES_AT)[0]
        copied: int = _NUMBER.unpack_from(self._index, _COPIED_AT)[0]
        return frames, max(0, frames - copied)

    def before_write(self, connection: sqlite3.Connection) -> None:
        """Finish a large log's copy, so that it starts again from its beginning. For the writer that has the turn."""
        frames, left = self.state()
        if frames > _LARGE and 0 < left <= _REST:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def after_write(self, connection: sqlite3.Connection) -> None:
        """Have the log copied if enough has gathered. For the writer that has given up its turn."""
        frames, left = self.state()
        if left <= _ENOUGH:
            return
        if frames > _LARGE:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return
        with self._wanted:
            self._asked = True
            self._wanted.notify()

    def close(self) -> None:
        """Stop the thread; the last process to close the database copies what is left."""
        with self._wanted:
            self._stopped = True
            self._wanted.notify()
        self._thread.join()
        self._connection.close()

    def release(self) -> None:
        """Close the log's index, once no connection of this process is open any more.

        SQLite's locks are POSIX locks: closing any descriptor of the file gives all of this process's locks on it up.
        """
        if not self._index.closed:
            self._index.close()
            os.close(self._file)

    def _work(self) -> None:
        while True:
            with self._wanted:
                self._wanted.wait_for(lambda: self._asked or self._stopped)
                if self._stopped:
                    return
                self._asked = False
            try:
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                self.failure = None
            except sqlite3.Error as error:
                self.failure = error  # a full disk: the log keeps everything, and the next round tries again
