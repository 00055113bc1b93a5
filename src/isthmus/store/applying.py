"""Bring objects of the target into the space. Functions here run inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Container, Sequence

from isthmus.store import identities, indexing
from isthmus.store.blocks import more_live
from isthmus.store.errors import IdentityChanged, SpaceDropped, StoreError
from isthmus.store.objects import BLOCK_BITS, ROW_BITS, anchor_text, json_array, known
from isthmus.store.records import Applied, Known, ObjectWrite, Outcome, Space
from isthmus.store.statements import insert, statement

_HEAD = statement("space_head")
_SET_LAST = statement("space_set_last")
_ADVANCE = statement("counter_advance")
_GREATEST = statement("greatest_anchor")
_INSERT = statement("object_insert")
_UPDATE = statement("object_update")
_REINDEX = statement("object_reindex")
_DIGEST_INSERT = statement("digest_insert")
_DIGEST_UPDATE = statement("digest_update")
_LOCKS_EXIST = statement("locks_exist")
_LOCKS_HELD = statement("locks_held")
_BURIED_EXIST = statement("tombstones_exist_after")
_BURIED = statement("tombstones_after")

OBJECT_LOCK = "object:"
"""How the journal's lock of an object begins; its anchor's canonical text follows."""


def advance(connection: sqlite3.Connection, count: int = 1) -> int:
    """Take `count` numbers of the change counter; return the last."""
    last: int = connection.execute(_ADVANCE, (count,)).fetchone()[0]
    return last


def locked(
    connection: sqlite3.Connection, space: int, texts: Collection[str], except_entry: str | None = None
) -> set[str]:
    """Return the anchors whose object another unfinished journal entry holds."""
    if not connection.execute(_LOCKS_EXIST, (space, except_entry)).fetchone()[0]:
        return set()
    keys = json_array(OBJECT_LOCK + text for text in texts)
    return {key.removeprefix(OBJECT_LOCK) for (key,) in connection.execute(_LOCKS_HELD, (space, keys, except_entry))}


def apply(
    connection: sqlite3.Connection,
    space: Space,
    writes: Sequence[ObjectWrite],
    *,
    noted: int | None,
    now: str,
    except_entry: str | None = None,
    own: Container[int] | None = None,
) -> list[Applied]:
    """Write what is new or changed and return, in order, what became of each write.

    With `noted` (the counter before the target was read) objects that changed later, were removed later, or are locked
    by another journal entry are skipped: what was read of them may be older than what we know. `own`: numbers of
    changes that do not count as later, because the same run made them: it may report an object twice. Where an anchor
    occurs twice in `writes`, the last counts.

    Raises:
        SpaceDropped: the connector was removed.
        IdentityChanged: without `noted`, a write was made for another id than the object has.
        StoreError: changes of references are for an object that is not there.
    """
    last, id_form = _head(connection, space)
    texts = [anchor_text(write.anchor) for write in writes]
    latest = dict(zip(texts, writes, strict=True))
    present = _present(connection, space, latest, empty=last == 0)
    skipped: dict[str, Outcome] = {}
    if noted is not None:
        skipped = _newer(connection, space, latest, present, noted, own or ())
        skipped |= dict.fromkeys(locked(connection, space.number, latest, except_entry), "locked")
    done: dict[str, Applied] = {}
    fresh: list[tuple[str, ObjectWrite]] = []
    changed: list[tuple[str, ObjectWrite, Known]] = []
    touched: list[tuple[str, ObjectWrite, Known]] = []
    if not present and not skipped:
        fresh.extend(latest.items())
        latest = {}
    for text, write in latest.items():
        before = present.get(text)
        if text in skipped:
            done[text] = _applied(write, before, skipped[text])
        elif before is None:
            fresh.append((text, write))
        elif write.id is not None and write.id != before.id:
            done[text] = _mismatch(write, before, noted)
        elif before.canonical != write.canonical:
            changed.append((text, write, before))
        elif write.wire is not None and before.wire != write.wire:
            touched.append((text, write, before))
        else:
            done[text] = _applied(write, before, "unchanged")
    number = 0
    if fresh:
        ids = identities.next_ids(connection, space, [text for text, _ in fresh], id_form=id_form)
        for text, write in fresh:
            if write.link_changes is not None:
                raise StoreError(f"there is no object {text} whose references could change")
            if write.id is not None and write.id != ids[text][0]:
                done[text] = _mismatch(write, None, noted)
        fresh = [(text, write) for text, write in fresh if text not in done]
    if fresh or changed:
        number = advance(connection, len(fresh) + len(changed)) - len(fresh) - len(changed)
    if fresh:
        done |= _insert(connection, space, fresh, ids, first=last + 1, number=number, now=now)
        number += len(fresh)
    if changed:
        done |= _change(connection, space, changed, number, now)
    if touched:
        done |= _touch(connection, space, touched)
    return [done[text] for text in texts]


def _head(connection: sqlite3.Connection, space: Space) -> tuple[int, str]:
    head = connection.execute(_HEAD, (space.number,)).fetchone()
    if head is None or head[1]:
        raise SpaceDropped(
            f"the connector {space.connector} was removed; its {space.object_type} space takes nothing more"
        )
    return head[0], head[2]


def _present(connection: sqlite3.Connection, space: Space, texts: Collection[str], *, empty: bool) -> dict[str, Known]:
    if empty or not texts:
        return {}
    if len(texts) > 1:
        greatest = connection.execute(_GREATEST, (space.number,)).fetchone()[0]
        # As SQLite compares: by bytes of UTF-8.
        if greatest is None or min(texts).encode() > greatest.encode():
            return {}
    return known(connection, space.number, texts)


def _newer(
    connection: sqlite3.Connection,
    space: Space,
    texts: Collection[str],
    present: dict[str, Known],
    noted: int,
    own: Container[int],
) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {
        text: "newer" for text, one in present.items() if one.number > noted and one.number not in own
    }
    if connection.execute(_BURIED_EXIST, (space.number, noted)).fetchone()[0]:
        buried = connection.execute(_BURIED, (space.number, json_array(texts), noted))
        found |= {text: "newer" for text, number in buried if number not in own}
    return found


def _mismatch(write: ObjectWrite, before: Known | None, noted: int | None) -> Applied:
    if noted is None:
        raise IdentityChanged(f"the object's id is not {write.id}: render its SCIM text again")
    return _applied(write, before, "newer")


def _applied(write: ObjectWrite, before: Known | None, outcome: Outcome) -> Applied:
    if before is None:
        return Applied(anchor=write.anchor, row=0, id="", number=0, outcome=outcome)
    return Applied(anchor=write.anchor, row=before.row, id=before.id, number=before.number, outcome=outcome)


def _insert(
    connection: sqlite3.Connection,
    space: Space,
    fresh: Sequence[tuple[str, ObjectWrite]],
    ids: dict[str, tuple[str, int]],
    *,
    first: int,
    number: int,
    now: str,
) -> dict[str, Applied]:
    low = space.number << ROW_BITS
    rows = range(low + first, low + first + len(fresh))
    objects = []
    digests = []
    done = {}
    for row, (text, write) in zip(rows, fresh, strict=True):
        number += 1
        new_id, generation = ids[text]
        objects.append((
            row, space.number, number, generation, write.shape, new_id, text, write.dn, now, now,
            indexing.keys_text(write), write.attributes, write.scim,
        ))  # fmt: skip
        digests.append((row, write.wire, write.canonical))
        done[text] = Applied(anchor=write.anchor, row=row, id=new_id, number=number, outcome="added")
    insert(connection, _INSERT, objects)
    insert(connection, _DIGEST_INSERT, digests)
    indexing.add(connection, space.number, zip(rows, [write for _, write in fresh], strict=True))
    connection.execute(_SET_LAST, (first - 1 + len(fresh), space.number))
    more_live(connection, Counter(row >> BLOCK_BITS for row in rows))
    return done


def _change(
    connection: sqlite3.Connection,
    space: Space,
    changed: Sequence[tuple[str, ObjectWrite, Known]],
    number: int,
    now: str,
) -> dict[str, Applied]:
    kept = indexing.kept_keys(connection, (before.row for _, _, before in changed))
    objects = []
    keys = []
    done = {}
    for text, write, before in changed:
        number += 1
        after = indexing.keys_text(write)
        keys.append((before.row, kept[before.row], after))
        objects.append((number, write.shape, write.dn, now, after, write.attributes, write.scim, before.row))
        done[text] = Applied(anchor=write.anchor, row=before.row, id=before.id, number=number, outcome="changed")
    connection.executemany(_UPDATE, objects)
    connection.executemany(_DIGEST_UPDATE, [(write.wire, write.canonical, before.row) for _, write, before in changed])
    indexing.change_keys(connection, space.number, keys)
    indexing.change_links(connection, [(before.row, write) for _, write, before in changed])
    return done


def _touch(
    connection: sqlite3.Connection, space: Space, touched: Sequence[tuple[str, ObjectWrite, Known]]
) -> dict[str, Applied]:
    """Note the new wire form. What is indexed may have changed with it: keys follow, without a new version."""
    kept = indexing.kept_keys(connection, (before.row for _, _, before in touched))
    done = {}
    keys = []
    again = []
    for text, write, before in touched:
        after = indexing.keys_text(write)
        if kept[before.row] != after:
            keys.append((before.row, kept[before.row], after))
            again.append((write.shape, after, write.attributes, write.scim, before.row))
        done[text] = _applied(write, before, "touched")
    connection.executemany(_DIGEST_UPDATE, [(write.wire, write.canonical, before.row) for _, write, before in touched])
    connection.executemany(_REINDEX, again)
    indexing.change_keys(connection, space.number, keys)
    return done
