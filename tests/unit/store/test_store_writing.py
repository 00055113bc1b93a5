from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isthmus.store import Space, Store, StoreBusy, StoreFull, writing
from isthmus.store.write_lock import WriteLock
from unit.store.store_objects import a_write, add


def _set(name: str, value: str = "1") -> object:
    return lambda c: c.execute("INSERT INTO settings VALUES (?, ?)", (name, value)).rowcount


class _Held:
    """A first write that keeps the lead until told, so that others queue behind it."""

    def __init__(self, store: Store) -> None:
        self.begun = threading.Event()
        self.release = threading.Event()
        self.thread = threading.Thread(target=lambda: store._writer.run(self._hold))

    def _hold(self, connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO settings VALUES ('first', '1')")
        self.begun.set()
        assert self.release.wait(20)

    def __enter__(self) -> None:
        self.thread.start()
        assert self.begun.wait(20)

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self.thread.join()


def _queued(store: Store, count: int) -> None:
    """Wait until that many writes queue."""
    ready = threading.Event()
    for _ in range(2000):
        if len(store._writer._queue) == count:
            return
        ready.wait(0.005)
    raise AssertionError("the writes did not queue")


def test_waiting_writes_share_a_commit_and_fail_alone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SLICE_SECONDS", 60.0)
    commits: list[str] = []

    def failing(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO settings VALUES ('lost', '1')")
        raise LookupError("mine alone")

    with ThreadPoolExecutor(8) as pool:
        with _Held(store):
            good = [pool.submit(store._writer.run, _set(f"n{n}")) for n in range(3)]
            _queued(store, 3)
            bad = pool.submit(store._writer.run, failing)
            twice = pool.submit(store._writer.run, _set("first"))
            _queued(store, 5)
            store._writer._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        assert [one.result(20) for one in good] == [1, 1, 1]
        with pytest.raises(LookupError, match="mine alone"):
            bad.result(20)
        with pytest.raises(Exception, match="UNIQUE"):
            twice.result(20)
    assert store.settings.list() == {"first": "1", "n0": "1", "n1": "1", "n2": "1"}
    assert len(commits) == 1


def test_the_first_of_a_batch_fails_alone(store: Store) -> None:
    def failing(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO settings VALUES ('lost', '1')")
        raise LookupError("mine alone")

    with ThreadPoolExecutor(4) as pool:
        with _Held(store):
            bad = pool.submit(store._writer.run, failing)
            _queued(store, 1)
            good = pool.submit(store._writer.run, _set("kept"))
            _queued(store, 2)
        with pytest.raises(LookupError):
            bad.result(20)
        assert good.result(20) == 1
    assert store.settings.list() == {"first": "1", "kept": "1"}


def test_a_long_slice_lets_no_more_writes_in(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "SLICE_SECONDS", 0.0)
    commits: list[str] = []
    store._writer._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    with ThreadPoolExecutor(4) as pool:
        with _Held(store):
            waiting = [pool.submit(store._writer.run, _set(f"n{n}")) for n in range(3)]
            _queued(store, 3)
        assert [one.result(20) for one in waiting] == [1, 1, 1]
    assert len(commits) == 4


def test_a_write_that_waits_too_long_is_not_done(store: Store) -> None:
    with _Held(store), pytest.raises(StoreBusy):
        store._writer.run(_set("late"), seconds=0.05)
    assert store.settings.list() == {"first": "1"}


def test_a_lock_held_by_another_program_is_busy(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BUSY_SECONDS", 0.05)
    other = WriteLock(store.path.parent)
    other.take(1)
    with pytest.raises(StoreBusy, match="try again"):
        store.settings.set("a", "b")
    other.give_up()
    other.close()
    store.settings.set("a", "b")
    assert store.settings.get("a") == "b"


def test_sqlites_own_lock_is_busy_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy):
        store.settings.set("a", "b")
    other.execute("ROLLBACK")
    other.close()
    store.settings.set("a", "b")


def test_a_write_inside_a_write_is_refused(store: Store) -> None:
    with pytest.raises(RuntimeError, match="inside a write"):
        store._writer.run(lambda c: store.settings.set("a", "b"))
    assert store.settings.list() == {}


def test_a_full_disk_keeps_nothing_of_the_write_and_ends(store: Store, people: Space) -> None:
    [kept] = add(store, people, [a_write("kept")])
    pages = store._writer.run(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
    store._writer._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreFull, match="free disk space"):
        add(store, people, [a_write(f"p{n}", attributes=b"{}" + b" " * 3000) for n in range(50)])
    assert store.space.count(people) == 1
    assert store.space.by_id(people, kept.id) is not None
    store._writer._connection.execute("PRAGMA max_page_count = 1000000")
    assert len(add(store, people, [a_write(f"p{n}", attributes=b"{}" + b" " * 3000) for n in range(50)])) == 50
    assert store.space.count(people) == 51


def test_many_threads_lose_nothing(store: Store) -> None:
    def work(thread: int) -> None:
        for n in range(40):
            store.settings.set(f"{thread}-{n}", str(n))

    with ThreadPoolExecutor(8) as pool:
        for one in [pool.submit(work, thread) for thread in range(8)]:
            one.result(60)
    assert len(store.settings.list()) == 320


def test_two_stores_see_each_others_writes_at_once(store: Store, people: Space) -> None:
    with Store.open(store.path.parent) as other:
        assert other.owner != store.owner
        for n in range(20):
            add(store, people, [a_write(f"a{n}")])
            assert other.space.by_anchor(people, (f"a{n}",)) is not None
            other.settings.set("n", str(n))
            assert store.settings.get("n") == str(n)
        assert other.owner_is_alive(store.owner)
        assert store.owner_is_alive(other.owner)
        gone = other.owner
    assert not store.owner_is_alive(gone)
    assert not store.owner_is_alive("../../etc/passwd")


def test_a_large_log_starts_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.store import checkpoints

    monkeypatch.setattr(checkpoints, "_ENOUGH", 50)
    monkeypatch.setattr(checkpoints, "_LARGE", 200)
    log = Path(f"{store.path}-wal")
    for n in range(400):
        store.settings.set("x", str(n) * 2000)
        store.settings.get("x")
    assert log.stat().st_size < 4 * 200 * 4120
    assert store.settings.get("x") == "399" * 2000
