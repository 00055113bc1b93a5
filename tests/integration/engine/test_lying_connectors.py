"""What a connector that does not keep its promises does to the host: nothing that lasts, nothing to anybody else."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

import variants
from harness import at_once, meanwhile, until
from isthmus.engine import operations, scheduling
from isthmus.spi import (
    Anchor,
    ConnectorObject,
    Identity,
    InvalidValue,
    TargetRejected,
    TargetUnavailable,
    Throttled,
)
from isthmus.web.importer import Overdue
from memory_host import MemoryHost, Serve

Spoil = Callable[[ConnectorObject], Any]


@pytest.fixture
def liar(serve: Serve) -> Iterator[MemoryHost]:
    served = serve(type="lying", threads=16, timeout=2)
    served.put("ann", displayName=("Ann",))
    served.put("bob", displayName=("Bob",))
    served.bench.imported("app")
    yield served
    variants.lies.pop(served.name, None)


def lie(app: MemoryHost, **methods: Callable[..., Any]) -> None:
    variants.lies[app.name] = methods


def ids(app: MemoryHost) -> dict[str, str]:
    return {user["userName"]: user["id"] for user in app.client.get("/Users").resources}


def attributes(**more: Any) -> Spoil:
    return lambda obj: replace(obj, attributes={**obj.attributes, **more})


def anchored(*values: Any) -> Spoil:
    return lambda obj: replace(obj, identity=Identity(Anchor(values)))


GARBAGE: dict[str, Spoil] = {
    "none": lambda obj: None,
    "another class": lambda obj: "garbage",
    "another type": lambda obj: replace(obj, object_type="group"),
    "anchor that is no text": anchored(5),
    "anchor of too many parts": anchored("ann", "x"),
    "value that is none": attributes(displayName=(object(),)),
    "dn that is no text": lambda obj: replace(obj, identity=Identity(obj.identity.anchor, 7)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", list(GARBAGE))
def test_garbage_is_a_bug_of_the_connector(what: str, liar: MemoryHost) -> None:
    """Whoever wrote is in the audit, the write is found by reading, and nobody is told of a fault of the host."""
    spoil, client, known = GARBAGE[what], liar.client, ids(liar)
    lie(liar, update=lambda honest, *given, **named: spoil(honest(*given, **named)))
    detail = client.patch(known["ann"], {"op": "replace", "path": "displayName", "value": "Anna"}).refused(503)
    assert "bug in connector 'app': patch" in detail
    lie(liar, create=lambda honest, *given, **named: spoil(honest(*given, **named)))
    assert "bug in connector 'app': create" in client.post({"userName": "carl"}).refused(503)
    assert [(one.operation, one.outcome, one.actor) for one in liar.bench.audit(outcome="unknown")] == [
        ("patch", "unknown", "provider"),
        ("create", "unknown", "provider"),
    ]
    liar.put("dora")
    lie(liar, find=lambda honest, *given, **named: [spoil(obj) for obj in honest(*given, **named)])
    assert "bug in connector 'app': find" in client.get("/Users?filter=userName%20eq%20%22dora%22").refused(503)
    lie(liar)
    assert until(lambda: liar.host.repair() == 0)
    assert client.user(known["ann"])["displayName"] == "Anna"
    assert [user["userName"] for user in client.named("carl")] == ["carl"]
    assert [user["userName"] for user in client.named("dora")] == ["dora"]


def test_an_update_that_returns_somebody_else_changes_nobody(liar: MemoryHost) -> None:
    """Recorded as a rename, Ann's id would mean Zoe, whom the next DELETE of Ann would remove."""
    liar.put("zoe")  # not known yet
    known = ids(liar)
    lie(liar, update=lambda honest, *given, **named: anchored("zoe")(honest(*given, **named)))
    detail = liar.client.patch(known["ann"], {"op": "replace", "path": "displayName", "value": "A"}).refused(503)
    assert "another object" in detail
    lie(liar)
    assert until(lambda: liar.host.repair() == 0)
    assert liar.client.user(known["ann"])["userName"] == "ann"
    assert liar.client.delete(known["ann"]).status == 204
    assert liar.logins() == ["bob", "zoe"]


def test_a_create_that_returns_somebody_else_does_not_give_their_id_away(liar: MemoryHost) -> None:
    known = ids(liar)
    lie(liar, create=lambda honest, *given, **named: anchored("bob")(honest(*given, **named)))
    assert liar.client.created("carl") != known["bob"]


@pytest.mark.parametrize("answers", [None, [], [[]], iter(()), [[]] * 9], ids=["none", "no", "one", "empty", "nine"])
def test_answers_that_are_missing_keep_nobody_waiting(answers: Any, liar: MemoryHost) -> None:
    """`find_many` must answer for each value; whoever got no answer stood there until the end of their time."""

    def slow(honest: Callable[..., Any], *given: Any, **named: Any) -> Any:
        time.sleep(0.1)  # the questions of the others gather meanwhile
        return honest(*given, **named)

    lie(liar, find=slow, find_many=lambda honest, *given, **named: answers)
    paths = [f"/Users?filter=userName%20eq%20%22nobody{number}%22" for number in range(4)]
    for _ in range(2):
        got = at_once(*[lambda path=path: liar.client.get(path) for path in paths], timeout=20)
        assert [answer.total for answer in got] == [0, 0, 0, 0]


