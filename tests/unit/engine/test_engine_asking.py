"""Questions of many threads at once are put together, answered apart, and hold nobody up who need not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from isthmus.engine import admission as admission_of
from isthmus.engine import asking as asking_of
from isthmus.engine.admission import Admission
from isthmus.engine.asking import Asking
from isthmus.engine.caller import Caller
from isthmus.engine.turns import Turns
from isthmus.scim.errors import ScimError
from isthmus.spi import InvalidValue, MisconfiguredConnector, TargetUnavailable

FOREVER = 20.0


def caller(seconds: float = FOREVER) -> Caller:
    return Caller(
        actor="t", address="", correlation="c", deadline=time.monotonic() + seconds, base_url="https://x/scim"
    )


def until(condition: Callable[[], bool]) -> None:
    ready, deadline = threading.Event(), time.monotonic() + FOREVER
    while not condition():
        assert time.monotonic() < deadline
        ready.wait(0.001)


class Oracle:
    """A target that answers when it is let: each value by itself in capitals."""

    def __init__(self, *, threads: int = 64) -> None:
        self.asked: list[list[str]] = []
        self.turns = Turns()
        self.admission = Admission(threads, self.turns)
        self.asking: Asking[str, str] = Asking("a", self.admission, self.turns, self.put)
        self.error: Callable[[Sequence[str]], BaseException | None] = lambda _: None
        self._may_answer = threading.Semaphore(0)
        self._mutex = threading.Lock()
        self._pool = ThreadPoolExecutor(threads)

    def put(self, values: Sequence[str], _caller: Caller) -> Sequence[str]:
        with self._mutex:
            self.asked.append(list(values))
        with self.turns.lent():
            assert self._may_answer.acquire(timeout=FOREVER)
        if (error := self.error(values)) is not None:
            raise error
        return [value.upper() for value in values]

    def answer(self, calls: int = 1) -> None:
        self._may_answer.release(calls)

    def begin(self, value: str, *, seconds: float = FOREVER) -> Future[str | None]:
        """Ask in a thread, as a request does: with a place."""

        def ask() -> str | None:
            with self.turns:
                return self.asking.ask(value, caller(seconds))

        return self._pool.submit(ask)

    def gathered(self, *values: str) -> list[Future[str | None]]:
        """Ask for the first value, and for the others while that is under way."""
        first = self.begin(values[0])
        until(lambda: bool(self.asked))
        others = [self.begin(value) for value in values[1:]]
        until(lambda: len(self.asking._waiting) == len(set(values[1:]) - {values[0]}))
        return [first, *others]

    def at_rest(self) -> None:
        """Check that nothing is left of all questions, and that the place can be had."""
        self._pool.shutdown()
        assert (self.asking._calls, self.asking._waiting, self.asking._known) == (0, [], {})
        assert self.admission.waiting() == {}
        assert self.turns._place.acquire(timeout=FOREVER)
        assert not self.turns._ready


@pytest.fixture
def oracle(monkeypatch: pytest.MonkeyPatch) -> Iterator[Oracle]:
    monkeypatch.setattr(asking_of, "LATE", FOREVER)
    made = Oracle()
    yield made
    made.answer(100)
    made.at_rest()


def test_what_comes_meanwhile_goes_together(oracle: Oracle) -> None:
    futures = oracle.gathered("a", "b", "c", "d")
    oracle.answer(2)
    assert [future.result(FOREVER) for future in futures] == ["A", "B", "C", "D"]
    assert [sorted(values) for values in oracle.asked] == [["a"], ["b", "c", "d"]]


def test_one_question_for_all_who_want_the_same(oracle: Oracle) -> None:
    futures = oracle.gathered("a", "b", "b", "a")
    oracle.answer(2)
    assert [future.result(FOREVER) for future in futures] == ["A", "B", "B", "A"]
    assert oracle.asked == [["a"], ["b"]]
    again = oracle.begin("a")
    oracle.answer()
    assert again.result(FOREVER) == "A", "an answer is not kept"
    assert len(oracle.asked) == 3


def test_no_more_than_fifty_together(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_of, "MOST", 3)
    futures = oracle.gathered("a", *"bcdefgh")
    oracle.answer(4)
    assert sorted(str(future.result(FOREVER)) for future in futures) == list("ABCDEFGH")
    assert [len(values) for values in oracle.asked] == [1, 3, 3, 1]


def test_an_outage_is_everybodys(oracle: Oracle) -> None:
    oracle.error = lambda _: TargetUnavailable("down")
    futures = oracle.gathered("a", "b", "c")
    oracle.answer(2)
    for future in futures:
        with pytest.raises(TargetUnavailable):
            future.result(FOREVER)


@pytest.mark.parametrize("error", [InvalidValue("no"), MisconfiguredConnector("a limit was met")])
def test_what_is_refused_together_is_to_be_asked_alone(oracle: Oracle, error: Exception) -> None:
    oracle.error = lambda values: error if "bad" in values else None
    futures = oracle.gathered("a", "b", "bad")
    oracle.answer(2)
    assert [future.result(FOREVER) for future in futures] == ["A", None, None]
    alone = oracle.begin("bad")
    oracle.answer()
    with pytest.raises(type(error)):
        alone.result(FOREVER)


def test_what_is_no_error_of_a_connector_is_told_to_all(oracle: Oracle) -> None:
    oracle.error = lambda _: ScimError(503, "busy")
    futures = oracle.gathered("a", "b", "c")
    oracle.answer(2)
    for future in futures:
        with pytest.raises(ScimError):
            future.result(FOREVER)


def test_who_waits_no_longer_is_not_asked_for(oracle: Oracle) -> None:
    first = oracle.begin("a")
    until(lambda: bool(oracle.asked))
    hurried, patient = oracle.begin("b", seconds=0.01), oracle.begin("c")
    with pytest.raises(TimeoutError):
        hurried.result(FOREVER)
    until(lambda: len(oracle.asking._waiting) == 1)
    oracle.answer(2)
    assert (first.result(FOREVER), patient.result(FOREVER)) == ("A", "C")
    assert oracle.asked == [["a"], ["c"]]


def test_a_slow_answer_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_of, "LATE", 0.0)
    oracle = Oracle()
    slow = oracle.begin("slow")
    until(lambda: len(oracle.asked) == 1)
    other = oracle.begin("other")
    until(lambda: len(oracle.asked) == 2)
    assert not slow.done()
    assert not other.done()
    oracle.answer(2)
    assert (slow.result(FOREVER), other.result(FOREVER)) == ("SLOW", "OTHER")
    oracle.at_rest()


def test_a_quarter_of_the_threads_wait_and_the_rest_is_refused_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_of, "PATIENCE", 0.1)
    oracle = Oracle(threads=16)
    futures = [oracle.begin(f"n{number}") for number in range(16)]
    until(lambda: sum(future.done() for future in futures) == 12)
    assert oracle.admission.waiting() == {"a": 4}
    for future in futures:
        if future.done():
            with pytest.raises(ScimError) as refused:
                future.result()
            assert refused.value.status == 503
    oracle.answer(16)
    assert sum(future.exception(FOREVER) is None for future in futures) == 4
    oracle.at_rest()


def test_who_queues_for_a_place_is_served_by_those_who_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_of, "LATE", FOREVER)
    monkeypatch.setattr(admission_of, "PATIENCE", FOREVER)
    oracle = Oracle(threads=8)  # two ask, two more are let in
    futures = oracle.gathered("a", "b", "c", "d")
    assert oracle.admission.waiting() == {"a": 2}
    oracle.answer(2)
    assert [future.result(FOREVER) for future in futures] == ["A", "B", "C", "D"]
    assert [sorted(values) for values in oracle.asked] == [["a"], ["b", "c", "d"]]
    oracle.at_rest()


def test_a_place_that_is_given_back_makes_a_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """All places are taken by other calls of the target; who waits asks as soon as one of them ends."""
    monkeypatch.setattr(admission_of, "PATIENCE", FOREVER)
    oracle = Oracle(threads=4)
    entered, leave = threading.Event(), threading.Event()

    def write() -> None:
        with oracle.admission.target("a"):
            entered.set()
            assert leave.wait(FOREVER)

    writer = threading.Thread(target=write)
    writer.start()
    assert entered.wait(FOREVER)
    future = oracle.begin("b")
    until(lambda: bool(oracle.asking._waiting))
    assert oracle.asked == []
    leave.set()
    oracle.answer()
    assert future.result(FOREVER) == "B"
    writer.join(FOREVER)
    oracle.at_rest()


def test_many_threads_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody gets the own answer, whoever asks, leads, is late or gives up; and the place is free afterwards."""
    monkeypatch.setattr(asking_of, "LATE", 0.0005)
    oracle = Oracle(threads=64)
    oracle.answer(1_000_000)
    oracle.error = lambda values: InvalidValue("no") if "n13" in values else None
    asked_alone = gave_up = 0

    def work(thread: int) -> tuple[int, int]:
        alone = late = 0
        for number in range(60):
            value = f"n{(thread * 7 + number) % 40}"
            with oracle.turns:
                try:
                    found = oracle.asking.ask(value, caller(0.0 if number % 17 == 0 else FOREVER))
                except TimeoutError:
                    late += 1
                    continue
                except InvalidValue:
                    assert value == "n13"
                    continue
            alone += found is None
            assert found in (None, value.upper())
        return alone, late

    with ThreadPoolExecutor(16) as pool:
        for alone, late in pool.map(work, range(16)):
            asked_alone += alone
            gave_up += late
    assert sum(map(len, oracle.asked)) <= 16 * 60
    oracle.at_rest()
