"""Rows of `objects` as records, and the small facts about row numbers that everything else relies on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from isthmus.store.records import Known, Space, State, StoredObject
from isthmus.store.statements import statement

_COLUMNS = "row id anchor dn state number created modified external_id attributes scim shape"
COLUMNS = ", ".join(f"o.{column}" for column in _COLUMNS.split())
EXTERNAL_ID = "#externalId"
"""The attribute under which the client's own id is found in `keys`."""

_BY_ID = statement("object_by_id").format(columns=COLUMNS)
_BY_ID_ANY = statement("object_by_id_any").format(columns=COLUMNS)
_BY_ANCHOR = statement("object_by_anchor").format(columns=COLUMNS)
_BY_ROW = statement("object_by_row").format(columns=COLUMNS)
_BY_ANCHORS = statement("objects_by_anchors").format(columns=COLUMNS)
_BY_ROWS = statement("objects_by_rows").format(columns=COLUMNS)
_BY_KEY = statement("objects_by_key").format(columns=COLUMNS)
_BY_KEY_ANY = statement("objects_by_key_any").format(columns=COLUMNS)
_KNOWN = statement("known_by_anchors")

_STATES = {state.value: state for state in State}

ROW_BITS = 40
BLOCK_BITS = 10
BLOCK_SIZE = 1 << BLOCK_BITS


def row_range(space: Space) -> tuple[int, int]:
    """Return the lowest and the highest row number a space can have."""
    low = space.number << ROW_BITS
    return low, low + (1 << ROW_BITS) - 1


def block_range(space: Space) -> tuple[int, int]:
    """Return the lowest and the highest block a space can have."""
    low, high = row_range(space)
    return low >> BLOCK_BITS, high >> BLOCK_BITS


def anchor_text(anchor: Sequence[str]) -> str:
    """Return the canonical text of an anchor, which is also the canonical target key of references to it."""
    return orjson.dumps(list(anchor)).decode()


def anchor_of(text: str) -> tuple[str, ...]:
    """Return the anchor of a canonical text."""
    return tuple(orjson.loads(text))


def json_array(values: Iterable[str] | Iterable[int]) -> str:
    """Return values as one bound parameter for `json_each`."""
    return orjson.dumps(list(values)).decode()


def stored(row: tuple[Any, ...]) -> StoredObject:
    """Return the record for a row of `COLUMNS`."""
    return StoredObject(
        row=row[0],
        id=row[1],
        anchor=tuple(orjson.loads(row[2])),
        dn=row[3],
        state=_STATES[row[4]],
        number=row[5],
        created=row[6],
        modified=row[7],
        external_id=row[8],
        attributes=row[9],
        scim=row[10],
        shape=row[11],
    )


def by_id(connection: sqlite3.Connection, space: int, id: str, *, hidden: bool = False) -> StoredObject | None:
    row = connection.execute(_BY_ID_ANY if hidden else _BY_ID, (space, id)).fetchone()
    return None if row is None else stored(row)


def by_anchor(connection: sqlite3.Connection, space: int, anchor: Sequence[str]) -> StoredObject | None:
    row = connection.execute(_BY_ANCHOR, (space, anchor_text(anchor))).fetchone()
    return None if row is None else stored(row)


def by_row(connection: sqlite3.Connection, row: int) -> StoredObject | None:
    found = connection.execute(_BY_ROW, (row,)).fetchone()
    return None if found is None else stored(found)


def by_anchors(
    connection: sqlite3.Connection, space: int, anchors: Iterable[Sequence[str]]
) -> dict[tuple[str, ...], StoredObject]:
    texts = json_array(anchor_text(anchor) for anchor in anchors)
    found = map(stored, connection.execute(_BY_ANCHORS, (space, texts)))
    return {one.anchor: one for one in found}


def by_rows(connection: sqlite3.Connection, rows: Iterable[int]) -> list[StoredObject]:
    return [stored(row) for row in connection.execute(_BY_ROWS, (json_array(rows),))]


def by_key(
    connection: sqlite3.Connection, space: int, attribute: str, value: str, *, hidden: bool = False, limit: int = 100
) -> list[StoredObject]:
    sql = _BY_KEY_ANY if hidden else _BY_KEY
    return [stored(row) for row in connection.execute(sql, (space, attribute, value, limit))]


def known(connection: sqlite3.Connection, space: int, texts: Iterable[str]) -> dict[str, Known]:
    """Return what is known of objects, by anchor text; any state."""
    rows = connection.execute(_KNOWN, (space, json_array(texts)))
    return {
        text: Known(row=row, id=own_id, number=number, state=_STATES[state], wire=wire, canonical=canonical)
        for text, row, own_id, number, state, wire, canonical in rows
    }
