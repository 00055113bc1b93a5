"""The store under several processes, and under SIGKILL."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest
import store_children as children

from isthmus.store import EntryState, Present, State, Store

spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def start() -> Iterator[Callable[..., SpawnProcess]]:
    started: list[SpawnProcess] = []

    def begin(target: Callable[..., None], *arguments: Any) -> SpawnProcess:
        process = spawn.Process(target=target, args=arguments, daemon=True)
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.is_alive():
            process.kill()
        process.join(20)
        process.close()


def _kill(process: SpawnProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(20)
    assert process.exitcode == -signal.SIGKILL


def _sound(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "isthmus.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        live = connection.execute("SELECT row >> 10, count(*) FROM objects WHERE state = 'live' GROUP BY 1").fetchall()
        assert connection.execute("SELECT block, live FROM blocks WHERE live > 0 ORDER BY 1").fetchall() == sorted(live)
        objects = {row for (row,) in connection.execute("SELECT row FROM objects")}
        assert {row for (row,) in connection.execute("SELECT row FROM digests")} == objects
        assert {row for (row,) in connection.execute("SELECT row FROM keys")} <= objects


def test_several_processes_write_at_once(tmp_path: Path, start: Callable[..., SpawnProcess]) -> None:
    said = spawn.Queue()
    for seed in range(3):
        start(children.writes_at_random, tmp_path, seed, 40, said)
    expected: dict[str, bool] = {}
    for _ in range(3):
        expected |= said.get(timeout=90)
    with Store.open(tmp_path) as store:
        space = store.space.ensure("hr", "Person")
        live = sorted(name for name, shown in expected.items() if shown)
        assert store.space.count(space) == store.space.count(space, Present("login")) == len(live)
        page = store.space.page(space, None, start=1, count=10_000)
        assert sorted(one.anchor[0] for one in page.objects) == live
        assert len({one.id for one in page.objects}) == len(live)
        assert len({one.number for one in page.objects}) == len(live), "every change has a number of its own"
        for name, shown in expected.items():
            found = store.space.by_anchor(space, (name,))
            assert found is not None
            assert (found.state is State.LIVE) is shown
    _sound(tmp_path)


def test_a_lock_has_one_holder_among_processes(tmp_path: Path, start: Callable[..., SpawnProcess]) -> None:
    said = spawn.Queue()
    processes = [start(children.wants_one_lock, tmp_path, 40, said) for _ in range(3)]
    results = [said.get(timeout=90) for _ in processes]
    for process in processes:
        process.join(20)
        assert process.exitcode == 0, "the witness file existed twice"
    assert [won for won, _ in results] == [40, 40, 40]
    with Store.open(tmp_path) as store:
        assert store.journal.unfinished() == []
        assert len(store.journal.all(limit=1000)) == 120


def test_each_run_and_schedule_is_claimed_once(tmp_path: Path, start: Callable[..., SpawnProcess]) -> None:
    with Store.open(tmp_path) as store:
        runs = {store.runs.request(f"c{n}", "full", "all", "test").id for n in range(30)}
        for n in range(10):
            store.schedules.set(f"c{n}", 600, now=1_000)
        said = spawn.Queue()
        for _ in range(3):
            start(children.claims_runs, tmp_path, said)
        results = [said.get(timeout=60) for _ in range(3)]
    claimed = [run for got, _ in results for run in got]
    assert sorted(claimed) == sorted(runs)
    due = [name for _, names in results for name in names]
    assert sorted(due) == [f"c{n}" for n in range(10)]


def test_a_killed_owner_is_dead_at_once(tmp_path: Path, start: Callable[..., SpawnProcess]) -> None:
    said = spawn.Queue()
    process = start(children.holds_an_entry, tmp_path, said)
    entry_id, owner, run_id = said.get(timeout=60)
    with Store.open(tmp_path) as store:
        assert store.owner_is_alive(owner)
        assert store.journal.of_dead_owners() == []
        assert store.runs.fail_dead() == []
        _kill(process)
        assert not store.owner_is_alive(owner)
        [orphan] = store.journal.of_dead_owners()
        assert (orphan.id, orphan.intent) == (entry_id, {"login": "jo"})
        assert store.journal.take_over(orphan.id, owner)
        assert store.journal.of_dead_owners() == []
        store.journal.close(entry_id, EntryState.DONE, write=children.a_write("jo"), now=children.NOW)
        assert [run.id for run in store.runs.fail_dead()] == [run_id]
    with Store.open(tmp_path):
        assert not (tmp_path / "owners" / f"{owner}.lock").exists(), "the dead one's file is swept"


def test_a_process_killed_inside_a_transaction_leaves_nothing_of_it(
    tmp_path: Path, start: Callable[..., SpawnProcess]
) -> None:
    said = spawn.Queue()
    process = start(children.dies_inside_a_transaction, tmp_path, said)
    with Store.open(tmp_path) as store:
        assert said.get(timeout=60) == "inside"
        space = store.space.ensure("hr", "Person")
        assert store.space.count(space) == 50, "what is not committed is not seen"
        number = store.number()
        _kill(process)
        began = time.monotonic()
        [one] = store.space.apply(space, [children.a_write("next")], noted=None, now=children.NOW)
        assert time.monotonic() - began < 4, "the dead process's lock is free at once"
        assert (one.outcome, one.number) == ("added", number + 1)
        assert store.space.count(space) == 51
        assert store.space.by_anchor(space, ("lost0",)) is None
    _sound(tmp_path)


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, start: Callable[..., SpawnProcess]) -> None:
    for round_ in range(3):
        folder = tmp_path / str(round_)
        said = spawn.Queue()
        process = start(children.writes_until_killed, folder, said)
        acknowledged = [said.get(timeout=60) for _ in range(15 + 20 * round_)]
        _kill(process)
        with Store.open(folder) as store:
            space = store.space.ensure("hr", "Person")
            for name in acknowledged:
                assert store.space.by_anchor(space, (name,)) is not None
            assert store.space.count(space) % 20 == 0, "writes are whole"
            assert store.space.count(space) >= 20 * len(acknowledged)
        _sound(folder)


def test_an_import_elsewhere_does_not_starve_a_writer(tmp_path: Path, start: Callable[..., SpawnProcess]) -> None:
    said, told = spawn.Queue(), spawn.Event()
    with Store.open(tmp_path) as store:
        space = store.space.ensure("hr", "Person")
        start(children.imports_until_told, tmp_path, told, said)
        assert said.get(timeout=60) == "begun"
        bulk = store.space.ensure("bulk", "Person")
        end = time.monotonic() + 30
        while store.space.count(bulk) == 0:
            assert time.monotonic() < end
        between = 0
        for n in range(25):
            before = store.space.count(bulk)
            store.space.apply(space, [children.a_write(f"p{n}")], noted=None, now=children.NOW)
            between += store.space.count(bulk) - before
        told.set()
        written = said.get(timeout=60)
        # Each of our writes waited for one slice at most, not for whole pages.
        assert between < 25 * 3_000
        assert store.space.count(space) == 25
        assert store.space.count(bulk) == written
    _sound(tmp_path)


def test_another_process_sees_a_write_at_once(tmp_path: Path, start: Callable[..., SpawnProcess]) -> None:
    asked, said = spawn.Queue(), spawn.Queue()
    start(children.answers, tmp_path, asked, said)
    with Store.open(tmp_path) as store:
        space = store.space.ensure("hr", "Person")
        for n in range(30):
            asked.put(f"p{n}")
            assert said.get(timeout=60) is False
            [one] = store.space.apply(space, [children.a_write(f"p{n}")], noted=None, now=children.NOW)
            asked.put(f"p{n}")
            assert said.get(timeout=60) is True
            asked.put("flush")  # the answer means that what came before it is done
            assert said.get(timeout=60) is False
            assert store.settings.get(f"seen-p{n}") == one.id
        asked.put(None)
