"""Targets that are dead, silent or freeze in the middle of a session, made of loopback sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LOOPBACK = "127.0.0.1"


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
        self._sockets: set[socket.socket] = set()
        self._listening = socket.create_server((_LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name=f"relay {self.port}").start()

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """End every connection at once, as a restart of the server does."""
        with self._lock:
            ended, self._sockets = self._sockets, set()
        for each in ended:
            with suppress(OSError):  # the other side may have ended it first
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closing = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()
        self._flowing.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(self._server, timeout=10)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._sockets |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True, name=f"relay {self.port}").start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
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
            self._forget(source, sink)

    def _forget(self, source: socket.socket, sink: socket.socket) -> None:
        """Close a pair once both directions have ended."""
        with self._lock:
            if source in self._sockets:  # the other direction still runs
                self._sockets.discard(source)
                return
            self._sockets.discard(sink)
        source.close()
        sink.close()


@contextmanager
def relay(host: str, port: int) -> Iterator[Relay]:
    """Give a relay to a server on `127.0.0.1:relay.port`."""
    passing = Relay(host, port)
    try:
        yield passing
    finally:
        passing.close()
