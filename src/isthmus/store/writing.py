"""Group commit: writes of many threads in one durable transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from isthmus.store.checkpoints import Checkpoints
from isthmus.store.connections import BUSY_SECONDS, connect
from isthmus.store.errors import StoreBusy, StoreClosed, StoreError, translate
from isthmus.store.turns import Turns

T = TypeVar("T")

SLICE_SECONDS = 0.02
"""After this time in one transaction no further write joins it: other processes wait no longer than that."""

_POLL = 0.05  # seconds


class _Task:
    """One write that waits for its turn."""

    __slots__ = ("done", "error", "function", "leads", "result", "woken")

    def __init__(self, function: Callable[[sqlite3.Connection], Any]) -> None:
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.leads = False
        self.woken = threading.Event()


class Writer:
    """Runs functions on the one writing connection of this process.

    The first thread to come leads: it runs every write that waits in one transaction, commits once, and hands the lead
    to the next that came meanwhile. So a lone write needs no change of threads, and sixteen at once need one disk sync.
    """

    def __init__(self, path: Path) -> None:
        self._connection = connect(path, writing=True)
        self._turns = Turns(path.parent)
        self._checkpoints = Checkpoints(path)
        self._mutex = threading.Lock()
        self._queue: deque[_Task] = deque()
        self._led_by: int | None = None
        self._closed = False
        self.waiting: Callable[[], AbstractContextManager[None]] = nullcontext
        """What a caller is inside of while it waits for its turn, for the disk and for the others it leads."""

    def run(self, function: Callable[[sqlite3.Connection], T], *, seconds: float = BUSY_SECONDS) -> T:
        """Run the function inside a transaction and return its result once that is durable.

        An exception of the function undoes its own part only and is raised here. It must neither begin nor end
        transactions, nor call `run`.

        Raises:
            StoreBusy: its turn did not come in that time; nothing was done.
            StoreFull: the disk is full; nothing was kept.
        """
        task = _Task(function)
        me = threading.get_ident()
        with self._mutex:
            if self._closed:
                raise StoreClosed("the store is closed")
            if self._led_by == me:
                raise RuntimeError("a write inside a write: pass the connection on instead")
            self._queue.append(task)
            leads = self._led_by is None
            if leads:
                self._led_by = me
        with self.waiting():
            if leads or self._waited(task, seconds):
                self._lead(task)
        if task.error is not None:
            raise task.error
        return task.result  # type: ignore[no-any-return]

    def is_wanted(self) -> bool:
        """Tell whether another thread or process waits to write: what a long write asks between two slices."""
        return bool(self._queue) or self._turns.is_wanted()

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
        self._turns.close()

    def _waited(self, task: _Task, seconds: float) -> bool:
        """Wait until the task is done (False) or this thread must lead (True)."""
        if not task.woken.wait(seconds):
            with self._mutex:
                if task in self._queue and not task.leads:
                    self._queue.remove(task)
                    raise StoreBusy("writes queue up in this process and the turn did not come in time; try again")
            task.woken.wait()  # it is being run, or was just chosen to lead
        if task.done:
            return False
        with self._mutex:
            self._led_by = threading.get_ident()
        return True

    def _lead(self, own: _Task) -> None:
        try:
            self._transaction()
        finally:
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
                following.woken.set()

    def _transaction(self) -> None:
        """Run what waits, as far as the slice allows; every task taken is done afterwards, whatever happens."""
        batch: list[_Task] = []
        took_turn = began = False
        try:
            self._turns.take(BUSY_SECONDS)
            took_turn = True
            connection = self._connection
            self._checkpoints.before_write(connection)
            connection.execute("BEGIN IMMEDIATE")
            began = True
            self._run_batch(connection, batch)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except BaseException as error:
            with self._mutex:
                if not began:  # nobody's turn came: all that wait would only wait again
                    batch.extend(self._queue)
                    self._queue.clear()
            for task in batch:
                task.error = task.error or _failure(error)
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if not isinstance(error, (sqlite3.Error, StoreError)):
                raise
        finally:
            if took_turn:
                self._turns.give_up()
            for task in batch:
                task.done = True
                task.woken.set()
            if took_turn:
                self._tidy()

    def _take(self) -> _Task:
        with self._mutex:
            return self._queue.popleft()

    def _run_batch(self, connection: sqlite3.Connection, batch: list[_Task]) -> None:
        end = time.monotonic() + SLICE_SECONDS
        while self._queue:
            task = self._take()
            alone = not batch
            batch.append(task)
            try:
                # The first write needs no savepoint: if it fails, the whole transaction is undone and begun again.
                # That spares a bulk write the copies SQLite makes of every page for a savepoint.
                if not alone:
                    connection.execute("SAVEPOINT part")
                task.result = task.function(connection)
                if not alone:
                    connection.execute("RELEASE part")
            except BaseException as error:
                task.error = _failure(error)
                if not connection.in_transaction:
                    raise  # SQLite undid everything (full disk, I/O error): the others fail with it
                if alone:
                    connection.execute("ROLLBACK")
                    batch.clear()
                    task.done = True
                    task.woken.set()
                    if not isinstance(error, Exception):
                        raise
                    if not self._queue:
                        return
                    connection.execute("BEGIN IMMEDIATE")
                else:
                    connection.execute("ROLLBACK TO part")
                    connection.execute("RELEASE part")
            if time.monotonic() > end:
                return

    def _tidy(self) -> None:
        try:
            self._checkpoints.after_write(self._connection)
        except sqlite3.Error as error:
            self._checkpoints.failure = error  # what was written is in the log already; the copy can wait


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
