"""One watch while it lasts: what the target tells is in the space a moment later."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from isthmus.engine.applying import write_of
from isthmus.engine.guard import TOLD, Told
from isthmus.engine.importing import published
from isthmus.engine.overtaken import Overtaken
from isthmus.engine.target import Target, now_text
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import Call, ConnectorError, DeletedObject, ImportPage, ImportScope, SupportsWatch, Watermark
from isthmus.store.records import Space

log = structlog.get_logger("isthmus.watch")

FOREVER = float("inf")

KEEP_SECONDS = 1.0
"""A watermark is kept at most so often: what a killed process had applied since then is told once more."""


class Counts:
    """What a watch has done so far."""

    def __init__(self) -> None:
        self.objects = self.changed = self.removed = 0

    def values(self) -> tuple[int, int, int]:
        """Return objects told of, changed and removed."""
        return self.objects, self.changed, self.removed


class Following:
    """Follows one scope from a watermark on, until the target or the host ends it.

    `kept` stores a watermark; `told` is called after each page, also after an empty one.
    """

    def __init__(
        self,
        target: Target,
        scope: ImportScope,
        *,
        counts: Counts,
        stop: threading.Event,
        kept: Callable[[str], None],
        told: Callable[[], None],
    ) -> None:
        self._target = target
        self._scope = scope
        self._counts = counts
        self._stop = stop
        self._kept = kept
        self._told = told
        self._overtaken = Overtaken(target, self._short_call)
        self._told_gone = Told(target.store, target.document.guard)
        self._mark: str | None = None
        self._kept_at = 0.0

    def run(self, connector: SupportsWatch, since: str) -> None:
        """Follow until what is published changes, or an operator is needed: then the rest is to be told anew.

        Raises what ends it otherwise: `Cancelled`, another error of the connector or the store, `TooManyDeleted`.
        """
        target = self._target
        all_types = target.resource_types(now=True)
        types = published(target, self._scope)
        noted = target.store.number()
        call = Call(timeout=FOREVER, correlation="watch", cancelled=self._stop)
        pages = connector.watch(
            self._scope,
            since=Watermark(since),
            attributes={name: rt.read_attributes for name, rt in types.items()},
            page_size=target.document.page_size,
            call=call,
        )
        for page in pages:
            if target.attention.blocking or target.resource_types(now=True) is not all_types:
                return
            self._take(page, types, noted)
            self._keep(page.watermark)
            self._told()
            call.check()
            noted = target.store.number()  # before the next page is waited for, so before anything in it was read
        raise ConnectorError(f"the watch of {self._scope.key!r} ended without a reason")

    def _short_call(self) -> Call:
        return Call(timeout=self._target.document.timeout, correlation="watch", cancelled=self._stop)

    def _take(self, page: ImportPage, types: dict[str, ResourceType], noted: int) -> None:
        for name, rt in types.items():
            writes = [write_of(rt, obj) for obj in page.objects if obj.object_type == name]
            gone = [deleted for deleted in page.deleted if deleted.object_type == name]
            if writes:
                space = self._target.space(rt)
                applied = self._target.store.space.apply_in_slices(space, writes, noted=noted, now=now_text())
                self._counts.objects += len(writes)
                self._counts.changed += sum(one.outcome in ("added", "changed") for one in applied)
                self._overtaken.applied(rt, space, writes, applied)
            if gone:
                self._remove(rt, self._target.space(rt), gone, noted)

    def _remove(self, rt: ResourceType, space: Space, gone: Sequence[DeletedObject], noted: int) -> None:
        store = self._target.store.space
        held = store.known(space, [one.anchor.values for one in gone])
        if not held:
            return
        self._told_gone.check(space, len(held))
        removed = store.remove_in_slices(space, [one.row for one in held.values()], noted=noted, counted=TOLD)
        self._told_gone.removed(space, len(removed))
        self._counts.removed += len(removed)
        if len(removed) < len(held):
            self._overtaken.removed(rt, space, gone)

    def _keep(self, watermark: Watermark | None) -> None:
        """Keep how far we are, once everything up to there is in the space."""
        if watermark is not None:
            self._mark = watermark.token
        if not self._overtaken.settle() or self._mark is None:
            return
        now = time.monotonic()
        if now - self._kept_at >= KEEP_SECONDS:
            self._kept(self._mark)
            self._kept_at, self._mark = now, None
