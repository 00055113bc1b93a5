"""What is written while the next part is prepared: in order, and with its errors."""

from __future__ import annotations

import threading

import pytest

from isthmus.engine.turns import Turns
from isthmus.engine.writing_behind import WritingBehind


def test_parts_are_written_in_order() -> None:
    written: list[int] = []
    with WritingBehind(written.append, Turns()) as behind:
        for n in range(50):
            behind.give(lambda n=n: n)  # type: ignore[misc]
    assert written == list(range(50))


def test_the_next_part_is_prepared_while_one_lends_its_place() -> None:
    turns = Turns()
    prepared = threading.Event()
    met: list[bool] = []

    def write(part: int) -> None:
        turns.give()  # as for a commit
        met.append(part == 2 or prepared.wait(10))
        turns.take_back()

    def second() -> int:
        prepared.set()
        return 2

    with WritingBehind(write, turns) as behind:
        behind.give(lambda: 1)
        behind.give(second)
    assert met == [True, True]


def test_nothing_is_prepared_while_a_part_is_written() -> None:
    turns = Turns()
    writing = threading.Event()
    overlaps: list[bool] = []

    def write(_part: int) -> None:
        writing.set()
        overlaps.append(False)
        writing.clear()

    def prepare() -> int:
        overlaps.append(writing.is_set())
        return 1

    with WritingBehind(write, turns) as behind:
        for _ in range(200):
            behind.give(prepare)
    assert not any(overlaps)


def test_at_most_one_part_waits() -> None:
    turns = Turns()
    prepared: list[int] = []
    behind_by: list[int] = []

    def write(part: int) -> None:
        behind_by.append(len(prepared) - part)

    def prepare(n: int) -> int:
        prepared.append(n)
        return n

    with WritingBehind(write, turns) as behind:
        for n in range(1, 100):
            behind.give(lambda n=n: prepare(n))  # type: ignore[misc]
    assert max(behind_by) <= 1


@pytest.mark.parametrize("last", [True, False])
def test_an_error_of_a_write_is_raised_and_nothing_is_written_after_it(last: bool) -> None:
    tried: list[int] = []

    def write(part: int) -> None:
        tried.append(part)
        if part == 3:
            raise OSError("full")

    def run() -> None:
        with WritingBehind(write, Turns()) as behind:
            for n in range(4 if last else 100):
                behind.give(lambda n=n: n)  # type: ignore[misc]

    with pytest.raises(OSError, match="full"):
        run()
    assert tried == [0, 1, 2, 3]


def test_an_error_of_the_reader_is_the_one_that_is_raised_and_the_thread_ends() -> None:
    before = threading.active_count()

    def run() -> None:
        with WritingBehind(lambda _part: None, Turns()) as behind:
            behind.give(lambda: 1)
            raise KeyError("lost")

    with pytest.raises(KeyError, match="lost"):
        run()
    assert threading.active_count() == before


def test_an_error_while_preparing_leaves_no_place_taken() -> None:
    turns = Turns()

    def prepare() -> int:
        raise ValueError("bad row")

    with pytest.raises(ValueError, match="bad row"), WritingBehind(lambda _part: None, turns) as behind:
        behind.give(prepare)
    with turns:
        pass
