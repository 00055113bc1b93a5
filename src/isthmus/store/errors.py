"""What can go wrong in the store, named for the fact.

```
StoreError
├── StoreTooNew       written by a newer program: upgrade, or restore the copy made before
├── StoreRefused      the folder cannot hold a store (network file system, rights, another file)
├── StoreBusy         not now: try again (a lock was not got in time, or a deadline passed)
├── StoreFull         no room on the disk; nothing of this write was kept
├── StoreClosed       used after close
├── SpaceDropped      the connector of that space was removed
├── AlreadyUsed       another object has that anchor
├── IdentityChanged   the object would get another id than the one its text was made for: render again
├── EntryClosed       that journal entry is closed already
└── EntryUnknown      there is no such journal entry
```
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class StoreError(Exception):
    """The store could not do what was asked."""


class StoreTooNew(StoreError):
    """The database was written by a newer program."""


class StoreRefused(StoreError):
    """The folder cannot hold a store."""


class StoreBusy(StoreError):
    """A lock was not got in time, or the caller's deadline passed. Nothing was changed."""


class StoreFull(StoreError):
    """The disk has no room. Nothing of this write was kept."""


class StoreClosed(StoreError):
    """The store was closed before this call."""


class SpaceDropped(StoreError):
    """The connector of that space was removed."""


class AlreadyUsed(StoreError):
    """Another object has that anchor."""


class IdentityChanged(StoreError):
    """The object's id is not the one that its SCIM text was made for."""


class EntryClosed(StoreError):
    """The journal entry is closed already."""


class EntryUnknown(StoreError):
    """There is no such journal entry."""


FROM_SQLITE: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreBusy, "the store is locked by another process; try again"),
    sqlite3.SQLITE_LOCKED: (StoreBusy, "the store is locked by another connection; try again"),
    sqlite3.SQLITE_INTERRUPT: (StoreBusy, "the search took longer than its deadline"),
    sqlite3.SQLITE_FULL: (StoreFull, "no room left for the store: free disk space"),
    sqlite3.SQLITE_READONLY: (StoreRefused, "the store's file cannot be written: check its owner and mode"),
    sqlite3.SQLITE_CANTOPEN: (StoreRefused, "the store's file cannot be opened: check folder, owner and mode"),
    sqlite3.SQLITE_PERM: (StoreRefused, "access to the store's file is not permitted"),
    sqlite3.SQLITE_NOTADB: (StoreRefused, "the store's file is not a database of Isthmus"),
    sqlite3.SQLITE_CORRUPT: (StoreError, "the store's file is damaged: restore a copy"),
    sqlite3.SQLITE_IOERR: (StoreError, "the disk failed while the store was read or written"),
}
"""Primary result codes (https://www.sqlite.org/rescode.html) and what they mean here."""


def translate(error: sqlite3.Error) -> StoreError:
    """Return the store's error for one of SQLite's; extended codes count as their primary code."""
    code = getattr(error, "sqlite_errorcode", None)
    kind, text = FROM_SQLITE.get(code & 0xFF, (StoreError, "")) if code is not None else (StoreError, "")
    if not text:
        return StoreError(f"the store failed: {error}")
    return kind(f"{text} ({getattr(error, 'sqlite_errorname', None) or error})")


@contextmanager
def translated() -> Iterator[None]:
    """Raise SQLite's errors inside the block as the store's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error) from error
