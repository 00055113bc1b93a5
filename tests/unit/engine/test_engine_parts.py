"""The small parts of the engine, each by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from isthmus.config.documents import GuardSettings
from isthmus.engine import admission as admission_of
from isthmus.engine import answers, faults
from isthmus.engine.admission import Admission
from isthmus.engine.answers import ANSWERS, Held, answer_for, connector_edge
from isthmus.engine.drift import drift
from isthmus.engine.guard import import_limit, provider_limit
from isthmus.engine.sessions import Sessions
from isthmus.engine.single_flight import SingleFlight
from isthmus.engine.target import encode_schema, now_text, shape_of
from isthmus.engine.tokens import token_problem
from isthmus.engine.turns import Pause, Turns
from isthmus.mapping.definition import ResourceTypeDefinition
from isthmus.scim.errors import ScimError
from isthmus.spi import (
    AttributeDefinition,
    AttributeType,
    ConnectorError,
    ObjectType,
    Operation,
    Schema,
    Secret,
    TargetUnavailable,
    Throttled,
    errors,
)
from isthmus.store import StoreError

# -- answers


def every_connector_error() -> Iterator[type[ConnectorError]]:
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, ConnectorError):
            yield found


def test_every_error_of_the_spi_has_a_row_of_its_own() -> None:
    assert {kind for kind, _ in ANSWERS} == set(every_connector_error())


def test_special_classes_come_before_general_ones() -> None:
    kinds = [kind for kind, _ in ANSWERS]
    for index, kind in enumerate(kinds):
        assert not any(issubclass(later, kind) for later in kinds[index + 1 :]), kind


@pytest.mark.parametrize(
    ("error", "status", "scim_type"),
    [
        (errors.TargetUnavailable("x"), 503, None),
        (errors.Throttled("x", retry_after=7), 429, None),
        (errors.MisconfiguredConnector("x"), 503, None),
        (errors.TargetRejected("x"), 400, "invalidValue"),
        (errors.NotFound("x"), 404, None),
        (errors.AlreadyExists("x"), 409, "uniqueness"),
        (errors.InvalidValue("x"), 400, "invalidValue"),
        (errors.NotPermitted("x"), 403, None),
        (errors.Cancelled("x"), 503, None),
        (errors.Unsupported("x"), 501, None),
        (errors.ConnectorError("x"), 503, None),
    ],
)
def test_what_a_client_is_told(error: ConnectorError, status: int, scim_type: str | None) -> None:
    answer = answer_for(error)
    assert (answer.status, answer.scim_type) == (status, scim_type)
    assert ("Retry-After" in answer.headers) == (status in {429, 503})


def test_retry_after_is_a_whole_number_of_at_least_one() -> None:
    assert answer_for(Throttled("x", retry_after=0.2)).headers["Retry-After"] == "1"
    assert answers.unavailable("x", 12.4).headers["Retry-After"] == "12"


def test_what_escapes_a_connector_is_its_bug_without_the_text() -> None:
    with pytest.raises(ConnectorError) as caught, connector_edge("hr", "find"):
        raise KeyError("a value")
    assert caught.value.outcome_unknown
    assert "bug in connector 'hr'" in caught.value.message
    assert "a value" not in caught.value.message


@pytest.mark.parametrize("error", [TargetUnavailable("x"), ScimError(503, "x"), StoreError("x"), Held("x")])
def test_what_the_host_itself_raises_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, connector_edge("hr", "find"):
        raise error
    assert caught.value is error


# -- admission


class _Guest:
    """A thread that has a place until it is told to leave."""

    def __init__(self, admission: Admission, connector: str) -> None:
        self._leave = threading.Event()
        self._entered: Future[None] = Future()
        self._thread = threading.Thread(target=self._stay, args=(admission, connector))
        self._thread.start()

    def _stay(self, admission: Admission, connector: str) -> None:
        try:
            with admission.target(connector):
                self._entered.set_result(None)
                assert self._leave.wait(20)
        except ScimError as refused:
            self._entered.set_exception(refused)

    def entered(self) -> _Guest:
        self._entered.result(20)
        return self

    def leave(self) -> None:
        self._leave.set()
        self._thread.join(20)


def test_a_quarter_for_one_and_half_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_of, "PATIENCE", 0.02)
    admission = Admission(16)
    guests = [_Guest(admission, "a").entered() for _ in range(4)]
    with pytest.raises(ScimError) as refused:
        _Guest(admission, "a").entered()
    assert refused.value.status == 503
    guests += [_Guest(admission, "b").entered() for _ in range(4)]
    with pytest.raises(ScimError):
        _Guest(admission, "c").entered()
    assert admission.waiting() == {"a": 4, "b": 4}
    guests.pop().leave()
    guests.append(_Guest(admission, "c").entered())
    for guest in guests:
        guest.leave()
    assert admission.waiting() == {}


def test_a_thread_is_counted_once_however_often_it_asks() -> None:
    admission = Admission(4)
    admission.enter("a")
    admission.enter("a")
    assert admission.waiting() == {}, "who is in does not ask yet"
    with admission.target("a"), admission.target("a"):
        assert admission.waiting() == {"a": 1}
    assert admission.waiting() == {}
    admission.leave("a")
    admission.leave("a")
    assert admission.waiting() == {}


def test_who_is_let_in_is_not_refused_while_the_target_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_of, "PATIENCE", 20.0)
    admission = Admission(4)
    first = _Guest(admission, "a").entered()
    admission.enter("a")  # one may ask, and one more is in
    with pytest.raises(ScimError):
        _Guest(admission, "a").entered()
    first.leave()
    with admission.target("a"):
        assert admission.waiting() == {"a": 1}
    admission.leave("a")
    _Guest(admission, "a").entered().leave()


def test_nobody_is_let_in_behind_a_call_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_of, "PATIENCE", 0.0)
    admission = Admission(4)
    first = _Guest(admission, "a").entered()
    with pytest.raises(ScimError):
        admission.enter("a")
    admission.enter("b")
    admission.leave("b")
    first.leave()
    admission.enter("a")


def test_who_waits_for_a_place_gets_it_when_one_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_of, "PATIENCE", 20.0)
    admission = Admission(4)
    first = _Guest(admission, "a").entered()
    second = _Guest(admission, "a")
    with pytest.raises(ScimError):  # one place, and one may wait for it
        _Guest(admission, "a").entered()
    other = _Guest(admission, "b").entered()  # who waits is in nobody's way
    first.leave()
    second.entered().leave()
    other.leave()
    assert admission.waiting() == {}


def test_waiting_for_an_object_takes_no_place_at_the_target() -> None:
    admission = Admission(4)
    with admission.lock("a"):
        with pytest.raises(ScimError):
            _locked_out(admission)
        with admission.target("a"):
            assert admission.waiting() == {"a": 1}
    with admission.lock("a"):
        pass


def _locked_out(admission: Admission) -> None:
    with admission.lock("a"):
        pytest.fail("a quarter of four is one")


# -- turns


def test_one_thread_at_a_time_has_the_place() -> None:
    turns = Turns()
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            with turns:
                inside.append(number)
                with turns.lent():
                    inside.remove(number)
                inside.append(number)
                most.append(len(inside))
                pause = turns.pause()
                pool.submit(pause.end)
                inside.remove(number)
                assert pause.wait(20)
                assert inside == []

    with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(8) as workers:
        for done in [workers.submit(work, number) for number in range(8)]:
            done.result(60)
    assert set(most) == {1}
    with turns:
        assert not turns._ready


def test_who_pauses_lends_the_place_and_has_it_again_when_woken() -> None:
    turns = Turns()
    ran: list[str] = []
    with turns:
        pause = turns.pause()

        def other() -> None:
            with turns:
                ran.append("other")
                pause.end()
                ran.append("still")

        thread = threading.Thread(target=other)
        thread.start()
        assert pause.wait(20)
        ran.append("first")
        thread.join(20)
    assert ran == ["other", "still", "first"]


def test_a_pause_that_ended_before_it_began_keeps_the_place() -> None:
    turns = Turns()
    with turns:
        pause = turns.pause()
        pause.end()
        assert pause.wait(0)
    with turns:
        pass


def test_a_pause_ends_with_its_time() -> None:
    turns = Turns()
    with turns:
        pause = turns.pause()
        assert not pause.wait(0.01)
        pause.end()
        assert pause.wait(1)
    pause = turns.pause()  # without a place
    assert not pause.wait(0.01)
    pause.end()
    assert pause.wait(1)


def test_who_waits_for_a_body_first_takes_no_place_before() -> None:
    turns = Turns()
    with turns, ThreadPoolExecutor(1) as pool:

        def request() -> str:
            with turns.later():
                before.set()
                with turns.lent():
                    pass
                turns.arrive()
                turns.arrive()
                return "arrived"

        before = threading.Event()
        done = pool.submit(request)
        assert before.wait(20), "it began without a place"
        assert not done.done()
        with turns.lent():
            assert done.result(20) == "arrived"
    with turns.later():
        pass  # refused before there was a body
    with turns:
        pass


def until(condition: Callable[[], bool]) -> None:
    ready, deadline = threading.Event(), time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        ready.wait(0.001)


class _NoticingLock:
    """A lock that tells when somebody begins to wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waited_for = threading.Event()

    def acquire(self, blocking: bool = True) -> bool:
        if blocking and not self._lock.acquire(blocking=False):
            self.waited_for.set()
            return self._lock.acquire()
        return blocking or self._lock.acquire(blocking=False)

    def release(self) -> None:
        self._lock.release()


