"""`serve`: starts, watches, renews and stops everything else.

    serve (this process: no store, no network traffic, so that little can go wrong in it)
    ├── web.server             SCIM: granian and its workers, one generation or, during a hand-over, two
    ├── web.operations_server  health, metrics, timers, watches
    ├── web.importer           one for each running import
    └── web.preparing          for a moment: certificate renewal, checks of files and of what changed

Whatever dies is started again with back-off. Children end when this process ends, also if it is killed: the kernel
signals them, and they hold a pipe whose other end only we have.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

import msgspec
import structlog

from isthmus.config.documents import Configuration, HostDocument
from isthmus.config.errors import ConfigError
from isthmus.config.listening import parse_listen
from isthmus.config.loading import load
from isthmus.web import logs, process
from isthmus.web.children import Child
from isthmus.web.claim import Claim
from isthmus.web.errors import CannotServe
from isthmus.web.metrics import start_afresh
from isthmus.web.preparing import Prepared
from isthmus.web.process import Task
from isthmus.web.services import Generation, Service
from isthmus.web.sockets import open_listener

log = structlog.get_logger("isthmus.supervisor")

_LOOK_EVERY = 0.5
_RENEWAL_EVERY = 6 * 3600.0
_IMPORTERS = 2
_PREPARE_WITHIN = 60.0
_MARGIN = 5.0


def serve(configuration_path: Path, *, announce: Callable[[str], None] | None = None, allow_root: bool = False) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code.

    `announce` is called once, with the base URL, when the first request can be answered.

    Raises:
        ConfigError, CannotServe: nothing was started; the message tells what to change.
    """
    process.refuse_root(allow_root=allow_root)
    configuration = load(configuration_path)
    logs.configure(configuration.host.log)
    host = configuration.host
    with Claim(configuration.state_dir, scim=host.scim.listen, operations=host.operations.listen):
        start_afresh(configuration.state_dir / "metrics")
        supervisor = Supervisor(configuration)
        try:
            return supervisor.run(announce)
        finally:
            supervisor.close()


