"""Count requests in every worker process; the operations process adds them up.

Counting costs one lock and three additions. A worker writes its totals to a file of its own once a second, and only if
they changed; a process that is killed loses at most the last second of them. (prometheus-client's multiprocess mode
maps a file and locks it for every single count.)
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from bisect import bisect_left
from pathlib import Path

import msgspec

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the duration histogram, in seconds."""

_MOST_SERIES = 5000


class Series(msgspec.Struct):
    """Requests of one connector with one method and status. `buckets` are counts per bucket, not cumulative."""

    connector: str
    method: str
    status: int
    seconds: float
    buckets: list[int]


class Totals(msgspec.Struct):
    """What one process counted since it began."""

    process: int
    series: list[Series]


class Recorder:
    """The counters of this process. `folder` None: count, but publish nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._series: dict[tuple[str, str, int], Series] = {}
        self._changed = False
        self._file = None if folder is None else folder / f"{os.getpid()}-{time.time_ns():x}.json"

    def request(self, connector: str, method: str, status: int, seconds: float) -> None:
        """Count one request. `connector` is one that exists, or "": names that clients invent make no series."""
        key = (connector, method, status)
        bucket = bisect_left(BUCKETS, seconds)
        with self._lock:
            series = self._series.get(key)
            if series is None:
                if len(self._series) >= _MOST_SERIES:
                    return
                series = self._series[key] = Series(connector, method, status, 0.0, [0] * (len(BUCKETS) + 1))
            series.seconds += seconds
            series.buckets[bucket] += 1
            self._changed = True

    def totals(self) -> Totals:
        """Return a copy of the counters."""
        with self._lock:
            return Totals(
                os.getpid(),
                [Series(s.connector, s.method, s.status, s.seconds, list(s.buckets)) for s in self._series.values()],
            )

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


def collect(folder: Path) -> list[Series]:
    """Return the sums over all processes that published into the folder, also those that have ended.

    Files of ended processes are folded into one. Only one process may call this.
    """
    sums: dict[tuple[str, str, int], Series] = {}
    retired: dict[tuple[str, str, int], Series] = {}
    ended: list[Path] = []
    for file in sorted(folder.glob("*.json")):
        try:
            totals = msgspec.json.decode(file.read_bytes(), type=Totals)
        except (OSError, msgspec.DecodeError):
            continue  # a file that vanished or was cut by a full disk counts nothing
        over = file.name != _RETIRED and not _runs(totals.process)
        for series in totals.series:
            _add(sums, series)
            if over or file.name == _RETIRED:
                _add(retired, series)
        if over:
            ended.append(file)
    if ended:
        beside = folder / "retired.new"
        beside.write_bytes(msgspec.json.encode(Totals(0, list(retired.values()))))
        beside.replace(folder / _RETIRED)
        for file in ended:
            file.unlink(missing_ok=True)
    return list(sums.values())


def start_afresh(folder: Path) -> None:
    """Remove what an earlier `serve` left."""
    for file in (*folder.glob("*.json"), *folder.glob("*.new")):
        with contextlib.suppress(OSError):
            file.unlink()


def _add(sums: dict[tuple[str, str, int], Series], series: Series) -> None:
    key = (series.connector, series.method, series.status)
    found = sums.get(key)
    if found is None:
        sums[key] = Series(series.connector, series.method, series.status, series.seconds, list(series.buckets))
        return
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
