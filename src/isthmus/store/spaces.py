"""Which spaces there are. Functions that take a connection run inside the caller's transaction."""

from __future__ import annotations

import sqlite3

from isthmus.store.objects import block_range, row_range
from isthmus.store.records import Space
from isthmus.store.removing import remove
from isthmus.store.statements import statement

_ALL = statement("spaces_all")
_FIND = statement("space_find")
_BY_NUMBER = statement("space_by_number")
_ADD = statement("space_add")
_REVIVE = statement("space_revive")
_SET_ID_FORM = statement("space_set_id_form")
_DROP = statement("spaces_drop")
_DROPPED = statement("spaces_dropped")
_SLICE = statement("objects_slice")
_BLOCKS_DELETE = statement("blocks_delete")
_TOMBSTONES_DROP = statement("tombstones_drop")

DROP_SLICE = 300
"""Objects removed in one transaction of `drop`."""


def in_use(connection: sqlite3.Connection) -> list[Space]:
    """Return every space that is in use."""
    return [Space(*row) for row in connection.execute(_ALL)]


def by_number(connection: sqlite3.Connection, number: int) -> Space | None:
    """Return a space by its key, in use or not."""
    row = connection.execute(_BY_NUMBER, (number,)).fetchone()
    return None if row is None else Space(*row)


def find(connection: sqlite3.Connection, connector: str, object_type: str) -> tuple[int, bool, str] | None:
    """Return number, whether it is dropped, and id form of a space."""
    row = connection.execute(_FIND, (connector, object_type)).fetchone()
    return None if row is None else (row[0], bool(row[1]), row[2])


def ensure(connection: sqlite3.Connection, connector: str, object_type: str, id_form: str | None) -> Space | None:
    """Return the space, made if there is none; None if a dropped one must be emptied further first."""
    present = find(connection, connector, object_type)
    if present is None:
        number = connection.execute(_ADD, (connector, object_type, id_form or "uuid")).fetchone()[0]
        return Space(number, connector, object_type)
    number, dropped, form = present
    space = Space(number, connector, object_type)
    if dropped:
        if not empty_further(connection, space):
            return None
        connection.execute(_REVIVE, (number,))
    if id_form is not None and id_form != form:
        connection.execute(_SET_ID_FORM, (id_form, number))
    return space


def close(connection: sqlite3.Connection, connector: str) -> None:
    """Let nobody write to the connector's spaces any more."""
    connection.execute(_DROP, (connector,))


def dropped(connection: sqlite3.Connection, connector: str) -> list[Space]:
    """Return the connector's spaces that wait for being emptied."""
    numbers = connection.execute(_DROPPED, (connector,)).fetchall()
    return [space for (number,) in numbers if (space := by_number(connection, number)) is not None]


def empty_further(connection: sqlite3.Connection, space: Space) -> bool:
    """Remove a slice of a dropped space's objects; return whether nothing is left, or the space is in use again."""
    present = find(connection, space.connector, space.object_type)
    if present is None or not present[1]:
        return True
    low, high = row_range(space)
    rows = [row for (row,) in connection.execute(_SLICE, (low, high, DROP_SLICE))]
    remove(connection, space, rows, noted=None, bury=False)
    if len(rows) == DROP_SLICE:
        return False
    connection.execute(_BLOCKS_DELETE, block_range(space))
    connection.execute(_TOMBSTONES_DROP, (space.number,))
    return True
