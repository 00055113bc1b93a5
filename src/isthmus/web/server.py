"""One generation of the SCIM server: granian with its workers, on a listening socket inherited from the supervisor.

    python -m isthmus.web.server PARENT LISTENER LIFE NOTICES      (process id and descriptors; configuration on stdin)

granian 2.8.7 forks its workers here and answers SIGTERM by letting requests in flight end. What it lacks is supplied in
`connections` and `watch`.
"""

from __future__ import annotations

import gc
import math
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from granian import _signals
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]  # imported there under its name, not exported
from granian.server import mp
from granian.server.mp import MPServer

from isthmus.config.documents import Configuration
from isthmus.engine.host import Host
from isthmus.web import logs, process
from isthmus.web.cores import take_core
from isthmus.web.gate import Gate
from isthmus.web.metrics import Recorder
from isthmus.web.scim import scim_application
from isthmus.web.sockets import BACKLOG
from isthmus.web.watch import Watch

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_MARGIN = 2.0
"""Seconds that the ordinary ways of ending have more."""
_HEADER_BYTES = 65_536
"""What a request's header section may take; hyper answers 431 beyond."""


class InheritedServer(MPServer):
    """granian on a socket that somebody else opened: all workers accept from one queue that outlives them.

    granian's own way on Linux, one SO_REUSEPORT socket for each worker, resets what waits in a worker's queue when that
    worker ends, and lets a second server share the port unnoticed. It has this other way for Unix sockets; there is no
    parameter for choosing it, hence the override.
    """

    inherited: socket.socket

    def _init_shared_socket(self) -> None:
        self._ssp: Any = None
        unix = self.inherited.family == socket.AF_UNIX
        self._shd: Any = SocketHolder(self.inherited.fileno(), unix, self.backlog)  # type: ignore[call-arg]  # the stub is behind
        self._sfd: Any = self.inherited.fileno()
        self._sso = self.inherited

    @staticmethod
    def _spawn_wsgi_worker(*arguments: Any, **named: Any) -> None:
        """Let threads rest after an answer, which only what granian wraps around an application can do."""
        mp._wsgi_call_wrap = answering  # type: ignore[attr-defined,assignment]  # in the worker's own process; it makes the same
        MPServer._spawn_wsgi_worker(*arguments, **named)

    def _unlink_pidfile(self) -> None:
        """Leave the file of a Unix socket alone: it belongs to the supervisor."""


_WSGI: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.errors": sys.stderr,
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}


def answering(gate: Gate, _options: object, _log: object) -> Callable[[Any, dict[str, Any]], int]:
    """Return what granian calls for each request, with what takes the answer, and what the request says.

    It does what granian's own does, which in addition puts the variables of the process's environment into that of each
    request, and lets the thread rest when the answer is on its way.
    """
    answer, rest = gate.answer, gate.rest

    def run(protocol: Any, environ: dict[str, Any]) -> int:
        environ.update(_WSGI)
        text, headers, body = answer(environ)
        status = int(text[:3])
        protocol.response_bytes(status, headers, body)
        rest()
        return status

    return run


