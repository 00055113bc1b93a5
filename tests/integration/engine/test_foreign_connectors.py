"""A connector that fails before it is of any use: the file of another one comes into force all the same."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

import variants
from harness import bench, memory_document, memory_target, until
from isthmus.engine import fitting
from isthmus.engine.watching import Watches
from isthmus.spi import AttributeDefinition, Call, ObjectType, Schema
from memory_host import MemoryHost, Serve

SCHEMAS: dict[str, Any] = {
    "none": None,
    "types by a list": Schema([]),  # type: ignore[arg-type]
    "a type of another name": Schema({"user": ObjectType(name="person", anchor=("a",), attributes=())}),
    "no anchor": Schema({"user": ObjectType(name="user", anchor=(), attributes=())}),
    "an anchor that is no attribute": Schema({"user": ObjectType(name="user", anchor=("a",), attributes=())}),
    "an attribute of no type": Schema(
        {"user": ObjectType(name="user", anchor=("a",), attributes=(AttributeDefinition(name="a", type=object()),))}  # type: ignore[arg-type]
    ),
}


@pytest.fixture
def liar(serve: Serve) -> MemoryHost:
    return serve(type="lying")


def test_an_open_that_raises_what_it_likes_is_told_of_its_own_file(serve: Serve) -> None:
    """The check ended with a traceback, and no file of any connector could be taken over any more."""
    served = serve(type="cannot-open")
    [problem] = fitting.misfits(served.host, "app", ask="always")
    assert "bug in connector 'app': open raised ZeroDivisionError" in str(problem)
    assert "app.toml" in str(problem)


def test_a_package_that_cannot_be_loaded_keeps_nobody_else_from_being_watched(tmp_path: Path) -> None:
    with memory_target() as (name, _):
        documents = {
            "first": memory_document(name, type="cannot-load"),
            "second": memory_document(name, type="watched", extra='watch = "on"'),
        }
        with bench(tmp_path / "host", documents) as opened:
            watches = Watches(opened.host, work=lambda: None)
            watches.start()
            until(lambda: [key for key, _ in watches._running] == ["second"])
            watches.stop()
            assert "cannot be loaded" in opened.client("first").get("/Users").refused(503)


@pytest.mark.parametrize("text", [b"bytes", "half \ud800 of it", {"an": object()}])
def test_what_a_connector_says_it_sent_need_not_be_text(text: Any, liar: MemoryHost) -> None:
    def create(honest: Any, *given: Any, call: Call, **named: Any) -> Any:
        call.sent(text)
        return honest(*given, call=call, **named)

    variants.lies[liar.name]["create"] = create
    liar.client.created("carl")
    assert [len(one.sent) for one in liar.bench.audit(operation="create")] == [2]


def test_a_schema_that_never_comes_is_not_waited_for(liar: MemoryHost, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()
    variants.lies[liar.name]["read_schema"] = lambda *_given, **_named: going_on.wait(30) and None
    monkeypatch.setattr(fitting, "LONGEST_SECONDS", 0.05)
    began = time.monotonic()
    assert fitting.misfits(liar.host, "app", ask="always") == []
    assert time.monotonic() - began < 20
    going_on.set()


@pytest.mark.parametrize("what", list(SCHEMAS))
def test_what_is_no_schema_is_a_bug_of_the_connector(what: str, liar: MemoryHost) -> None:
    variants.lies[liar.name]["read_schema"] = lambda *_given, **_named: SCHEMAS[what]
    assert "bug in connector 'app': read_schema" in liar.client.get("/Users").refused(503)
    run = liar.bench.run_import("app")
    assert (run.state, run.message.startswith("bug in connector 'app': read_schema")) == ("failed", True)
    variants.lies[liar.name].clear()
    assert liar.bench.imported("app").state == "done"
