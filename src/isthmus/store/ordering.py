"""Walk through live objects in an order: by row, or by a value and then by row; from a place on, in both directions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from isthmus.store.listing import one_view
from isthmus.store.objects import ROW_BITS, by_rows, row_range
from isthmus.store.predicate import Constant, Predicate
from isthmus.store.predicates import Condition
from isthmus.store.records import Space, StoredObject
from isthmus.store.statements import statement

KEY_LENGTH = 200
"""Characters of a text that count for its order: keys are kept for every row of a page, and travel in cursors."""

_ROWS = statement("walk_rows")
_SORTED = statement("walk_sorted")

_FORMS = {
    "number": "CASE {type} WHEN 'integer' THEN {value} WHEN 'real' THEN {value} WHEN 'text' THEN number({value}) END",
    "datetime": "CASE {type} WHEN 'text' THEN instant({value}) END",
    "boolean": "CASE {type} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
    "folded": f"CASE {{type}} WHEN 'text' THEN substr(fold({{value}}), 1, {KEY_LENGTH}) END",
    "exact": f"CASE {{type}} WHEN 'text' THEN substr({{value}}, 1, {KEY_LENGTH}) END",
}

Key = str | int | float | None
"""What an object is sorted by; None: it has no value."""


@dataclass(frozen=True, slots=True)
class SortBy:
    """What the objects of one space are sorted by.

    The first value, in the order of `attributes`, that is not empty; of values made of parts that `part` of them, those
    whose part `primary` is true first. Texts are compared by the code points of Unicode,
    folded unless `case_exact`. With `truths` instead: true where the first condition holds, false where the second
    does. Neither attributes nor truths: every object counts as without a value.
    """

    attributes: tuple[str, ...] = ()
    kind: Literal["text", "number", "datetime", "binary", "boolean"] = "text"
    case_exact: bool = False
    truths: tuple[Predicate, Predicate] | None = None
    part: str | None = None
    primary: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The objects of one space that meet a condition; `sort` is given in all parts of a walk, or in none."""

    space: Space
    predicate: Predicate | None = None
    sort: SortBy | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind this row and what it is sorted by."""

    row: int
    key: Key = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """An object with what it is sorted by. `part` is its place in the list of parts."""

    part: int
    key: Key
    object: StoredObject


@dataclass(frozen=True, slots=True)
class Direction:
    """The order as asked for, and whether it is walked `backwards` (towards an earlier page)."""

    descending: bool = False
    backwards: bool = False

    @property
    def keys_rise(self) -> bool:
        return self.descending == self.backwards


def walk(
    connection: sqlite3.Connection,
    parts: Sequence[Part],
    direction: Direction,
    *,
    place: Place | None,
    skip: int,
    count: int,
    deadline: float | None,
) -> list[Ranked]:
    """Return up to `count` objects behind `place`, in the order walked, after passing over `skip` of them.

    Absent values come last where keys rise and first where they fall (RFC 7644 3.4.2.3). Equal keys stay in the order
    of rows, which objects keep for life; so nothing stands twice, and what is added or removed meanwhile moves nothing
    else. Without sorting only the rows wanted are looked at; with it every object that meets the condition is, and
    `skip` + `count` keys are held.

    Raises:
        StoreBusy: the deadline (monotonic) passed.
        ValueError: a condition is nested too deeply.
    """
    if count <= 0:
        return []
    with one_view(connection, deadline):
        if all(part.sort is None for part in parts):
            found = _by_row(connection, parts, direction, place, skip, count)
        else:
            found = _by_key(connection, parts, direction, place, skip, count)
        objects = {one.row: one for one in by_rows(connection, [row for row, _ in found])}
    numbers = {part.space.number: index for index, part in enumerate(parts)}
    return [Ranked(numbers[row >> ROW_BITS], key, objects[row]) for row, key in found]


def _by_row(
    connection: sqlite3.Connection,
    parts: Sequence[Part],
    direction: Direction,
    place: Place | None,
    skip: int,
    count: int,
) -> list[tuple[int, Key]]:
    """Go through the spaces one after the other: their rows do not overlap."""
    found: list[tuple[int, Key]] = []
    for part in sorted(parts, key=lambda each: each.space.number, reverse=direction.backwards):
        low, high = row_range(part.space)
        if place is not None:
            low, high = (low, min(high, place.row - 1)) if direction.backwards else (max(low, place.row + 1), high)
        if low > high:
            continue
        condition = Condition(part.predicate or Constant(True), part.space.number)
        sql = _ROWS.format(
            among=_among(condition), where=condition.where, direction="DESC" if direction.backwards else "ASC"
        )
        wanted = {"low": low, "high": high, "limit": skip + count - len(found), "skip": 0}
        found += connection.execute(sql, {**condition.parameters, **wanted})
        if len(found) == skip + count:
            break
    return found[skip:]


def _by_key(
    connection: sqlite3.Connection,
    parts: Sequence[Part],
    direction: Direction,
    place: Place | None,
    skip: int,
    count: int,
) -> list[tuple[int, Key]]:
    if len(parts) == 1:
        return list(_part_by_key(connection, parts[0], direction, place, skip, count))
    found = [
        each for part in parts for each in _part_by_key(connection, part, direction, place, 0, skip + count)
    ]  # each part is bounded, and the walk goes no further than that in any of them
    found.sort(key=lambda each: each[0], reverse=direction.backwards)
    found.sort(key=lambda each: _rank(each[1]), reverse=not direction.keys_rise)
    return found[skip : skip + count]


def _rank(key: Key) -> tuple[int, Any]:
    """Return what orders keys as SQLite does: numbers before texts; none is last."""
    if key is None:
        return 2, 0
    return (1, key) if isinstance(key, str) else (0, key)


def _part_by_key(
    connection: sqlite3.Connection, part: Part, direction: Direction, place: Place | None, skip: int, count: int
) -> Iterable[tuple[int, Key]]:
    condition = Condition(part.predicate or Constant(True), part.space.number)
    key = _key(condition, part.sort or SortBy())
    fall = "" if direction.keys_rise else " DESC"
    low, high = row_range(part.space)
    sql = _SORTED.format(
        among=_among(condition),
        where=condition.where,
        key=key,
        place="1" if place is None else _behind(place, direction),
        order=f"key IS NULL{fall}, key{fall}, row{' DESC' if direction.backwards else ''}",
    )
    wanted: dict[str, Any] = {"low": low, "high": high, "limit": count, "skip": skip}
    if place is not None:
        wanted |= {"row": place.row} if place.key is None else {"row": place.row, "key": place.key}
    return connection.execute(sql, {**condition.parameters, **wanted})


def _behind(place: Place, direction: Direction) -> str:
    row = "row < :row" if direction.backwards else "row > :row"
    if place.key is None:
        return f"key IS NULL AND {row}" if direction.keys_rise else f"(key IS NOT NULL OR {row})"
    if direction.keys_rise:
        return f"(key > :key OR (key = :key AND {row}) OR key IS NULL)"
    return f"(key < :key OR (key = :key AND {row}))"


def _key(condition: Condition, sort: SortBy) -> str:
    if sort.truths is not None:
        true, false = (condition.holds(each) for each in sort.truths)
        return f"CASE WHEN {true} THEN 1 WHEN {false} THEN 0 END"
    if sort.kind in {"number", "datetime", "boolean"}:
        form = _FORMS[sort.kind]
    else:
        form = _FORMS["exact" if sort.case_exact or sort.kind == "binary" else "folded"]
    firsts = [condition.first(each, form, part=sort.part, primary=sort.primary) for each in sort.attributes]
    if not firsts:
        return "NULL"
    return firsts[0] if len(firsts) == 1 else f"coalesce({', '.join(firsts)})"


def _among(condition: Condition) -> str:
    return "" if condition.candidates is None else f"o.row IN ({condition.candidates}) AND "