def test_a_pause_that_is_ended_after_its_time_does_not_lose_the_place() -> None:
    """Its thread queues for the place already: handed to the one who sleeps, the place would be nobody's."""
    turns = Turns()
    place = turns._place = _NoticingLock()  # type: ignore[assignment]
    pauses: Future[Pause] = Future()
    taken = threading.Event()

    def hurried() -> tuple[bool, bool]:
        with turns:
            pause = turns.pause()
            pauses.set_result(pause)
            assert not taken.is_set()
            in_time = pause.wait(0.05)
            return in_time, pause.wait(20)

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(hurried)
        pause = pauses.result(20)
        with turns:  # as soon as the other one sleeps
            taken.set()
            place.waited_for.clear()
            assert place.waited_for.wait(20), "its time is up, and it wants the place"
            pause.end()
        assert answer.result(20) == (False, True)
    with turns:
        assert not turns._ready


# -- single flight


def test_one_asks_and_all_get_the_answer() -> None:
    flight: SingleFlight[int] = SingleFlight()
    asked: list[int] = []
    leader_is_in, go = threading.Event(), threading.Event()

    def ask() -> int:
        asked.append(1)
        leader_is_in.set()
        assert go.wait(10)
        return 7

    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(flight.run("key", ask, 10))) for _ in range(4)]
    threads[0].start()
    assert leader_is_in.wait(10)
    for thread in threads[1:]:
        thread.start()
    with pytest.raises(TimeoutError):
        flight.run("key", lambda: 8, 0.01)
    go.set()
    for thread in threads:
        thread.join(10)
    assert results == [7] * 4
    assert asked == [1]
    assert flight.run("key", lambda: 9, 1) == 9, "an answer is not kept"