class Supervisor:
    """The main loop."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._prepared: Prepared | None = None
        self._listeners: dict[str, socket.socket] = {}
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        try:
            scim = parse_listen(configuration.host.scim.listen)
            self._listeners["scim"] = open_listener(scim, purpose="scim.listen")
            operations = parse_listen(configuration.host.operations.listen)
            self._listeners["operations"] = open_listener(operations, purpose="operations.listen")
        except CannotServe:
            self.close()
            raise
        stop_seconds = configuration.host.scim.stop_timeout
        self._scim = Service(
            "scim",
            self._start_scim,
            address=configuration.host.scim.listen,
            # By then idle connections have timed out, and unfinished handshakes (10 s in granian).
            drain_seconds=max(10.0, configuration.host.scim.header_timeout) + 1.0,
            stop_seconds=stop_seconds + _MARGIN,
        )
        self._operations = Service(
            "operations",
            self._start_operations,
            address=configuration.host.operations.listen,
            drain_seconds=0.0,
            stop_seconds=_MARGIN + 10.0,
        )
        self._importers: list[Child] = []
        self._first: dict[str, None] = {}
        """Connectors for the timers, in order, while as many importers work as may."""
        self._preparing: _Preparing | None = None
        self._renewal_at = time.monotonic() + _RENEWAL_EVERY
        self._stopping = False
        self._reload_wanted = False

    # -- running

    def run(self, announce: Callable[[str], None] | None) -> int:
        """Start everything, keep it running, stop it in order."""
        with self._signals():
            self._begin()
            failed = self._until_serving()
            if failed is None and not self._stopping:
                self._import(*self._configuration.names.values())
                if announce is not None:
                    announce(self._url())
                while not self._stopping:
                    self._look()
                    self._wait()
            self._stop()
        if failed is not None:
            log.error("start_failed", reason=failed)
            return 1
        return 0

    def close(self) -> None:
        """Give the listening sockets back, and the file of a Unix socket."""
        for listener in self._listeners.values():
            if listener.family == socket.AF_UNIX:
                with contextlib.suppress(OSError):
                    Path(listener.getsockname()).unlink()
            listener.close()
        self._wake.close()
        self._woken.close()

    def _begin(self) -> None:
        """Start the servers, which load their code while certificates and file modes are looked at."""
        checking = _Preparing(self._configuration)
        services = (self._scim, self._operations)
        for service in services:
            service.hand_over()
        self._prepared = checking.answer(within=_PREPARE_WITHIN)
        self._stamps = self._look_at_files()
        for generation in [each for service in services for each in service.generations()]:
            if self._prepared.problem is not None:
                generation.child.kill()
                generation.child.process.wait()
            else:
                generation.child.send(self._task())
        if self._prepared.problem is not None:
            raise CannotServe(self._prepared.problem)

    def _until_serving(self) -> str | None:
        services = (self._scim, self._operations)
        while not self._stopping and not all(service.serving for service in services):
            self._look_at_children()
            for service in services:
                if service.failed is not None:
                    return f"{service.name}: {service.failed}"
            self._wait()
        return None

    def _look(self) -> None:
        self._look_at_children()
        self._look_at_importers()
        self._look_at_preparing()
        now = time.monotonic()
        if self._reload_wanted:
            self._reload_wanted = False
            self._reload()
        elif self._preparing is None:
            stamps = self._look_at_files()
            if stamps != self._stamps:
                self._stamps = stamps
                self._reload()
            elif now >= self._renewal_at:
                self._renewal_at = now + _RENEWAL_EVERY
                self._begin_preparing(self._configuration, hand_over=False)

    def _look_at_children(self) -> None:
        for service in (self._scim, self._operations):
            for generation in service.generations():
                for word, detail in generation.child.lines():
                    if word == "ready":
                        generation.ready.add(detail)
                    elif word == "work":
                        self._import()
            service.look()

    def _wait(self) -> None:
        generations = [*self._scim.generations(), *self._operations.generations()]
        watched = [self._woken.fileno(), *(each.child.notices for each in generations if not each.reaped)]
        ready, _, _ = select.select(watched, [], [], _LOOK_EVERY)
        if self._woken.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                while self._woken.recv(4096):
                    pass

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping = True

        def reload(_number: int, _frame: FrameType | None) -> None:
            self._reload_wanted = True

        def wake(_number: int, _frame: FrameType | None) -> None:
            """Only interrupt the wait: a child has ended."""

        chosen = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload, signal.SIGCHLD: wake}
        before = {number: signal.signal(number, action) for number, action in chosen.items()}
        descriptor = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(descriptor)
            for number, action in before.items():
                signal.signal(number, action)

    def _stop(self) -> None:
        log.info("stopping")
        self._scim.stop()
        self._operations.stop()
        for importer in self._importers:
            importer.stop(within=_MARGIN + 5.0)
        if self._preparing is not None:
            self._preparing.end()
        while True:
            ended = [self._scim.look_at_end(), self._operations.look_at_end()]
            self._look_at_importers()
            if all(ended) and not self._importers:
                break
            self._wait()
        log.info("stopped")

    # -- configuration and certificate

    def _reload(self) -> None:
        try:
            configuration = load(self._configuration.path)
        except ConfigError as exc:
            log.error("reload_refused", reason=str(exc), consequence="the running configuration stays")  # noqa: TRY400
            return
        running = self._configuration
        if _needs_restart(configuration.host) != _needs_restart(running.host):
            log.warning("restart_needed", reason="listen addresses and state_dir take effect with a restart")
        self._begin_preparing(configuration, hand_over=True, changed=changed_connectors(running, configuration))

    def _begin_preparing(self, configuration: Configuration, *, hand_over: bool, changed: Sequence[str] = ()) -> None:
        if self._preparing is not None:
            self._preparing.end()
        self._wanted, self._wanted_hand_over = configuration, hand_over
        self._preparing_until = time.monotonic() + _PREPARE_WITHIN
        self._preparing = _Preparing(self._wanted, changed)

    def _look_at_preparing(self) -> None:
        preparing = self._preparing
        if preparing is None or (preparing.runs() and time.monotonic() <= self._preparing_until):
            return
        self._preparing = None
        prepared = preparing.answer()
        if prepared.problem is not None:
            log.error("reload_refused", reason=prepared.problem, consequence="the running configuration stays")
            return
        before = self._configuration
        self._configuration, self._prepared = self._wanted, prepared
        if prepared.renewed:
            log.info("certificate_renewed")
        elif not self._wanted_hand_over:
            return
        self._stamps = (self._stamps[0], self._tls_stamps())
        logs.configure(self._configuration.host.log)
        log.info("reloading")
        self._scim.hand_over()
        self._operations.hand_over()
        if first := to_import(before, self._configuration):
            self._import(*first)

    def _look_at_files(self) -> tuple[str, object]:
        from isthmus.config.watching import fingerprint

        return fingerprint(self._configuration.path), self._tls_stamps()

    def _tls_stamps(self) -> object:
        tls = None if self._prepared is None else self._prepared.tls
        return None if tls is None else tuple(_stamp(file) for file in (tls.certificate, tls.key, tls.client_ca))

    # -- children

    def _task(self) -> Task:
        return Task.of(self._configuration, None if self._prepared is None else self._prepared.tls)

    def _child(self, module: str, arguments: Sequence[str], *, descriptors: Sequence[int] = ()) -> Child:
        child = Child(module, arguments, descriptors=descriptors)
        if self._prepared is not None:
            child.send(self._task())
        return child

    def _start_scim(self) -> Generation:
        reading, writing = os.pipe()
        listener = self._listeners["scim"].fileno()
        try:
            child = self._child("isthmus.web.server", [str(listener), str(reading)], descriptors=[listener, reading])
        finally:
            os.close(reading)
        return Generation(child, life=writing, workers=self._configuration.host.scim.workers)

    def _start_operations(self) -> Generation:
        listener = self._listeners["operations"].fileno()
        child = self._child("isthmus.web.operations_server", [str(listener)], descriptors=[listener])
        return Generation(child, life=-1, workers=1)

    def _import(self, *first: str) -> None:
        """Start an importer if there is room, and have it, or the next one, put these connectors on their timers."""
        self._first |= dict.fromkeys(first)
        if len(self._importers) < _IMPORTERS:
            self._importers.append(self._child("isthmus.web.importer", list(self._first)))
            self._first = {}

    def _look_at_importers(self) -> None:
        for importer in list(self._importers):
            code = importer.ended()
            if code is None:
                importer.overdue()
                continue
            self._importers.remove(importer)
            importer.close()
            if code != 0:
                log.error("importer_ended", pid=importer.pid, code=code)
            if self._first and not self._stopping:
                self._import()

    def _url(self) -> str:
        host = self._configuration.host
        scheme = "https" if host.scim.tls.enabled else "http"
        return host.public_url or f"{scheme}://{host.scim.listen}"


class _Preparing:
    """The process that looks at what the servers will use, and its answer.

    That goes to a file: a pipe that nobody reads until the process has ended takes 64 kB only.
    """

    def __init__(self, configuration: Configuration, changed: Sequence[str] = ()) -> None:
        import tempfile

        self._answer = tempfile.TemporaryFile()  # noqa: SIM115 - `answer` closes it
        with tempfile.TemporaryFile() as task:
            task.write(Task.of(configuration).encode())
            task.seek(0)
            self._process = subprocess.Popen(  # noqa: S603 - the names of connectors hold letters, digits and _ - . only
                [sys.executable, "-P", "-m", "isthmus.web.preparing", *changed],
                stdin=task,
                stdout=self._answer,
                process_group=0,
            )

    def runs(self) -> bool:
        return self._process.poll() is None

    def answer(self, *, within: float = 0.0) -> Prepared:
        """Return what it found; it is ended if it has not in that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within)
        self._process.kill()
        code = self._process.wait()
        with self._answer as file:
            file.seek(0)
            try:
                return msgspec.json.decode(file.read(), type=Prepared)
            except msgspec.DecodeError:
                return Prepared(problem=f"the check of certificates and files ended with exit code {code}")

    def end(self) -> None:
        """End it; nobody wants to know any more."""
        self.answer()


