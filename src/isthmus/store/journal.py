"""The journal: writes to the target that are under way, and the locks they hold."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from isthmus.store import entries, objects
from isthmus.store.closing import Closing, close
from isthmus.store.connections import Readers
from isthmus.store.errors import EntryClosed, EntryUnknown, translated
from isthmus.store.owners import Owner
from isthmus.store.records import (
    UNSET,
    Applied,
    AuditRecord,
    Blocked,
    Entry,
    EntryState,
    ObjectWrite,
    Space,
    State,
    StoredObject,
    Unset,
)
from isthmus.store.statements import statement
from isthmus.store.writing import Writer

ANCHOR = "#anchor"
"""In `absent`: the value is an anchor's canonical text."""

_OPEN = statement("step_open")
_LOOK = statement("entry_look")
_MARK = statement("entry_mark")
_TAKE_OVER = statement("entry_take_over")
_PRUNE = statement("entries_prune")

_DAY = 86_400.0
_WEEK = 7 * _DAY


class Journal:
    """Entries of all processes. An entry is durable, and its locks are held, before `open` returns."""

    def __init__(self, readers: Readers, writer: Writer, owner: Owner) -> None:
        self._readers = readers
        self._writer = writer
        self._owner = owner

    def open(
        self,
        *,
        space: Space,
        operation: str,
        object_id: str | None,
        anchor: Sequence[str] | None,
        session: str,
        correlation: str,
        intent: Mapping[str, Any],
        locks: Sequence[str],
        absent: Sequence[tuple[str, str]] = (),
        unchanged: StoredObject | None = None,
        id: str | None = None,
    ) -> Entry | Blocked:
        """Open an entry that holds all the locks, or say what is in the way; then nothing was written.

        `absent`: keys (attribute, normalised value), or (`ANCHOR`, anchor text), that no object of the space, in any
        state, may have: checked in the same transaction, so that a create that ended a moment ago is not repeated.
        `unchanged`: an object that must still be as it is here, looked at under the locks too.
        `id` lets the caller make the entry's id beforehand (it may be part of what is sent); otherwise it is a UUID.
        """
        entry_id = id or new_id()
        opened = time.time()
        held = tuple(dict.fromkeys(locks)) or (f"entry:{entry_id}",)  # see entry_locks
        kept = dict(intent)
        anchor_text = None if anchor is None else objects.anchor_text(anchor)
        row = (
            entry_id,
            space.number,
            operation,
            object_id,
            anchor_text,
            self._owner.id,
            session,
            opened,
            correlation,
            orjson.dumps(kept).decode(),
            objects.json_array(held),
        )
        noted = self._writer.run(lambda c: _open(c, row, held, absent, unchanged))
        if isinstance(noted, Blocked):
            return noted
        return Entry(
            id=entry_id,
            space=space.number,
            operation=operation,
            object_id=object_id,
            anchor=None if anchor is None else tuple(anchor),
            owner=self._owner.id,
            session=session,
            state=EntryState.OPEN,
            opened=opened,
            noted=noted,
            correlation=correlation,
            intent=kept,
            locks=held,
        )

    def close(
        self,
        entry_id: str,
        state: EntryState,
        *,
        write: ObjectWrite | None = None,
        rename_row: int | None = None,
        remove_row: int | None = None,
        object_state: State | None = None,
        external_id: str | Unset | None = UNSET,
        audit: AuditRecord | None = None,
        reason: str = "",
        guard: tuple[str, str] | None = None,
        now: str,
    ) -> Applied | None:
        """End an entry and record what came of it, all in one transaction; its locks are free when this returns.

        The write is never skipped: the entry's locks kept imports away. With `rename_row` it is that row's new contents
        and anchor. `object_state` and `external_id` are of the written object or, without a write, of the entry's.
        `guard`: (kind, object id) to count. An object added by an entry whose operation is "create" is counted as
        created. The result is what became of the write; its number includes state and external id.

        Raises:
            EntryClosed: it was closed before; nothing was changed.
            EntryUnknown: there is no such entry.
            IdentityChanged: the write was rendered for another id; render again and close again.
            AlreadyUsed: the new anchor is another object's.
        """
        closing = Closing(
            state=state,
            write=write,
            rename_row=rename_row,
            remove_row=remove_row,
            object_state=object_state,
            external_id=external_id,
            audit=audit,
            reason=reason,
            guard=guard,
            now=now,
        )
        return self._writer.run(lambda c: close(c, entry_id, closing))

    def mark(self, entry_id: str, state: EntryState, reason: str = "") -> None:
        """Call an unfinished entry open or in doubt.

        Raises:
            EntryClosed: it is closed.
            EntryUnknown: there is no such entry.
        """
        if state not in (EntryState.OPEN, EntryState.IN_DOUBT):
            raise ValueError("an entry is ended by close, not by mark")

        def mark(connection: sqlite3.Connection) -> None:
            if not connection.execute(_MARK, (state, reason, entry_id)).rowcount:
                raise _missing(connection, entry_id)

        self._writer.run(mark)

    def take_over(self, entry_id: str, from_owner: str, session: str = "") -> bool:
        """Make an unfinished entry ours if it is still that owner's; only one process of several succeeds."""
        return self._writer.run(
            lambda c: c.execute(_TAKE_OVER, (self._owner.id, session, entry_id, from_owner)).rowcount == 1
        )

    def get(self, id: str) -> Entry | None:
        """Return an entry in any state; closed ones for some days."""
        with translated():
            return entries.get(self._readers.connection(), id)

    def unfinished(self, connector: str | None = None) -> list[Entry]:
        """Return entries that are open or in doubt, oldest first."""
        with translated():
            return entries.unfinished(self._readers.connection(), connector)

    def all(self, connector: str | None = None, *, limit: int = 100) -> list[Entry]:
        """Return entries in any state, newest first."""
        with translated():
            return entries.newest(self._readers.connection(), connector, limit)

    def of_dead_owners(self) -> list[Entry]:
        """Return open entries whose process has ended, oldest first."""
        alive: dict[str, bool] = {}
        found = []
        for entry in self.unfinished():
            if entry.state is not EntryState.OPEN:
                continue
            if entry.owner not in alive:
                alive[entry.owner] = self._owner.is_alive(entry.owner)
            if not alive[entry.owner]:
                found.append(entry)
        return found

    def holders(self, space: Space, locks: Sequence[str]) -> list[Entry]:
        """Return the unfinished entries that hold any of these locks."""
        with translated():
            return entries.holders(self._readers.connection(), space.number, locks)

    def prune(self, older_than: float | None = None, *, limit: int = 1_000) -> int:
        """Forget some entries that were closed before that time; None: a week ago. Returns how many."""
        now = time.time()
        before = now - _WEEK if older_than is None else older_than
        return self._writer.run(lambda c: c.execute(_PRUNE, (before, limit, now + _DAY)).rowcount)