def test_a_failure_is_shared_and_not_kept() -> None:
    flight: SingleFlight[int] = SingleFlight()

    def fail() -> int:
        raise TargetUnavailable("down")

    with pytest.raises(TargetUnavailable):
        flight.run("key", fail, 1)
    assert flight.run("key", lambda: 1, 1) == 1


# -- drift

ANCHORED = ObjectType(
    name="user",
    anchor=("login",),
    operations=frozenset(Operation),
    attributes=(AttributeDefinition(name="login"), AttributeDefinition(name="mail"), AttributeDefinition(name="x")),
)
SELECTED = ResourceTypeDefinition(object_type="user", attributes=("login", "mail"))


def changed(**facts: object) -> Schema:
    made = {"name": "user", "anchor": ("login",), "operations": ANCHORED.operations, "attributes": ANCHORED.attributes}
    return Schema({"user": ObjectType(**{**made, **facts})})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (changed(), None),
        (changed(attributes=ANCHORED.attributes[:2]), None),
        (changed(attributes=(*ANCHORED.attributes, AttributeDefinition(name="new"))), None),
        (changed(attributes=ANCHORED.attributes[:1]), "'mail'"),
        (changed(anchor=("mail",)), "anchor"),
        (
            changed(attributes=(ANCHORED.attributes[0], AttributeDefinition(name="mail", type=AttributeType.INTEGER))),
            "type",
        ),
        (changed(attributes=(ANCHORED.attributes[0], AttributeDefinition(name="mail", multivalued=True))), "'mail'"),
        (Schema({}), "no longer"),
    ],
)
def test_drift(now: Schema, word: str | None) -> None:
    problems = drift(Schema({"user": ANCHORED}), now, [SELECTED])
    assert bool(problems) == (word is not None)
    assert word is None or word in problems[0]


