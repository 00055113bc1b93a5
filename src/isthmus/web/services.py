"""A service that outlives its processes: one generation serves, the next takes over without a connection lost.

The listening socket belongs to the supervisor and is shared. A new generation begins to accept while the old one still
does; only then is the old one told to accept no more. It finishes what it has: handshakes, requests, and idle
connections, whose clients are told to leave with their next answer. When these had time to go, it is stopped.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from isthmus.web.children import Child

log = structlog.get_logger("isthmus.supervisor")

_START_WITHIN = 60.0
_BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_HEALTHY_AFTER = 60.0


@dataclass(eq=False)
class Generation:
    """One start of a service: its leading process and the pipe whose closing tells it to drain."""

    child: Child
    life: int
    workers: int
    ready: set[str] = field(default_factory=set)
    drained_at: float = 0.0
    reaped: bool = False

    def drain(self) -> None:
        """Tell every process of this generation to accept no more."""
        if self.life >= 0:
            os.close(self.life)
            self.life = -1


class Service:
    """Keeps one service running.

    `start` makes a generation. `address` is told when it serves. `drain_seconds`: how long an old one keeps its
    connections. `stop_seconds`: how long requests in flight may take after that.
    """

    def __init__(
        self, name: str, start: Callable[[], Generation], *, address: str, drain_seconds: float, stop_seconds: float
    ) -> None:
        self.name = name
        self.address = address
        self.start = start
        self.drain_seconds = drain_seconds
        self.stop_seconds = stop_seconds
        self.current: Generation | None = None
        self.next: Generation | None = None
        self.old: list[Generation] = []
        self.failed: str | None = None
        """Why the last hand-over did not happen."""
        self._again = False
        self._failures = 0
        self._retry_at = 0.0

    @property
    def serving(self) -> bool:
        return self.current is not None

    def hand_over(self) -> None:
        """Start a new generation; when it is ready it replaces the current one. If it fails, the current one stays."""
        if self.next is not None:
            self._again = True  # one at a time; the newest configuration is started after this
            return
        self._again = False
        self.next = self.start()
        log.info("starting", service=self.name, pid=self.next.child.pid)

    def generations(self) -> list[Generation]:
        """Return all that still have processes."""
        return [each for each in (self.current, self.next, *self.old) if each is not None]

    def look(self) -> None:
        """Act on what happened since the last look: readiness, ends, deadlines."""
        for generation in self.generations():
            self._ended(generation)
        if self.next is not None:
            if len(self.next.ready) >= self.next.workers:
                self._promote(self.next)
            elif time.monotonic() - self.next.child.started > _START_WITHIN:
                self._give_up(self.next, f"was not ready within {_START_WITHIN:.0f} s")
        self._retire()
        if self.next is None and (self._again or (self.current is None and time.monotonic() >= self._retry_at)):
            self.hand_over()

    def stop(self) -> None:
        """Ask everything to end; call `look_at_end` until it says so."""
        for generation in self.generations():
            generation.drain()
            generation.child.stop(within=self.stop_seconds)

    def look_at_end(self) -> bool:
        """Return whether all processes are gone, after killing what is overdue."""
        for generation in self.generations():
            child = generation.child
            if child.ended() is not None and not child.group_lives():
                self._forget(generation)
            else:
                child.overdue()
        return not self.generations()

    def _promote(self, generation: Generation) -> None:
        before, self.current, self.next = self.current, generation, None
        self.failed = None
        log.info("serving", service=self.name, address=self.address, pid=generation.child.pid)
        if before is not None:
            before.drain()
            before.drained_at = time.monotonic() + self.drain_seconds
            self.old.append(before)

    def _ended(self, generation: Generation) -> None:
        code = generation.child.ended()
        if code is None or generation.reaped:
            return
        generation.reaped = True
        generation.drain()
        if generation.child.group_lives():  # its leader was killed: workers end their requests, then go
            generation.child.terminate_group()
            generation.child.stop(within=self.stop_seconds)
        if generation in self.old:
            return
        if generation is self.next:
            self._give_up(generation, f"ended with exit code {code} while starting")
            return
        self.current = None
        self.old.append(generation)
        lasted = time.monotonic() - generation.child.started
        self._failures = 0 if lasted > _HEALTHY_AFTER else self._failures
        self._back_off()
        log.error("ended", service=self.name, pid=generation.child.pid, code=code)

    def _give_up(self, generation: Generation, why: str) -> None:
        self.next = None
        self.failed = why
        generation.drain()
        generation.child.stop(within=self.stop_seconds)
        self.old.append(generation)
        self._back_off()
        kept = "the running one goes on" if self.current is not None else "it will be tried again"
        log.error("not_started", service=self.name, reason=why, consequence=kept)

    def _back_off(self) -> None:
        self._retry_at = time.monotonic() + _BACK_OFF[min(self._failures, len(_BACK_OFF) - 1)]
        self._failures += 1

    def _retire(self) -> None:
        for generation in list(self.old):
            child = generation.child
            if child.ended() is not None and not child.group_lives():
                self._forget(generation)
            elif child.stopping:
                child.overdue()
            elif time.monotonic() >= generation.drained_at:
                child.stop(within=self.stop_seconds)

    def _forget(self, generation: Generation) -> None:
        generation.drain()
        generation.child.close()
        if generation is self.current:
            self.current = None
        elif generation is self.next:
            self.next = None
        else:
            with contextlib.suppress(ValueError):
                self.old.remove(generation)
        log.info("gone", service=self.name, pid=generation.child.pid)
