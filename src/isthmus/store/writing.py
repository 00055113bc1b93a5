"""Group commit: writes of many threads in one durable transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from isthmus.store.checkpoints import Checkpoints
from isthmus.store.connections import BUSY_SECONDS, connect
from isthmus.store.durable import Log
from isthmus.store.errors import StoreBusy, StoreClosed, StoreError, translate
from isthmus.store.statements import steps
from isthmus.store.write_lock import WriteLock

T = TypeVar("T")

SLICE_SECONDS = 0.02
"""After this time in one transaction no further write joins it: other processes wait no longer than that."""

_POLL = 0.05  # seconds
_BUSY_POLL = 0.002


class Pause(Protocol):
    """One thread's wait until another one ends it."""

    def wait(self, seconds: float = -1) -> bool:
        """Sleep until it is ended; False after that time."""
        ...

    def end(self) -> None: ...


class Place(Protocol):
    """What a thread of this process must have to run, and lends while it waits (`engine.turns`)."""

    def give(self) -> None: ...
    def take_back(self) -> None: ...
    def pause(self) -> Pause: ...


class _Task:
    """One write that waits for its turn. `pause`: what its thread sleeps on, until somebody has ended it."""

    __slots__ = ("done", "error", "function", "leads", "pause", "result")

    def __init__(self, function: Callable[[sqlite3.Connection], Any]) -> None:
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.leads = False
        self.pause: Pause | None = None

    def wake(self) -> None:
        pause, self.pause = self.pause, None
        if pause is not None:
            pause.end()


