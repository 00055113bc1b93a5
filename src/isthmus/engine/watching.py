"""Who watches what: one process for each scope of each connector, which starts again whatever breaks.

A watch begins with a watermark of its own, then a delta import brings the space to where the target is, then what the
target tells is applied as it comes. The lease is a row among the runs, held by the process's lock: when the process
ends, however it ends, another takes over within a second or two, from the watermark that was kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from isthmus.config.errors import ConfigError
from isthmus.engine.answers import connector_edge
from isthmus.engine.following import Counts, Following
from isthmus.engine.guard import TooManyDeleted
from isthmus.engine.host import Host
from isthmus.engine.importing import scopes_of
from isthmus.engine.target import Target
from isthmus.scim.errors import ScimError
from isthmus.spi import (
    Call,
    Cancelled,
    ConnectorError,
    ImportScope,
    SupportsWatch,
    Unsupported,
    WatermarkExpired,
)
from isthmus.store import StoreError
from isthmus.store.records import Run

log = structlog.get_logger("isthmus.watch")

LOOK_SECONDS = 1.0
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between attempts while they fail."""
IMPOSSIBLE_PAUSE = 900.0
"""Seconds until a target that cannot be watched is asked again."""
NOTE_SECONDS = 0.5
POLL_SECONDS = 0.1


class Watches:
    """The watches of this process. `work` is called when an import was queued that somebody has to carry out."""

    def __init__(self, host: Host, *, work: Callable[[], None]) -> None:
        self._host = host
        self._work = work
        self._stop = threading.Event()
        self._running: dict[tuple[str, str], Watch] = {}
        self._thread = threading.Thread(target=self._look_forever, name="watches", daemon=True)

    def start(self) -> None:
        """Begin to look for what nobody watches."""
        self._thread.start()

    def stop(self, seconds: float = 10.0) -> None:
        """End every watch of this process; another process may take them over at once."""
        self._stop.set()
        until = time.monotonic() + seconds
        self._thread.join(seconds)
        for watch in self._running.values():
            watch.join(max(0.0, until - time.monotonic()))

    def _look_forever(self) -> None:
        while True:
            try:
                self.look()
            except StoreError as exc:
                log.error("watching_failed", reason=str(exc))  # noqa: TRY400 - tried again in a second
            except Exception:
                log.exception("watching_failed")
            if self._stop.wait(LOOK_SECONDS):
                return

    def look(self) -> None:
        """Begin what is wanted and nobody watches."""
        self._running = {key: watch for key, watch in self._running.items() if watch.is_alive()}
        for name in self._host.names():
            if not self._host.has(name):
                continue
            target = self._host.target(name)
            if not wanted(target):
                continue
            try:
                scopes = scopes_of(target)
            except ConnectorError:
                continue  # an import of the same connector says what is wrong
            for scope in scopes:
                if (target.key, scope) in self._running or self._stop.is_set():
                    continue
                run = self._host.store.runs.begin_watch(target.key, scope)
                if run is None:
                    self._end_lost(target.key, scope)
                else:
                    watch = Watch(target, run, stop=self._stop, work=self._work)
                    self._running[target.key, scope] = watch
                    watch.start()

    def _end_lost(self, connector: str, scope: str) -> None:
        """End a lease of this process whose thread is gone: as long as the process lives nobody else would take it."""
        runs = self._host.store.runs
        for run in runs.watches(connector):
            if run.scope == scope and run.owner == self._host.store.owner:
                log.error("watch_lost", connector=connector, scope=scope, run=run.id)
                runs.finish(run.id, "failed", "its thread ended")


def wanted(target: Target) -> bool:
    """Tell whether this connector is to be watched, without opening it."""
    document = target.document
    if document.paused or document.watch == "off":
        return False
    if document.watch == "on":
        return True
    try:
        return target.type.watched
    except ConfigError:
        return False  # its package cannot be loaded; an import of the same connector says so


