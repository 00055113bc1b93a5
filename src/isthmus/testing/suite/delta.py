"""Delta import: a change may be reported twice but is never missed."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from isthmus.spi import (
    AttributeChange,
    Cancelled,
    ConnectorObject,
    ImportPage,
    Operation,
    Watermark,
    WatermarkExpired,
)
from isthmus.testing.choice import natural, text
from isthmus.testing.hooks import Hooks
from isthmus.testing.subject import Subject
from isthmus.testing.values import same

Space = dict[tuple[str, tuple[str, ...]], ConnectorObject]


class DeltaImport(Hooks):
    def test_delta_reports_every_change(self, subject: Subject) -> None:
        name = text(subject).name
        changed, deleted, untouched = subject.create(), subject.create(), subject.create()
        since = _now(subject)
        added = subject.create()
        subject.update(changed, AttributeChange(name, replace=("by delta",)))
        subject.delete(deleted)
        objects, gone, _ = _delta(subject, since)
        assert added.identity.anchor.values in objects, "a created object is missing"
        assert objects[changed.identity.anchor.values].attributes[name] == ("by delta",)
        assert deleted.identity.anchor.values in gone, "a deletion is missing"
        assert untouched.identity.anchor.values not in gone
        for anchor, found in objects.items():
            if anchor in {added.identity.anchor.values, changed.identity.anchor.values}:
                now = subject.read_there(found)
                stale = [n for n in subject.readable if not same(found.attributes[n], now.attributes[n])]
                assert not stale, f"objects come as they are now: {stale}"

    def test_delta_goes_on_from_its_last_watermark(self, subject: Subject) -> None:
        since = _now(subject)
        first = subject.create()
        objects, _, mark = _delta(subject, since)
        assert first.identity.anchor.values in objects
        assert mark is not None, "the last page says how far the watermark has come"
        second = subject.create()
        objects, _, again = _delta(subject, mark)
        assert second.identity.anchor.values in objects
        assert again is not None
        third = subject.create()
        objects, _, _ = _delta(subject, again)
        assert third.identity.anchor.values in objects

    def test_delta_goes_on_in_another_session(self, subject: Subject) -> None:
        """Each import has a process of its own: a watermark says all by itself."""
        changed, since = subject.create(), _now(subject)
        subject.update(changed, AttributeChange(text(subject).name, replace=("by delta",)))
        first = subject.create()
        objects, _, mark = _delta(subject, since, connector=subject.open())
        assert {changed.identity.anchor.values, first.identity.anchor.values} <= set(objects), (
            "a session that did not make the watermark reports less since then"
        )
        assert mark is not None
        second = subject.create()
        assert second.identity.anchor.values in _delta(subject, mark, connector=subject.open())[0]

    def test_delta_has_what_was_deleted_and_made_again(self, subject: Subject) -> None:
        """The host takes the objects of a page first, then what the page says is deleted."""
        natural(subject)
        attributes = subject.attributes()
        before, since = subject.create(attributes), _now(subject)
        subject.delete(before)
        again = subject.create(attributes)
        objects, gone, _ = _delta(subject, since)
        assert again.identity.anchor.values in objects, "what was deleted and made again is told as deleted"
        assert again.identity.anchor.values not in gone

    def test_delta_goes_on_from_every_page(self, subject: Subject) -> None:
        """A run that breaks off after any page goes on from that page's watermark without missing a change."""
        since = _now(subject)
        anchors = {subject.create().identity.anchor.values for _ in range(5)}
        seen: set[tuple[str, ...]] = set()
        mark = since
        for _ in range(50):
            page = next(iter(_pages(subject, mark, page_size=1)), None)
            if page is None or not page.objects:
                break
            seen |= {o.identity.anchor.values for o in page.objects}
            if page.watermark is None:
                subject.lacks("gives no watermark in the middle of a delta")
            mark = page.watermark
        assert anchors <= seen

    def test_delta_after_a_full_import_has_what_changed_meanwhile(self, subject: Subject) -> None:
        """The host takes the watermark before the full import starts."""
        name = text(subject).name
        created = [subject.create() for _ in range(6)]
        since = _now(subject)
        space: Space = {}
        for i, page in enumerate(subject.pages(page_size=2)):
            _apply(space, [page])
            if i < len(created):
                subject.update(created[i], AttributeChange(name, replace=(f"meanwhile {i}",)))
                subject.create()
        _apply(space, _pages(subject, since, page_size=2))
        _assert_like_target(subject, space)

    def test_delta_reports_a_rename_as_gone_and_new(self, subject: Subject) -> None:
        natural(subject)
        if Operation.RENAME not in subject.object_type.operations:
            subject.lacks("operation rename is not among the type's operations")
        created, wanted = subject.create(), subject.attributes()
        since = _now(subject)
        renamed = subject.update(created, *(AttributeChange(n, replace=wanted[n]) for n in subject.object_type.anchor))
        objects, gone, _ = _delta(subject, since)
        assert renamed.identity.anchor.values in objects
        assert created.identity.anchor.values in gone

    def test_delta_never_misses_a_concurrent_change(self, subject: Subject) -> None:
        """Deltas run while others write; together with the space before, they end where the target is."""
        name = text(subject).name
        victims = [subject.create() for _ in range(10)]
        mark = _now(subject)
        space: Space = {}
        _apply(space, subject.pages())
        stop, problems = threading.Event(), list[BaseException]()
        own = subject.open()

        def write() -> None:
            try:
                for i in range(40):
                    created = subject.create(connector=own)
                    if i % 3 == 0:
                        subject.update(created, AttributeChange(name, replace=(f"again {i}",)), connector=own)
                    elif i % 3 == 1:
                        subject.delete(created, connector=own)
                    elif victims:
                        subject.delete(victims.pop(), connector=own)
            except BaseException as error:  # noqa: BLE001  shown by the thread that waits
                problems.append(error)
            finally:
                stop.set()

        writer = threading.Thread(target=write, name="conformance: writer")
        writer.start()
        while True:
            last = stop.is_set()
            for page in _pages(subject, mark, page_size=3):
                _apply(space, [page])
                mark = page.watermark or mark
            if last:
                break
        writer.join()
        assert not problems, problems
        _assert_like_target(subject, space)

    def test_delta_keeps_page_size_and_asked_attributes(self, subject: Subject) -> None:
        since = _now(subject)
        for _ in range(5):
            subject.create()
        for page in _pages(subject, since, page_size=2, attributes=()):
            assert len(page.objects) + len(page.deleted) <= 2
            for each in page.objects:
                if each.object_type == self.object_type:
                    assert not set(each.attributes) - set(subject.object_type.anchor)

    def test_foreign_watermark_has_expired(self, subject: Subject) -> None:
        for token in ("", "not a watermark", "0", "-1", "{}", "999999999999999999999999"):
            subject.refused(WatermarkExpired, f"delta since {token!r}", _delta, subject, Watermark(token))

    def test_expired_watermark_says_so(self, subject: Subject) -> None:
        since = _now(subject)
        subject.create()
        subject.needs_hook("expire_watermarks", self.expire_watermarks(subject.settings))
        subject.refused(WatermarkExpired, "delta since a forgotten watermark", _delta, subject, since)
        fresh = _now(subject)
        created = subject.create()
        assert created.identity.anchor.values in _delta(subject, fresh)[0]

    def test_delta_reports_changes_behind_our_back(self, subject: Subject) -> None:
        writer = subject.needs_hook("other_writer", self.other_writer(subject.settings))
        name = text(subject).name
        changed, deleted = subject.create(), subject.create()
        since = _now(subject)
        writer.update(changed, name, ("behind",))
        writer.delete(deleted)
        objects, gone, _ = _delta(subject, since)
        assert objects[changed.identity.anchor.values].attributes[name] == ("behind",)
        assert deleted.identity.anchor.values in gone

    def test_cancelled_delta_raises(self, subject: Subject) -> None:
        since = _now(subject)
        subject.create()
        cancelled = threading.Event()
        cancelled.set()
        connector, call = subject.the_delta_import, subject.call(cancelled=cancelled)
        subject.refused(
            Cancelled,
            "delta that was cancelled before",
            lambda: list(
                connector.import_delta(subject.scope, since=since, attributes=subject.wanted(), page_size=5, call=call)
            ),
        )


