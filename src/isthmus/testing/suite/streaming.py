"""Full import as a stream: bounded memory, wire bytes, cancelled or failing in the middle."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from collections.abc import Iterator

from isthmus.spi import AttributeChange, Cancelled, ConnectorError, ImportPage, TargetUnavailable
from isthmus.testing.choice import free, text
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same, sample

PAGE = 100
AHEAD = 2
"""Pages that may still come after a cancellation: one under way, one read ahead."""


class Streaming(Hooks):
    def test_import_keeps_memory_bounded(self, subject: Subject) -> None:
        """Memory is bounded by a few pages, not by the target: a quarter of all objects, and `memory_limit`."""
        assert subject.the_full_import
        if not self.fill(subject.settings, self.many):
            for _ in range(self.many):
                subject.create()
        list(subject.pages(page_size=PAGE, limit=1))  # imports and caches of the first use do not count
        kept, count = _peak(subject, keep=True)
        assert count >= self.many, f"{self.many} objects are there, {count} were imported"
        peak, _ = _peak(subject, keep=False)
        allowed = min(max(kept // 4, 1024 * 1024), self.memory_limit)
        assert peak <= allowed, (
            f"importing {count} objects in pages of {PAGE} took {peak // 1024} KiB at its peak; "
            f"all of them together take {kept // 1024} KiB, allowed are {allowed // 1024} KiB"
        )

    def test_wire_tells_changed_from_unchanged(self, subject: Subject) -> None:
        name = text(subject).name
        one, other = subject.create(), subject.create()
        first = _wires(subject)
        assert first == _wires(subject), "the wire form of unchanged objects differs between two imports"
        subject.update(one, AttributeChange(name, replace=("different",)))
        second = _wires(subject)
        assert first[other.identity.anchor.values] == second[other.identity.anchor.values]
        assert first[one.identity.anchor.values] != second[one.identity.anchor.values], (
            "a changed object has the same wire form"
        )

    def test_wire_changes_with_every_attribute(self, subject: Subject) -> None:
        """An object whose wire form is as it was is not even decoded: a change that it leaves out is never seen."""
        created = subject.create()
        anchor = created.identity.anchor.values
        before = _wires(subject)[anchor]
        for a in [*free(subject), *free(subject, multivalued=True)]:
            old = created.attributes.get(a.name, ())
            new = next(value for value in (sample(a, 930_001), sample(a, 930_002)) if not same((value,), old))
            subject.update(created, AttributeChange(a.name, replace=(new,)))
            after = _wires(subject)[anchor]
            assert after != before, f"{a.name} changed, and the wire form is the same"
            before = after

    def test_cancelled_import_stops_promptly(self, subject: Subject) -> None:
        for _ in range(AHEAD + 6):
            subject.create()
        cancelled = threading.Event()
        pages = subject.pages(page_size=1, call=subject.call(cancelled=cancelled))
        next(pages)
        cancelled.set()
        subject.refused(Cancelled, "import after it was cancelled", _exhaust, pages, AHEAD)

    def test_import_cancelled_before_it_began_raises(self, subject: Subject) -> None:
        """It must not look like a target without objects."""
        subject.create()
        cancelled = threading.Event()
        cancelled.set()
        call = subject.call(cancelled=cancelled)
        subject.refused(Cancelled, "import that was cancelled before", list, subject.pages(call=call))

    def test_import_past_its_deadline_raises(self, subject: Subject) -> None:
        subject.create()
        call = subject.call(timeout=0)
        subject.refused(TargetUnavailable, "import past its deadline", list, subject.pages(call=call))

    def test_import_of_a_dying_target_raises(self, subject: Subject) -> None:
        """Returning normally promises completeness: a failure in mid-way must raise."""
        anchors = {subject.create().identity.anchor.values for _ in range(12)}
        pages = subject.pages(page_size=2)
        seen = {o.identity.anchor.values for o in next(pages).objects}
        with subject.needs_hook("dead_target", self.dead_target(subject.settings)) as settings:
            if settings != subject.settings:
                subject.needs_hook("dead_target that stops the target itself", None)
            try:
                for page in pages:
                    seen |= {o.identity.anchor.values for o in page.objects}
            except TargetUnavailable:
                return
            except ConnectorError as error:
                raise AssertionError(f"expected TargetUnavailable, got {type(error).__name__}: {error}") from error
        assert anchors <= seen, "the import ended normally although the target died before everything was read"


def _exhaust(pages: Iterator[ImportPage], allowed: int) -> int:
    for taken, _ in enumerate(pages, start=1):
        assert taken <= allowed, f"{taken} more pages after the cancellation"
    return 0


def _peak(subject: Subject, *, keep: bool) -> tuple[int, int]:
    """Return the peak of memory that an import allocates, keeping or dropping the objects, and how many came."""
    gc.collect()
    kept: list[object] = []
    count = 0
    tracemalloc.start()
    try:
        for page in subject.pages(page_size=PAGE):
            count += len(page.objects)
            decoded = list(page.objects)  # a lazy page decodes here
            kept += decoded if keep else ()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return peak, count


def _wires(subject: Subject) -> dict[tuple[str, ...], bytes]:
    wires: dict[tuple[str, ...], bytes] = {}
    for page in subject.pages(page_size=3):
        if page.wire is None:
            subject.lacks("gives no wire form")
        assert len(page.wire) == len(page.objects), "one byte string for each object, in the same order"
        for index, wire in enumerate(page.wire):
            assert isinstance(wire, bytes)
            found = page.objects[index]
            if found.object_type == subject.object_type.name:
                wires[found.identity.anchor.values] = wire
    return wires
