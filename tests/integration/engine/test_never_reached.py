"""A target that was never reached, and hangs: its schema is not known yet, and the others are served."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import variants
from harness import Bench, bench, memory_document, memory_target, until
from isthmus.connectors.memory import MemoryConnector
from isthmus.spi import TargetUnavailable

THREADS = 16


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Bench, str]]:
    """Two connectors, and the name of the target of one whose schema nobody has read."""
    with ExitStack() as stack:
        hanging, _ = stack.enter_context(memory_target())
        other, target = stack.enter_context(memory_target())
        target.put("user", {"login": ("ann",)})
        documents = {
            "hanging": memory_document(hanging, type="lying", timeout=2),
            "other": memory_document(other, type="lying", timeout=2),
        }
        opened = stack.enter_context(bench(tmp_path / "host", documents, threads=THREADS))
        opened.imported("other")
        yield opened, hanging
        variants.lies.pop(hanging, None)


def test_it_holds_no_more_threads_than_any_other_target(two: tuple[Bench, str]) -> None:
    opened, hanging = two
    going_on, asked = threading.Event(), []

    def hang(honest: Any, **named: Any) -> Any:
        asked.append(1)
        going_on.wait(5)
        raise TargetUnavailable("it hangs")

    variants.lies[hanging]["read_schema"] = hang
    answers: list[int] = []
    client = opened.client("hanging")
    client.bench.token("hanging")
    threads = [threading.Thread(target=lambda: answers.append(client.get("/Users").status)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 4
    while len(answers) < THREADS - THREADS // 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    early = len(answers)
    going_on.set()
    for thread in threads:
        thread.join(20)
    assert early >= THREADS - THREADS // 4 - THREADS // 4, "they all wait for a target that hangs"
    assert answers == [503] * THREADS
    assert len(asked) == 1, "each of those who wait asks again, one after the other"
    variants.lies.pop(hanging)


def test_a_target_that_hangs_does_not_keep_others_from_being_repaired(two: tuple[Bench, str]) -> None:
    """One thread repairs for all connectors: whom it waits for must not hold it."""
    opened, hanging = two
    other = opened.host.target("other").connector
    assert isinstance(other, MemoryConnector)
    variants.lies[other._name]["create"] = fail_unknown
    variants.lies[hanging]["create"] = fail_unknown
    for name in ("hanging", "other"):
        opened.client(name).post({"userName": "carl"}).refused(503)
    assert len(opened.unfinished()) == 2
    going_on = threading.Event()
    variants.lies[hanging] = {"find": lambda *_given, **_named: going_on.wait(30) and None}
    opened.host.start_background()
    try:
        until(lambda: len(opened.unfinished()) == 1, timeout=8)
    finally:
        going_on.set()


def fail_unknown(honest: Any, *given: Any, **named: Any) -> Any:
    raise TargetUnavailable("the connection broke off", outcome_unknown=True)
