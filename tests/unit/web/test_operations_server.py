"""The server of health and metrics: a few threads, which nobody keeps for long."""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import until
from isthmus.store import StoreError
from isthmus.web import operations_server
from isthmus.web.operations import operations_application

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def fine(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\n"]


def status(port: int) -> int:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0


def test_requests_that_trickle_in_do_not_keep_probes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations_server, "_RECEIVED_WITHIN", 0.5)
    server = operations_server._Server(socket.create_server(("127.0.0.1", 0)))
    server.set_app(fine)
    port = server.socket.getsockname()[1]
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    over = threading.Event()

    def trickle(connections: list[socket.socket]) -> None:
        while not over.wait(0.02):
            for connection in connections:
                try:
                    connection.sendall(b"x")
                except OSError:
                    continue

    try:
        until(lambda: status(port) == 200)
        with ExitStack() as stack:
            slow = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(16)]
            for connection in slow:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
            until(lambda: server._places._value == 0)
            trickling = threading.Thread(target=trickle, args=(slow,))
            trickling.start()
            try:
                until(lambda: status(port) == 200, 20)
            finally:
                over.set()
                trickling.join(20)
    finally:
        server.shutdown()
        serving.join(20)
        server.server_close()


def test_a_unix_socket_is_answered_and_so_is_a_failing_store(tmp_path: Path) -> None:
    def metrics() -> tuple[str, bytes]:
        raise StoreError("the disk is full")

    class NoHost:
        """Nothing here asks it."""

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "operations"))
    listener.listen()
    server = operations_server._Server(listener)
    server.set_app(operations_application(NoHost(), metrics))  # type: ignore[arg-type]
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()

    def answer(path: str) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(tmp_path / "operations"))
            client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            with client.makefile("rb") as stream:
                return stream.read()

    try:
        assert answer("/healthz").startswith(b"HTTP/1.0 200")
        assert answer("/metrics").startswith(b"HTTP/1.0 503")
        assert b"the disk is full" in answer("/metrics")
    finally:
        server.shutdown()
        serving.join(10)
        server.server_close()
