"""A thousand clients that never finish what they begin, over real sockets, and one that does."""

from __future__ import annotations

import contextlib
import resource
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import pytest

from integration.web.serving import Serving, serving, until

MANY = 1000


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    settings = "header_timeout = 4.0\nbody_timeout = 4.0"
    with serving(tmp_path_factory.mktemp("slow") / "host", workers=1, scim=settings) as made:
        yield made


def silent(host: Serving, _context: ssl.SSLContext) -> socket.socket:
    return socket.create_connection(("127.0.0.1", host.port), 10)


def half_a_handshake(host: Serving, _context: ssl.SSLContext) -> socket.socket:
    plain = silent(host, _context)
    plain.sendall(b"\x16\x03\x01\x02\x00")
    return plain


def half_a_header(host: Serving, context: ssl.SSLContext) -> socket.socket:
    connection = context.wrap_socket(silent(host, context), server_hostname="localhost")
    connection.sendall(host.head("GET", "/Users"))
    return connection


def half_a_body(host: Serving, context: ssl.SSLContext) -> socket.socket:
    connection = context.wrap_socket(silent(host, context), server_hostname="localhost")
    connection.sendall(host.head("POST", "/Users", length=400) + b'\r\n{"userName":')
    return connection


def half_a_body_without_token(host: Serving, context: ssl.SSLContext) -> socket.socket:
    connection = context.wrap_socket(silent(host, context), server_hostname="localhost")
    connection.sendall(host.head("POST", "/Users", length=400, token="guessed") + b'\r\n{"userName":')
    return connection


@pytest.mark.parametrize(
    "begin", [silent, half_a_handshake, half_a_header, half_a_body, half_a_body_without_token], ids=lambda f: f.__name__
)
def test_a_thousand_unfinished_requests_stop_nobody(
    host: Serving, begin: Callable[[Serving, ssl.SSLContext], socket.socket]
) -> None:
    context = host.context()
    with contextlib.ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(begin(host, context))
        for number in range(3):
            assert host.request("GET", "/Users?count=1", timeout=10)[0] == 200
            until(lambda name=f"{begin.__name__}-{number}": created(host, name), 60, "a POST among them")


def created(host: Serving, name: str) -> bool:
    """Create a user; where the places for bodies are taken, 503 asks to come back a second later, as clients do."""
    status = host.create(name, timeout=10)
    assert status in {201, 503}
    return status == 201


def answered_or_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(4096) in {b"", None} or True
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("begin", [half_a_header, half_a_body], ids=lambda f: f.__name__)
def test_what_does_not_go_on_is_cut(host: Serving, begin: Callable[[Serving, ssl.SSLContext], socket.socket]) -> None:
    with begin(host, host.context()) as connection:
        connection.settimeout(20)
        assert answered_or_closed(connection)


def test_a_trickled_body_is_cut(host: Serving) -> None:
    with half_a_body(host, host.context()) as connection:

        def refused() -> bool:
            try:
                connection.sendall(b" ")
            except OSError:
                return True
            time.sleep(0.2)  # the pace of the client, not a wait
            return False

        until(refused, 60, "the connection of a body that trickles is closed")


def test_a_slow_but_complete_body_is_served(host: Serving) -> None:
    body = b'{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"in-two-parts"}'
    with host.connect() as connection:
        connection.sendall(host.head("POST", "/Users", length=len(body)) + b"\r\n" + body[:20])
        time.sleep(1.5)  # the pace of the client
        connection.sendall(body[20:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 201")


def test_a_long_header_section_is_refused(host: Serving) -> None:
    with host.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(host.head("GET", "/Users") + b"X-Filler: " + b"x" * 200_000 + b"\r\n\r\n")
        assert b" 431 " in connection.recv(4096).split(b"\r\n")[0]
