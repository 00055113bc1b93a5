"""References between objects, read by attribute: what nobody asked for is not read."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import orjson

from isthmus.store.connections import Readers
from isthmus.store.errors import translate, translated
from isthmus.store.objects import json_array, row_range
from isthmus.store.records import Space, State
from isthmus.store.statements import statement

_BY_ATTRIBUTES = statement("links_by_attributes")
_PRESENT = statement("links_present")
_EXIST = statement("links_exist")
_REFERRED_BY_ANCHOR = statement("referred_by_anchor")
_REFERRED_BY_DN = statement("referred_by_dn")
_REFERRING = statement("referring_by_keys")
_NAMED = statement("named_by_ids")
_SHOWN_REFERRED = statement("shown_referred")
_SHOWN_REFERRING = statement("shown_referring")


@dataclass(frozen=True, slots=True)
class Naming:
    """Where references may lead: a space, the attributes that name its objects for people, and how they are named.

    The first of the (at most two) attributes that has a value is the name. `by_dn`: objects are referred to by dn.
    """

    space: Space
    attributes: tuple[str, ...] = ()
    by_dn: bool = False


class Referred(NamedTuple):
    """One reference: whose, by which attribute and key, to which object. `name` None: it has none."""

    row: int
    attribute: str
    key: str
    id: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Named:
    """How an object is referred to."""

    anchor: tuple[str, ...]
    dn: str | None
    state: State


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The objects around one, in one statement: what it refers to by some attributes, and who refers to it by others.

    Each way is known by its number, from 0 on, those that lead to others first.
    """

    sql: str
    values: tuple[object, ...]

    @classmethod
    def by(cls, to: Sequence[tuple[str, Naming]], back: Sequence[tuple[str, Naming]]) -> Neighbours:
        """Return the statement for at least one way; both are attributes with what is at the other end, by anchor."""
        parts: list[str] = []
        values: list[object] = [None, None]  # ?1 and ?2: the row and the anchor
        for way, (attribute, naming) in enumerate([*to, *back]):
            leads = way < len(to)
            first, second = _paths(naming.attributes)
            bound: dict[str, object] = {"attribute": attribute, "first": first, "second": second}
            if leads:
                bound["space"] = naming.space.number
            else:
                bound["low"], bound["high"] = row_range(naming.space)
            numbered = {name: f"?{len(values) + at}" for at, name in enumerate(bound, 1)}
            values += bound.values()
            parts.append((_SHOWN_REFERRED if leads else _SHOWN_REFERRING).format(part=way, **numbered))
        return cls(" UNION ALL ".join(parts), tuple(values[2:]))


class LinkTable:
    """The references of all spaces. Each call is one or two statements, whatever the number of objects."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def of(self, rows: Collection[int], attributes: Collection[str]) -> dict[int, list[tuple[str, str]]]:
        """Return (attribute, target key) of what each object refers to with these attributes."""
        found: dict[int, list[tuple[str, str]]] = {row: [] for row in rows}
        if rows and attributes:
            with translated():
                values = (json_array(rows), json_array(attributes))
                for row, attribute, key in self._readers.connection().execute(_BY_ATTRIBUTES, values):
                    found[row].append((attribute, key))
        return found

    def present(self, row: int, wanted: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of the (attribute, target key) pairs that an object has; no other reference of it is read."""
        if not wanted:
            return set()
        with translated():
            pairs = orjson.dumps(list(wanted)).decode()
            return set(self._readers.connection().execute(_PRESENT, (row, pairs)).fetchall())

    def any_of(self, row: int, attribute: str) -> bool:
        """Tell whether an object refers to anything with an attribute."""
        with translated():
            return bool(self._readers.connection().execute(_EXIST, (row, attribute)).fetchone()[0])

    def referred(self, rows: Collection[int], attributes: Collection[str], naming: Naming) -> Iterator[Referred]:
        """Yield what objects refer to with these attributes, as far as it is a live object of the space.

        An object may be yielded twice where it is referred to both ways.
        """
        if not rows or not attributes:
            return
        values = (naming.space.number, json_array(rows), json_array(attributes), *_paths(naming.attributes))
        statements = (_REFERRED_BY_DN, _REFERRED_BY_ANCHOR) if naming.by_dn else (_REFERRED_BY_ANCHOR,)
        with translated():
            for sql in statements:
                for row, attribute, key, found, name in self._readers.connection().execute(sql, values):
                    yield Referred(row, attribute, key, found, None if name is None else str(name))

    def referring(self, keys: Sequence[str], attribute: str, naming: Naming) -> dict[str, list[tuple[str, str | None]]]:
        """Return id and name of the live objects of the space that refer to each of the target keys."""
        found: dict[str, list[tuple[str, str | None]]] = {}
        values = (json_array(keys), attribute, *row_range(naming.space), *_paths(naming.attributes))
        with translated():
            for key, one, name in self._readers.connection().execute(_REFERRING, values):
                found.setdefault(key, []).append((one, None if name is None else str(name)))
        return found

    def neighbours(self, wanted: Neighbours, row: int, anchor: str) -> list[tuple[int, str, str | None]]:
        """Return way, id and name of the live objects around one, given by its row and the text of its anchor.

        They are read while other reads wait, so this is for ways that lead to few.
        """
        try:
            with self._readers.turn() as connection:
                found = connection.execute(wanted.sql, (row, anchor, *wanted.values)).fetchall()
        except sqlite3.Error as error:
            raise translate(error) from error
        return [(way, one, None if name is None else str(name)) for way, one, name in found]

    def named(self, space: Space, ids: Collection[str]) -> dict[str, Named]:
        """Return how the objects, in any state, that have these ids are referred to."""
        if not ids:
            return {}
        with translated():
            rows = self._readers.connection().execute(_NAMED, (space.number, json_array(ids)))
            return {one: Named(tuple(orjson.loads(anchor)), dn, State(state)) for one, anchor, dn, state in rows}


@lru_cache(256)
def _paths(attributes: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Return the JSON paths of two attributes at most; those that a path cannot quote are left out."""
    quoted = [f'$."{name}"[0]' for name in attributes if name.isprintable() and not {'"', "\\"} & set(name)]
    return (quoted[0] if quoted else None, quoted[1] if len(quoted) > 1 else None)
