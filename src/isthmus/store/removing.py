"""Take objects out of the space, hide them, rename them. Functions here run inside the caller's transaction."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Container, Iterable

from isthmus.store import indexing
from isthmus.store.applying import advance, apply, locked
from isthmus.store.blocks import fewer_live, more_live
from isthmus.store.errors import AlreadyUsed, StoreError
from isthmus.store.objects import BLOCK_BITS, EXTERNAL_ID, anchor_text, json_array, known
from isthmus.store.records import Applied, ObjectWrite, Space, State
from isthmus.store.statements import statement

_FOR_REMOVAL = statement("objects_for_removal")
_FOR_CHANGE = statement("object_for_change")
_DELETE = statement("object_delete")
_DIGEST_DELETE = statement("digest_delete")
_KEY_DELETE = statement("key_delete")
_LINKS_DELETE = statement("links_delete")
_IDENTITY = statement("identity_insert")
_TOMBSTONE = statement("tombstone_insert")
_RENAME = statement("object_rename")
_SET_STATE = statement("object_set_state")
_SET_EXTERNAL_ID = statement("object_set_external_id")
_GUARD_EVENT = statement("guard_event_insert")


def remove(
    connection: sqlite3.Connection,
    space: Space,
    rows: Iterable[int],
    *,
    noted: int | None,
    except_entry: str | None = None,
    own: Container[int] | None = None,
    bury: bool = True,
    counted: str | None = None,
) -> list[tuple[int, int]]:
    """Remove objects; return row and number of the change for what is gone. Skips newer and locked as `apply` does.

    `counted`: the kind of event as which the guard counts each.
    """
    found = connection.execute(_FOR_REMOVAL, (json_array(rows),)).fetchall()
    if noted is not None and found:
        held = locked(connection, space.number, [one[1] for one in found], except_entry)
        mine = own or ()
        found = [one for one in found if (one[3] <= noted or one[3] in mine) and one[1] not in held]
    if not found:
        return []
    number = advance(connection, len(found)) - len(found)
    at = time.time()
    gone = [(one[0],) for one in found]
    keys = [(space.number, attribute, value, one[0]) for one in found for attribute, value in indexing.keys_of(one[7])]
    keys += [(space.number, EXTERNAL_ID, one[6], one[0]) for one in found if one[6] is not None]
    keys.sort()
    connection.executemany(_KEY_DELETE, keys)
    connection.executemany(_LINKS_DELETE, gone)
    connection.executemany(_DIGEST_DELETE, gone)
    connection.executemany(_DELETE, gone)
    connection.executemany(_IDENTITY, [(space.number, one[1], one[4], one[2], at) for one in found])
    if bury:
        connection.executemany(
            _TOMBSTONE, [(space.number, one[1], number + n, at, one[2]) for n, one in enumerate(found, 1)]
        )
    if counted is not None:
        events = [(space.connector, space.object_type, counted, one[2], at) for one in found]
        connection.executemany(_GUARD_EVENT, events)
    fewer_live(connection, Counter(one[0] >> BLOCK_BITS for one in found if one[5] == State.LIVE))
    return [(row, number + n) for n, (row,) in enumerate(gone, 1)]


def rename(
    connection: sqlite3.Connection,
    space: Space,
    row: int,
    write: ObjectWrite,
    *,
    now: str,
    except_entry: str | None = None,
) -> Applied:
    """Give the object another anchor and new contents; its id stays.

    The old anchor gets a tombstone, so that an import that read it before does not bring it back as a second object.

    Raises:
        AlreadyUsed: another object has that anchor.
        StoreError: there is no such row.
    """
    _, _, before, own_id, _, generation, _, _ = _for_change(connection, row)
    text = anchor_text(write.anchor)
    if text != before:
        if known(connection, space.number, [text]):
            raise AlreadyUsed(f"another object of {space.connector} has the anchor {text}")
        connection.execute(_RENAME, (text, row))
        connection.execute(_IDENTITY, (space.number, before, generation, own_id, time.time()))
        connection.execute(_TOMBSTONE, (space.number, before, advance(connection), time.time(), own_id))
    [applied] = apply(connection, space, [write], noted=None, now=now, except_entry=except_entry)
    if applied.outcome == "changed" or text == before:
        return applied
    # Only the anchor differs: still a new version.
    state = State(connection.execute(_FOR_CHANGE, (row,)).fetchone()[1])
    number = advance(connection)
    connection.execute(_SET_STATE, (state, number, now, row))
    return Applied(anchor=write.anchor, row=row, id=own_id, number=number, outcome="changed")


def set_state(connection: sqlite3.Connection, row: int, state: State, *, now: str | None = None) -> int:
    """Show or hide an object; return its number. A new version if that changes anything."""
    _, before, _, _, number, _, _, _ = _for_change(connection, row)
    if before == state:
        return number
    number = advance(connection)
    connection.execute(_SET_STATE, (state, number, now, row))
    if state is State.LIVE:
        more_live(connection, {row >> BLOCK_BITS: 1})
    elif before == State.LIVE:
        fewer_live(connection, {row >> BLOCK_BITS: 1})
    return number


def set_external_id(
    connection: sqlite3.Connection, row: int, external_id: str | None, *, now: str | None = None
) -> int:
    """Keep the client's own id of an object; return its number. A new version if that changes anything."""
    space, _, _, _, number, _, before, _ = _for_change(connection, row)
    if before == external_id:
        return number
    number = advance(connection)
    connection.execute(_SET_EXTERNAL_ID, (external_id, number, now, row))
    indexing.change_external_id(connection, space, row, before, external_id)
    return number


def _for_change(connection: sqlite3.Connection, row: int) -> tuple[int, str, str, str, int, int, str | None, str]:
    found = connection.execute(_FOR_CHANGE, (row,)).fetchone()
    if found is None:
        raise StoreError(f"there is no object {row} in the store")
    return found  # type: ignore[no-any-return]
