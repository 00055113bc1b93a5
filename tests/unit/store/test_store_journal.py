from __future__ import annotations

import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.store import (
    AlreadyUsed,
    Applied,
    AuditRecord,
    Blocked,
    Entry,
    EntryClosed,
    EntryState,
    EntryUnknown,
    IdentityChanged,
    Space,
    State,
    Store,
)
from isthmus.store.journal import ANCHOR, new_id
from unit.store.store_objects import LATER, NOW, a_write, add, open_entry

AUDIT = AuditRecord(at=1.0, connector="hr", actor="t", address="::1", operation="create", name="jo", outcome="done")


def test_an_entry_is_kept_as_it_was_opened(store: Store, people: Space) -> None:
    entry = open_entry(
        store, people, "a", "b", "a", object_id="id1", anchor=("jo", "1"), intent={"n": [1, None]}, id="e1"
    )
    assert isinstance(entry, Entry)
    assert entry.id == "e1"
    assert store.journal.get("e1") == entry
    assert store.journal.unfinished() == store.journal.unfinished("hr") == [entry]
    assert store.journal.unfinished("other") == []
    assert (entry.owner, entry.noted, entry.locks, entry.anchor) == (
        store.owner,
        store.number(),
        ("a", "b"),
        ("jo", "1"),
    )
    with Store.open(store.path.parent) as other:
        assert other.journal.get("e1") == entry


def test_a_held_lock_blocks_whoever_comes_second(store: Store, people: Space) -> None:
    first = open_entry(store, people, "object:1", "value:mail=jo")
    second = open_entry(store, people, "value:mail=jo")
    assert second == Blocked(entry=first)
    assert store.journal.unfinished() == [first], "nothing of the second was kept"
    assert isinstance(open_entry(store, store.space.ensure("hr", "Group"), "object:1"), Entry), "locks are per space"
    store.journal.mark(first.id, EntryState.IN_DOUBT, "no answer")
    assert isinstance(open_entry(store, people, "object:1"), Blocked), "an entry in doubt still holds its locks"
    assert [one.id for one in store.journal.holders(people, ["value:mail=jo", "object:1", "free"])] == [first.id]
    store.journal.close(first.id, EntryState.NOT_DONE, now=NOW)
    assert isinstance(open_entry(store, people, "object:1", "value:mail=jo"), Entry)


def test_a_create_is_blocked_by_an_object_that_appeared(store: Store, people: Space) -> None:
    [jo] = add(store, people, [a_write("jo")])
    blocked = open_entry(store, people, "x", absent=[("login", "al"), ("login", "jo")])
    assert isinstance(blocked, Blocked)
    assert blocked.entry is None
    assert blocked.present is not None
    assert blocked.present.id == jo.id
    store.space.set_state(people, jo.row, State.HIDDEN)
    blocked = open_entry(store, people, "x", absent=[(ANCHOR, '["jo"]')])
    assert isinstance(blocked, Blocked)
    assert blocked.present is not None
    assert blocked.present.state is State.HIDDEN
    assert store.journal.unfinished() == []
    assert isinstance(open_entry(store, people, "x", absent=[("login", "al"), (ANCHOR, '["al"]')]), Entry)


def test_closing_a_create_records_everything_at_once(store: Store, people: Space) -> None:
    entry = open_entry(store, people, 'object:["jo"]', operation="create")
    number = store.number()
    applied = store.journal.close(
        entry.id,
        EntryState.DONE,
        write=a_write("jo"),
        external_id="ext",
        object_state=State.PASSWORD_MISSING,
        audit=AUDIT,
        reason="made",
        now=NOW,
    )
    assert applied is not None
    assert applied.outcome == "added"
    assert applied.number == store.number() > number
    found = store.space.by_id(people, applied.id, hidden=True)
    assert found is not None
    assert (found.state, found.external_id, found.number) == (State.PASSWORD_MISSING, "ext", applied.number)
    assert store.space.count(people) == 0
    closed = store.journal.get(entry.id)
    assert closed is not None
    assert (closed.state, closed.reason, closed.object_id) == (EntryState.DONE, "made", applied.id)
    assert store.journal.unfinished() == []
    assert [record for _, record in store.audit.query()] == [replace(AUDIT, object_id=applied.id)]
    with pytest.raises(EntryClosed):
        store.journal.close(entry.id, EntryState.DONE, write=a_write("jo", version=2), audit=AUDIT, now=NOW)
    assert len(store.audit.query()) == 1
    assert store.space.canonical([applied.row]) == {applied.row: 1}