def new_id() -> str:
    """Return a UUID that sorts by time (version 7, RFC 9562 5.7): new entries lie side by side in the index of ids."""
    random = int.from_bytes(os.urandom(10), "big")
    number = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | random
    number = number & ~(0xF << 76) & ~(0x3 << 62) | 7 << 76 | 0x2 << 62
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _open(
    connection: sqlite3.Connection,
    row: tuple[Any, ...],
    held: Sequence[str],
    absent: Sequence[tuple[str, str]],
    unchanged: StoredObject | None,
) -> int | Blocked:
    """Insert the entry and return the counter, or what is in the way."""
    space, locks = row[1], row[-1]
    keyed = [one for one in absent if one[0] != ANCHOR]
    keys = orjson.dumps(keyed).decode()
    object_row = None if unchanged is None else unchanged.row
    noted, is_held, present, number = connection.execute(_LOOK, (space, locks, keys, object_row)).fetchone()
    if is_held and (holders := entries.holders(connection, space, held)):
        return Blocked(entry=holders[0])
    if (present or len(keyed) < len(absent)) and (found := _present(connection, space, absent)) is not None:
        return Blocked(present=found)
    if unchanged is not None and number != unchanged.number:
        return Blocked(changed=True)
    connection.execute(_OPEN, (*row, noted))
    return int(noted)


def _present(connection: sqlite3.Connection, space: int, absent: Sequence[tuple[str, str]]) -> StoredObject | None:
    """Return an object, in any state, with one of these keys."""
    for attribute, value in absent:
        if attribute == ANCHOR:
            found = objects.by_anchor(connection, space, objects.anchor_of(value))
        else:
            found = next(iter(objects.by_key(connection, space, attribute, value, hidden=True, limit=1)), None)
        if found is not None:
            return found
    return None


def _missing(connection: sqlite3.Connection, entry_id: str) -> EntryClosed | EntryUnknown:
    if entries.get(connection, entry_id) is None:
        return EntryUnknown(f"there is no journal entry {entry_id}")
    return EntryClosed(f"journal entry {entry_id} is closed already")
