"""The suite's own targets made of sockets: refusing, silent, frozen, cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from isthmus.testing import closed_port, relay, silent_port


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it receives."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            while received := connection.recv(1024):
                connection.sendall(received)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


def connect(port: int, timeout: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=timeout)


def test_closed_port_refuses() -> None:
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        connect(port)


def test_silent_port_accepts_and_says_nothing() -> None:
    with silent_port() as port, connect(port, timeout=0.1) as client:
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_relay_passes_everything_on(echo: int) -> None:
    sent = bytes(range(256)) * 4096
    with relay("127.0.0.1", echo) as passing, connect(passing.port) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        received = b""
        while part := client.recv(65536):
            received += part
    assert received == sent


def test_frozen_relay_holds_back_and_goes_on(echo: int) -> None:
    with relay("127.0.0.1", echo) as passing, connect(passing.port) as client:
        passing.freeze()
        client.sendall(b"late")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(4)
        passing.thaw()
        client.settimeout(5)
        assert client.recv(4) == b"late"


def test_cut_relay_ends_connections_and_takes_new_ones(echo: int) -> None:
    with relay("127.0.0.1", echo) as passing:
        with connect(passing.port) as client:
            client.sendall(b"one")
            assert client.recv(3) == b"one"
            passing.cut()
            assert ended(client)
        with connect(passing.port) as client:
            client.sendall(b"two")
            assert client.recv(3) == b"two"


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_relay_to_a_dead_server_ends_the_connection() -> None:
    with closed_port() as dead, relay("127.0.0.1", dead) as passing, connect(passing.port) as client:
        assert ended(client)
