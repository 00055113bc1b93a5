"""How the store's database is opened: one connection per reading thread, one for writing, one for checkpoints."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from types import TracebackType

from isthmus.store.errors import StoreClosed
from isthmus.store.folding import register

BUSY_SECONDS = 5.0
"""How long to wait for a lock before `StoreBusy`."""

_READ_CACHE_KIB = 2_000
_SHARED_CACHE_KIB = 16_000
_WRITE_CACHE_KIB = 40_000  # a bulk import re-reads index leaves: fewer, and fewer spills, with tens of megabytes


def connect(path: Path, *, writing: bool = False, cache_kib: int | None = None) -> sqlite3.Connection:
    """Open the database in autocommit mode, durable (`synchronous=FULL`), with the store's SQL functions.

    Checkpoints never run inside a commit (`wal_autocheckpoint=0`): see `checkpoints.py`.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        register(connection)
        cache = cache_kib or (_WRITE_CACHE_KIB if writing else _READ_CACHE_KIB)
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            "wal_autocheckpoint = 0",
            "temp_store = MEMORY",
            "secure_delete = FAST",
            "trusted_schema = OFF",
            f"cache_size = -{cache}",
            f"journal_size_limit = {128 << 20}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        if not writing:
            connection.execute("PRAGMA query_only = ON").close()
    except BaseException:
        connection.close()
        raise
    return connection


class _Turn:
    """The context of `Readers.turn`: one object for all users, for a generator costs a microsecond each time."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self.lock = threading.Lock()

    def __enter__(self) -> sqlite3.Connection:
        self.lock.acquire()
        try:
            return self._readers.shared()
        except BaseException:
            self.lock.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.lock.release()


class Readers:
    """The read connections of this process, one per thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._closed = False
        self._turn = _Turn(self)
        self._shared: sqlite3.Connection | None = None

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection; it must not be handed to another thread.

        Raises:
            StoreClosed: after `close`.
        """
        try:
            connection: sqlite3.Connection = self._local.connection
        except AttributeError:
            if self._closed:
                raise StoreClosed("the store is closed") from None
            # Closed by its own end when the thread ends. Not by a `__del__` of ours: Python that runs while a thread of
            # the server is taken down makes CPython 3.11 crash (four stops of ten, after the last request).
            connection = self._local.connection = connect(self._path)
        return connection

    def turn(self) -> _Turn:
        """Lend the one connection for reads of microseconds, as a context; its users take turns.

        sqlite3 gives the interpreter away at each step. With 64 threads that all want it back, that costs more than the
        read itself, and 64 page caches stay cold; one connection behind a lock costs a third less CPU.

        Raises:
            StoreClosed: on entering, after `close`.
        """
        return self._turn

    def shared(self) -> sqlite3.Connection:
        """Return the one connection for `turn`, opened by its first user, who has the turn."""
        if self._shared is None:
            if self._closed:
                raise StoreClosed("the store is closed")
            self._shared = connect(self._path, cache_kib=_SHARED_CACHE_KIB)
        return self._shared

    def close(self) -> None:
        """Close every thread's connection. No thread may be inside a call."""
        with self._turn.lock:
            shared, self._shared = self._shared, None
            self._closed = True
        if shared is not None:
            shared.close()
        self._local = threading.local()  # the old one's values go with it, for every thread
