"""The end of a journal entry: everything that came of a write, in one transaction."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from isthmus.store import audit, objects, recording, removing
from isthmus.store.errors import EntryClosed, EntryUnknown
from isthmus.store.objects import anchor_text
from isthmus.store.recording import Before, Ground
from isthmus.store.records import Applied, AuditRecord, EntryState, ObjectWrite, Space, State, Unset
from isthmus.store.statements import statement

_HEAD = statement("entry_head")
_END = statement("step_end")
_GUARD_EVENT = statement("guard_event_insert")

_UNAUDITED: tuple[Any, ...] = (0, *[None] * 17)

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
    anchor = None if closing.write is None or closing.rename_row is not None else anchor_text(closing.write.anchor)
    head = connection.execute(_HEAD, (entry_id, anchor)).fetchone()
    if head is None:
        raise EntryUnknown(f"there is no journal entry {entry_id}")
    state, operation, object_id, own_anchor, locks = head[:5]
    if state not in (EntryState.OPEN, EntryState.IN_DOUBT):
        raise EntryClosed(f"journal entry {entry_id} is closed already")
    space = Space(*head[5:8])
    if operation == CREATE and object_id is None and _key_is_used_again(head):
        removing.remove(connection, space, [head[12]], noted=None, except_entry=entry_id)
        head = connection.execute(_HEAD, (entry_id, anchor)).fetchone()
    applied: Applied | None
    if anchor is not None and closing.write is not None:
        applied = recording.record(
            connection,
            _ground(space, head),
            closing.write,
            state=closing.object_state,
            external_id=closing.external_id,
            now=closing.now,
        )
    else:
        applied = _rename(connection, space, entry_id, closing)
        applied = _mark_object(connection, space, object_id, own_anchor, closing, applied)
    if closing.remove_row is not None:
        removing.remove(connection, space, [closing.remove_row], noted=None, except_entry=entry_id)
    at = time.time()
    created = operation == CREATE and applied is not None and closing.state is EntryState.DONE
    if closing.guard is not None:
        kind, guarded = closing.guard
        connection.execute(_GUARD_EVENT, (space.connector, space.object_type, kind, guarded, at))
    written_id = None if applied is None else applied.id
    audited = _UNAUDITED
    if closing.audit is not None:
        # Of what was just added, the id is known only now.
        audited = (1, *audit.values(closing.audit, closing.audit.object_id or written_id or ""))
    connection.execute(
        _END,
        (entry_id, space.number, locks, closing.state, closing.reason, at, written_id, space.connector,
         space.object_type, CREATE if created else None, *audited),
    )  # fmt: skip
    return applied


def _key_is_used_again(head: Sequence[Any]) -> bool:
    """Tell whether what was created has the anchor of an object that was known when the entry was opened.

    Then that one is gone, and the target has given its key away again, as SQLite does with the highest. Whoever knows
    the old one by its id must not meet the new one (RFC 7643 3.1).
    """
    row, number, noted = head[12], head[14], head[23]
    return row is not None and number <= noted


def _ground(space: Space, head: Sequence[Any]) -> Ground:
    before = None
    if head[12] is not None:
        row, own_id, number, state, canonical, created, modified, external_id, keys, linked = head[12:22]
        before = Before(
            row, own_id, number, State(state), canonical, created, modified, external_id, keys, bool(linked)
        )
    last, dropped, id_form, reused = head[8:12]
    return Ground(space, last, bool(dropped), id_form, bool(reused), before, head[22])


def _rename(connection: sqlite3.Connection, space: Space, entry_id: str, closing: Closing) -> Applied | None:
    if closing.write is None or closing.rename_row is None:
        return None
    return removing.rename(connection, space, closing.rename_row, closing.write, now=closing.now, except_entry=entry_id)


def _mark_object(
    connection: sqlite3.Connection,
    space: Space,
    object_id: str | None,
    anchor: str | None,
    closing: Closing,
    applied: Applied | None,
) -> Applied | None:
    """Set state and external id of the renamed object or, without a write, of the entry's."""
    if closing.object_state is None and isinstance(closing.external_id, Unset):
        return applied
    row = applied.row if applied is not None else _row(connection, space, object_id, anchor)
    if row is None:
        return applied
    number = 0
    if closing.object_state is not None:
        number = max(number, removing.set_state(connection, row, closing.object_state, now=closing.now))
    if not isinstance(closing.external_id, Unset):
        number = max(number, removing.set_external_id(connection, row, closing.external_id, now=closing.now))
    return None if applied is None else replace(applied, number=max(number, applied.number))


def _row(connection: sqlite3.Connection, space: Space, object_id: str | None, anchor: str | None) -> int | None:
    found = None
    if object_id is not None:
        found = objects.by_id(connection, space.number, object_id, hidden=True)
    elif anchor is not None:
        found = objects.by_anchor(connection, space.number, objects.anchor_of(anchor))
    return None if found is None else found.row
