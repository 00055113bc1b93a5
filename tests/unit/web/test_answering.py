"""What granian's threads call for each request."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest
from granian.server import mp

from isthmus.web.gate import Gate
from isthmus.web.server import InheritedServer, answering


class Protocol:
    """Takes the answer as granian's own does."""

    def __init__(self, events: list[object]) -> None:
        self._events = events

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self._events.append((status, headers, body))


class Answers:
    """A gate that answers always the same."""

    def __init__(self, events: list[object]) -> None:
        self.asked: dict[str, Any] = {}
        self._events = events

    def answer(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        self.asked = environ
        return "201 Created", [("ETag", "1")], b"{}"

    def rest(self) -> None:
        self._events.append("rest")


def run(gate: Answers, events: list[object]) -> int:
    return answering(cast("Gate", gate), None, None)(Protocol(events), {"REQUEST_METHOD": "GET", "PATH_INFO": "/"})


def test_a_thread_rests_only_when_its_answer_is_on_its_way() -> None:
    events: list[object] = []
    assert run(Answers(events), events) == 201
    assert events == [(201, [("ETag", "1")], b"{}"), "rest"]


def test_the_environment_of_the_process_is_not_in_that_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_TEST_MARK", "1")
    gate = Answers([])
    run(gate, [])
    assert gate.asked["PATH_INFO"] == "/"
    assert gate.asked["wsgi.version"] == (1, 0)
    assert "ISTHMUS_TEST_MARK" not in gate.asked


def test_workers_call_it_in_the_place_of_granians_own(monkeypatch: pytest.MonkeyPatch) -> None:
    own: Callable[..., object] = mp._wsgi_call_wrap
    assert len(inspect.signature(own).parameters) == len(inspect.signature(answering).parameters)
    monkeypatch.setattr(mp, "_wsgi_call_wrap", own)  # to be put back
    used: list[object] = []
    monkeypatch.setattr(mp.MPServer, "_spawn_wsgi_worker", lambda *_: used.append(mp._wsgi_call_wrap))
    InheritedServer._spawn_wsgi_worker(1)
    assert used == [answering]


def test_a_worker_whose_stop_keeps_the_interpreter_is_ended_by_the_kernel() -> None:
    """No thread of it could do anything, and after its master and the supervisor were killed nobody else would."""
    program = (
        "import ctypes, os, signal\n"
        "from granian import _signals\n"
        "from isthmus.web.server import end_within\n"
        "def stuck(*_): ctypes.PyDLL(None).pause()\n"  # PyDLL: without giving the interpreter away
        "_signals.set_sync_signals = lambda: signal.signal(signal.SIGTERM, stuck)\n"
        "end_within(0.5)\n"
        "_signals.set_sync_signals()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == -signal.SIGALRM
