"""Writers of one SQLite file: in the order in which they came; and waiting for locks without a nap of 100 ms."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from isthmus.connectors.sql.write_queue import WriteQueue, patiently


def eventually(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_first_come_first_served() -> None:
    queue, order = WriteQueue(), []
    assert queue.enter(0)

    def write(number: int) -> None:
        assert queue.enter(10)
        order.append(number)
        queue.leave()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=write, args=(number,)))
        threads[-1].start()
        eventually(lambda: len(queue._waiting) == len(threads))
    queue.leave()
    for thread in threads:
        thread.join(10)
    assert order == list(range(8))
    assert queue.enter(0)


def test_who_gave_up_waiting_is_passed_over() -> None:
    queue = WriteQueue()
    assert queue.enter(0)
    assert not queue.enter(0.01)
    queue.leave()
    assert queue.enter(0)
    queue.leave()


def test_room_is_made_for_others_only_while_there_are_any() -> None:
    queue = WriteQueue()
    assert not queue.make_room()
    queue.met_others()
    eventually(queue.make_room)
    assert not queue.make_room()  # it was made just now


def test_a_locked_database_is_asked_again_until_it_is_free(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "d", isolation_level=None, timeout=0)) as one,
        closing(sqlite3.connect(tmp_path / "d", isolation_level=None, timeout=0)) as other,
    ):
        one.execute("CREATE TABLE t (x)")
        one.execute("BEGIN IMMEDIATE")
        refused: list[int] = []

        def met() -> None:
            refused.append(1)
            if len(refused) == 5:
                one.execute("ROLLBACK")

        patiently(10, lambda: other.execute("INSERT INTO t VALUES (1)"), meeting=met)
        assert len(refused) == 5
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            patiently(0.01, lambda: one.execute("INSERT INTO t VALUES (1)"))
        began = len(refused)
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            patiently(10, lambda: other.execute("INSERT INTO u VALUES (1)"), meeting=met)
        assert len(refused) == began
