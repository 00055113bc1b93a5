"""Bring the database to this program's schema; copy it first."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

from isthmus.store.errors import StoreRefused, StoreTooNew
from isthmus.store.folder import open_private
from isthmus.store.owners import OWNERS, in_use

APPLICATION = 0x49735468
"""Written into the database's header ("IsTh"), so that another program's file is not taken for a store."""


@cache
def migrations() -> tuple[tuple[int, str, str], ...]:
    """Return number, name and text of every migration, in order from 1 without a gap."""
    folder = resources.files("isthmus.store").joinpath("migrations")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    found = tuple((int(name[:4]), name, folder.joinpath(name).read_text("utf-8")) for name in names)
    if [number for number, _, _ in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations are not numbered from 1 without a gap: {names}")
    return found


def migrate(path: Path) -> Path | None:
    """Create or upgrade the database; return the copy made before an upgrade.

    Processes that start together take turns by a file lock. Each migration is one transaction.

    Raises:
        StoreTooNew: the database is newer than this program; it was not touched.
        StoreRefused: the file is not a store, or is to be upgraded while another process has it open.
    """
    with _alone(path.with_name("migrate.lock")):
        os.close(open_private(path))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            current = _version(connection, path)
            if current == len(migrations()):
                _log_ahead(connection)  # a backup that was put back may have another mode
                return None
            _refuse_used(path, current)
            copy = _copy(connection, path, current) if current else None
            _log_ahead(connection)
            try:
                for number, _, text in migrations()[current:]:
                    _apply(connection, number, text)
            except BaseException:
                _undone(connection)
                if copy is not None and _version(connection, path) == current:
                    copy.unlink()  # of what is there as it was; the next attempt makes another one
                raise
            return copy


def check(path: Path) -> None:
    """Raise what `migrate` would raise of a database that is there, and change nothing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        _refuse_used(path, _version(connection, path))


def _refuse_used(path: Path, version: int) -> None:
    """Refuse to change a schema that a process of an older program works with."""
    if 0 < version < len(migrations()) and in_use(path.with_name(OWNERS)):
        raise StoreRefused(f"an older program has the store {path} open, which has to be upgraded: stop it first")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION and (application or version or tables):
        raise StoreRefused(f"{path} is a database of another program")
    if version > len(migrations()):
        raise StoreTooNew(
            f"{path} has schema {version}, this program knows {len(migrations())}: use the newer program, "
            "or restore the copy that the upgrade made beside it"
        )
    return version


def _log_ahead(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL").close()


def _apply(connection: sqlite3.Connection, number: int, text: str) -> None:
    connection.executescript(
        f"BEGIN IMMEDIATE;\n{text}\nPRAGMA application_id = {APPLICATION};\nPRAGMA user_version = {number};\nCOMMIT;"
    )


def _copy(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    """Copy the database beside itself, and return the copy once it is on the disk."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = path.with_name(f"{path.stem}-schema{version}-{stamp}{path.suffix}")
    partial = path.with_suffix(".partial")  # always the same: what a killed process has left is not left for good
    _remove(partial)
    try:
        os.close(open_private(partial))
        with closing(sqlite3.connect(partial)) as copy:
            connection.backup(copy)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        _remove(partial)
        raise
    return target


def _remove(partial: Path) -> None:
    for file in (partial, partial.with_name(f"{partial.name}-journal")):
        file.unlink(missing_ok=True)


def _undone(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK").close()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    file = open_private(lock)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
