"""What answers show of live objects, and no more: rows as SQLite gives them, to be joined into JSON text.

A `StoredObject` costs 3 us to make and half as much again to read; a read of one object takes 20 us in all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from isthmus.store.blocks import place
from isthmus.store.objects import BLOCK_SIZE, block_range, row_range
from isthmus.store.predicate import KeyEquals
from isthmus.store.records import Space
from isthmus.store.statements import statement

Shown = tuple[str, int, str, str, str | None, int, bytes, int, str]
"""id, number, created, modified, external_id, shape, scim, row: as in `records.StoredObject`; and the anchor's text."""


class Form(NamedTuple):
    """How the text of an object is put together, for `printf` of SQLite.

    `text` takes the id, externalId as a member with its comma or nothing, what the object's text has from byte `length`
    (from 1 on, a comma) to the last but one, created, modified, number, and the id again. It fits texts of that shape
    that are longer: shorter ones have nothing but `schemas`.
    """

    text: str
    length: int
    shape: int
    keeps_external_id: bool


_COLUMNS = "o.id, o.number, o.created, o.modified, o.external_id, o.shape, o.scim, o.row, o.anchor"
_BY_ID = statement("object_by_id").format(columns=_COLUMNS)
_BY_KEY = statement("objects_by_key").format(columns=_COLUMNS)
_FROM = statement("page_from").format(columns=_COLUMNS)
_TEXT = statement("page_text").format(more="", row=":row")
_FOUND = {"more": ", (SELECT live FROM page), (SELECT row FROM page)", "row": "(SELECT row FROM page)"}
_BEGIN = statement("page_begin")
_WITHOUT_GAPS = f"WITH page AS MATERIALIZED ({_BEGIN}) {statement('page_text').format(**_FOUND)}"
"""Where objects were never removed, which is nearly everywhere, one statement finds the page and puts it together."""

FEW = 100
"""Live objects with one key up to which all of them are read to get a page of them."""


def by_id(connection: sqlite3.Connection, space: int, id: str) -> Shown | None:
    """Return the live object with this id."""
    found: Shown | None = connection.execute(_BY_ID, (space, id)).fetchone()
    return found


def by_key(
    connection: sqlite3.Connection, space: int, predicate: KeyEquals, *, start: int, count: int
) -> tuple[int, Sequence[Shown]] | None:
    """Return the total and the page of a key that few live objects have, which is nearly every key; None for many."""
    found = connection.execute(_BY_KEY, (space, predicate.attribute, predicate.value, FEW + 1)).fetchall()
    if len(found) > FEW:
        return None
    return len(found), found[start - 1 : start - 1 + count]


def rows(connection: sqlite3.Connection, space: Space, *, start: int, count: int) -> tuple[int, Sequence[Shown]]:
    """Return the total of live objects and the page of them in row order, both of one moment."""
    connection.execute("BEGIN")
    try:
        total, begin, passed = place(connection, space, start - 1)
        if begin < 0 or count == 0:
            return total, ()
        return total, connection.execute(_FROM, (begin, row_range(space)[1], count, passed)).fetchall()
    finally:
        connection.execute("ROLLBACK")


def text(
    connection: sqlite3.Connection, space: Space, form: Form, *, start: int, count: int
) -> tuple[int, int, bytes] | None:
    """Return what `rows` does, put together: the total, how many the page has, and their text.

    None: the form does not fit all of them.
    """
    low, high = block_range(space)
    skip = start - 1
    values: dict[str, object] = {
        "form": form.text,
        "length": form.length,
        "shape": form.shape,
        "keeps": form.keeps_external_id,
        "last": row_range(space)[1],
        "count": count,
    }
    where = {"passed": 0, "skip": skip, "full": skip // BLOCK_SIZE, "low": low, "high": high}
    found, fitting, joined, total, begin = connection.execute(_WITHOUT_GAPS, values | where).fetchone()
    if begin is not None:
        return None if fitting != found else (total, found, joined or b"")
    connection.execute("BEGIN")
    try:
        total, begin, passed = place(connection, space, skip)
        if begin < 0 or count == 0:
            return total, 0, b""
        values |= {"row": begin, "passed": passed}
        found, fitting, joined = connection.execute(_TEXT, values).fetchone()
        return None if fitting != found else (total, found, joined or b"")
    finally:
        connection.execute("ROLLBACK")