def end_within(seconds: float) -> None:
    """Have this process, a worker, end so many seconds after SIGTERM at the latest, and hear of it once.

    granian 2.8.7 can stand still in its handler and keep the interpreter, so that no thread of ours could look after
    it. The kernel's alarm needs neither: a process that does not handle SIGALRM is ended by it (signal(7)).
    """
    set_signals: Any = _signals.set_sync_signals

    def set_ours() -> Any:
        event = set_signals()
        stop: Any = signal.getsignal(signal.SIGTERM)

        def told(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.alarm(math.ceil(seconds))
            stop(number, frame)

        signal.signal(signal.SIGTERM, told)
        return event

    _signals.set_sync_signals = set_ours


def build(task: process.Task, listener: socket.socket, *, files: int) -> InheritedServer:
    """Return the server with every setting made explicit. `files`: how many this process may have open."""
    scim, tls = task.host.scim, task.tls
    server = InheritedServer(
        "isthmus",
        interface=Interfaces.WSGI,
        workers=scim.workers,
        blocking_threads=scim.threads,
        runtime_blocking_threads=scim.threads,
        http=HTTPModes.http1,  # HTTP/2 connections are not held to the header timeout
        http1_settings=HTTP1Settings(
            header_read_timeout=int(scim.header_timeout * 1000), keep_alive=True, max_buffer_size=_HEADER_BYTES
        ),
        backlog=BACKLOG,
        # Each open connection takes one: as many as there are descriptors, less those of files and targets.
        backpressure=max(128, min(16_384, files - 512)),
        websockets=False,
        log_level=LogLevels.error,
        ssl_cert=Path(tls.certificate) if tls else None,
        ssl_key=Path(tls.key) if tls else None,
        ssl_ca=Path(tls.client_ca) if tls and tls.client_ca else None,
        ssl_client_verify=bool(tls and tls.client_ca),
        ssl_protocol_min=SSLProtocols.tls12,
        respawn_failed_workers=True,
        workers_kill_timeout=max(1, int(scim.stop_timeout)),
    )
    server.inherited = listener
    return server


def worker_loader(
    configuration: Configuration, listener: socket.socket, *, life: int, notices: process.Notices
) -> Callable[[], WSGIApplication]:
    """Return what granian calls in each worker, after the fork, to get the application."""
    master = os.getpid()

    def load() -> WSGIApplication:
        process.die_with_parent(master)
        process.raise_file_limit()
        # With many threads that want the interpreter, each wakes up every 5 ms to ask for it: a fifth of the CPU at 64.
        # A request needs it for some 50 us, so handing it over by force is hardly ever called for.
        sys.setswitchinterval(0.05)
        gc.set_threshold(20_000, 20, 20)  # requests leave no cycles; looking for them costs more than keeping a few
        scim = configuration.host.scim
        end_within(scim.stop_timeout + _MARGIN)
        cores = configuration.state_dir / "cores" if scim.own_cores else None
        tied = cores is None or take_core(cores) is not None
        recorder = Recorder(configuration.state_dir / "metrics")
        host = Host.open(configuration, threads=scim.threads, on_call=recorder.call)
        host.start_background()
        access_log = logs.AccessLog(configuration.host.log)
        access_log.gather()
        application = scim_application(host, recorder=recorder, access_log=access_log)

        def every_second() -> None:
            nonlocal tied
            recorder.publish()
            if cores is not None and not tied and not watch.draining:  # the workers before us may have gone by now
                tied = take_core(cores) is not None

        watch = Watch(
            life=life,
            listener=listener,
            work=application.work,
            body_timeout=scim.body_timeout,
            request_timeout=scim.request_timeout,
            stop_timeout=scim.stop_timeout,
            every_second=every_second,
        )
        application.closing = lambda: watch.draining
        watch.start()
        notices.send("ready", str(os.getpid()))
        return application

    return load


def main(arguments: list[str]) -> None:
    """Serve until told to stop."""
    parent, listening, life, telling = (int(argument) for argument in arguments)
    process.die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until granian takes over; Ctrl-C is the supervisor's business
    process.clear_header_variables()
    task = process.Task.receive()
    configuration = task.configuration()
    logs.configure(configuration.host.log)
    files = process.raise_file_limit()
    listener = socket.socket(fileno=listening)
    server = build(task, listener, files=files)
    logs.configure(configuration.host.log)  # granian set up logging its own way when it was made
    loader: Any = worker_loader(configuration, listener, life=life, notices=process.Notices(telling))
    gc.collect()
    gc.freeze()  # what is loaded now is shared with the workers for as long as nobody writes to it
    server.serve(target_loader=loader, wrap_loader=False)


if __name__ == "__main__":
    main(sys.argv[1:])
