"""Record what a write made of one object: as few statements as it takes, for each is a step of every request.

The same outcome as `applying.apply` of one object, and state and external id with it. Runs inside the caller's
transaction; the head of the entry (see `closing.py`) has looked up what is known of the object.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from isthmus.store import identities, indexing
from isthmus.store.blocks import fewer_live, more_live
from isthmus.store.errors import IdentityChanged, SpaceDropped, StoreError
from isthmus.store.objects import BLOCK_BITS, EXTERNAL_ID, ROW_BITS, anchor_text
from isthmus.store.records import Applied, ObjectWrite, Space, State, StoredObject, Unset
from isthmus.store.statements import statement

_ADD = statement("step_add")
_CHANGE = statement("step_change")
_KEY_INSERT = statement("key_insert")
_LINK_INSERT = statement("link_insert")


@dataclass(frozen=True, slots=True)
class Before:
    """An object before the write. `linked`: it refers to others."""

    row: int
    id: str
    number: int
    state: State
    canonical: int
    created: str
    modified: str
    external_id: str | None
    keys: str
    linked: bool


@dataclass(frozen=True, slots=True)
class Ground:
    """What the store holds before the write. `last`: the space's highest row number; `reused`: some id was used before;
    `counter`: the number of the latest change.
    """

    space: Space
    last: int
    dropped: bool
    id_form: str
    reused: bool
    before: Before | None
    counter: int


def record(
    connection: sqlite3.Connection,
    ground: Ground,
    write: ObjectWrite,
    *,
    state: State | None,
    external_id: str | Unset | None,
    now: str,
) -> Applied:
    """Make the object what the write says, with one number for all of it; nothing is written where nothing differs.

    Raises:
        SpaceDropped: the connector was removed.
        IdentityChanged: the write was made for another id than the object has.
    """
    space = ground.space
    if ground.dropped:
        raise SpaceDropped(
            f"the connector {space.connector} was removed; its {space.object_type} space takes nothing more"
        )
    if ground.before is None:
        if write.link_changes is not None:
            raise StoreError(f"there is no object {anchor_text(write.anchor)} whose references could change")
        kept = None if isinstance(external_id, Unset) else external_id
        return _add(connection, ground, write, state or State.LIVE, kept, now)
    kept = ground.before.external_id if isinstance(external_id, Unset) else external_id
    return _change(connection, ground, ground.before, write, state or ground.before.state, kept, now)


def _add(
    connection: sqlite3.Connection, ground: Ground, write: ObjectWrite, state: State, external_id: str | None, now: str
) -> Applied:
    space = ground.space
    text = anchor_text(write.anchor)
    new_id, generation = identities.next_id(connection, space, text, id_form=ground.id_form, reused=ground.reused)
    _check_id(write, new_id)
    last = ground.last + 1
    row = (space.number << ROW_BITS) + last
    number = ground.counter + 1
    connection.execute(
        _ADD,
        (row, state, space.number, number, generation, write.shape, new_id, text, write.dn, external_id, now,
         indexing.keys_text(write), write.attributes, write.scim, write.wire, write.canonical, last, row >> BLOCK_BITS),
    )  # fmt: skip
    if external_id is not None:
        connection.execute(_KEY_INSERT, (space.number, EXTERNAL_ID, external_id, row))
    if write.links:
        connection.executemany(_LINK_INSERT, [(row, attribute, key) for attribute, key in write.links])
    stored = _stored(write, row, new_id, state, number, now, now, external_id)
    return Applied(anchor=write.anchor, row=row, id=new_id, number=number, outcome="added", stored=stored)


def _change(
    connection: sqlite3.Connection,
    ground: Ground,
    before: Before,
    write: ObjectWrite,
    state: State,
    external_id: str | None,
    now: str,
) -> Applied:
    _check_id(write, before.id)
    row = before.row
    differs = before.canonical != write.canonical
    if not differs and state is before.state and external_id == before.external_id:
        stored = _stored(write, row, before.id, state, before.number, before.created, before.modified, external_id)
        return Applied(
            anchor=write.anchor, row=row, id=before.id, number=before.number, outcome="unchanged", stored=stored
        )
    space, number = ground.space, ground.counter + 1
    keys = indexing.keys_text(write)
    connection.execute(
        _CHANGE,
        (row, state, external_id, number, write.shape, write.dn, now, keys, write.attributes, write.scim, write.wire,
         write.canonical),
    )  # fmt: skip
    if keys != before.keys:
        indexing.change_keys(connection, space.number, [(row, before.keys, keys)])
    if before.linked or write.links or write.link_changes is not None:
        indexing.change_links(connection, [(row, write)])
    if external_id != before.external_id:
        indexing.change_external_id(connection, space.number, row, before.external_id, external_id)
    if state is State.LIVE and before.state is not State.LIVE:
        more_live(connection, {row >> BLOCK_BITS: 1})
    elif before.state is State.LIVE and state is not State.LIVE:
        fewer_live(connection, {row >> BLOCK_BITS: 1})
    stored = _stored(write, row, before.id, state, number, before.created, now, external_id)
    outcome: Any = "changed" if differs else "unchanged"
    return Applied(anchor=write.anchor, row=row, id=before.id, number=number, outcome=outcome, stored=stored)


def _check_id(write: ObjectWrite, own: str) -> None:
    if write.id is not None and write.id != own:
        raise IdentityChanged(f"the object's id is not {write.id}: render its SCIM text again")


def _stored(
    write: ObjectWrite,
    row: int,
    own_id: str,
    state: State,
    number: int,
    created: str,
    modified: str,
    external_id: str | None,
) -> StoredObject:
    return StoredObject(
        row=row,
        id=own_id,
        anchor=tuple(write.anchor),
        dn=write.dn,
        state=state,
        number=number,
        created=created,
        modified=modified,
        external_id=external_id,
        attributes=write.attributes,
        scim=write.scim,
        shape=write.shape,
    )
