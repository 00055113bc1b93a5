"""Targets that are dead, silent or freeze in the middle of a session, made of loopback sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LOOPBACK = "127.0.0.1"
_PATIENCE = 10.0  # seconds to reach the server, and for a thread to end
_Pair = tuple[socket.socket, socket.socket]


@contextmanager
def closed_port() -> Iterator[int]:
    """Give a port on 127.0.0.1 that refuses connections. It is bound, so that nobody else starts to listen there."""
    with socket.socket() as bound:
        bound.bind((_LOOPBACK, 0))
        yield bound.getsockname()[1]


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port on 127.0.0.1 that accepts connections and never answers."""
    with socket.create_server((_LOOPBACK, 0)) as listening:
        yield listening.getsockname()[1]  # the kernel accepts up to the backlog by itself


class Relay:
    """Pass TCP through to a server. `freeze` holds everything back, `thaw` lets it go on, `cut` ends connections."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._flowing = threading.Event()
        self._flowing.set()
        self._closing = False
        self._lock = threading.Lock()
        self._directions: dict[_Pair, int] = {}  # how many directions of a pair still run
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server((_LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        self._start(self._accept)

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """End every connection at once, as a restart of the server does."""
        with self._lock:
            for each in (end for pair in self._directions for end in pair):
                with suppress(OSError):  # the other side may have ended it first
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End everything; return once no thread is left."""
        self._closing = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._flowing.set()
        self._threads[0].join(_PATIENCE)  # from now on no connection is added
        self.cut()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _start(self, target: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True, name=f"relay {self.port}")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(self._server, timeout=_PATIENCE)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            pair = (client, server)
            with self._lock:
                self._directions[pair] = 2
            self._start(self._pump, pair, client, server)
            self._start(self._pump, pair, server, client)

    def _pump(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        try:
            while received := source.recv(65_536):
                self._flowing.wait()
                if self._closing:
                    break
                sink.sendall(received)
        except OSError:
            pass  # one side ended the connection; the other is told below
        finally:
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
            with self._lock:
                self._directions[pair] -= 1
                if self._directions[pair] == 0:
                    del self._directions[pair]
                    for end in pair:
                        end.close()


@contextmanager
def relay(host: str, port: int) -> Iterator[Relay]:
    """Give a relay to a server on `127.0.0.1:relay.port`."""
    passing = Relay(host, port)
    try:
        yield passing
    finally:
        passing.close()
