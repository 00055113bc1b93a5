"""The operations process: health, metrics, timers and watches.

    python -m isthmus.web.operations_server PARENT LISTENER NOTICES      (process id and descriptors; configuration on
    stdin)

Served by the standard library's server: a few requests a minute do not pay for a second set of granian processes.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from isthmus.engine.host import Host
from isthmus.engine.watching import Watches
from isthmus.web import logs, process
from isthmus.web.exposition import Exposition
from isthmus.web.operations import operations_application
from isthmus.web.timing import Timing

_THREADS = 16
_TIMEOUT = 10.0
_RECEIVED_WITHIN = 10.0
"""Seconds for the whole of a request."""


class _Server(ThreadingMixIn, WSGIServer):
    """A threading WSGI server on an inherited socket, with a bound on threads."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(("", 0), _Request, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = "localhost", 0
        self.setup_environ()
        self._places = threading.BoundedSemaphore(_THREADS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave or time out."""


class _Quiet(ServerHandler):
    server_software = ""


class _Request(WSGIRequestHandler):
    timeout = _TIMEOUT

    def setup(self) -> None:
        super().setup()
        address: Any = self.client_address
        self.client_address = address or ("", 0)  # a Unix socket's clients have none

    def address_string(self) -> str:
        return str(self.client_address[0]) if self.client_address else ""

    def log_message(self, format: str, *args: Any) -> None:
        """Health probes are not worth a line."""

    def handle(self) -> None:
        with _cut_off(self.connection, _RECEIVED_WITHIN):
            self.raw_requestline = self.rfile.readline(8193)
            if len(self.raw_requestline) > 8192:
                self.requestline, self.request_version, self.command = "", "", ""
                self.send_error(414)
                return
            if not self.parse_request():
                return
        environ = {name: value for name, value in self.get_environ().items() if isinstance(value, str)}
        served = _Quiet(self.rfile, self.wfile, self.get_stderr(), environ, multithread=True)  # type: ignore[arg-type]
        served.request_handler = self  # type: ignore[attr-defined]
        application = self.server.get_app()  # type: ignore[attr-defined]
        served.run(application)


@contextlib.contextmanager
def _cut_off(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End the connection where the body takes longer: the time limit of a socket begins anew with each byte."""

    def cut() -> None:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    parent, listening, telling = (int(argument) for argument in arguments)
    process.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process.clear_header_variables()
    configuration = process.Task.receive().configuration()
    logs.configure(configuration.host.log)
    notices = process.Notices(telling)
    host = Host.open(configuration, threads=_THREADS)
    host.start_background()
    server = _Server(socket.socket(fileno=listening))
    server.set_app(operations_application(host, Exposition(host, configuration.state_dir / "metrics")))
    timing = Timing(host, work=lambda: notices.send("work"))
    watches = Watches(host, work=lambda: notices.send("work"))

    def stop(_number: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()  # it waits for the loop that this signal interrupts

    signal.signal(signal.SIGTERM, stop)
    timing.start()
    watches.start()
    notices.send("ready")
    server.serve_forever(poll_interval=0.5)
    watches.stop()
    timing.stop()
    timing.join(5)
    host.close()


if __name__ == "__main__":
    main(sys.argv[1:])