def test_the_write_of_an_entry_is_never_skipped_as_older(store: Store, people: Space) -> None:
    entry = open_entry(store, people, 'object:["jo"]')
    add(store, people, [a_write("jo", version=2)])
    applied = store.journal.close(entry.id, EntryState.DONE, write=a_write("jo", version=3), now=LATER)
    assert applied is not None
    assert applied.outcome == "changed"


def test_closing_removes_hides_and_renames(store: Store, people: Space) -> None:
    jo, al, bo = add(store, people, [a_write("jo"), a_write("al"), a_write("bo")])
    entry = open_entry(store, people, 'object:["jo"]', operation="delete", object_id=jo.id)
    assert store.journal.close(entry.id, EntryState.DONE, remove_row=jo.row, guard=("delete", jo.id), now=NOW) is None
    assert store.space.by_anchor(people, ("jo",)) is None
    assert store.guard.count("hr", "Person", "delete", 0) == 1
    entry = open_entry(store, people, 'object:["al"]', operation="delete", object_id=al.id)
    store.journal.close(entry.id, EntryState.DONE, object_state=State.HIDDEN, now=NOW)
    assert store.space.by_id(people, al.id) is None
    entry = open_entry(store, people, 'object:["bo"]', 'object:["bob"]', object_id=bo.id)
    applied = store.journal.close(
        entry.id, EntryState.DONE, write=a_write("bob", version=2), rename_row=bo.row, external_id=None, now=NOW
    )
    assert applied is not None
    assert (applied.id, applied.row) == (bo.id, bo.row)
    assert store.space.count(people) == 1


def test_a_close_that_fails_changes_nothing_and_can_be_repeated(store: Store, people: Space) -> None:
    jo, _ = add(store, people, [a_write("jo"), a_write("al")])
    entry = open_entry(store, people, 'object:["jo"]')
    with pytest.raises(AlreadyUsed):
        store.journal.close(
            entry.id, EntryState.DONE, write=a_write("al", version=9), rename_row=jo.row, audit=AUDIT, now=NOW
        )
    with pytest.raises(IdentityChanged):
        store.journal.close(entry.id, EntryState.DONE, write=a_write("jo", version=9, id="other"), audit=AUDIT, now=NOW)
    assert store.audit.query() == []
    assert store.journal.unfinished() == [entry]
    assert isinstance(open_entry(store, people, 'object:["jo"]'), Blocked)
    store.journal.close(entry.id, EntryState.DONE, write=a_write("jo", version=9, id=jo.id), audit=AUDIT, now=NOW)
    assert store.journal.unfinished() == []


def test_marks(store: Store, people: Space) -> None:
    entry = open_entry(store, people)
    store.journal.mark(entry.id, EntryState.IN_DOUBT, "why")
    found = store.journal.get(entry.id)
    assert found is not None
    assert (found.state, found.reason) == (EntryState.IN_DOUBT, "why")
    store.journal.mark(entry.id, EntryState.OPEN)
    with pytest.raises(ValueError, match="close"):
        store.journal.mark(entry.id, EntryState.DONE)
    with pytest.raises(ValueError, match="done or not done"):
        store.journal.close(entry.id, EntryState.OPEN, now=NOW)
    store.journal.close(entry.id, EntryState.NOT_DONE, now=NOW)
    with pytest.raises(EntryClosed):
        store.journal.mark(entry.id, EntryState.IN_DOUBT)
    with pytest.raises(EntryUnknown):
        store.journal.mark("none", EntryState.IN_DOUBT)
    with pytest.raises(EntryUnknown):
        store.journal.close("none", EntryState.DONE, now=NOW)


def test_only_one_takes_an_entry_over(store: Store, people: Space, tmp_path: Path) -> None:
    dying = Store.open(store.path.parent)
    entry = open_entry(dying, people, "x")
    doubtful = open_entry(dying, people, "y")
    dying.journal.mark(doubtful.id, EntryState.IN_DOUBT)
    assert store.journal.of_dead_owners() == []
    dying.close()
    assert [one.id for one in store.journal.of_dead_owners()] == [entry.id], "those in doubt wait for an operator"
    with Store.open(store.path.parent) as other:
        assert store.journal.take_over(entry.id, entry.owner)
        assert not other.journal.take_over(entry.id, entry.owner)
        assert other.journal.of_dead_owners() == []
    assert not store.journal.take_over("none", entry.owner)


