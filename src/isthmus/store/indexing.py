"""Keys and links of objects: written by difference, so that one member more is one row more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import orjson

from isthmus.store.objects import EXTERNAL_ID, json_array
from isthmus.store.records import ObjectWrite
from isthmus.store.statements import insert, statement

_KEYS_OF = statement("keys_of_rows")
_KEY_INSERT = statement("key_insert")
_KEY_DELETE = statement("key_delete")
_LINKS_OF = statement("links_by_rows")
_LINK_INSERT = statement("link_insert")
_LINK_DELETE = statement("link_delete")


def keys_text(write: ObjectWrite) -> str:
    """Return the object's keys as its row keeps them: sorted, without doubles."""
    keys = write.keys
    if len(keys) > 1 and not (len(keys) == 2 and keys[0] < keys[1]):
        keys = sorted(set(keys))
    return orjson.dumps(keys).decode()


def keys_of(text: str) -> list[tuple[str, str]]:
    return [(attribute, value) for attribute, value in orjson.loads(text)]


def kept_keys(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, str]:
    """Return the keys of objects as their rows keep them."""
    return dict(connection.execute(_KEYS_OF, (json_array(rows),)))


def links_of(connection: sqlite3.Connection, rows: Iterable[int]) -> dict[int, list[tuple[str, str]]]:
    """Return what each object refers to; an object that refers to nothing has an empty list."""
    wanted = list(rows)
    found: dict[int, list[tuple[str, str]]] = {row: [] for row in wanted}
    for row, attribute, key in connection.execute(_LINKS_OF, (json_array(wanted),)):
        found[row].append((attribute, key))
    return found


def add(connection: sqlite3.Connection, space: int, writes: Iterable[tuple[int, ObjectWrite]]) -> None:
    """Add keys and links of new objects.

    Keys are sorted first: neighbours in the index then go to the same page.
    """
    keys: list[tuple[int, str, str, int]] = []
    links: list[tuple[int, str, str]] = []
    for row, write in writes:
        keys += [(space, attribute, value, row) for attribute, value in write.keys]
        if write.links:
            links += [(row, attribute, key) for attribute, key in write.links]
    keys.sort()
    insert(connection, _KEY_INSERT, keys)
    if links:
        insert(connection, _LINK_INSERT, links)


def change_keys(connection: sqlite3.Connection, space: int, changes: Sequence[tuple[int, str, str]]) -> None:
    """Replace keys: (row, as kept until now, as kept from now on)."""
    gone: list[tuple[int, str, str, int]] = []
    come: list[tuple[int, str, str, int]] = []
    for row, before, after in changes:
        if before == after:
            continue
        old, new = set(keys_of(before)), set(keys_of(after))
        gone += [(space, attribute, value, row) for attribute, value in old - new]
        come += [(space, attribute, value, row) for attribute, value in new - old]
    connection.executemany(_KEY_DELETE, gone)
    connection.executemany(_KEY_INSERT, come)


def change_links(connection: sqlite3.Connection, writes: Sequence[tuple[int, ObjectWrite]]) -> None:
    """Make the links of each object what the write says; what `link_changes` does not name is not even read."""
    present = links_of(connection, (row for row, write in writes if write.link_changes is None))
    gone: list[tuple[int, str, str]] = []
    come: list[tuple[int, str, str]] = []
    for row, write in writes:
        if (changes := write.link_changes) is not None:
            gone += [(row, attribute, key) for attribute, key in changes.remove]
            come += [(row, attribute, key) for attribute, key in changes.add]
            continue
        if not write.links and not present[row]:
            continue
        old, new = set(present[row]), set(write.links)
        gone += [(row, attribute, key) for attribute, key in old - new]
        come += [(row, attribute, key) for attribute, key in new - old]
    connection.executemany(_LINK_DELETE, gone)
    connection.executemany(_LINK_INSERT, come)


def change_external_id(
    connection: sqlite3.Connection, space: int, row: int, before: str | None, after: str | None
) -> None:
    """Move the key of the client's own id."""
    if before is not None:
        connection.execute(_KEY_DELETE, (space, EXTERNAL_ID, before, row))
    if after is not None:
        connection.execute(_KEY_INSERT, (space, EXTERNAL_ID, after, row))
