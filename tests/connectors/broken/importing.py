"""Broken in full and delta import."""

from __future__ import annotations

import dataclasses
import itertools
from typing import ClassVar

from connectors.broken.registry import broken
from isthmus.connectors.memory import MemoryConnector
from isthmus.spi import (
    Anchor,
    Call,
    Columnar,
    Columns,
    DeletedObject,
    Identity,
    ImportPage,
    TargetUnavailable,
    Watermark,
    WatermarkExpired,
)


@broken(
    "test_import_reads_only_what_is_asked",
    because="as well",
)
class ImportsEverything(MemoryConnector):
    """Imports more than was asked."""

    def import_full(self, scope, *, attributes, **named):
        more = {k: (*v, "displayName") if k == "user" else v for k, v in attributes.items()}
        return super().import_full(scope, attributes=more, **named)


@broken(
    "test_import_equals_read",
    because="imported",
    also=("test_delta_after_a_full_import_has_what_changed_meanwhile", "test_delta_never_misses_a_concurrent_change"),
)
class ImportsOtherValues(MemoryConnector):
    """Imports a value in another spelling than it reads."""

    def import_full(self, scope, **named):
        for page in super().import_full(scope, **named):
            yield dataclasses.replace(page, objects=[_louder(o) for o in page.objects])


def _louder(found):
    text = tuple(v.upper() for v in found.attributes.get("givenName", ()))
    return dataclasses.replace(found, attributes={**found.attributes, **({"givenName": text} if text else {})})


@broken(
    "test_pages_keep_their_size",
    because="a page of",
    also=("test_import_keeps_memory_bounded",),
)
class ImportsOnePage(MemoryConnector):
    """Yields everything in one page."""

    def import_full(self, scope, *, page_size, **named):
        return super().import_full(scope, page_size=1_000_000, **named)


@broken(
    "test_objects_by_column_are_those_one_by_one",
    because="by column",
)
class ForgetsInColumns(MemoryConnector):
    """Has no value by column where there is one."""

    def import_full(self, scope, **named):
        for page in super().import_full(scope, **named):
            yield dataclasses.replace(page, objects=_Forgetful(page.objects))


class _Forgetful(Columnar):
    def __init__(self, objects):
        self._objects = list(objects)

    def __len__(self):
        return len(self._objects)

    def __getitem__(self, index):
        return self._objects[index]

    def columns(self, indexes):
        chosen = [dataclasses.replace(self._objects[n]) for n in indexes]
        names = list(chosen[0].attributes) if chosen else []
        return Columns([each.identity.anchor.values for each in chosen], {name: [None] * len(chosen) for name in names})


@broken(
    "test_pages_keep_their_size",
    because="twice in a quiet target",
)
class ImportsTwice(MemoryConnector):
    """Yields the last object of each page again at the start of the next."""

    def import_full(self, scope, *, page_size, **named):
        if page_size != 3:
            yield from super().import_full(scope, page_size=page_size, **named)
            return
        last = []
        for page in super().import_full(scope, page_size=2, **named):
            yield ImportPage(objects=[*last, *page.objects])
            last = page.objects[-1:]


@broken(
    "test_import_keeps_memory_bounded",
    because="at its peak",
)
class ImportsIntoMemory(MemoryConnector):
    """Reads everything before it yields the first page."""

    def import_full(self, scope, *, call, **named):
        for page in list(super().import_full(scope, call=call, **named)):
            call.check()
            yield page


@broken(
    "test_cancelled_import_stops_promptly",
    because="more pages after the cancellation",
)
class NeverStops(MemoryConnector):
    """Looks at cancellation once, before the first page."""

    def import_full(self, scope, *, call, **named):
        call.check()
        yield from super().import_full(scope, call=Call(timeout=call.remaining()), **named)


@broken(
    "test_import_cancelled_before_it_began_raises",
    because="Cancelled",
    also=("test_cancelled_calls_do_nothing",),
)
class IsCancelledQuietly(MemoryConnector):
    """Ends normally when it was cancelled."""

    def import_full(self, scope, *, call, **named):
        if call._cancelled is not None and call._cancelled.is_set():
            return iter(())
        return super().import_full(scope, call=call, **named)


@broken(
    "test_import_of_a_dying_target_raises",
    because="ended normally although the target died",
)
class EndsQuietly(MemoryConnector):
    """Takes a failure in mid-way for the end."""

    def import_full(self, scope, **named):
        pages = super().import_full(scope, **named)
        yield from itertools.islice(pages, 1)
        try:
            yield from pages
        except TargetUnavailable:
            return


@broken(
    "test_import_of_unknown_scope_is_refused",
    because="unknown scope",
)
class ImportsNothingOfNothing(MemoryConnector):
    """Imports nothing from a scope that does not exist."""

    def import_full(self, scope, **named):
        return super().import_full(scope, **named) if scope.key == "all" else iter(())