class Watch(threading.Thread):
    """The watch of one scope, begun again whenever it breaks off."""

    def __init__(self, target: Target, run: Run, *, stop: threading.Event, work: Callable[[], None]) -> None:
        super().__init__(name=f"watch {run.connector}", daemon=True)
        self._target = target
        self._lease = run
        self._stop_event = stop
        self._work = work
        self._key = f"watch:{target.key}:{run.scope}"
        self._counts = Counts()
        self._noted: tuple[str, str, tuple[int, int, int]] | None = None
        self._noted_at = 0.0
        self._failures = 0

    def run(self) -> None:
        """Watch until the process stops."""
        try:
            while not self._stop_event.is_set():
                try:
                    self._once()
                except StoreError as exc:
                    log.error("watch_broke_off", connector=self._target.name, reason=f"store: {exc}")  # noqa: TRY400
                    self._stop_event.wait(PAUSES[-1])
        finally:
            self._finish()

    def _once(self) -> None:
        """Watch until it breaks off, and wait as long as that calls for."""
        try:
            self._follow()
        except Cancelled:
            return  # the process stops
        except WatermarkExpired as exc:
            log.info("watch_expired", connector=self._target.name, scope=self._lease.scope, reason=exc.message)
            self._target.store.settings.remove(self._key)
            self._pause(f"began anew: {exc.message}")
        except TooManyDeleted as exc:
            self._note("waiting", f"{exc}; a full import decides", force=True)
            self._import("full", "watch: many deletions")
        except Unsupported as exc:
            self._note("waiting", f"cannot be watched: {exc.message}; imports by timer go on", force=True)
            self._stop_event.wait(IMPOSSIBLE_PAUSE)
        except ConnectorError as exc:
            self._pause(exc.message)
        except ScimError as exc:
            self._pause(exc.detail)

    def _follow(self) -> None:
        target = self._target
        if target.attention.blocking:
            self._pause("the connector needs an operator; see 'isthmus connector list'")
            return
        scope = self._scope()
        if not isinstance(target.connector, SupportsWatch):
            raise Unsupported("connectors of this type do not tell of changes")
        if target.type.concurrency != "threads":
            raise Unsupported("this connector takes one call at a time, and a watch would be that one")
        since = target.store.settings.get(self._key)
        if not since:
            since = self._begin(scope)
            if since is None:
                return
        log.info("watch_begins", connector=target.name, scope=scope.key)
        self._note("watching", "", force=True)
        following = Following(
            target,
            scope,
            counts=self._counts,
            stop=self._stop_event,
            kept=lambda token: target.store.settings.set(self._key, token),
            told=self._told,
        )
        with target.using_unbounded("watch") as connector:
            assert isinstance(connector, SupportsWatch)
            following.run(connector, since)

    def _begin(self, scope: ImportScope) -> str | None:
        """Return the watermark to begin from, once an import has brought the space as far; None if it has not."""
        target = self._target
        with target.using_unbounded("begin_watch") as connector:
            assert isinstance(connector, SupportsWatch)
            call = Call(timeout=target.document.timeout, correlation="watch", cancelled=self._stop_event)
            since = connector.begin_watch(scope, call=call).token
        if not self._import("delta", "watch"):
            return None
        target.store.settings.set(self._key, since)
        return since

    def _import(self, kind: str, requested_by: str) -> bool:
        """Have an import made and return whether it is done. One that the guard holds is waited for."""
        runs = self._target.store.runs
        run = runs.request(self._target.key, kind, self._lease.scope, requested_by)
        self._work()
        self._note("waiting", f"import {run.id} has to bring everything up to date first", force=True)
        while not self._stop_event.wait(POLL_SECONDS):
            now = runs.get(run.id)
            if now is None or now.state in ("failed", "cancelled"):
                self._pause(f"import {run.id}: " + ("gone" if now is None else f"{now.state}, {now.message}"))
                return False
            if now.state == "done":
                return True
            if now.state == "held":
                self._note("waiting", f"the guard holds import {run.id}; see 'isthmus guard show'", force=True)
                self._stop_event.wait(LOOK_SECONDS)
        return False

    def _scope(self) -> ImportScope:
        with connector_edge(self._target.name, "scopes"):
            for scope in self._target.connector.scopes():
                if scope.key == self._lease.scope:
                    return scope
        raise Unsupported(f"the target no longer has the scope {self._lease.scope!r}")

    def _told(self) -> None:
        self._failures = 0
        self._note("watching", "")

    def _pause(self, reason: str) -> None:
        pause = PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        log.warning("watch_broke_off", connector=self._target.name, scope=self._lease.scope, reason=reason, pause=pause)
        self._note("waiting", f"{reason}; tried again in {pause:g} s", force=True)
        self._stop_event.wait(pause)

    def _note(self, state: str, message: str, *, force: bool = False) -> None:
        """Write down how it is going, where that has changed; counts at most twice a second."""
        what = (state, message, self._counts.values())
        now = time.monotonic()
        if what == self._noted or (not force and now - self._noted_at < NOTE_SECONDS):
            return
        objects, changed, removed = what[2]
        self._target.store.runs.note_watch(
            self._lease.id, state, message, objects=objects, changed=changed, removed=removed
        )
        self._noted, self._noted_at = what, now

    def _finish(self) -> None:
        objects, changed, removed = self._counts.values()
        self._target.store.runs.finish(
            self._lease.id, "done", "the host stopped", objects=objects, changed=changed, removed=removed
        )
