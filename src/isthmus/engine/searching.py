"""Lists that are sorted, followed by cursor, or made of several resource types (RFC 7644 3.4.2 and 3.4.3, RFC 9865)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from isthmus.engine.answers import unavailable
from isthmus.engine.caller import Caller
from isthmus.engine.cursors import Cursors, Position
from isthmus.engine.reading import Reader
from isthmus.engine.target import Target
from isthmus.mapping.bound import FALSE, TRUE, BoundConstant, BoundFilter, every, negated, some
from isthmus.mapping.resource_type import ResourceType
from isthmus.mapping.sorting import BoundSort
from isthmus.scim.documents import cursor_response, list_response
from isthmus.scim.errors import InvalidFilter, InvalidValue, ScimError, TooMany
from isthmus.scim.filter import parse_filter
from isthmus.scim.listing import ListRequest
from isthmus.scim.syntax import And, Comparison, Filter, Not, Or
from isthmus.store import Direction, Part, Place, Predicate, Ranked, SortBy, Space, StoreBusy

SORTED_DEPTH = 100_000
"""How far an index reaches into a sorted list: the keys of all that comes before are held meanwhile. Cursors go on."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """One resource type within a list."""

    rt: ResourceType
    space: Space
    predicate: Predicate | None
    sort: SortBy | None

    @property
    def part(self) -> Part:
        return Part(self.space, self.predicate, self.sort)


class Searcher:
    """The lists of one connector that need more than one page of one type in the order of rows."""

    def __init__(self, target: Target, reader: Reader, *, cursor_timeout: float) -> None:
        self._target = target
        self._reader = reader
        self._cursors = Cursors(target.store, timeout=cursor_timeout)

    def search(self, types: Sequence[ResourceType], request: ListRequest, caller: Caller) -> bytes:
        """Return a ListResponse over these resource types.

        Raises:
            ScimError: the filter or the order names what no type has; the cursor is none; it took too long.
        """
        listed = self._listed(types, request, caller)
        if request.cursor is not None:
            return self._by_cursor(listed, request, caller)
        return self._by_index(listed, request, caller)

    def _by_index(self, listed: Sequence[_Listed], request: ListRequest, caller: Caller) -> bytes:
        skip, count = request.start_index - 1, request.count
        if request.sort_by is not None and count and skip + count > SORTED_DEPTH:
            raise TooMany(
                f"a sorted list is paged by startIndex up to its {SORTED_DEPTH:,}th resource; narrow the filter, or "
                "follow the pages by cursor"
            )
        with self._scanning():
            totals = [self._count(each, caller) for each in listed]
            if request.sort_by is None:
                found = self._numbered(listed, totals, skip, count, caller)
            elif skip < sum(totals):
                found = self._walk(listed, Direction(_falls(request)), None, skip, count, caller)
            else:
                found = []
        return list_response(
            self._shown(listed, found, request, caller), total=sum(totals), start_index=request.start_index
        )

    def _by_cursor(self, listed: Sequence[_Listed], request: ListRequest, caller: Caller) -> bytes:
        query = self._query(listed, request)
        at = self._cursors.open(query, request.cursor) if request.cursor else None
        backwards = at is not None and at.backwards
        with self._scanning():
            # A count with a filter looks at every object: it is made for the first page and travels in the cursor.
            total = at.total if at is not None and request.filter is not None else 0
            if at is None or request.filter is None:
                total = sum(self._count(each, caller) for each in listed)
            direction = Direction(_falls(request), backwards)
            place = None if at is None else at.place
            found = self._walk(listed, direction, place, 0, request.count + 1, caller)
        more = len(found) > request.count
        found = found[: request.count]
        if backwards:
            found.reverse()

        def cursor(of: Ranked, *, before: bool) -> str:
            return self._cursors.seal(query, Position(Place(of.object.row, of.key), total, before))

        later = more if not backwards else True
        earlier = at is not None if not backwards else more
        return cursor_response(
            self._shown(listed, found, request, caller),
            total=total,
            next_cursor=cursor(found[-1], before=False) if found and later else None,
            previous_cursor=cursor(found[0], before=True) if found and earlier else None,
        )

    # -- what is listed

    def _listed(self, types: Sequence[ResourceType], request: ListRequest, caller: Caller) -> list[_Listed]:
        spaces: dict[Space, ResourceType] = {}
        for rt in types:
            spaces.setdefault(self._target.space(rt), rt)  # two types of one object type show the same objects
        types = list(spaces.values())
        bound = _bound_filters(types, request.filter)
        sorts = _bound_sorts(types, request.sort_by)
        result = []
        for (space, rt), condition, sort in zip(spaces.items(), bound, sorts, strict=True):
            predicate = None if condition is None else self._reader.prepared(rt, condition, caller)
            result.append(_Listed(rt, space, predicate, self._sort(rt, sort) if request.sort_by else None))
        return result

    def _sort(self, rt: ResourceType, sort: BoundSort | None) -> SortBy:
        if sort is None:
            return SortBy()
        if sort.truths is not None:
            true, false = (self._reader.predicate(rt, each) for each in sort.truths)
            return SortBy(truths=(true, false))
        return SortBy(sort.attributes, sort.kind, sort.case_exact, part=sort.part, primary=sort.primary)

    def _query(self, listed: Sequence[_Listed], request: ListRequest) -> bytes:
        """Return what a cursor is bound to: another list must not go on where this one stopped."""
        types = [each.rt.definition.object_type for each in listed]
        order = "" if request.sort_by is None else request.sort_order
        text = orjson.dumps([self._target.key, types, request.filter, request.sort_by, order])
        return hashlib.blake2b(text, digest_size=32).digest()

    # -- pages

    def _count(self, listed: _Listed, caller: Caller) -> int:
        return self._target.store.space.count(listed.space, listed.predicate, deadline=caller.deadline)

    def _numbered(
        self, listed: Sequence[_Listed], totals: Sequence[int], skip: int, count: int, caller: Caller
    ) -> list[Ranked]:
        """Return a page in the order of types and rows; none but the types it lies in are looked at."""
        found: list[Ranked] = []
        for index, (each, total) in enumerate(zip(listed, totals, strict=True)):
            if len(found) < count and skip < total:
                page = self._target.store.space.page(
                    each.space, each.predicate, start=skip + 1, count=count - len(found), deadline=caller.deadline
                )
                found += [Ranked(index, None, obj) for obj in page.objects]
            skip = max(0, skip - total)
        return found

    def _walk(
        self,
        listed: Sequence[_Listed],
        direction: Direction,
        place: Place | None,
        skip: int,
        count: int,
        caller: Caller,
    ) -> list[Ranked]:
        parts = [each.part for each in listed]
        return self._target.store.space.walk(
            parts, direction, place=place, skip=skip, count=count, deadline=caller.deadline
        )

    def _shown(
        self, listed: Sequence[_Listed], found: Sequence[Ranked], request: ListRequest, caller: Caller
    ) -> list[bytes]:
        """Return the resources as JSON text, in the order found."""
        shown: dict[int, bytes] = {}
        for index, each in enumerate(listed):
            objects = [ranked.object for ranked in found if ranked.part == index]
            if objects:
                texts = self._reader.resources(each.rt, objects, caller, request.projection)
                shown.update(zip((obj.row for obj in objects), texts, strict=True))
        return [shown[ranked.object.row] for ranked in found]

    @contextmanager
    def _scanning(self) -> Iterator[None]:
        """Lend this thread's turn to others while the store works, and answer for what goes wrong there."""
        try:
            with self._target.turns.lent():
                yield
        except StoreBusy as exc:
            raise unavailable(f"the list took too long over all objects: {exc}") from exc
        except ValueError as exc:
            raise InvalidFilter(f"the filter is nested too deeply: {exc}") from exc


