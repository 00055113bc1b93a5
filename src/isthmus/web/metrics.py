"""Count requests and calls of targets in every process; the operations process adds them up.

Counting costs one lock and three additions. A worker writes its totals to a file of its own once a second, and only if
they changed; a process that is killed loses at most the last second of them. (prometheus-client's multiprocess mode
maps a file and locks it for every single count.)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the duration histogram, in seconds."""

_MOST_SERIES = 5000
_TEXTS = {status: str(status) for status in range(100, 600)}


class Series(msgspec.Struct):
    """Requests or calls of one connector of one kind that ended alike. `buckets` are counts per bucket, not cumulative.

    Of a request: its method, and the answer's status. Of a call: what was done in the target, and "ok" or the class of
    the error.
    """

    connector: str
    operation: str
    outcome: str
    seconds: float
    buckets: list[int]


Sums = dict[tuple[str, str, str], Series]


class Totals(msgspec.Struct):
    """What one process counted since it began."""

    process: int
    requests: list[Series]
    calls: list[Series]


class Recorder:
    """The counters of this process. `folder` None: count, but publish nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._requests: Sums = {}
        self._calls: Sums = {}
        self._changed = False
        self._file = None if folder is None else folder / f"{os.getpid()}-{time.time_ns():x}.json"

    def request(self, connector: str, method: str, status: int, seconds: float) -> None:
        """Count one request. `connector` is one that exists, or "": names that clients invent make no series."""
        self._count(self._requests, (connector, method, _TEXTS.get(status) or str(status)), seconds)

    def call(self, connector: str, operation: str, outcome: str, seconds: float) -> None:
        """Count one call of a target. `outcome`: "ok", or the class of the error."""
        self._count(self._calls, (connector, operation, outcome), seconds)

    def _count(self, sums: Sums, key: tuple[str, str, str], seconds: float) -> None:
        bucket = bisect_left(BUCKETS, seconds)
        with self._lock:
            series = sums.get(key)
            if series is None:
                if len(sums) >= _MOST_SERIES:
                    return
                series = sums[key] = Series(*key, 0.0, [0] * (len(BUCKETS) + 1))
            series.seconds += seconds
            series.buckets[bucket] += 1
            self._changed = True

    def totals(self) -> Totals:
        """Return a copy of the counters."""
        with self._lock:
            return Totals(os.getpid(), _copies(self._requests), _copies(self._calls))

    def publish(self) -> None:
        """Write the totals to this process's file if they changed since the last time."""
        if self._file is None or not self._changed:
            return
        with self._lock:
            self._changed = False
        content = msgspec.json.encode(self.totals())
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._file.with_suffix(".new")
        beside.write_bytes(content)
        beside.replace(self._file)


_RETIRED = "retired.json"


def _copies(sums: Sums) -> list[Series]:
    return [Series(s.connector, s.operation, s.outcome, s.seconds, list(s.buckets)) for s in sums.values()]


def collect(folder: Path) -> tuple[list[Series], list[Series]]:
    """Return requests and calls, summed over all processes that published into the folder, also those that have ended.

    Files of ended processes are folded into one, by one caller at a time: it would be counted twice what one reads
    before, and again after, another has folded it.
    """
    with _alone(folder):
        return _collect(folder)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other callers out, of this process and of that which takes over from it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield  # nobody has published anything
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _collect(folder: Path) -> tuple[list[Series], list[Series]]:
    requests: Sums = {}
    calls: Sums = {}
    retired_requests: Sums = {}
    retired_calls: Sums = {}
    ended: list[Path] = []
    for file in sorted(folder.glob("*.json")):
        try:
            totals = msgspec.json.decode(file.read_bytes(), type=Totals)
        except (OSError, msgspec.DecodeError):
            continue  # a file that vanished or was cut by a full disk counts nothing
        over = file.name != _RETIRED and not _runs(totals.process)
        _add(requests, totals.requests)
        _add(calls, totals.calls)
        if over or file.name == _RETIRED:
            _add(retired_requests, totals.requests)
            _add(retired_calls, totals.calls)
        if over:
            ended.append(file)
    if ended:
        beside = folder / "retired.new"
        beside.write_bytes(
            msgspec.json.encode(Totals(0, list(retired_requests.values()), list(retired_calls.values())))
        )
        beside.replace(folder / _RETIRED)
        for file in ended:
            file.unlink(missing_ok=True)
    return list(requests.values()), list(calls.values())


def start_afresh(folder: Path) -> None:
    """Remove what an earlier `serve` left."""
    for file in (*folder.glob("*.json"), *folder.glob("*.new")):
        with contextlib.suppress(OSError):
            file.unlink()


def _add(sums: Sums, more: Iterable[Series]) -> None:
    for series in more:
        key = (series.connector, series.operation, series.outcome)
        found = sums.get(key)
        if found is None:
            sums[key] = Series(*key, series.seconds, list(series.buckets))
            continue
        found.seconds += series.seconds
        found.buckets = [a + b for a, b in zip(found.buckets, series.buckets, strict=True)]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