ERRORS: dict[str, tuple[Callable[[], BaseException], int]] = {
    "an exception as message": (lambda: TargetUnavailable(OSError("no route")), 503),  # type: ignore[arg-type]
    "half a surrogate pair": (lambda: InvalidValue("half \ud800 of it"), 400),
    "back at no time": (lambda: Throttled("slow", retry_after=math.inf), 429),
    "back at what is no number": (lambda: Throttled("slow", retry_after=None), 429),  # type: ignore[arg-type]
    "without the root's constructor": (lambda: _Own(7), 400),
    "sys.exit": (lambda: SystemExit(3), 503),
    "a cancelled task": (asyncio.CancelledError, 503),
}


class _Own(TargetRejected):
    def __init__(self, code: int) -> None:
        self.code = code


@pytest.mark.parametrize("what", list(ERRORS))
def test_errors_that_are_not_well_made_are_answered_and_audited(what: str, liar: MemoryHost) -> None:
    make, status = ERRORS[what]

    def fail(honest: Callable[..., Any], *given: Any, **named: Any) -> Any:
        raise make()

    lie(liar, find=fail, create=fail)
    asked, created = liar.client.get("/Users?filter=userName%20eq%20%22carl%22"), liar.client.post({"userName": "carl"})
    assert asked.status == (200 if status == 400 else status), asked  # nobody has what the target cannot hold
    assert created.status == status, created
    assert int(created.headers.get("Retry-After", "1")) >= 1
    assert [(one.operation, one.status) for one in liar.bench.audit()] == [("create", status)]
    lie(liar)
    assert until(lambda: liar.host.repair() == 0)
    assert liar.client.post({"userName": "carl"}).status == 201


def test_a_connector_that_ends_its_thread_does_not_end_the_repair(liar: MemoryHost) -> None:
    def leave(honest: Callable[..., Any], *given: Any, **named: Any) -> Any:
        raise SystemExit(3)

    lie(liar, create=leave, find=leave)
    liar.client.post({"userName": "carl"}).refused(503)
    assert liar.host.repair() == 1
    lie(liar)
    assert liar.host.repair() == 0


def test_a_connector_that_cannot_close_lets_the_others_close(serve: Serve) -> None:
    served = serve(type="lying")
    served.put("ann")
    served.bench.imported("app")

    def fail(honest: Callable[..., Any]) -> None:
        raise ValueError

    lie(served, close=fail)
    served.bench.reopen()
    assert [user["userName"] for user in served.bench.client("app").named("ann")] == ["ann"]


def test_an_import_that_never_ends_is_cancelled_and_ends_in_time(liar: MemoryHost) -> None:
    def endless(honest: Callable[..., Any], *given: Any, **named: Any) -> Iterator[Any]:
        (page,) = honest(*given, **named)
        while True:  # such as a "next page" that is the same again
            yield page

    lie(liar, import_full=endless)
    host, runs = liar.host, liar.host.store.runs
    with meanwhile(lambda: liar.bench.run_import("app")) as result:
        running = until(lambda: [run for run in runs.list(connector="app") if run.state == "running"])
        operations.run_cancel(host, running[0].id)
    assert (result[0].state, liar.listed()) == ("cancelled", ["ann", "bob"])
    liar.reconfigure(extra="import_timeout = 1")
    run = liar.bench.run_import("app")
    assert (run.state, liar.listed()) == ("failed", ["ann", "bob"])


@pytest.mark.parametrize("cancels", [True, False])
def test_an_import_that_stands_still_ends_with_its_process(cancels: bool, liar: MemoryHost) -> None:
    going_on, ended = threading.Event(), threading.Event()

    def hang(honest: Callable[..., Any], *given: Any, **named: Any) -> Iterator[Any]:
        going_on.wait(30)
        yield from honest(*given, **named)

    lie(liar, import_full=hang)
    if not cancels:
        liar.reconfigure(extra="import_timeout = 1")
    host = liar.host
    scheduling.request_import(host, "app", requested_by="test")
    run = host.store.runs.claim(host.store.owner)
    assert run is not None
    with meanwhile(lambda: scheduling.execute(host, run)):
        overdue = Overdue(host, run, grace=0.1, every=0.01, end=lambda code: ended.set())
        overdue.start()
        if cancels:
            operations.run_cancel(host, run.id)
        assert ended.wait(20)
        found = host.store.runs.get(run.id)
        assert found is not None
        assert (found.state, "in time" in found.message) == ("cancelled" if cancels else "failed", True)
        going_on.set()
    overdue.join(20)
    assert liar.listed() == ["ann", "bob"]
