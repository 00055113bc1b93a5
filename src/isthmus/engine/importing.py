"""Imports: from the target to the connector space, only what changed, in slices that let others write in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import repeat

import structlog

from isthmus.engine.answers import Held, connector_edge
from isthmus.engine.applying import write_of, writes_of
from isthmus.engine.digesting import Digests, Sightings, digester
from isthmus.engine.doubts import Doubts
from isthmus.engine.guard import TOLD, Told, TooManyDeleted, hold_removal, import_limit, told_lately
from isthmus.engine.overtaken import Overtaken
from isthmus.engine.target import Target, now_text
from isthmus.engine.writing_behind import WritingBehind
from isthmus.mapping.resource_type import ResourceType
from isthmus.scim.errors import ScimError
from isthmus.spi import (
    Call,
    Cancelled,
    ConnectorError,
    ConnectorObject,
    DeletedObject,
    ImportPage,
    ImportScope,
    SupportsDeltaImport,
    SupportsFullImport,
    Unsupported,
    Watermark,
    WatermarkExpired,
)
from isthmus.store import StoreError
from isthmus.store.ranges import Ranges
from isthmus.store.records import Applied, ObjectWrite, Run, Space

log = structlog.get_logger("isthmus.import")

REPORT_SECONDS = 0.5

OVERTAKEN_SECONDS = 5.0
"""How long a delta waits for a write under way to an object that it was told of."""

PART = 5_000
"""Objects decoded before they are written: about as many as one transaction takes while nobody else waits."""


@dataclass(slots=True)
class Progress:
    """What a run has done so far."""

    objects: int = 0
    changed: int = 0
    removed: int = 0
    expected: int | None = None
    started: float = 0.0

    @property
    def rate(self) -> float:
        """Objects a second."""
        elapsed = time.monotonic() - self.started
        return self.objects / elapsed if elapsed > 0 else 0.0


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class _Part:
    """Objects to be written together."""

    writes: Sequence[ObjectWrite]
    space: Space
    sightings: Sightings | None
    noted: int


class Import:
    """One run over one scope."""

    def __init__(self, target: Target, run: Run, report: Report | None) -> None:
        self._target = target
        self._run = run
        self._report = report
        self._cancelled = threading.Event()
        self._reported = 0.0
        self._own = Ranges()
        """Numbers of this run's own changes: it may report an object twice, and the later report counts."""
        self._behind: WritingBehind[_Part] | None = None
        self._told_gone = Told(target.store, target.document.guard)
        self._overtaken = Overtaken(target, self._call)
        """What a delta was told of objects that were written meanwhile."""
        self.progress = Progress(started=time.monotonic())

    def execute(self) -> tuple[str, str]:
        """Carry the run out; return its final state and a message for people. Called without a place (`turns`)."""
        try:
            self._target.discover()
            if self._run.kind == "delta":
                try:
                    self._delta()
                except (WatermarkExpired, TooManyDeleted) as exc:
                    log.info("delta_becomes_full", connector=self._target.name, scope=self._run.scope, reason=str(exc))
                    self.progress.objects = 0
                    self._full()
            else:
                self._full()
        except Held as exc:
            return "held", str(exc)
        except Cancelled as exc:
            return "cancelled", exc.message
        except ConnectorError as exc:
            return "failed", exc.message
        except ScimError as exc:
            return "failed", exc.detail
        except StoreError as exc:
            return "failed", f"store: {exc}"
        return "done", ""

    # -- full

    def _full(self) -> None:
        target = self._target
        scope = self._scope()
        types = published(self._target, scope)
        store = target.store
        noted = store.number()
        spaces = {name: target.space(rt) for name, rt in types.items()}
        sightings = {name: Sightings(store.space.digests(space)) for name, space in spaces.items()}
        digests = {name: digester(rt, target.document) for name, rt in types.items()}
        present = sum(one.present for one in sightings.values())
        self.progress.expected = scope.estimated_objects or present or None
        read: dict[str, int] = dict.fromkeys(types, 0)
        doubts = Doubts(target, spaces, now=time.time())
        call = self._call()
        watermark: Watermark | None = None
        with target.using_unbounded("import_full") as connector:
            if not isinstance(connector, SupportsFullImport):
                raise Unsupported("this connector cannot import")
            if isinstance(connector, SupportsDeltaImport):
                watermark = connector.current_watermark(scope, call=call)
            pages = connector.import_full(
                scope,
                attributes={name: rt.read_attributes for name, rt in types.items()},
                page_size=target.document.page_size,
                call=call,
            )
            # Where nothing is known yet, what is read does not depend on what was written before it.
            with nullcontext() if present else WritingBehind(self._write, target.turns) as self._behind:
                for page in pages:
                    self._full_page(page, types, spaces, sightings, digests, read, doubts, noted)
                    self._tick(len(page.objects))
                    call.check()  # a connector that never asks, and whose pages never end, must end all the same
        self._behind = None
        self._tick(0, force=True)
        call.check()  # cancelled, or out of time: then nothing is removed
        for name, space in spaces.items():
            self._remove_missing(space, sightings[name], read[name], noted)
        doubts.settle(types, spaces)
        if watermark is not None:
            store.settings.set(self._watermark_key(scope), watermark.token)
        self._tick(0, force=True)

    def _full_page(
        self,
        page: ImportPage,
        types: dict[str, ResourceType],
        spaces: dict[str, Space],
        sightings: dict[str, Sightings],
        digests: dict[str, Digests],
        read: dict[str, int],
        doubts: Doubts,
        noted: int,
    ) -> None:
        if page.wire is not None and len(types) == 1 and not doubts.concern(*types):
            (name,) = types
            wires = digests[name](page.wire)
            read[name] += len(wires)
            changed = sightings[name].changed(wires)
            if changed:
                for start in range(0, len(changed), PART):
                    part = changed[start : start + PART]
                    known_by = [wires[index] for index in part]
                    prepare = partial(writes_of, types[name], page.objects, part, known_by)
                    self._apply(prepare, spaces[name], sightings[name], noted)
            return
        by_type: dict[str, tuple[list[ConnectorObject], list[int | None]]] = {}
        for index, obj in enumerate(page.objects):
            if obj.object_type not in types:
                continue
            objects, wire_digests = by_type.setdefault(obj.object_type, ([], []))
            objects.append(obj)
            wire_digests.append(None if page.wire is None else digests[obj.object_type]((page.wire[index],))[0])
        for name, (objects, wire_digests) in by_type.items():
            read[name] += len(objects)
            doubts.saw(types[name], objects)
            prepare = partial(_each, types[name], objects, wire_digests)
            self._apply(prepare, spaces[name], sightings[name], noted)

    def _apply(self, prepare: Callable[[], list[ObjectWrite]], space: Space, sightings: Sightings, noted: int) -> None:
        if self._behind is None:
            self._write(_Part(prepare(), space, sightings, noted))
        else:
            self._behind.give(lambda: _Part(prepare(), space, sightings, noted))
        self._tick(0)

    def _write(self, part: _Part) -> Sequence[Applied]:
        applied = self._target.store.space.apply_in_slices(
            part.space, part.writes, noted=part.noted, now=now_text(), own=self._own
        )
        outcomes = [one.outcome for one in applied]
        added = outcomes.count("added")
        self.progress.changed += added + outcomes.count("changed")
        if part.sightings is not None and added < len(applied):
            for one in applied:
                if one.row:
                    part.sightings.saw_row(one.row)
        return applied

    def _remove_missing(self, space: Space, sightings: Sightings, read: int, noted: int) -> None:
        store = self._target.store
        missing = sightings.missing()
        told = told_lately(store, space)
        if len(missing) + told > import_limit(self._target.document.guard, sightings.present + told):
            missing = [row for row in missing if self._is_older(row, noted)]
        hold = hold_removal(
            store,
            self._target.document.guard,
            space,
            run=self._run.id,
            present=sightings.present,
            read=read,
            missing=len(missing),
            told=told,
        )
        if hold is not None:
            raise Held(f"{hold.message}; see 'isthmus guard show {hold.id}'")
        self.progress.removed += len(store.space.remove_in_slices(space, missing, noted=noted, own=self._own))
        self._tick(0)

    def _is_older(self, row: int, noted: int) -> bool:
        """Tell whether an object was not changed since the run began: others are not removed, so they do not count."""
        found = self._target.store.space.by_row(row)
        return found is not None and found.number <= noted

    # -- delta

    def _delta(self) -> None:
        target, store = self._target, self._target.store
        scope = self._scope()
        types = published(self._target, scope)
        token = store.settings.get(self._watermark_key(scope))
        if token is None:
            raise WatermarkExpired("no import has been made yet")
        noted = store.number()
        call = self._call()
        mark: Watermark | None = None
        with target.using_unbounded("import_delta") as connector:
            if not isinstance(connector, SupportsDeltaImport):
                raise WatermarkExpired("this connector imports only as a whole")
            pages = connector.import_delta(
                scope,
                since=Watermark(token),
                attributes={name: rt.read_attributes for name, rt in types.items()},
                page_size=target.document.page_size,
                call=call,
            )
            for page in pages:
                self._delta_page(page, types, noted)
                mark = page.watermark or mark
                if mark is not None and self._overtaken.settle():
                    store.settings.set(self._watermark_key(scope), mark.token)
                    mark = None
                self._tick(len(page.objects) + len(page.deleted))
                call.check()
            # At the end and not at each page: one write whose outcome nobody knows would hold all of them up.
            if mark is not None and self._overtaken.settle(until=time.monotonic() + OVERTAKEN_SECONDS):
                store.settings.set(self._watermark_key(scope), mark.token)  # else the next delta is told again
        self._tick(0, force=True)

    def _delta_page(self, page: ImportPage, types: dict[str, ResourceType], noted: int) -> None:
        for name, rt in types.items():
            objects = [obj for obj in page.objects if obj.object_type == name]
            if objects:
                space = self._target.space(rt)
                part = _Part(_each(rt, objects, repeat(None, len(objects))), space, None, noted)
                self._overtaken.applied(rt, space, part.writes, self._write(part))
                self._tick(0)
            gone = [deleted for deleted in page.deleted if deleted.object_type == name]
            if gone:
                self._remove_deleted(rt, self._target.space(rt), gone, noted)

    def _remove_deleted(self, rt: ResourceType, space: Space, gone: Sequence[DeletedObject], noted: int) -> None:
        store = self._target.store
        found = store.space.by_anchors(space, [one.anchor.values for one in gone])
        rows = [stored.row for stored in found.values()]
        if not rows:
            return
        self._told_gone.check(space, len(rows))
        removed = store.space.remove_in_slices(space, rows, noted=noted, own=self._own, counted=TOLD)
        self._told_gone.removed(space, len(removed))
        self.progress.removed += len(removed)
        if len(removed) < len(rows):
            self._overtaken.removed(rt, space, gone)

    # -- parts of both

    def _call(self) -> Call:
        return Call(
            timeout=self._target.document.import_timeout,
            correlation=self._run.id,
            session="",
            cancelled=self._cancelled,
        )

    def _scope(self) -> ImportScope:
        with connector_edge(self._target.name, "scopes"):
            for scope in self._target.connector.scopes():
                if scope.key == self._run.scope:
                    return scope
        raise Cancelled(f"the target no longer has the scope {self._run.scope!r}")

    def _watermark_key(self, scope: ImportScope) -> str:
        return f"watermark:{self._target.key}:{scope.key}"

    def _tick(self, objects: int, *, force: bool = False) -> None:
        self.progress.objects += objects
        now = time.monotonic()
        if not force and now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        progress = self.progress
        cancel = self._target.store.runs.progress(
            self._run.id,
            objects=progress.objects,
            changed=progress.changed,
            removed=progress.removed,
            expected=progress.expected,
        )
        if cancel:
            self._cancelled.set()
        if self._report is not None:
            self._report(progress)


def _each(rt: ResourceType, objects: Iterable[ConnectorObject], wires: Iterable[int | None]) -> list[ObjectWrite]:
    return [write_of(rt, obj, wire=wire) for obj, wire in zip(objects, wires, strict=True)]


def published(target: Target, scope: ImportScope) -> dict[str, ResourceType]:
    """Return the resource types of a scope by their object types."""
    return {
        rt.definition.object_type: rt
        for rt in target.resource_types().values()
        if rt.definition.object_type in scope.object_types
    }


def scopes_of(target: Target) -> list[str]:
    """Return the keys of the scopes that hold a published object type."""
    wanted = {definition.object_type for definition in target.document.resource_types}
    with connector_edge(target.name, "scopes"):
        return [scope.key for scope in target.connector.scopes() if wanted & set(scope.object_types)]
