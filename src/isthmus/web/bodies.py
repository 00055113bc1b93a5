"""Read request bodies: announced size and type first, then under a deadline, in few threads.

granian 2.8.7 gives a blocking `read` without a timeout: a body that never ends holds the thread until its client leaves.
Reading therefore happens in threads of its own. The request waits for one of them, and when its time is up it is answered
408 and forgotten; the thread comes free when the connection is cut (`connections.StallGuard`).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from isthmus.scim.body import check_content_type
from isthmus.scim.errors import InvalidSyntax, ScimError, TooLarge, Unavailable, UnsupportedMediaType

_STUCK_AT_MOST = 512
_SETTLED = 1.0
_IDLE = 30.0
_CLOSE = {"Connection": "close"}


def announced_size(environ: Mapping[str, Any], *, limit: int) -> int:
    """Return the body's size from the headers.

    Raises:
        ScimError: 411 without a length, 413 above `limit`, 415 for a type that is not JSON, 400 for no body at all.
    """
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        if environ.get("HTTP_TRANSFER_ENCODING"):
            raise ScimError(411, "send the body with a Content-Length, not chunked", headers=_CLOSE)
        raise InvalidSyntax("the request needs a JSON body, and none was sent", _CLOSE)
    if not text.isascii() or not text.isdigit():
        raise InvalidSyntax("the Content-Length header is not a number", _CLOSE)
    size = int(text)
    if size > limit:
        raise TooLarge(f"the body has {size} bytes; at most {limit} are taken (scim.max_body_bytes)", _CLOSE)
    check_content_type(environ.get("CONTENT_TYPE"))
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise UnsupportedMediaType("send the body without Content-Encoding", _CLOSE)
    if size == 0:
        raise InvalidSyntax("the request needs a JSON body, and an empty one was sent")
    return size


class _Reading:
    """One body on its way: the request waits for it, or gives up."""

    __slots__ = ("_woken", "data", "read", "since")

    def __init__(self, read: Callable[[], bytes]) -> None:
        self.read = read
        self.since = time.monotonic()
        self.data: bytes | None = None
        self._woken = threading.Lock()
        self._woken.acquire()

    def wake(self) -> None:
        """Let the waiting request go on; to be called once."""
        self._woken.release()

    def wait(self, seconds: float) -> bool:
        """Return whether `wake` came in time."""
        return self._woken.acquire(timeout=seconds)


class BodyReader:
    """Reads the bodies of one process.

    At most `places` requests wait for their body at a time. When all places are taken, the one that has waited longest
    makes room if it had at least a second, for a body that is there arrives at once; otherwise the new one is refused.
    """

    def __init__(self, *, places: int, timeout: float, limit: int) -> None:
        self.limit = limit
        self._places = max(1, places)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._waiting: dict[_Reading, None] = {}
        self._queue: queue.SimpleQueue[_Reading] = queue.SimpleQueue()
        self._threads = 0
        self._idle = 0

    def read(self, environ: Mapping[str, Any]) -> bytes:
        """Return the whole body.

        Raises:
            ScimError: what `announced_size` raises; 408 if the body did not come in time; 503 if too many are being read;
                400 if the client left before its end.
        """
        size = announced_size(environ, limit=self.limit)
        source = environ["wsgi.input"]
        reading = _Reading(lambda: source.read(size))
        self._enter(reading)
        woken = reading.wait(self._timeout)
        with self._lock:
            self._waiting.pop(reading, None)
        data = reading.data
        if not woken or data is None:
            raise ScimError(408, f"the body of {size} bytes did not arrive in time; send it in one go", headers=_CLOSE)
        if len(data) < size:
            raise InvalidSyntax(f"the connection ended before all {size} bytes of the body had come", _CLOSE)
        return data

    def _enter(self, reading: _Reading) -> None:
        with self._lock:
            if len(self._waiting) >= self._places:
                oldest = next(iter(self._waiting))
                if reading.since - oldest.since < _SETTLED:
                    raise Unavailable("too many requests are being received at once", _CLOSE, retry_after=2)
                del self._waiting[oldest]
                oldest.wake()
            if self._idle:
                self._idle -= 1
            elif self._threads < _STUCK_AT_MOST + self._places:
                self._threads += 1
                threading.Thread(target=self._work, name="body", daemon=True).start()
            else:
                raise Unavailable("too many requests stopped in the middle of their body", _CLOSE, retry_after=30)
            self._waiting[reading] = None
        self._queue.put(reading)

    def _work(self) -> None:
        while True:
            try:
                reading = self._queue.get(timeout=_IDLE)
            except queue.Empty:
                with self._lock:
                    if not self._idle:
                        continue  # a body was promised to this thread a moment ago
                    self._idle -= 1
                    self._threads -= 1
                return
            try:
                data = reading.read()
            except OSError:
                data = b""  # the connection broke: the same as a body that ends early
            with self._lock:
                self._idle += 1
                if self._waiting.pop(reading, self) is None:
                    reading.data = data
                    reading.wake()
