"""Write metrics in the form that was asked for (Prometheus text or OpenMetrics)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from isthmus import __version__
from isthmus.store.records import EntryState
from isthmus.web.metrics import BUCKETS, Series, collect

if TYPE_CHECKING:
    from isthmus.engine.host import Host


class Exposition:
    """The metrics of all processes. Numbers of the store are read when asked for."""

    def __init__(self, host: Host, folder: Path) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Requests(folder))
        self._registry.register(_State(host))

    def __call__(self) -> tuple[str, bytes]:
        """Return content type and text."""
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)


class _Requests(Collector):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yield the counters of requests and of calls, summed over all processes."""
        requests, calls = collect(self._folder)
        labels = ["connector", "method"]
        yield _counter("isthmus_requests", "SCIM requests answered", [*labels, "status"], requests)
        yield _histogram("isthmus_request_seconds", "Time from headers to answer", labels, requests)
        labels = ["connector", "operation"]
        yield _counter("isthmus_target_calls", "Calls of targets that ended", [*labels, "outcome"], calls)
        yield _histogram("isthmus_target_call_seconds", "Time that a target took", labels, calls)


def _counter(name: str, text: str, labels: list[str], series: Iterable[Series]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for one in series:
        family.add_metric([one.connector, one.operation, one.outcome], sum(one.buckets))
    return family


def _histogram(name: str, text: str, labels: list[str], series: Iterable[Series]) -> Metric:
    sums: dict[tuple[str, str], Series] = {}
    for one in series:
        key = (one.connector, one.operation)
        found = sums.setdefault(key, Series(*key, "", 0.0, [0] * (len(BUCKETS) + 1)))
        found.seconds += one.seconds
        found.buckets = [a + b for a, b in zip(found.buckets, one.buckets, strict=True)]
    bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
    family = HistogramMetricFamily(name, text, labels=labels)
    for key, one in sums.items():
        family.add_metric(list(key), list(zip(bounds, accumulate(one.buckets), strict=True)), sum_value=one.seconds)
    return family


class _State(Collector):
    def __init__(self, host: Host) -> None:
        self._host = host

    def collect(self) -> Iterator[Metric]:
        """Yield what the store knows."""
        info = GaugeMetricFamily("isthmus_build", "The version that runs", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        yield from self._journal()
        yield from self._runs()
        yield from self._watches()
        yield from self._objects()

    def _journal(self) -> Iterable[Metric]:
        entries = GaugeMetricFamily("isthmus_journal_entries", "Writes under way, or in doubt", labels=["state"])
        unfinished = self._host.store.journal.unfinished()
        for state in (EntryState.OPEN, EntryState.IN_DOUBT):
            entries.add_metric([state.value], sum(1 for entry in unfinished if entry.state is state))
        oldest = GaugeMetricFamily("isthmus_journal_oldest_seconds", "Age of the oldest unfinished write")
        oldest.add_metric([], max((time.time() - entry.opened for entry in unfinished), default=0.0))
        holds = GaugeMetricFamily("isthmus_guard_holds", "What the guard holds back", labels=["connector", "kind"])
        held: dict[tuple[str, str], int] = {}
        for hold in self._host.store.guard.holds():
            held[hold.connector, hold.kind] = held.get((hold.connector, hold.kind), 0) + 1
        for (connector, kind), count in held.items():
            holds.add_metric([connector, kind], count)
        return entries, oldest, holds

    def _runs(self) -> Iterable[Metric]:
        labels = ["connector", "scope"]
        running = GaugeMetricFamily("isthmus_import_running", "Whether an import runs", labels=labels)
        objects = GaugeMetricFamily("isthmus_import_objects", "Objects read by the running import", labels=labels)
        expected = GaugeMetricFamily("isthmus_import_expected_objects", "Objects it expects to read", labels=labels)
        last = GaugeMetricFamily(
            "isthmus_import_last_success_timestamp_seconds", "When an import last ended well", labels=labels
        )
        seen: set[tuple[str, str]] = set()
        succeeded: set[tuple[str, str]] = set()
        runs = self._host.store.runs
        # by connector, or one with many imports would hide the others'
        for run in [run for name in self._host.names() for run in runs.list(connector=name.casefold(), limit=100)]:
            if run.kind == "watch":
                continue
            key = (run.connector, run.scope)
            if run.state == "done" and key not in succeeded and run.ended is not None:
                succeeded.add(key)
                last.add_metric(key, run.ended)
            if key in seen or run.state == "queued":
                continue
            seen.add(key)
            running.add_metric(key, 1 if run.state == "running" else 0)
            if run.state == "running":
                objects.add_metric(key, run.objects)
                if run.expected is not None:
                    expected.add_metric(key, run.expected)
        return running, objects, expected, last

    def _watches(self) -> Iterable[Metric]:
        labels = ["connector", "scope"]
        watching = GaugeMetricFamily(
            "isthmus_watching",
            "1 while changes come as the target tells of them, 0 while that is interrupted",
            labels=labels,
        )
        changes = GaugeMetricFamily("isthmus_watch_changes", "Objects changed or removed by the watch", labels=labels)
        for run in self._host.store.runs.watches():
            watching.add_metric([run.connector, run.scope], 1 if run.state == "watching" else 0)
            changes.add_metric([run.connector, run.scope], run.changed + run.removed)
        return watching, changes

    def _objects(self) -> Iterable[Metric]:
        objects = GaugeMetricFamily(
            "isthmus_objects", "Objects in the connector space", labels=["connector", "object_type"]
        )
        for space in self._host.store.space.all():
            objects.add_metric([space.connector, space.object_type], self._host.store.space.count(space))
        return (objects,)
