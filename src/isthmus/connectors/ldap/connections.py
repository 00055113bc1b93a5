"""One connection for each thread, kept open; the idle ones make room when there are too many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import ldap

from isthmus.connectors.ldap.connecting import Connecting
from isthmus.connectors.ldap.errors import Failure, Kind
from isthmus.connectors.ldap.filters import EVERYTHING
from isthmus.connectors.ldap.link import Link
from isthmus.connectors.ldap.settings import LdapSettings
from isthmus.spi import Call

T = TypeVar("T")

_LOOK_AGAIN = 0.02


class _Slot:
    """The connection of one thread. Whoever holds `lock` may use or close it."""

    __slots__ = ("idle_since", "link", "lock", "thread")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.thread = threading.current_thread()
        self.link: Link | None = None
        self.idle_since = 0.0


class Connections:
    """The connections of one connector. One that ended while it was idle is replaced before anything is sent."""

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        self._connecting = Connecting(settings)
        self._own = threading.local()
        self._slots: list[_Slot] = []
        self._changed = threading.Condition()
        self._count = 0
        self._apart: set[Link] = set()
        self._closed = False

    def seconds(self, call: Call) -> float:
        """Return how long one operation of this call may take."""
        call.check()
        return min(self._settings.operation_timeout, call.remaining())

    @contextmanager
    def use(self, call: Call) -> Iterator[Link]:
        """Give this thread's connection; closed after a failure without a definite answer."""
        slot = self._slot()
        with slot.lock:
            link = self._ready(slot, call)
            try:
                yield link
            finally:
                slot.idle_since = time.monotonic()
                if link.broken and slot.link is link:
                    self._drop(slot)

    @contextmanager
    def apart(self, call: Call, *, only: str | None = None) -> Iterator[Link]:
        """Give a new connection that is closed afterwards: for imports and other servers."""
        call.check()
        link = self._connect(call, only=only)
        with self._changed:
            self._apart.add(link)
        try:
            yield link
        except BaseException:
            link.broken = True  # a search may still be under way
            raise
        finally:
            with self._changed:
                self._apart.discard(link)
            self._close(link)

    def read(self, call: Call, run: Callable[[Link], T]) -> T:
        """Run something that changes nothing; once more on a new connection if the old one turns out to be dead."""
        fresh = self._slot().link is None
        try:
            with self.use(call) as link:
                return run(link)
        except Failure as failure:
            if failure.kind is not Kind.LOST or fresh or not call.remaining():
                raise
        with self.use(call) as link:
            return run(link)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            slots, apart = list(self._slots), list(self._apart)
            self._changed.notify_all()
        for each in apart:
            each.interrupt()  # whoever holds it closes it
        for slot in slots:
            with slot.lock:
                self._drop(slot)

    def _slot(self) -> _Slot:
        slot: _Slot | None = getattr(self._own, "slot", None)
        if slot is None:
            slot = self._own.slot = _Slot()
            with self._changed:
                self._slots.append(slot)
        return slot

    def _ready(self, slot: _Slot, call: Call) -> Link:
        call.check()
        if slot.link is not None and not self._alive(slot, slot.link, call):
            self._drop(slot)
        if slot.link is None:
            with self._changed:
                if slot not in self._slots:
                    self._slots.append(slot)
            slot.link = self._connect(call)
        return slot.link

    def _alive(self, slot: _Slot, link: Link, call: Call) -> bool:
        if not link.quiet():
            return False
        if time.monotonic() - slot.idle_since < self._settings.ping_after:
            return True
        try:
            # Half of the time is left for a new connection: a firewall may have swallowed this one.
            seconds = min(self._settings.connect_timeout, call.remaining() / 2)
            link.search("", ldap.SCOPE_BASE, EVERYTHING, (), seconds=seconds)
        except Failure:
            return False
        return True

    def _connect(self, call: Call, *, only: str | None = None) -> Link:
        self._make_room(call)
        try:
            return self._connecting.connect(call.remaining(), only=only)
        except BaseException:
            self._released()
            raise

    def _make_room(self, call: Call) -> None:
        while True:
            with self._changed:
                if self._closed:
                    raise Failure(Kind.UNREACHABLE, "", "the connector was closed", nothing_sent=True)
                self._slots = [slot for slot in self._slots if slot.link is not None or slot.thread.is_alive()]
                idle = sorted(self._slots, key=lambda slot: slot.idle_since)
                full = self._count >= self._settings.max_connections
                if not full:
                    self._count += 1
                dead = [slot for slot in idle if not slot.thread.is_alive()]
            freed = [self._freed(slot) for slot in dead]
            if not full:
                return
            if any(freed) or any(self._freed(slot) for slot in idle):
                continue
            with self._changed:
                # A connection may also become idle without a word; so look again after a short while.
                if self._count >= self._settings.max_connections:
                    self._changed.wait(min(_LOOK_AGAIN, call.remaining()))
            if not call.remaining():
                said = f"all {self._settings.max_connections} connections of this connector are in use"
                raise Failure(Kind.BUSY, "", said, nothing_sent=True)

    def _freed(self, slot: _Slot) -> bool:
        """Close a connection that nobody uses at this moment."""
        if slot is getattr(self._own, "slot", None) or not slot.lock.acquire(blocking=False):
            return False
        try:
            if slot.link is None:
                return False
            self._drop(slot)
            return True
        finally:
            slot.lock.release()

    def _drop(self, slot: _Slot) -> None:
        link, slot.link = slot.link, None
        if link is not None:
            self._close(link)

    def _close(self, link: Link) -> None:
        link.close()
        self._released()

    def _released(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()
