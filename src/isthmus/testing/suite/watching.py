"""Watch: changes are told as they happen; one may come twice but is never missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from isthmus.spi import (
    WATCH_PULSE,
    AttributeChange,
    Cancelled,
    ConnectorObject,
    Identity,
    ImportPage,
    Unsupported,
    Watermark,
    WatermarkExpired,
)
from isthmus.testing.choice import text
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same

PROMPTLY = 6.0
"""Seconds that a change may take at the very most: a busy machine, not the promise."""


class _Watcher:
    """What a watch has told so far. It is read by the thread that asks: a watch yields at every pulse."""

    def __init__(self, subject: Subject, since: Watermark, *, page_size: int = 100) -> None:
        self.objects: dict[tuple[str, ...], ConnectorObject] = {}
        self.gone: set[tuple[str, ...]] = set()
        self.mark = since
        self.largest = 0
        self._subject = subject
        self._stop = threading.Event()
        self._pages = self._opened(since, page_size)

    def _opened(self, since: Watermark, page_size: int) -> Iterator[ImportPage]:
        subject = self._subject
        with subject.watched("watch"):
            yield from subject.the_watch.watch(
                subject.scope,
                since=since,
                attributes=subject.wanted(),
                page_size=page_size,
                call=subject.call(cancelled=self._stop, timeout=3600),
            )

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Take in pages until something is told."""
        deadline = time.monotonic() + PROMPTLY
        while not condition():
            assert time.monotonic() < deadline, f"not told within {PROMPTLY:.0f} s: {what}"
            self.take()

    def take(self) -> ImportPage:
        """Take in one page."""
        page = next(self._pages, None)
        assert page is not None, "the watch ended by itself"
        name = self._subject.object_type.name
        self.largest = max(self.largest, len(page.objects) + len(page.deleted))
        for each in page.objects:
            if each.object_type == name:
                self.objects[each.identity.anchor.values] = each
                self.gone.discard(each.identity.anchor.values)
        for dead in page.deleted:
            if dead.object_type == name:
                self.gone.add(dead.anchor.values)
                self.objects.pop(dead.anchor.values, None)
        self.mark = page.watermark or self.mark
        return page

    def end(self) -> None:
        """Cancel it; it must end with `Cancelled` at its next pulse."""
        self._stop.set()
        began = time.monotonic()
        try:
            while time.monotonic() - began < PROMPTLY:
                self.take()
        except Cancelled:
            return
        raise AssertionError("a watch that was cancelled goes on")


def _begun(subject: Subject) -> Watermark:
    connector = subject.the_watch
    try:
        with subject.watched("begin_watch"):
            return connector.begin_watch(subject.scope, call=subject.call())
    except Unsupported as error:
        subject.lacks(f"cannot be watched with these settings: {error}")


class Watching(Hooks):
    def test_watch_tells_of_every_change(self, subject: Subject) -> None:
        name = text(subject).name
        changed, deleted = subject.create(), subject.create()
        watcher = _Watcher(subject, _begun(subject))
        added = subject.create().identity.anchor.values
        watcher.until(lambda: added in watcher.objects, "a new object")
        subject.update(changed, AttributeChange(name, replace=("by watch",)))
        anchor = changed.identity.anchor.values
        watcher.until(
            lambda: anchor in watcher.objects and watcher.objects[anchor].attributes[name] == ("by watch",),
            "an object that changed",
        )
        subject.delete(deleted)
        watcher.until(lambda: deleted.identity.anchor.values in watcher.gone, "an object that was deleted")
        for each in (added, anchor):
            now = subject.read_there(Identity(watcher.objects[each].identity.anchor))
            shown = watcher.objects[each].attributes
            stale = [n for n in subject.readable if not same(shown[n], now.attributes[n])]
            assert not stale, f"objects come as they are now: {stale}"
        watcher.end()

    def test_watch_goes_on_from_its_watermark(self, subject: Subject) -> None:
        """What happened while nobody watched comes first."""
        watcher = _Watcher(subject, _begun(subject))
        first = subject.create().identity.anchor.values
        watcher.until(lambda: first in watcher.objects, "a new object")
        watcher.end()
        victim = watcher.objects[first]
        second = subject.create().identity.anchor.values
        subject.delete(victim)
        later = _Watcher(subject, watcher.mark)
        later.until(lambda: second in later.objects, "an object that was made while nobody watched")
        later.until(lambda: first in later.gone, "an object that was deleted while nobody watched")
        later.end()

    def test_watch_yields_at_every_pulse(self, subject: Subject) -> None:
        watcher = _Watcher(subject, _begun(subject))
        for _ in range(3):
            began = time.monotonic()
            watcher.take()
            assert time.monotonic() - began < WATCH_PULSE + self.slack, "nothing came although nothing happened"
        watcher.end()

    def test_watch_never_misses_a_concurrent_change(self, subject: Subject) -> None:
        """Others write while it goes on; it ends where the target is."""
        name = text(subject).name
        victims = [subject.create() for _ in range(6)]
        watcher = _Watcher(subject, _begun(subject), page_size=3)
        stop, problems = threading.Event(), list[BaseException]()
        own = subject.open()
        last: list[tuple[str, ...]] = []

        def write() -> None:
            try:
                for i in range(30):
                    created = subject.create(connector=own)
                    if i % 3 == 0:
                        subject.update(created, AttributeChange(name, replace=(f"again {i}",)), connector=own)
                    elif i % 3 == 1:
                        subject.delete(created, connector=own)
                    elif victims:
                        subject.delete(victims.pop(), connector=own)
                last.append(subject.create(connector=own).identity.anchor.values)
            except BaseException as error:  # noqa: BLE001  shown by the thread that waits
                problems.append(error)
            finally:
                stop.set()

        writer = threading.Thread(target=write, name="conformance: writer")
        writer.start()
        while not stop.is_set():
            watcher.take()
        writer.join()
        assert not problems, problems
        watcher.until(lambda: last[0] in watcher.objects, "the last object")
        there = {each.identity.anchor.values: each for page in subject.pages() for each in page.objects}
        for anchor, told in watcher.objects.items():
            assert anchor in there, f"deleted but never told: {anchor}"
            assert same(told.attributes[name], there[anchor].attributes[name]), f"changed but never told: {anchor}"
        made = {anchor for anchor in there if anchor not in watcher.objects}
        known = {each.identity.anchor.values for each in victims}
        assert made <= known, f"made but never told: {made - known}"
        assert watcher.largest <= 3, "a page holds no more than was asked for"
        watcher.end()

    def test_watch_from_a_foreign_watermark_has_expired(self, subject: Subject) -> None:
        _begun(subject)
        for token in ("", "not a watermark", "0", "{}", "999999999999999999999999"):
            watcher = _Watcher(subject, Watermark(token))
            subject.refused(WatermarkExpired, f"watch from {token!r}", watcher.take)

    def test_types_that_are_watched_by_default_can_be(self, subject: Subject) -> None:
        """`ConnectorType.watched` spares the host from opening a connector to learn that it cannot be watched."""
        if not self.connector_type.watched:
            subject.lacks("is not watched by default")
        assert subject.the_watch
