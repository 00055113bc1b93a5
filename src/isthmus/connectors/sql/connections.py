"""One connection for each thread, kept open; the idle ones make room when there are too many."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from isthmus.connectors.sql.database import Database, Link
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.spi import Call

T = TypeVar("T")


_LOOK_AGAIN = 0.02
_ROLLBACK = 0.5
"""Seconds; longer, and a new connection is the better choice."""


class _Slot:
    """The connection of one thread. Whoever holds `lock` may use or close it."""

    __slots__ = ("idle_since", "link", "lock", "thread")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.thread = threading.current_thread()
        self.link: Link | None = None
        self.idle_since = 0.0


class Connections:
    """The connections of one connector. One that ended while it was idle is replaced before anything is sent."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._settings = database.settings
        self._own = threading.local()
        self._slots: list[_Slot] = []
        self._changed = threading.Condition()
        self._count = 0
        self._apart: set[Link] = set()
        self._closed = False

    @contextmanager
    def use(self, call: Call) -> Iterator[Link]:
        """Give this thread's connection, marked with `call.session`; closed after a failure unless it is in order."""
        slot = self._slot()
        with slot.lock:
            link = self._ready(slot, call)
            try:
                yield link
            except BaseException as error:
                if not _in_order(link, error):
                    self._drop(slot)
                raise
            finally:
                slot.idle_since = time.monotonic()

    @contextmanager
    def apart(self, call: Call) -> Iterator[Link]:
        """Give a new connection that is closed afterwards: for imports, the catalogue and settling."""
        link = self._connect(call)
        with self._changed:
            self._apart.add(link)
        try:
            yield link
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
        for slot in slots:
            with slot.lock:
                self._drop(slot)
        for link in apart:
            link.close()

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
            slot.link = self._connect(call)
        if call.session and slot.link.session != call.session and self._settings.session_locks:
            try:
                slot.link.take_session(call.session, seconds=call.remaining())
            except Failure as failure:
                failure.nothing_sent = True  # nothing of the caller's
                self._drop(slot)
                raise
        return slot.link

    def _alive(self, slot: _Slot, link: Link, call: Call) -> bool:
        if not link.quiet():
            return False
        if time.monotonic() - slot.idle_since < self._settings.ping_after:
            return True
        try:
            # Half of the time is left for a new connection: a firewall may have swallowed this one.
            link.ping(seconds=min(self._settings.connect_timeout, call.remaining() / 2))
        except Failure:
            return False
        return True

    def _connect(self, call: Call) -> Link:
        self._make_room(call)
        try:
            return self.database.connect(seconds=min(self._settings.connect_timeout, call.remaining()))
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
                text = f"all {self._settings.max_connections} connections of this connector are in use"
                raise Failure(Kind.EXHAUSTED, "", text, nothing_sent=True)

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
        with contextlib.suppress(Failure):
            link.close()
        self._released()

    def _released(self) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify()


def _in_order(link: Link, error: BaseException) -> bool:
    """Whether a connection may be used again after an error; an open transaction is rolled back."""
    if link.quiet():
        # Statements prepared before a change of the table fail again and again; a standby stays one.
        return not (isinstance(error, Failure) and error.kind in {Kind.SCHEMA, Kind.STANDBY})
    if isinstance(error, Failure) and error.kind is Kind.LOST:
        return False
    try:
        link.rollback(seconds=_ROLLBACK)
    except Failure:
        return False
    return link.quiet()
