"""The end of a journal entry: everything that came of a write, in one transaction."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, replace

from isthmus.store import applying, audit, entries, objects, removing, spaces
from isthmus.store.errors import EntryClosed, EntryUnknown
from isthmus.store.records import Applied, AuditRecord, Entry, EntryState, ObjectWrite, Space, State, Unset
from isthmus.store.statements import statement

_CLOSE = statement("entry_close")
_RELEASE = statement("locks_release")
_GUARD_EVENT = statement("guard_event_insert")

CREATE = "create"
"""The operation whose added objects the guard does not count (see `Guard.count`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How an entry ends; see `Journal.close`."""

    state: EntryState
    write: ObjectWrite | None
    rename_row: int | None
    remove_row: int | None
    object_state: State | None
    external_id: str | Unset | None
    audit: AuditRecord | None
    reason: str
    guard: tuple[str, str] | None
    now: str


def close(connection: sqlite3.Connection, entry_id: str, closing: Closing) -> Applied | None:
    """End the entry inside the caller's transaction."""
    if closing.state not in (EntryState.DONE, EntryState.NOT_DONE):
        raise ValueError("an entry ends as done or not done")
    entry = entries.get(connection, entry_id)
    if entry is None:
        raise EntryUnknown(f"there is no journal entry {entry_id}")
    if entry.state not in (EntryState.OPEN, EntryState.IN_DOUBT):
        raise EntryClosed(f"journal entry {entry_id} is closed already")
    space = spaces.by_number(connection, entry.space)
    assert space is not None, "spaces are never deleted"
    applied = _write(connection, space, entry, closing)
    applied = _mark_object(connection, entry, closing, applied)
    if closing.remove_row is not None:
        removing.remove(connection, space, [closing.remove_row], noted=None, except_entry=entry.id)
    at = time.time()
    if entry.operation == CREATE and applied is not None and closing.state is EntryState.DONE:
        connection.execute(_GUARD_EVENT, (space.connector, space.object_type, CREATE, applied.id, at))
    if closing.guard is not None:
        kind, object_id = closing.guard
        connection.execute(_GUARD_EVENT, (space.connector, space.object_type, kind, object_id, at))
    if closing.audit is not None:
        # Of what was just added, the id is known only now.
        known = closing.audit.object_id or ("" if applied is None else applied.id)
        audit.insert(connection, replace(closing.audit, object_id=known))
    written_id = None if applied is None else applied.id
    connection.execute(_CLOSE, (closing.state, closing.reason, at, written_id, entry.id))
    connection.execute(_RELEASE, (entry.id,))
    return applied


def _write(connection: sqlite3.Connection, space: Space, entry: Entry, closing: Closing) -> Applied | None:
    if closing.write is None:
        return None
    if closing.rename_row is not None:
        return removing.rename(
            connection, space, closing.rename_row, closing.write, now=closing.now, except_entry=entry.id
        )
    [applied] = applying.apply(connection, space, [closing.write], noted=None, now=closing.now, except_entry=entry.id)
    return applied


def _mark_object(
    connection: sqlite3.Connection, entry: Entry, closing: Closing, applied: Applied | None
) -> Applied | None:
    """Set state and external id of the written object or, without a write, of the entry's."""
    if closing.object_state is None and isinstance(closing.external_id, Unset):
        return applied
    row = applied.row if applied is not None else _row(connection, entry)
    if row is None:
        return applied
    number = 0
    if closing.object_state is not None:
        number = max(number, removing.set_state(connection, row, closing.object_state, now=closing.now))
    if not isinstance(closing.external_id, Unset):
        number = max(number, removing.set_external_id(connection, row, closing.external_id, now=closing.now))
    return None if applied is None else replace(applied, number=max(number, applied.number))


def _row(connection: sqlite3.Connection, entry: Entry) -> int | None:
    found = None
    if entry.object_id is not None:
        found = objects.by_id(connection, entry.space, entry.object_id, hidden=True)
    elif entry.anchor is not None:
        found = objects.by_anchor(connection, entry.space, entry.anchor)
    return None if found is None else found.row
