"""Make what was committed durable, after the write lock was given up."""

from __future__ import annotations

import os
from pathlib import Path

from isthmus.store.errors import StoreError

_sync = getattr(os, "fdatasync", os.fsync)  # macOS has the latter only


class Log:
    """The write-ahead log's file as the disk sees it.

    SQLite's own sync (`synchronous = FULL`) comes within COMMIT, while every other process waits for the write lock:
    two thirds of a transaction's time. With NORMAL a commit only appends to the log, and this comes after the lock was
    given up. A sync covers all that was appended before it, by whomever; so what a durable transaction has built upon
    is durable too. Checkpoints sync the log themselves before they copy it (https://www.sqlite.org/wal.html).
    Others may read what was committed in the moment before it is durable.
    """

    def __init__(self, path: Path) -> None:
        """Open the log of a database that this process has open, and keeps so: SQLite removes it with the last one."""
        self._file = os.open(path.with_name(path.name + "-wal"), os.O_RDWR | os.O_CLOEXEC)
        self._failure: str | None = None

    def sync(self) -> None:
        """Return once everything that was committed so far is on the disk.

        Raises:
            StoreError: it is not, and nobody can tell what is; so it is from then on, until the program starts again. A
                second sync would succeed without having written what the first one could not (fsync(2)).
        """
        if self._failure is None:
            try:
                _sync(self._file)
            except OSError as error:
                self._failure = (
                    f"the disk failed while the store was written ({error.strerror}): mend it and start again"
                )
        if self._failure is not None:
            raise StoreError(self._failure)

    def check(self) -> None:
        """Raise what `sync` raised."""
        if self._failure is not None:
            raise StoreError(self._failure)

    def close(self) -> None:
        os.close(self._file)
