"""Threads rest after an answer while others wait for their turn, and are called back when they are needed."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from harness import until
from isthmus.engine import turns as module
from isthmus.engine.turns import Turns

LONG = 120.0


@contextmanager
def running(*work: Callable[[], object]) -> Iterator[None]:
    """Run each in a thread, and wait for their end."""
    threads = [threading.Thread(target=each, daemon=True) for each in work]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def turns() -> Turns:
    return Turns()


@contextmanager
def queue(turns: Turns, length: int = 2) -> Iterator[None]:
    """Have the place while so many wait for it."""

    def wait() -> None:
        with turns:
            pass

    with turns:
        threads = [threading.Thread(target=wait, daemon=True) for _ in range(length)]
        for thread in threads:
            thread.start()
        until(lambda: len(turns._queued) == length)
        yield
        with turns.lent():
            for thread in threads:
                thread.join(20)


def stays_awake(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell whether a thread that has answered goes on at once."""
    monkeypatch.setattr(module, "_LONGEST_REST", LONG)
    began = time.monotonic()
    turns.rest()
    return time.monotonic() - began < LONG / 2


def test_nobody_rests_while_nobody_waits(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stays_awake(turns, monkeypatch)
    with turns:
        assert stays_awake(turns, monkeypatch)


def test_a_thread_rests_while_enough_wait_but_not_for_long(turns: Turns) -> None:
    with queue(turns):
        began = time.monotonic()
        turns.rest()
        assert time.monotonic() - began >= module._LONGEST_REST * 0.9
        assert not turns._resting


def test_one_that_waits_is_not_enough(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    with queue(turns, 1):
        assert stays_awake(turns, monkeypatch)


def test_nobody_rests_where_places_are_being_lent(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET_SECONDS", LONG)
    with turns, turns.lent():
        pass
    with queue(turns):
        assert stays_awake(turns, monkeypatch)


@contextmanager
def resting(turns: Turns, number: int) -> Iterator[None]:
    """Have so many threads rest; the queue is gone when they do."""
    turns._queued.extend((None, None))
    with running(*[turns.rest] * number):
        until(lambda: len(turns._resting) == number)
        turns._queued.clear()
        yield


def test_who_lends_its_place_calls_one_back(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_REST", LONG)
    with resting(turns, 2), turns:
        with turns.lent():
            until(lambda: len(turns._resting) == 1)
        with turns.lent():
            until(lambda: not turns._resting)


def test_who_pauses_calls_one_back(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_REST", LONG)
    with resting(turns, 1), turns:
        turns.pause().wait(0.01)


def test_nobody_is_called_back_while_enough_wait(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_REST", LONG)
    with resting(turns, 1), turns:
        turns._queued.extend((None, None))
        with turns.lent():
            assert len(turns._resting) == 1
        turns._queued.clear()
        with turns.lent():
            pass


def test_a_call_in_the_moment_in_which_a_rest_ends_is_not_kept_for_the_next_sleep(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A baton that stayed released would end the thread's next sleep before its time."""

    class CalledMeanwhile(deque[threading.Lock]):
        def remove(self, value: threading.Lock, /) -> None:
            self.pop().release()
            super().remove(value)

    monkeypatch.setattr(turns, "_resting", CalledMeanwhile())
    with queue(turns):
        turns.rest()
    assert not turns._local.baton.acquire(blocking=False)
