"""Write a part of a first import while the next is prepared: commits wait for the disk, and that time is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from isthmus.engine.turns import Turns

Part = TypeVar("Part")


class WritingBehind(Generic[Part]):
    """A context in which a thread of its own writes parts, one after the other, in the order they are given.

    Both threads run by turns, for two that want the interpreter at once slow SQLite's steps down a hundredfold: a part
    is prepared while the one before it is committed. One part waits at most. Leaving the context waits until all are
    written; leaving it by an exception drops the one that waits.
    """

    def __init__(self, write: Callable[[Part], object], turns: Turns) -> None:
        self._write = write
        self._turns = turns
        self._parts: queue.SimpleQueue[Part | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(1)
        self._error: BaseException | None = None
        self._dropped = False
        self._thread = threading.Thread(target=self._work, name="import-writes")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._dropped = error is not None
        self._parts.put(None)
        self._thread.join()
        if error is None:
            self._raise()

    def give(self, prepare: Callable[[], Part]) -> None:
        """Have what `prepare` returns written. Raises what a write before has raised."""
        self._free.acquire()
        self._raise()
        with self._turns:
            part = prepare()
        self._parts.put(part)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (part := self._parts.get()) is not None:
            try:
                with self._turns:
                    self._free.release()
                    if not self._dropped and self._error is None:
                        self._write(part)
            except BaseException as error:  # noqa: BLE001 - raised where the part came from
                self._error = error