def _now(subject: Subject) -> Watermark:
    with subject.watched("current_watermark"):
        return subject.the_delta_import.current_watermark(subject.scope, call=subject.call())


def _pages(
    subject: Subject,
    since: Watermark,
    *,
    page_size: int = 100,
    attributes: Iterable[str] | None = None,
    connector: Any = None,
) -> Iterable[ImportPage]:
    importing = connector or subject.the_delta_import
    with subject.watched("import_delta"):
        yield from importing.import_delta(
            subject.scope, since=since, attributes=subject.wanted(attributes), page_size=page_size, call=subject.call()
        )


def _delta(
    subject: Subject, since: Watermark, *, connector: Any = None
) -> tuple[dict[tuple[str, ...], ConnectorObject], set[tuple[str, ...]], Watermark | None]:
    """Return what a delta leaves: objects of the type by anchor, anchors that are gone, the last watermark."""
    objects: dict[tuple[str, ...], ConnectorObject] = {}
    gone: set[tuple[str, ...]] = set()
    mark = None
    for page in _pages(subject, since, connector=connector):
        for each in page.objects:
            if each.object_type == subject.object_type.name:
                objects[each.identity.anchor.values] = subject.sound("import_delta()", each)
                gone.discard(each.identity.anchor.values)
        for dead in page.deleted:
            if dead.object_type == subject.object_type.name:
                gone.add(dead.anchor.values)
                objects.pop(dead.anchor.values, None)
        mark = page.watermark or mark
    return objects, gone, mark


def _apply(space: Space, pages: Iterable[ImportPage]) -> None:
    for page in pages:
        for each in page.objects:
            space[each.object_type, each.identity.anchor.values] = each
        for dead in page.deleted:
            space.pop((dead.object_type, dead.anchor.values), None)


def _assert_like_target(subject: Subject, space: Space) -> None:
    target: Space = {}
    _apply(target, subject.pages())
    missed = [key for key in target if key not in space]
    kept = [key for key in space if key not in target]
    assert not missed, f"created but never reported: {missed}"
    assert not kept, f"deleted but never reported: {kept}"
    for key, each in target.items():
        for name, values in each.attributes.items():
            assert same(space[key].attributes[name], values), f"{key}: {name} changed but was never reported"