def test_a_first_discovery_is_no_drift() -> None:
    assert drift(None, changed(), [SELECTED]) == []


def test_shapes_follow_definition_and_type() -> None:
    shape = shape_of(SELECTED, ANCHORED)
    assert shape == shape_of(SELECTED, ANCHORED)
    assert shape != shape_of(ResourceTypeDefinition(object_type="user", attributes=("login",)), ANCHORED)
    assert shape != shape_of(SELECTED, changed(anchor=("mail",)).object_types["user"])
    assert 0 < shape < 2**63


def test_equal_schemas_have_equal_texts() -> None:
    one = changed(operations=frozenset([Operation.CREATE, Operation.UPDATE, Operation.DELETE]))
    other = changed(operations=frozenset([Operation.DELETE, Operation.CREATE, Operation.UPDATE]))
    assert encode_schema(one) == encode_schema(other)


# -- guard


@pytest.mark.parametrize(("present", "limit"), [(0, 10), (50, 10), (54, 10), (55, 11), (1000, 200)])
def test_the_limit_of_an_import(present: int, limit: int) -> None:
    assert import_limit(GuardSettings(), present) == limit


@pytest.mark.parametrize(("present", "limit"), [(0, 20), (400, 20), (420, 21), (10_000, 500)])
def test_the_limit_of_a_provider(present: int, limit: int) -> None:
    assert provider_limit(GuardSettings(), present) == limit


# -- the rest


def test_sessions_are_of_one_thread_and_never_used_again() -> None:
    sessions = Sessions("owner")
    mine = sessions.current()
    assert sessions.current() == mine
    theirs: list[str] = []
    thread = threading.Thread(target=lambda: theirs.append(sessions.current()))
    thread.start()
    thread.join(10)
    assert sessions.renew() not in {mine, *theirs}
    assert len({mine, sessions.current(), *theirs}) == 3


@pytest.mark.parametrize(
    ("text", "good"), [("x" * 12, True), ("x" * 11, False), ("with a blank in", False), ("ü" * 20, False)]
)
def test_chosen_tokens(text: str, good: bool) -> None:
    assert (token_problem(Secret(text)) is None) == good


def test_moments_are_utc_to_the_millisecond() -> None:
    assert now_text(0.0) == "1970-01-01T00:00:00.000Z"
    assert now_text(1_700_000_000.9996) == "2023-11-14T22:13:20.999Z"


def test_without_the_variable_the_named_points_do_nothing() -> None:
    for point in faults.POINTS:
        faults.reached(point)