def test_closed_entries_are_shown_for_a_week(store: Store, people: Space) -> None:
    done = open_entry(store, people, "x")
    store.journal.close(done.id, EntryState.DONE, now=NOW)
    unfinished = open_entry(store, people, "x")
    assert {one.id for one in store.journal.all()} == {done.id, unfinished.id}
    assert store.journal.all("other") == []
    assert store.journal.prune() == 0
    store._writer.run(
        lambda c: c.execute("UPDATE entries SET opened = opened - 700000, closed = closed - 700000").rowcount
    )
    assert store.journal.prune() == 1
    assert [one.id for one in store.journal.all("hr")] == [unfinished.id]


def test_entries_in_doubt_do_not_stand_in_the_way_of_those_that_ended(store: Store, people: Space) -> None:
    doubts = [open_entry(store, people, f"doubt {n}") for n in range(3)]
    done = open_entry(store, people, "x")
    store.journal.close(done.id, EntryState.DONE, now=NOW)
    assert store.journal.prune(time.time() + 60, limit=2) == 1
    assert {one.id for one in store.journal.all()} == {one.id for one in doubts}


def test_an_entry_is_not_opened_for_an_object_that_has_changed(store: Store, people: Space) -> None:
    add(store, people, [a_write("jo")])
    jo = store.space.by_anchor(people, ("jo",))
    assert jo is not None
    entry = open_entry(store, people, "x", unchanged=jo)
    assert isinstance(entry, Entry)
    store.journal.close(entry.id, EntryState.DONE, write=a_write("jo", version=2), now=LATER)
    assert open_entry(store, people, "x", unchanged=jo) == Blocked(changed=True)
    assert open_entry(store, people, "x", unchanged=replace(jo, row=jo.row + 1)) == Blocked(changed=True)
    assert store.journal.unfinished() == []


@pytest.mark.parametrize("external_id", [None, "e-1"])
@pytest.mark.parametrize("state", [None, State.HIDDEN, State.PASSWORD_MISSING])
def test_closing_tells_the_whole_object_as_it_now_is(
    store: Store, people: Space, state: State | None, external_id: str | None
) -> None:
    numbers = []
    for version, now in ((1, NOW), (2, LATER), (2, LATER)):
        entry = open_entry(store, people, "x")
        write = a_write("jo", version=version, links=[("manager", '["al"]')] if version == 2 else [])
        applied = store.journal.close(
            entry.id, EntryState.DONE, write=write, object_state=state, external_id=external_id, now=now
        )
        assert applied is not None
        assert applied.stored == store.space.by_row(applied.row)
        numbers.append(applied.number)
        assert store.space.links([applied.row]) == {applied.row: [("manager", '["al"]')] if version == 2 else []}
        assert store.space.by_key(people, "login", "jo", hidden=True) == [applied.stored]
    assert numbers[1:] == [numbers[0] + 1] * 2, "one number for all of a change, and none where nothing differs"
    assert applied.stored is not None
    assert (applied.stored.created, applied.stored.modified) == (NOW, LATER)
    assert applied.stored.state is (state or State.LIVE)
    assert store.space.count(people) == (0 if state else 1)
    assert len(store.space.by_key(people, "#externalId", "e-1", hidden=True)) == (0 if external_id is None else 1)


def test_closing_moves_state_keys_and_external_id_of_an_object_that_is_there(store: Store, people: Space) -> None:
    def close(**what: object) -> Applied:
        entry = open_entry(store, people, "x")
        applied = store.journal.close(entry.id, EntryState.DONE, now=LATER, **what)  # type: ignore[arg-type]
        assert applied is not None
        assert applied.stored == store.space.by_row(applied.row)
        return applied

    first = close(write=a_write("jo", keys=[("login", "jo"), ("mail", "a")]), external_id="e-1")
    second = close(write=a_write("jo", keys=[("login", "jo"), ("mail", "b")], version=2), object_state=State.HIDDEN)
    assert second.stored is not None
    assert (second.stored.external_id, second.stored.state) == ("e-1", State.HIDDEN)
    assert store.space.count(people) == 0
    assert store.space.by_key(people, "mail", "a", hidden=True) == []
    assert store.space.by_key(people, "mail", "b", hidden=True) == [second.stored]
    third = close(write=a_write("jo", version=2), object_state=State.LIVE, external_id="e-2")
    assert third.number == second.number + 1
    assert store.space.count(people) == 1
    assert store.space.by_key(people, "#externalId", "e-1", hidden=True) == []
    assert [one.row for one in store.space.by_key(people, "#externalId", "e-2")] == [first.row]


def test_ids_of_entries_sort_by_time() -> None:
    made = [new_id() for _ in range(50)]
    assert len(set(made)) == 50
    assert all(uuid.UUID(one).version == 7 and uuid.UUID(one).variant == uuid.RFC_4122 for one in made)
    assert [one[:13] for one in made] == sorted(one[:13] for one in made)