def _falls(request: ListRequest) -> bool:
    return request.sort_by is not None and request.sort_order == "descending"


def _bound_filters(types: Sequence[ResourceType], text: str | None) -> list[BoundFilter | None]:
    """Bind a filter for each type. An attribute that only another type has, has no value here (RFC 7644 3.4.2.1)."""
    if text is None:
        return [None] * len(types)
    parsed = parse_filter(text)
    return [_bound(rt, parsed, types) for rt in types]


def _bound(rt: ResourceType, condition: Filter, types: Sequence[ResourceType]) -> BoundFilter:
    match condition:
        case And(parts=parts):
            return every([_bound(rt, part, types) for part in parts])
        case Or(parts=parts):
            return some([_bound(rt, part, types) for part in parts])
        case Not(part=part):
            return negated(_bound(rt, part, types))
    try:
        return rt.bind(condition)
    except InvalidFilter:
        if not any(_binds(other, condition) for other in types if other is not rt):
            raise
        return _without_value(condition)


def _binds(rt: ResourceType, condition: Filter) -> bool:
    try:
        rt.bind(condition)
    except InvalidFilter:
        return False
    return True


def _without_value(condition: Filter) -> BoundConstant:
    """Return what a comparison with an attribute is that has no value."""
    if not isinstance(condition, Comparison):
        return FALSE
    return TRUE if (condition.operator == "ne") is not (condition.value is None) else FALSE


def _bound_sorts(types: Sequence[ResourceType], path: str | None) -> list[BoundSort | None]:
    """Bind the order for each type; None for a type that has no such attribute."""
    if path is None:
        return [None] * len(types)
    found: list[BoundSort | None] = []
    refusal: ScimError | None = None
    for rt in types:
        try:
            found.append(rt.bind_sort(path))
        except InvalidValue as exc:
            found.append(None)
            refusal = refusal or exc
    if refusal is not None and all(each is None for each in found):
        raise refusal
    return found
