"""A write is on the disk before it is acknowledged, and nobody else waits for the disk."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from isthmus.store import Store, StoreError, durable
from isthmus.store.store import FILE
from isthmus.store.write_lock import WriteLock


def test_a_write_is_synced_once_it_is_committed_and_the_lock_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str | None, bool]] = []

    def look(_file: int) -> None:
        with closing(sqlite3.connect(tmp_path / FILE)) as other:
            row = other.execute("SELECT value FROM settings WHERE name = 'a'").fetchone()
        lock = WriteLock(tmp_path)
        free = lock.take_at_once()
        lock.close()
        seen.append((row and row[0], free))

    with Store.open(tmp_path) as store:
        monkeypatch.setattr(durable, "_sync", look)
        store.settings.set("a", "1")
        assert seen == [("1", True)]


def test_the_log_is_what_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[tuple[int, int]] = []

    def look(file: int) -> None:
        status = durable.os.fstat(file)
        files.append((status.st_dev, status.st_ino))

    with Store.open(tmp_path) as store:
        monkeypatch.setattr(durable, "_sync", look)
        store.settings.set("a", "1")
        status = tmp_path.joinpath(f"{FILE}-wal").stat()
        assert files == [(status.st_dev, status.st_ino)]


def test_what_changes_nothing_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    with Store.open(tmp_path) as store:
        store.settings.set("a", "1")
        monkeypatch.setattr(durable, "_sync", syncs.append)
        store.settings.set("a", "1")
        assert syncs == []


def test_after_a_failed_sync_nothing_is_written_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with Store.open(tmp_path) as store:
        with monkeypatch.context() as patched:
            patched.setattr(durable, "_sync", fail)
            with pytest.raises(StoreError, match="the disk failed"):
                store.settings.set("a", "1")
        with pytest.raises(StoreError, match="the disk failed"):
            store.settings.set("b", "2")
        assert store.settings.get("b") is None
    with Store.open(tmp_path) as store:
        store.settings.set("b", "2")
        assert store.settings.get("b") == "2"