def to_import(before: Configuration, now: Configuration) -> list[str]:
    """Return the connectors for timers and importers: new ones, and those to be read otherwise or at other times."""

    def timer(configuration: Configuration, key: str) -> tuple[float, bool] | None:
        document = configuration.connectors.get(key)
        return None if document is None else (document.autosync_minutes, document.paused)

    changed = {each.partition("=")[0] for each in changed_connectors(before, now)}
    return [name for key, name in now.names.items() if name in changed or timer(before, key) != timer(now, key)]


def changed_connectors(before: Configuration, now: Configuration) -> list[str]:
    """Return the connectors whose use of the target changed, as `preparing` takes them; not those only paused."""
    found = []
    for key, document in now.connectors.items():
        old = before.connectors.get(key)
        if old is None or (old.type, old.settings) != (document.type, document.settings):
            found.append(f"{now.names[key]}=settings")
        elif (old.resource_types, old.strict) != (document.resource_types, document.strict):
            found.append(now.names[key])
    return found


def _needs_restart(host: HostDocument) -> tuple[str, ...]:
    """Return what a running server does not take over."""
    return host.scim.listen, host.operations.listen, host.state_dir


def _stamp(file: str | None) -> tuple[int, ...] | None:
    if file is None:
        return None
    try:
        status = Path(file).stat()
    except OSError:
        return ()
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
