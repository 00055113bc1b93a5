"""References: a target's key of an object, and the object it means."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

import orjson

from isthmus.store.objects import json_array, row_range
from isthmus.store.records import Space
from isthmus.store.statements import statement

_BY_ANCHOR = statement("resolve_by_anchor")
_BY_DN = statement("resolve_by_dn")
_TO = statement("links_to")


def resolve(
    connection: sqlite3.Connection, spaces: Sequence[Space], keys: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Return id and object type of the live object each canonical target key means; keys of none are left out.

    A key means an object by its anchor, else by its dn: as text, or as the one value of a JSON array.
    """
    found: dict[str, tuple[str, str]] = {}
    open_keys = set(keys)
    for space in spaces:
        if not open_keys:
            return found
        rows = connection.execute(_BY_ANCHOR, (space.number, json_array(open_keys)))
        found |= {key: (found_id, space.object_type) for key, found_id in rows}
        open_keys -= found.keys()
    names = {key: _name(key) for key in open_keys}
    for space in spaces:
        if not names:
            break
        ids = dict(connection.execute(_BY_DN, (space.number, json_array(set(names.values())))))
        found |= {key: (ids[name], space.object_type) for key, name in names.items() if name in ids}
        names = {key: name for key, name in names.items() if key not in found}
    return found


def referring(connection: sqlite3.Connection, space: Space, attribute: str, key: str) -> list[int]:
    """Return the rows of the space's objects, in any state, that refer to the target key."""
    return [row for (row,) in connection.execute(_TO, (attribute, key, *row_range(space)))]


def _name(key: str) -> str:
    try:
        parts = orjson.loads(key)
    except orjson.JSONDecodeError:
        return key
    return parts[0] if isinstance(parts, list) and len(parts) == 1 and isinstance(parts[0], str) else key