class Writer:
    """Runs functions on the one writing connection of this process.

    The first thread to come leads: it runs every write that waits in one transaction, lent once, and hands the lead
    to the next that came meanwhile. So a lone write needs no change of threads, and sixteen at once need one disk sync.
    Statements run while the leader has the place of `place`, so that nobody else wants the interpreter, which SQLite
    gives away at each step; the leader lends it for the commit, and for locks that are not free.
    """

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, writing=True)
        self._connection.execute("PRAGMA busy_timeout = 0").close()
        self._connection.execute("PRAGMA synchronous = NORMAL").close()  # `Log` does the rest
        self._connection.executescript(steps())
        self._lock = WriteLock(path.parent)
        self._checkpoints = Checkpoints(path)
        self._log = Log(path)
        self._mutex = threading.Lock()
        self._queue: deque[_Task] = deque()
        self._led_by: int | None = None
        self._closed = False
        self.place: Place = _Unbounded()

    def run(self, function: Callable[[sqlite3.Connection], T], *, seconds: float = BUSY_SECONDS) -> T:
        """Run the function inside a transaction and return its result once that is durable.

        An exception of the function undoes its own part only and is raised here. It must neither begin nor end
        transactions, nor call `run`, and have no effect but on the connection: it may be undone and run again.

        Raises:
            StoreBusy: its turn did not come in that time; nothing was done.
            StoreFull: the disk is full; nothing was kept.
        """
        task = _Task(function)
        me = threading.get_ident()
        pause = None
        with self._mutex:
            if self._closed:
                raise StoreClosed("the store is closed")
            if self._led_by == me:
                raise RuntimeError("a write inside a write: pass the connection on instead")
            self._queue.append(task)
            if self._led_by is None:
                self._led_by = me
            else:
                pause = task.pause = self.place.pause()
        if pause is None or self._waited(task, pause, seconds):
            self._lead(task)
        if task.error is not None:
            raise task.error
        return task.result  # type: ignore[no-any-return]

    def is_wanted(self) -> bool:
        """Tell whether another thread or process waits to write: what a long write asks between two slices."""
        return bool(self._queue) or self._lock.is_wanted()

    def close(self) -> None:
        """Wait for writes under way, then close. Later calls raise `StoreClosed`."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
        deadline = time.monotonic() + 2 * BUSY_SECONDS
        while self._led_by is not None:
            if time.monotonic() > deadline:
                raise StoreBusy("a write is still under way; the store was not closed")
            time.sleep(_POLL / 50)
        self._checkpoints.close()
        self._connection.close()
        self._log.close()
        self._lock.close()

    def release(self) -> None:
        """Let go of what must outlast every connection of this process."""
        self._checkpoints.release()

    def _waited(self, task: _Task, pause: Pause, seconds: float) -> bool:
        """Wait until the task is done (False) or this thread must lead (True)."""
        if not pause.wait(seconds):
            with self._mutex:
                if task in self._queue and not task.leads:
                    self._queue.remove(task)
                    raise StoreBusy("writes queue up in this process and the turn did not come in time; try again")
            pause.wait()  # it is being run, or was just chosen to lead
        if task.done:
            return False
        with self._mutex:
            self._led_by = threading.get_ident()
        return True

    def _lead(self, own: _Task) -> None:
        """Run one transaction, wake those whose writes were in it, and then who leads next."""
        batch: list[_Task] = []
        lent = _Lent(self.place)
        try:
            self._transaction(batch, lent)
        finally:
            for task in batch:
                task.done = True
                task.wake()
            self._tidy()
            with self._mutex:
                if not own.done and own in self._queue:
                    self._queue.remove(own)  # an interrupt came in between: nobody waits for it any more
                following = self._queue[0] if self._queue else None
                if following is None:
                    self._led_by = None
                else:
                    following.leads = True
                    self._led_by = 0
            if following is not None:
                following.wake()
            lent.end()

    def _transaction(self, batch: list[_Task], lent: _Lent) -> None:
        """Run what waits, as far as the slice allows; every task taken has its result or error afterwards."""
        locked = began = False
        connection = self._connection
        try:
            self._log.check()
            self._take_lock()
            locked = True
            self._checkpoints.before_write(connection)
            self._begin()
            began = True
            before = connection.total_changes
            self._run_batch(connection, batch)
            lent.begin()
            connection.execute("COMMIT")
            if connection.total_changes != before:
                locked = False
                self._lock.give_up()
                self._log.sync()
        except BaseException as error:
            with self._mutex:
                if not began:  # nobody's turn came: all that wait would only wait again
                    batch.extend(self._queue)
                    self._queue.clear()
            for task in batch:
                task.error = task.error or _failure(error)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if not isinstance(error, (sqlite3.Error, StoreError)):
                raise
        finally:
            if locked:
                self._lock.give_up()

    def _take_lock(self) -> None:
        if self._lock.take_at_once():
            return
        with _Lent(self.place):
            self._lock.take(BUSY_SECONDS)

    def _begin(self) -> None:
        """Begin the transaction, waiting for programs that do not know our lock."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
        else:
            return
        deadline = time.monotonic() + BUSY_SECONDS
        with _Lent(self.place):
            while True:
                try:
                    self._connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if not _is_busy(error) or time.monotonic() >= deadline:
                        raise
                    time.sleep(_BUSY_POLL)
                else:
                    return

    def _run_batch(self, connection: sqlite3.Connection, batch: list[_Task]) -> None:
        """Run writes one after the other.

        No savepoints: SQLite would copy every page that is touched. A write that fails before it has changed anything
        has nothing to undo; after another's failure the rest is undone and run again, each in a savepoint of its own.
        """
        end = time.monotonic() + SLICE_SECONDS
        apart = False
        again: deque[_Task] = deque()
        while again or (self._queue and (not batch or time.monotonic() <= end)):
            if again:
                task = again.popleft()
            else:
                with self._mutex:
                    task = self._queue.popleft()
                batch.append(task)
            changes = connection.total_changes
            try:
                if apart:
                    connection.execute("SAVEPOINT part")
                task.result = task.function(connection)
                if apart:
                    connection.execute("RELEASE part")
            except BaseException as error:
                task.error = _failure(error)
                if not connection.in_transaction:
                    raise  # SQLite undid everything (full disk, I/O error): the others fail with it
                if apart:
                    connection.execute("ROLLBACK TO part")
                    connection.execute("RELEASE part")
                elif connection.total_changes != changes:
                    connection.execute("ROLLBACK")
                    self._begin()
                    apart = True
                    again.extend(one for one in batch if one.error is None)

    def _tidy(self) -> None:
        try:
            self._checkpoints.after_write(self._connection)
        except sqlite3.Error as error:
            self._checkpoints.failure = error  # what was written is in the log already; the copy can wait


class _Lent:
    """The time in which a leader lends its place; begun once, or never, and then ended."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._begun = False

    def begin(self) -> None:
        self._begun = True
        self._place.give()

    def end(self) -> None:
        if self._begun:
            self._place.take_back()

    def __enter__(self) -> None:
        self.begin()

    def __exit__(self, *_error: object) -> None:
        self.end()


class _Unbounded:
    """The place of a process in which every thread may run."""

    def give(self) -> None:
        return

    def take_back(self) -> None:
        return

    def pause(self) -> Pause:
        return _Sleep()


class _Sleep:
    """A pause without a place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wait(self, seconds: float = -1) -> bool:
        return self._lock.acquire(timeout=seconds)

    def end(self) -> None:
        self._lock.release()


def _is_busy(error: sqlite3.Error) -> bool:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_BUSY


def _failure(error: BaseException) -> BaseException:
    """Return the error for one caller: a new one each of SQLite's and ours, as threads must not share them."""
    failure: BaseException
    if isinstance(error, sqlite3.Error):
        failure = translate(error)
    elif type(error) is StoreBusy:
        failure = StoreBusy(*error.args)
    else:
        return error
    failure.__cause__ = error
    return failure
