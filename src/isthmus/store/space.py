"""The connector space: our durable copy of the targets' objects."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

from isthmus.store import applying, identities, indexing, listing, objects, removing, resolving, settings, shown, spaces
from isthmus.store.connections import Readers
from isthmus.store.errors import SpaceDropped, translate, translated
from isthmus.store.ordering import Direction, Part, Place, Ranked, walk
from isthmus.store.predicate import KeyEquals, Predicate
from isthmus.store.ranges import Ranges
from isthmus.store.records import Applied, Known, ObjectWrite, Page, Space, State, StoredObject
from isthmus.store.shown import Form, Shown
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

_DIGESTS = statement("digests_after")
_ROWS = statement("rows_after")
_HAS_KEY = statement("key_exists")
_CANONICAL = statement("canonical_by_rows")
_ANCHORS = statement("anchors_by_rows")
_PRUNE_TOMBSTONES = statement("tombstones_prune")

SLICE = 400
"""Objects written or removed between two looks at who waits: 5 to 10 ms."""
_ALONE = 5_000
"""Objects after which a transaction ends in which nobody else waited: its commit writes 20 MB at most."""
_ALONE_SECONDS = 0.5  # and the time after which it does
_BATCH = 20_000
_DAY = 86_400.0

Anchor = tuple[str, ...]


class SpaceTable:
    """Objects by space. Reads see what is committed at that moment; each write is durable when its call returns."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer
        self._cache: dict[tuple[str, str, str | None], Space] = {}
        self._mutex = threading.Lock()

    # -- which spaces there are

    def ensure(self, connector: str, object_type: str, *, id_form: str | None = None) -> Space:
        """Return the space of a connector's object type, made if there is none. The caller casefolds `connector`.

        `id_form` ("uuid" or "anchor") says how objects added from now on get their ids; None leaves it. A connector
        that was dropped and comes back has its old space, empty: its ids are still never reused.
        """
        key = (connector, object_type, id_form)
        if (known := self._cache.get(key)) is not None:
            return known
        space = None
        while space is None:
            space = self._ensure(connector, object_type, id_form)
        with self._mutex:
            self._cache[key] = space
        return space

    def _ensure(self, connector: str, object_type: str, id_form: str | None) -> Space | None:
        with translated():
            present = spaces.find(self._readers.connection(), connector, object_type)
        if present is not None and not present[1] and id_form in (None, present[2]):
            return Space(present[0], connector, object_type)
        return self._writer.run(lambda c: spaces.ensure(c, connector, object_type, id_form))

    def all(self) -> list[Space]:
        """Return every space in use."""
        with translated():
            return spaces.in_use(self._readers.connection())

    def drop(self, connector: str) -> None:
        """Forget a connector's objects, slice by slice; what ids it gave out stays known. Can be repeated."""
        self._forget()
        self._writer.run(lambda c: spaces.close(c, connector))
        for space in self._writer.run(lambda c: spaces.dropped(c, connector)):
            while not self._writer.run(lambda c, space=space: spaces.empty_further(c, space)):  # type: ignore[misc]
                pass

    # -- reading

    def by_id(self, space: Space, id: str, *, hidden: bool = False) -> StoredObject | None:
        """Return a live object, or with `hidden` one in any state."""
        try:
            with self._readers.turn() as connection:
                return objects.by_id(connection, space.number, id, hidden=hidden)
        except sqlite3.Error as error:
            raise translate(error) from error

    def show(self, space: Space, id: str) -> Shown | None:
        """Return what answers show of a live object."""
        try:
            with self._readers.turn() as connection:
                return shown.by_id(connection, space.number, id)
        except sqlite3.Error as error:
            raise translate(error) from error

    def show_rows(
        self, space: Space, predicate: KeyEquals | None, *, start: int, count: int
    ) -> tuple[int, Sequence[Shown]] | None:
        """Return the total and what answers show of the same objects as `page`; None for a key of many objects.

        `start` from 1 on, `count` from 0 on.
        """
        try:
            with self._readers.turn() as connection:
                if predicate is None:
                    return shown.rows(connection, space, start=start, count=count)
                return shown.by_key(connection, space.number, predicate, start=start, count=count)
        except sqlite3.Error as error:
            raise translate(error) from error

    def show_page(self, space: Space, form: Form, *, start: int, count: int) -> tuple[int, int, bytes] | None:
        """Return the total of live objects, how many the page has, and their texts with commas between.

        None: not all texts are of the form's shape, or together they are longer than SQLite makes texts. `start` from 1
        on, `count` from 0 on.
        """
        try:
            with self._readers.turn() as connection:
                return shown.text(connection, space, form, start=start, count=count)
        except sqlite3.DataError:
            return None
        except sqlite3.Error as error:
            raise translate(error) from error

    def has_key(self, space: Space, predicate: KeyEquals) -> bool:
        """Tell whether an object, in any state, has that key."""
        try:
            with self._readers.turn() as connection:
                found = connection.execute(_HAS_KEY, (space.number, predicate.attribute, predicate.value)).fetchone()
        except sqlite3.Error as error:
            raise translate(error) from error
        return found is not None

    def by_row(self, row: int) -> StoredObject | None:
        """Return an object in any state."""
        with translated():
            return objects.by_row(self._readers.connection(), row)

    def by_anchor(self, space: Space, anchor: Sequence[str]) -> StoredObject | None:
        """Return an object in any state."""
        with translated():
            return objects.by_anchor(self._readers.connection(), space.number, anchor)

    def by_anchors(self, space: Space, anchors: Iterable[Sequence[str]]) -> dict[Anchor, StoredObject]:
        """Return the objects, in any state, that there are of these anchors."""
        with translated():
            return objects.by_anchors(self._readers.connection(), space.number, anchors)

    def by_key(
        self, space: Space, attribute: str, value: str, *, hidden: bool = False, limit: int = 100
    ) -> list[StoredObject]:
        """Return live objects (with `hidden`: any) with that key, in row order."""
        try:
            with self._readers.turn() as connection:
                return objects.by_key(connection, space.number, attribute, value, hidden=hidden, limit=limit)
        except sqlite3.Error as error:
            raise translate(error) from error

    def known(self, space: Space, anchors: Iterable[Sequence[str]]) -> dict[Anchor, Known]:
        """Return row, id, number, state and digests of the objects, in any state, that there are of these anchors."""
        with translated():
            texts = (objects.anchor_text(anchor) for anchor in anchors)
            found = objects.known(self._readers.connection(), space.number, texts)
        return {objects.anchor_of(text): one for text, one in found.items()}

    def ids(self, space: Space, anchors: Iterable[Sequence[str]]) -> dict[Anchor, str]:
        """Return the id that each anchor's object has, or would get if it were added now.

        For rendering before writing: give it as `ObjectWrite.id`, and the write fails should it have changed meanwhile.
        """
        wanted = {objects.anchor_text(anchor): tuple(anchor) for anchor in anchors}
        with translated():
            connection = self._readers.connection()
            present = objects.known(connection, space.number, wanted)
            found = spaces.find(connection, space.connector, space.object_type)
            form = "uuid" if found is None else found[2]
            missing = [text for text in wanted if text not in present]
            made = identities.next_ids(connection, space, missing, id_form=form) if missing else {}
        return {anchor: present[text].id if text in present else made[text][0] for text, anchor in wanted.items()}

    def count(self, space: Space, predicate: Predicate | None = None, *, deadline: float | None = None) -> int:
        """Return how many live objects there are, or meet a condition. Without a condition nothing is scanned."""
        with translated():
            return listing.count(self._readers.connection(), space, predicate, deadline)

    def page(
        self, space: Space, predicate: Predicate | None, *, start: int, count: int, deadline: float | None = None
    ) -> Page:
        """Return `count` live objects in row order from the `start`th (from 1) on, and the exact total.

        Without a condition the cost does not depend on `start`; equality of keys, references and ids is answered by an
        index, alone or within `All` (and within `AnyOf` if every part is); any other condition is a scan inside SQLite.

        Raises:
            StoreBusy: `deadline` (monotonic) passed.
            ValueError: the condition is nested too deeply.
        """
        with translated():
            if isinstance(predicate, KeyEquals):
                with self._readers.turn() as connection:
                    few = listing.few(connection, space, predicate, start=start, count=count)
                if few is not None:
                    return few
            return listing.page(
                self._readers.connection(), space, predicate, start=start, count=count, deadline=deadline
            )

    def walk(
        self,
        parts: Sequence[Part],
        direction: Direction,
        *,
        place: Place | None = None,
        skip: int = 0,
        count: int,
        deadline: float | None = None,
    ) -> list[Ranked]:
        """Return live objects of one or several spaces in an order, from a place on; see `ordering.walk`."""
        with translated():
            connection = self._readers.connection()
            return walk(connection, parts, direction, place=place, skip=skip, count=count, deadline=deadline)

    def links(self, rows: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
        """Return (attribute, target key) of everything each object refers to."""
        with translated():
            return indexing.links_of(self._readers.connection(), rows)

    def resolve(
        self, connector: str, object_types: Sequence[str] | None, keys: Sequence[str]
    ) -> dict[str, tuple[str, str]]:
        """Return id and object type of the live object each canonical target key means; keys of none are left out.

        `object_types` in the order of preference; None: all of the connector.
        """
        if not keys:
            return {}
        with translated():
            connection = self._readers.connection()
            own = {space.object_type: space for space in spaces.in_use(connection) if space.connector == connector}
            wanted = list(own) if object_types is None else [name for name in object_types if name in own]
            return resolving.resolve(connection, [own[name] for name in wanted], keys)

    def referring(self, space: Space, attribute: str, key: str) -> list[int]:
        """Return the rows of the space's objects, in any state, that refer to the target key."""
        with translated():
            return resolving.referring(self._readers.connection(), space, attribute, key)

    def digests(self, space: Space) -> Iterator[tuple[list[int], list[int]]]:
        """Yield rows and wire digests (0: none) of all objects, in any state, in batches by row; each is one read."""
        last, high = objects.row_range(space)
        while True:
            [(rows, wires)] = self._fetched(_DIGESTS, (last, high, _BATCH))
            batch: list[int] = orjson.loads(rows)
            if not batch:
                return
            yield batch, orjson.loads(wires)
            last = batch[-1]

    def rows(self, space: Space) -> Iterator[list[int]]:
        """Yield the row of every object, in any state, in batches by row. Each is a read of its own."""
        last, high = objects.row_range(space)
        while batch := self._fetched(_ROWS, (last, high, _BATCH)):
            yield [row for (row,) in batch]
            last = batch[-1][0]

    def canonical(self, rows: Sequence[int]) -> dict[int, int]:
        """Return the canonical digests of objects."""
        with translated():
            return dict(self._readers.connection().execute(_CANONICAL, (objects.json_array(rows),)))

    def anchors(self, rows: Sequence[int]) -> dict[int, Anchor]:
        """Return the anchors of objects."""
        with translated():
            found = self._readers.connection().execute(_ANCHORS, (objects.json_array(rows),)).fetchall()
        return {row: objects.anchor_of(text) for row, text in found}

    # -- writing

    def apply(
        self,
        space: Space,
        writes: Sequence[ObjectWrite],
        *,
        noted: int | None,
        now: str,
        except_entry: str | None = None,
        own: Ranges | None = None,
    ) -> list[Applied]:
        """Write what is new or changed, in one transaction; see `applying.apply`.

        The write lock is held for all of them: an import calls `apply_in_slices`.
        """
        with self._forgetting():
            applied = self._writer.run(
                lambda c: applying.apply(c, space, writes, noted=noted, now=now, except_entry=except_entry, own=own)
            )
        _remember(own, applied)
        return applied

    def apply_in_slices(
        self,
        space: Space,
        writes: Sequence[ObjectWrite],
        *,
        noted: int | None,
        now: str,
        own: Ranges | None = None,
        then: Mapping[str, str] | None = None,
    ) -> list[Applied]:
        """Write a page of an import as `apply` does, in as many transactions as it takes.

        Other writers, of this process and of others, wait for one slice at most; while nobody waits, slices share a
        transaction, which is far cheaper. `then`: settings (a watermark) that are set together with the last slice.
        """
        latest = {write.anchor: write for write in writes}
        if len(latest) < len(writes):  # the last one counts, also if the two would be in different slices
            writes = list(latest.values())
        done: list[Applied] = []

        def some(connection: sqlite3.Connection) -> list[Applied]:
            applied: list[Applied] = []
            for rest in self._slices(len(writes) - len(done)):
                part = writes[len(done) + rest.start : len(done) + rest.stop]
                applied += applying.apply(connection, space, part, noted=noted, now=now, own=own)
            if then and len(done) + len(applied) == len(writes):
                settings.put(connection, then)
            return applied

        with self._forgetting():
            while len(done) < len(writes) or (then and not writes):
                applied = self._writer.run(some)
                done += applied
                _remember(own, applied)
                if not writes:
                    break
        return done

    def remove_in_slices(
        self,
        space: Space,
        rows: Sequence[int],
        *,
        noted: int | None,
        own: Ranges | None = None,
        counted: str | None = None,
    ) -> list[int]:
        """Remove objects as `remove` does, in as many transactions as it takes; see `apply_in_slices`."""
        gone: list[int] = []
        begun = 0

        def some(connection: sqlite3.Connection) -> tuple[int, list[tuple[int, int]]]:
            removed: list[tuple[int, int]] = []
            stop = begun
            for part in self._slices(len(rows) - begun):
                stop = begun + part.stop
                these = rows[begun + part.start : stop]
                removed += removing.remove(connection, space, these, noted=noted, own=own, counted=counted)
            return stop, removed

        while begun < len(rows):
            begun, removed = self._writer.run(some)
            gone += [row for row, _ in removed]
            if own is not None:
                for _, number in removed:
                    own.add(number)
        return gone

    def _slices(self, count: int) -> Iterator[range]:
        """Yield slices of a long write inside a transaction until it should end."""
        end = time.monotonic() + _ALONE_SECONDS
        count = min(count, _ALONE)
        for start in range(0, count, SLICE):
            yield range(start, min(count, start + SLICE))
            if time.monotonic() > end or self._writer.is_wanted():
                return

    def rename(
        self, space: Space, row: int, write: ObjectWrite, *, now: str, except_entry: str | None = None
    ) -> Applied:
        """Give an object another anchor; its id stays. Raises `AlreadyUsed` if another object has that anchor."""
        return self._writer.run(lambda c: removing.rename(c, space, row, write, now=now, except_entry=except_entry))

    def remove(
        self,
        space: Space,
        rows: Sequence[int],
        *,
        noted: int | None,
        except_entry: str | None = None,
        counted: str | None = None,
    ) -> list[int]:
        """Remove objects, in one transaction; return the rows really gone: newer and locked ones are skipped.

        `counted`: the kind of event as which the guard counts each (`Guard.count`).
        """
        removed = self._writer.run(
            lambda c: removing.remove(c, space, rows, noted=noted, except_entry=except_entry, counted=counted)
        )
        return [row for row, _ in removed]

    def set_state(self, space: Space, row: int, state: State, *, now: str | None = None) -> None:  # noqa: ARG002
        """Show or hide an object: a new version."""
        self._writer.run(lambda c: removing.set_state(c, row, state, now=now))

    def set_external_id(self, space: Space, row: int, external_id: str | None, *, now: str | None = None) -> None:  # noqa: ARG002
        """Keep the client's own id of an object: a new version. It is found by `by_key(space, "#externalId", ...)`."""
        self._writer.run(lambda c: removing.set_external_id(c, row, external_id, now=now))

    def prune_tombstones(self, before: float | None = None, *, limit: int = 2_000) -> int:
        """Forget some removed objects: at least 24 hours old, and removed before every run that is under way began."""
        latest = time.time() - _DAY
        at = latest if before is None else min(before, latest)
        return self._writer.run(lambda c: c.execute(_PRUNE_TOMBSTONES, {"before": at, "limit": limit}).rowcount)

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        try:
            yield
        except SpaceDropped:
            self._forget()  # another process removed the connector; `ensure` must look again
            raise

    def _forget(self) -> None:
        with self._mutex:
            self._cache.clear()

    def _fetched(self, sql: str, values: tuple[int, int, int]) -> list[Any]:
        with translated():
            return self._readers.connection().execute(sql, values).fetchall()


def _remember(own: Ranges | None, applied: Iterable[Applied]) -> None:
    if own is not None:
        for number in sorted([one.number for one in applied if one.outcome in ("added", "changed")]):
            own.add(number)
