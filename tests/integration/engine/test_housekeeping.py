"""What is older than its retention goes, however much it is."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress

import pytest

from harness import until
from isthmus.engine import scheduling
from isthmus.engine.host import Host
from isthmus.web.timing import Timing
from memory_host import MemoryHost

OLD = time.time() - 400 * 86_400


def test_all_that_is_due_goes_in_one_round(app: MemoryHost) -> None:
    kept = app.client.created("kept")
    store = app.host.store
    entry = store.journal.all()[0]
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE entries SET closed = ?", (OLD,))
        for n in range(2_500):
            connection.execute(
                "INSERT INTO entries SELECT id || ?, space, operation, object_id, anchor, owner, session, state, "
                "opened, closed, noted, correlation, intent, locks, reason FROM entries WHERE id = ?",
                (str(n), entry.id),
            )
        connection.executemany(
            "INSERT INTO guard_events (connector, object_type, kind, object_id, at) "
            "VALUES ('app', 'user', 'create', ?, ?)",
            [(str(n), OLD) for n in range(4_500)],
        )
        connection.executemany(
            "INSERT INTO runs (id, connector, kind, scope, state, requested_by, queued, ended) "
            "VALUES (?, 'app', 'delta', 's', 'done', 'timer', ?, ?)",
            [(str(n), OLD, OLD) for n in range(2_500)],
        )
    scheduling.housekeeping(app.host)
    with closing(sqlite3.connect(store.path)) as connection:
        counts = [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("entries", "guard_events")]
        old = connection.execute("SELECT count(*) FROM runs WHERE ended <= ?", (OLD,)).fetchone()[0]
    assert (counts, old) == ([0, 1], 0), "the create of a moment ago still counts"
    assert app.client.user(kept)["userName"] == "kept"


def test_what_a_clock_that_was_ahead_has_dated_goes_too(app: MemoryHost) -> None:
    """It would stand before all that comes later, which then stays as well, and count for the guard for years."""
    app.client.created("kept")
    store = app.host.store
    entry = store.journal.all()[0]
    ahead = time.time() + 400 * 86_400
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE entries SET closed = ?", (ahead,))
        for n, closed in [*((n, ahead) for n in range(1_500)), *((n, OLD) for n in range(1_500, 1_600))]:
            connection.execute(
                "INSERT INTO entries SELECT id || ?, space, operation, object_id, anchor, owner, session, state, "
                "opened, ?, noted, correlation, intent, locks, reason FROM entries WHERE id = ?",
                (str(n), closed, entry.id),
            )
        connection.executemany(
            "INSERT INTO guard_events (connector, object_type, kind, object_id, at) "
            "VALUES ('app', 'user', 'delete', ?, ?)",
            [*((str(n), ahead) for n in range(2_500)), *((str(n), OLD) for n in range(100))],
        )
    scheduling.housekeeping(app.host)
    assert store.journal.all() == []
    with closing(sqlite3.connect(store.path)) as connection:
        events = connection.execute("SELECT kind FROM guard_events").fetchall()
    assert events == [("create",)]


def test_holds_that_ended_go_with_the_audit_and_those_that_stand_stay(app: MemoryHost) -> None:
    store, now = app.host.store, time.time()
    holds = {
        "held": ("held", OLD, None),
        "released": ("released", OLD, None),
        "released till later": ("released", OLD, now + 60),
        "cancelled lately": ("cancelled", now, None),
        "cancelled": ("cancelled", OLD - 86_400, None),
        "used": ("over", OLD - 86_400, None),
        "ran out": ("released", OLD - 86_400, OLD - 86_000),
    }
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.executemany(
            'INSERT INTO holds (connector, object_type, kind, count, "limit", message, '
            "id, state, opened, released_until) VALUES ('app', 'user', 'delete', 30, 20, '', ?, ?, ?, ?)",
            [(name, *values) for name, values in holds.items()],
        )
    scheduling.housekeeping(app.host)
    assert {hold.id for hold in store.guard.holds(active=False)} == set(list(holds)[:4])


def test_imports_that_are_due_do_not_wait_for_it(app: MemoryHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round of it may take a minute."""
    noticed, ended = threading.Event(), threading.Event()

    def long(host: Host, should_stop: Callable[[], bool]) -> None:
        scheduling.request_import(host, "app", requested_by="test")
        with suppress(AssertionError):
            until(lambda: should_stop() or noticed.is_set(), timeout=10)
        seen.append(noticed.is_set())
        ended.set()

    seen: list[bool] = []
    monkeypatch.setattr(scheduling, "housekeeping", long)
    timing = Timing(app.host, work=noticed.set)
    timing._housekeeping_at = 0.0
    timing.start()
    try:
        assert ended.wait(60)
    finally:
        timing.stop()
        timing.join(10)
    assert seen == [True]


def test_it_ends_when_the_process_does(app: MemoryHost) -> None:
    app.client.created("kept")
    with closing(sqlite3.connect(app.host.store.path)) as connection, connection:
        connection.execute("UPDATE entries SET closed = ?", (OLD,))
    scheduling.housekeeping(app.host, lambda: True)
    assert len(app.host.store.journal.all()) == 1