@broken(
    "test_import_during_writes_misses_nothing_unchanged",
    because="existed unchanged during the run",
    may_fail=("test_imports_while_threads_write",),
)
class ImportsByOffset(MemoryConnector):
    """Pages by position, which moves when an object before it is deleted."""

    def import_full(self, scope, *, attributes, page_size, call):
        for name in scope.object_types:
            for _ in super().import_full(
                dataclasses.replace(scope, object_types=(name,)), attributes=attributes, page_size=1, call=call
            ):
                break  # checks the request as the original does
            start = 0
            while part := self._target.anchors(name)[start : start + page_size]:
                read = (
                    self.read(name, Identity(Anchor(a)), attributes=attributes.get(name, ()), call=call) for a in part
                )
                yield ImportPage(objects=[o for o in read if o is not None])
                start += page_size


@broken(
    "test_wire_tells_changed_from_unchanged",
    because="same wire form",
    also=("test_wire_changes_with_every_attribute",),
)
class WireOfTheAnchor(MemoryConnector):
    """Gives wire forms that know only the anchor."""

    def import_full(self, scope, **named):
        for page in super().import_full(scope, **named):
            yield dataclasses.replace(page, wire=[repr(o.identity.anchor).encode() for o in page.objects])


@broken(
    "test_wire_changes_with_every_attribute",
    because="phones changed, and the wire form is the same",
)
class WireWithoutLists(MemoryConnector):
    """Leaves several values out of the wire form."""

    def import_full(self, scope, **named):
        for page in super().import_full(scope, **named):
            kept = [{n: v for n, v in each.attributes.items() if n != "phones"} for each in page.objects]
            wire = [repr((each.identity.anchor, rest)).encode() for each, rest in zip(page.objects, kept, strict=True)]
            yield dataclasses.replace(page, wire=wire)


@broken(
    "test_delta_goes_on_in_another_session",
    because="a session that did not make the watermark",
)
class RemembersItsWatermarks(MemoryConnector):
    """Starts from now with a watermark that it has not made itself."""

    def current_watermark(self, scope, *, call):
        mark = super().current_watermark(scope, call=call)
        self.__dict__.setdefault("_own", set()).add(mark.token)
        return mark

    def import_delta(self, scope, *, since, **named):
        own = self.__dict__.setdefault("_own", set())
        pages = list(super().import_delta(scope, since=since, **named))
        own.update(page.watermark.token for page in pages if since.token in own and page.watermark)
        yield from pages if since.token in own else pages[-1:]


@broken(
    "test_delta_has_what_was_deleted_and_made_again",
    because="told as deleted",
)
class TellsOfEveryDeletion(MemoryConnector):
    """Reports a deletion also of what was made again since."""

    deleted: ClassVar = set()  # by target, object type and anchor: of all sessions

    def delete(self, object_type, identity, **named):
        super().delete(object_type, identity, **named)
        self.deleted.add((self._settings.name, object_type, identity.anchor.values))

    def import_delta(self, scope, **named):
        for page in super().import_delta(scope, **named):
            again = [
                DeletedObject(each.object_type, each.identity.anchor)
                for each in page.objects
                if (self._settings.name, each.object_type, each.identity.anchor.values) in self.deleted
            ]
            yield dataclasses.replace(page, deleted=[*page.deleted, *again])


@broken(
    "test_delta_reports_every_change",
    because="",
    also=(
        "test_delta_never_misses_a_concurrent_change",
        "test_delta_reports_a_rename_as_gone_and_new",
        "test_delta_reports_changes_behind_our_back",
    ),
)
class ForgetsDeletions(MemoryConnector):
    """Reports no deletions in a delta."""

    def import_delta(self, scope, **named):
        for page in super().import_delta(scope, **named):
            yield dataclasses.replace(page, deleted=())


@broken(
    "test_delta_goes_on_from_every_page",
    because="",
    may_fail=("test_delta_never_misses_a_concurrent_change",),
)
class RunsAhead(MemoryConnector):
    """Gives every page the watermark of the end."""

    def import_delta(self, scope, **named):
        for page in super().import_delta(scope, **named):
            yield dataclasses.replace(page, watermark=Watermark(self._target.current_token()))


@broken(
    "test_foreign_watermark_has_expired",
    because="WatermarkExpired",
    also=("test_expired_watermark_says_so",),
)
class AcceptsAnyWatermark(MemoryConnector):
    """Starts from now when it does not know a watermark."""

    def import_delta(self, scope, *, call, **named):
        try:
            yield from super().import_delta(scope, call=call, **named)
        except WatermarkExpired:
            yield ImportPage(watermark=self.current_watermark(scope, call=call))


@broken("test_watch_tells_of_every_change", because="a new object", also=(
    "test_watch_goes_on_from_its_watermark",
    "test_watch_never_misses_a_concurrent_change",
))  # fmt: skip
class WatchesNothing(MemoryConnector):
    """Yields empty pages only."""

    def watch(self, scope, *, call, **named):
        for page in super().watch(scope, call=call, **named):
            yield ImportPage(watermark=page.watermark)


@broken("test_watch_yields_at_every_pulse", because="ended by itself", also=(
    "test_watch_tells_of_every_change",
    "test_watch_goes_on_from_its_watermark",
    "test_watch_never_misses_a_concurrent_change",
))  # fmt: skip
class StopsWatching(MemoryConnector):
    """Ends with the changes that there are when it is asked."""

    def watch(self, scope, **named):
        yield from self.import_delta(scope, **named)
