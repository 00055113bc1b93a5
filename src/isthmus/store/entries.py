"""Journal entries as records."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from isthmus.store.objects import anchor_of, json_array
from isthmus.store.records import Entry, EntryState
from isthmus.store.statements import statement

_COLUMNS = (
    "e.id, e.space, e.operation, e.object_id, e.anchor, e.owner, e.session, e.state, e.opened, e.noted, e.correlation, "
    "e.intent, e.locks, e.reason"
)
_GET = statement("entry_get").format(columns=_COLUMNS)
_UNFINISHED = statement("entries_unfinished").format(columns=_COLUMNS)
_ALL = statement("entries_all").format(columns=_COLUMNS)
_HOLDERS = statement("locks_holders").format(columns=_COLUMNS)


def get(connection: sqlite3.Connection, id: str) -> Entry | None:
    row = connection.execute(_GET, (id,)).fetchone()
    return None if row is None else _entry(row)


def unfinished(connection: sqlite3.Connection, connector: str | None) -> list[Entry]:
    return [_entry(row) for row in connection.execute(_UNFINISHED, (connector,))]


def newest(connection: sqlite3.Connection, connector: str | None, limit: int) -> list[Entry]:
    return [_entry(row) for row in connection.execute(_ALL, (connector, limit))]


def holders(connection: sqlite3.Connection, space: int, locks: Sequence[str]) -> list[Entry]:
    return [_entry(row) for row in connection.execute(_HOLDERS, (space, json_array(locks)))]


def _entry(row: tuple[Any, ...]) -> Entry:
    entry_id, space, operation, object_id, anchor, owner, session, state = row[:8]
    opened, noted, correlation, intent, locks, reason = row[8:]
    return Entry(
        id=entry_id,
        space=space,
        operation=operation,
        object_id=object_id,
        anchor=None if anchor is None else anchor_of(anchor),
        owner=owner,
        session=session,
        state=EntryState(state),
        opened=opened,
        noted=noted,
        correlation=correlation,
        intent=orjson.loads(intent),
        locks=tuple(orjson.loads(locks)),
        reason=reason,
    )
