"""Requests under way in this process, and which of them only wait for their body."""

from __future__ import annotations

import itertools
import threading
import time

from isthmus.scim.errors import Unavailable

_MOMENT = 5.0


class Work:
    """Knows when each request began. At most `bodies` threads read bodies at a time.

    granian gives a request a thread once its headers are there, and reading a body blocks that thread for as long as
    the client likes. With half of the threads allowed to, the other half always answers.
    """

    def __init__(self, *, bodies: int) -> None:
        self._refused_at = float("-inf")
        self._bodies = bodies
        self._keys = itertools.count()
        self._began: dict[int, float] = {}
        self._receiving: dict[int, float] = {}
        self._lock = threading.Lock()

    def begin(self) -> int:
        """Count a request; return its key for `end`."""
        key = next(self._keys)
        self._began[key] = time.monotonic()
        return key

    def end(self, key: int) -> None:
        """Count it no longer."""
        del self._began[key]

    def receiving(self, key: int) -> _Receiving:
        """Return the context in which the request counts as waiting for its body.

        Raises:
            Unavailable: on entering, too many bodies are on their way.
        """
        return _Receiving(self, key)

    def _receive(self, key: int) -> float:
        with self._lock:
            if len(self._receiving) >= self._bodies:
                self._refused_at = time.monotonic()
                raise Unavailable(
                    "too many requests are being received at once", {"Connection": "close"}, retry_after=1
                )
            self._receiving[key] = time.monotonic()
        return self._began.pop(key)

    def _received(self, key: int, began: float) -> None:
        self._began[key] = began
        del self._receiving[key]

    @property
    def crowded(self) -> bool:
        """Whether a body was refused a moment ago: those that do not go on should make room."""
        return time.monotonic() - self._refused_at < _MOMENT

    def oldest(self) -> float:
        """Return the seconds since the oldest request began that is not waiting for its body; 0 if there is none."""
        return _oldest(self._began)

    def oldest_body(self) -> float:
        """Return how long the oldest body has been on its way; 0 if there is none."""
        return _oldest(self._receiving)


class _Receiving:
    """The context of `Work.receiving`."""

    __slots__ = ("_began", "_key", "_work")

    def __init__(self, work: Work, key: int) -> None:
        self._work = work
        self._key = key
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = self._work._receive(self._key)

    def __exit__(self, *_error: object) -> None:
        self._work._received(self._key, self._began)


def _oldest(began: dict[int, float]) -> float:
    times = list(began.values())  # one step of the interpreter: other threads add and remove
    return max(0.0, time.monotonic() - min(times)) if times else 0.0
