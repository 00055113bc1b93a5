"""Bodies that do not come are cut, also while a request is worked on that never ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from harness import until
from isthmus.web.connections import StallGuard
from isthmus.web.work import Work


@pytest.fixture
def stalled() -> Iterator[tuple[Work, int, socket.socket]]:
    """A body that does not come on a connection of its own, and another request that nobody answers."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
        accepted = stack.enter_context(listener.accept()[0])
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        assert accepted.recv(100)
        work = Work(bodies=4)
        work.begin()  # of a connector that never returns
        stack.enter_context(work.receiving(work.begin()))
        yield work, port, client


def test_a_request_that_never_ends_keeps_no_other_body_from_being_cut(stalled: tuple[Work, int, socket.socket]) -> None:
    work, port, client = stalled
    guard = StallGuard(port, 0.05, longest=0.1, margin=0.05)
    until(lambda: guard.look(work, crowded=False), timeout=10)
    assert client.recv(1) == b""


def test_a_body_is_not_cut_while_it_may_be_a_request_that_is_worked_on(
    stalled: tuple[Work, int, socket.socket],
) -> None:
    work, port, _ = stalled
    guard = StallGuard(port, 0.0, least=0.0, longest=1000.0, margin=0.05)
    assert not any(guard.look(work, crowded=crowded) for crowded in [True, False] * 50)
