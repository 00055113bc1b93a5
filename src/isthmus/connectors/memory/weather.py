"""Bad days: a target that is down, hangs, throttles, or loses the answer to a write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from isthmus.connectors.memory.rows import TargetTrouble, Trouble
from isthmus.spi import Call

T = TypeVar("T")

_POLL = 0.02  # seconds between looks at cancellation and deadline while the target hangs


class Weather:
    """What stands between a connector and the target's objects. Switches work at once, also for requests under way."""

    def __init__(self) -> None:
        self.down = False
        self.retry_after: float | None = None
        self.lose_answers = 0
        """So many of the next writes take effect, and their connection breaks before the answer."""
        self._lock = threading.Lock()
        self._answering = threading.Event()
        self._answering.set()
        self._late: list[Callable[[], object]] = []

    # switches

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Refuse connections for a while."""
        self.down = True
        try:
            yield
        finally:
            self.down = False

    @contextmanager
    def throttling(self, retry_after: float = 7.0) -> Iterator[None]:
        """Ask for fewer requests for a while."""
        self.retry_after = retry_after
        try:
            yield
        finally:
            self.retry_after = None

    @contextmanager
    def hang(self) -> Iterator[None]:
        """Accept requests and answer none for a while.

        Writes sent meanwhile take effect at the end, as they do in a target whose process was stopped and goes on.
        """
        self.stop_answering()
        try:
            yield
        finally:
            self.answer_again()

    def stop_answering(self) -> None:
        self._answering.clear()

    def answer_again(self) -> None:
        """Answer again; writes that were sent meanwhile take effect now, late."""
        with self._lock:
            late, self._late = self._late, []
            for write in late:
                try:
                    write()
                except TargetTrouble:
                    continue  # refused, and nobody is left to tell
            self._answering.set()

    @property
    def hanging(self) -> bool:
        return not self._answering.is_set()

    # requests

    def endure(self, call: Call, latency: float) -> None:
        """Take the time a request takes, or raise what prevents it."""
        if self.down:
            raise TargetTrouble(Trouble.DOWN, "the target refuses connections")
        if self.retry_after is not None:
            raise TargetTrouble(Trouble.BUSY, "the target asks for fewer requests")
        if latency:
            threading.Event().wait(min(latency, call.remaining()))
            call.check()

    def wait(self, call: Call) -> None:
        """Wait until the target answers; raise when the call has no time left."""
        while not self._answering.wait(min(_POLL, call.remaining())):
            call.check()

    def carry(self, write: Callable[[], T], call: Call) -> T:
        """Bring a write to the target and its answer back."""
        with self._lock:
            if self._answering.is_set():
                result = write()
                if self.lose_answers > 0:
                    self.lose_answers -= 1
                    raise TargetTrouble(Trouble.SILENT, "the connection broke before the target's answer", sent=True)
                return result
            self._late.append(write)
        while not self._answering.wait(min(_POLL, call.remaining())):
            if call.remaining() <= 0:
                break
        raise TargetTrouble(Trouble.SILENT, "the target took the write and did not answer", sent=True)

    def settle(self, call: Call) -> None:
        """Return once no write sent before can take effect any more; late ones do before the target answers again."""
        self.wait(call)
