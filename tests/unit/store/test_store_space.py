from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing

import pytest

from isthmus.store import (
    AlreadyUsed,
    IdentityChanged,
    KeyEquals,
    Space,
    SpaceDropped,
    State,
    Store,
    StoreError,
    identities,
)
from isthmus.store.objects import anchor_text
from isthmus.store.ranges import Ranges
from unit.store.store_objects import LATER, NOW, a_write, add, open_entry


def test_a_new_object_gets_the_next_row_number_and_a_uuid(store: Store, people: Space) -> None:
    first, second = add(store, people, [a_write("jo", "1"), a_write("al", "2")])
    assert (first.outcome, second.outcome) == ("added", "added")
    assert first.row == (people.number << 40) + 1
    assert second.row == first.row + 1
    assert second.number == first.number + 1 == store.number()
    assert first.id == str(uuid.uuid5(identities.NAMESPACE, '["hr","Person",["jo","1"],1]'))
    found = store.space.by_id(people, first.id)
    assert found is not None
    assert (found.anchor, found.state, found.created, found.modified) == (("jo", "1"), State.LIVE, NOW, NOW)
    assert store.space.by_key(people, "login", "al")[0].id == second.id


def test_an_unchanged_object_is_not_written(store: Store, people: Space) -> None:
    add(store, people, [a_write("jo")])
    with closing(sqlite3.connect(store.path)) as watch:
        before = watch.execute("PRAGMA data_version").fetchone()
        [again] = store.space.apply(people, [a_write("jo")], noted=store.number(), now=LATER)
        assert again.outcome == "unchanged"
        assert watch.execute("PRAGMA data_version").fetchone() == before, "the file was written"
        store.settings.set("a", "b")
        assert watch.execute("PRAGMA data_version").fetchone() != before


def test_another_wire_form_is_no_new_version(store: Store, people: Space) -> None:
    [one] = add(store, people, [a_write("jo")])
    [again] = store.space.apply(people, [a_write("jo", wire=7)], noted=store.number(), now=LATER)
    assert (again.outcome, again.number, again.id) == ("touched", one.number, one.id)
    assert list(store.space.digests(people)) == [([one.row], [7])]
    found = store.space.by_id(people, one.id)
    assert found is not None
    assert found.modified == NOW
    [third] = store.space.apply(people, [a_write("jo", wire=None)], noted=store.number(), now=LATER)
    assert third.outcome == "unchanged"


def test_newly_indexed_attributes_are_found_without_a_new_version(store: Store, people: Space) -> None:
    [one] = add(store, people, [a_write("jo")])
    keys = [("mail", "jo@example.com")]
    [again] = store.space.apply(people, [a_write("jo", wire=7, keys=keys)], noted=store.number(), now=LATER)
    assert (again.outcome, again.number) == ("touched", one.number)
    assert [found.id for found in store.space.by_key(people, "mail", "jo@example.com")] == [one.id]
    assert store.space.by_key(people, "login", "jo") == []


def test_a_change_is_a_new_version_with_new_keys_and_links(store: Store, people: Space) -> None:
    old = a_write("jo", links=[("boss", '["al"]'), ("peers", '["x"]')])
    [one] = add(store, people, [old])
    new = a_write("jo", version=2, keys=[("login", "jo2")], links=[("boss", '["bo"]'), ("peers", '["x"]')], shape=3)
    [changed] = store.space.apply(people, [new], noted=store.number(), now=LATER)
    assert (changed.outcome, changed.id, changed.row) == ("changed", one.id, one.row)
    assert changed.number > one.number
    found = store.space.by_id(people, one.id)
    assert found is not None
    assert (found.created, found.modified, found.shape, found.number) == (NOW, LATER, 3, changed.number)
    assert found.scim == new.scim
    assert store.space.by_key(people, "login", "jo") == []
    assert store.space.by_key(people, "login", "jo2") == [found]
    assert sorted(store.space.links([one.row])[one.row]) == [("boss", '["bo"]'), ("peers", '["x"]')]
    assert store.space.referring(people, "boss", '["al"]') == []
    assert store.space.referring(people, "boss", '["bo"]') == [one.row]
    assert store.space.canonical([one.row]) == {one.row: 2}


def test_what_changed_after_the_target_was_read_is_kept(store: Store, people: Space) -> None:
    noted = store.number()
    [one] = add(store, people, [a_write("jo", version=2)])
    [skipped] = store.space.apply(people, [a_write("jo", version=1)], noted=noted, now=LATER)
    assert (skipped.outcome, skipped.row) == ("newer", one.row)
    assert store.space.canonical([one.row]) == {one.row: 2}
    assert store.space.remove(people, [one.row], noted=noted) == []
    [taken] = store.space.apply(people, [a_write("jo", version=3)], noted=store.number(), now=LATER)
    assert taken.outcome == "changed"


def test_a_removed_object_is_not_brought_back_by_an_older_reading(store: Store, people: Space) -> None:
    [one] = add(store, people, [a_write("jo")])
    noted = store.number()
    assert store.space.remove(people, [one.row], noted=None) == [one.row]
    [skipped] = store.space.apply(people, [a_write("jo")], noted=noted, now=LATER)
    assert (skipped.outcome, skipped.row, skipped.id) == ("newer", 0, "")
    assert store.space.count(people) == 0
    [back] = store.space.apply(people, [a_write("jo")], noted=store.number(), now=LATER)
    assert back.outcome == "added"
    assert back.id != one.id, "an object that comes back is another object"
    assert back.row != one.row, "row numbers are never reused"


def test_a_run_may_report_an_object_twice(store: Store, people: Space) -> None:
    noted, own = store.number(), Ranges()
    store.space.apply_in_slices(people, [a_write("jo")], noted=noted, now=NOW, own=own)
    [again] = store.space.apply_in_slices(people, [a_write("jo", version=2)], noted=noted, now=NOW, own=own)
    assert again.outcome == "changed"
    assert store.space.remove_in_slices(people, [again.row], noted=noted, own=own) == [again.row]
    [back] = store.space.apply_in_slices(people, [a_write("jo", version=3)], noted=noted, now=NOW, own=own)
    assert back.outcome == "added"
    store.space.set_state(people, back.row, State.HIDDEN)
    [theirs] = store.space.apply_in_slices(people, [a_write("jo", version=4)], noted=noted, now=NOW, own=own)
    assert theirs.outcome == "newer", "someone else's later change is kept"


def test_the_last_of_two_writes_of_an_anchor_counts(store: Store, people: Space) -> None:
    done = store.space.apply(people, [a_write("jo"), a_write("jo", version=2)], noted=store.number(), now=NOW)
    assert done[0] == done[1]
    assert store.space.canonical([done[0].row]) == {done[0].row: 2}
    assert store.space.count(people) == 1


def test_an_open_entry_keeps_imports_away(store: Store, people: Space) -> None:
    jo, al = add(store, people, [a_write("jo"), a_write("al")])
    entry = open_entry(store, people, 'object:["jo"]', 'object:["new"]')
    writes = [a_write("jo", version=2), a_write("al", version=2), a_write("new")]
    outcomes = [one.outcome for one in store.space.apply(people, writes, noted=store.number(), now=LATER)]
    assert outcomes == ["locked", "changed", "locked"]
    assert store.space.remove(people, [jo.row, al.row], noted=store.number()) == [al.row]
    [own] = store.space.apply(people, writes[:1], noted=store.number(), now=LATER, except_entry=entry.id)
    assert own.outcome == "changed"


def test_a_page_is_written_in_slices_with_its_watermark(store: Store, people: Space) -> None:
    writes = [a_write(f"p{n}") for n in range(1500)]
    done = store.space.apply_in_slices(people, writes, noted=store.number(), now=NOW, then={"mark": "1"})
    assert [one.anchor for one in done] == [write.anchor for write in writes]
    assert {one.outcome for one in done} == {"added"}
    assert store.space.count(people) == 1500
    assert store.settings.get("mark") == "1"
    store.space.apply_in_slices(people, [], noted=store.number(), now=NOW, then={"mark": "2"})
    assert store.settings.get("mark") == "2"
    gone = store.space.remove_in_slices(people, [one.row for one in done[:1200]], noted=store.number())
    assert gone == [one.row for one in done[:1200]]
    assert store.space.count(people) == 300
    assert [row for rows in store.space.rows(people) for row in rows] == [one.row for one in done[1200:]]


def test_hidden_objects_are_not_listed(store: Store, people: Space) -> None:
    jo, al = add(store, people, [a_write("jo"), a_write("al")])
    store.space.set_state(people, jo.row, State.HIDDEN)
    assert store.space.by_id(people, jo.id) is None
    hidden = store.space.by_id(people, jo.id, hidden=True)
    assert hidden is not None
    assert (hidden.state, hidden.number) == (State.HIDDEN, store.number())
    assert store.space.by_key(people, "login", "jo") == []
    assert len(store.space.by_key(people, "login", "jo", hidden=True)) == 1
    assert [one.id for one in store.space.page(people, None, start=1, count=9).objects] == [al.id]
    assert store.space.page(people, KeyEquals("login", "jo"), start=1, count=9).total == 0
    assert store.space.count(people) == 1
    assert store.space.resolve("hr", None, ['["jo"]']) == {}
    assert store.space.by_anchor(people, ("jo",)) == hidden
    assert len(next(store.space.digests(people))[0]) == 2, "an import must know hidden objects too"
    [changed] = store.space.apply(people, [a_write("jo", version=2)], noted=store.number(), now=LATER)
    assert changed.outcome == "changed"
    assert store.space.count(people) == 1, "an import does not show what was hidden"
    store.space.set_state(people, jo.row, State.LIVE)
    assert store.space.count(people) == 2
    number = store.number()
    store.space.set_state(people, jo.row, State.LIVE)
    assert store.number() == number


def test_a_rename_keeps_the_id(store: Store, people: Space) -> None:
    [jo] = add(store, people, [a_write("jo")])
    noted = store.number()
    renamed = store.space.rename(people, jo.row, a_write("joe", version=2), now=LATER)
    assert (renamed.id, renamed.row, renamed.anchor, renamed.outcome) == (jo.id, jo.row, ("joe",), "changed")
    assert store.space.by_anchor(people, ("jo",)) is None
    assert store.space.by_key(people, "login", "joe")[0].id == jo.id
    [stale] = store.space.apply(people, [a_write("jo")], noted=noted, now=LATER)
    assert stale.outcome == "newer", "an import that read the old anchor must not make a second object"
    [other] = store.space.apply(people, [a_write("jo")], noted=store.number(), now=LATER)
    assert other.outcome == "added"
    assert other.id != jo.id
    with pytest.raises(AlreadyUsed):
        store.space.rename(people, other.row, a_write("joe"), now=LATER)
    same = store.space.rename(people, other.row, a_write("bo"), now=LATER)
    assert same.number == store.number(), "another anchor with the same contents is a new version too"
    with pytest.raises(StoreError, match="no object"):
        store.space.rename(people, other.row + 99, a_write("zo"), now=LATER)


def test_ids_are_never_given_out_twice(store: Store, people: Space) -> None:
    seen: list[str] = []
    for version in range(4):
        [one] = add(store, people, [a_write("jo")])
        seen.append(one.id)
        if version % 2:
            store.space.rename(people, one.row, a_write(f"other{version}"), now=LATER)
            assert store.space.remove(people, [one.row], noted=None) == [one.row]
            [again] = add(store, people, [a_write(f"other{version}")])
            seen.append(again.id)
        else:
            store.space.remove(people, [one.row], noted=None)
    assert len(set(seen)) == len(seen)


def test_the_id_an_object_will_get_is_known_beforehand(store: Store, people: Space) -> None:
    [jo] = add(store, people, [a_write("jo")])
    ids = store.space.ids(people, [("jo",), ("al",)])
    assert ids["jo",] == jo.id
    [al] = store.space.apply(people, [a_write("al", id=ids["al",])], noted=store.number(), now=NOW)
    assert al.id == ids["al",]
    store.space.remove(people, [al.row], noted=None)
    assert store.space.ids(people, [("al",)])["al",] != al.id
    stale = a_write("al", id=al.id)
    assert store.space.apply(people, [stale], noted=store.number(), now=NOW)[0].outcome == "newer"
    with pytest.raises(IdentityChanged):
        store.space.apply(people, [stale], noted=None, now=NOW)


def test_microsofts_ids_are_the_anchors(store: Store) -> None:
    space = store.space.ensure("hr", "Person", id_form="anchor")
    [jo] = add(store, space, [a_write("jo@example.com")])
    assert jo.id == "jo@example.com"
    store.space.rename(space, jo.row, a_write("al@example.com", version=2), now=NOW)
    [second] = add(store, space, [a_write("jo@example.com")])
    assert second.id != "jo@example.com"
    store.space.remove(space, [jo.row], noted=None)
    [al] = add(store, space, [a_write("al@example.com")])
    assert al.id == "al@example.com"
    store.space.remove(space, [al.row], noted=None)
    [again] = add(store, space, [a_write("al@example.com")])
    assert uuid.UUID(again.id).version == 5
    other = store.space.ensure("hr", "Group", id_form="anchor")
    assert add(store, other, [a_write("al@example.com")])[0].id == "al@example.com", "ids are per type"


@pytest.mark.parametrize(
    ("anchor", "text"),
    [
        (("jo",), "jo"), (("a/b",), "a~2Fb"), (("a", "b"), "a,b"), (("a,b",), "a~2Cb"), (("~",), "~7E"),
        (("Jürgen",), "J~C3~BCrgen"), ((".",), "~2E"), (("..",), "~2E~2E"), (("",), "~"), (("a b",), "a~20b"),
    ],
)  # fmt: skip
def test_anchors_as_ids_are_safe_in_urls(anchor: tuple[str, ...], text: str) -> None:
    assert identities.anchor_id(anchor) == text


@pytest.mark.parametrize("anchor", [("jo",), ("a", "b"), ('"', "\\", "ü", "\u0000")])
def test_ids_are_uuids_of_version_5(anchor: tuple[str, ...]) -> None:
    space = Space(1, "hr", "Person")
    text = anchor_text(anchor)
    expected = uuid.uuid5(identities.NAMESPACE, f'["hr","Person",{text},3]')
    assert identities.uuid_id(space, text, 3) == str(expected)


def test_the_clients_own_id_is_kept_by_the_store(store: Store, people: Space) -> None:
    [jo] = add(store, people, [a_write("jo")])
    store.space.set_external_id(people, jo.row, "ext-1")
    [found] = store.space.by_key(people, "#externalId", "ext-1")
    assert (found.id, found.external_id, found.number) == (jo.id, "ext-1", store.number())
    store.space.apply(people, [a_write("jo", version=2)], noted=None, now=LATER)
    assert store.space.by_key(people, "#externalId", "ext-1")[0].external_id == "ext-1"
    store.space.set_external_id(people, jo.row, "ext-2")
    assert store.space.by_key(people, "#externalId", "ext-1") == []
    store.space.remove(people, [jo.row], noted=None)
    assert store.space.by_key(people, "#externalId", "ext-2", hidden=True) == []


def test_keys_are_resolved_by_anchor_then_by_dn(store: Store, people: Space) -> None:
    groups = store.space.ensure("hr", "Group")
    elsewhere = store.space.ensure("other", "Person")
    jo, al = add(store, people, [a_write("jo", dn="cn=jo"), a_write("al", "2")])
    [staff] = add(store, groups, [a_write("staff", dn="cn=staff")])
    add(store, elsewhere, [a_write("bo")])
    keys = ['["jo"]', '["al","2"]', '["cn=staff"]', "cn=jo", '["bo"]', '["nobody"]', "not json ["]
    assert store.space.resolve("hr", None, keys) == {
        '["jo"]': (jo.id, "Person"),
        '["al","2"]': (al.id, "Person"),
        '["cn=staff"]': (staff.id, "Group"),
        "cn=jo": (jo.id, "Person"),
    }
    assert store.space.resolve("hr", ["Group"], keys) == {'["cn=staff"]': (staff.id, "Group")}
    assert store.space.resolve("hr", [], keys) == {}


def test_a_dropped_connector_comes_back_empty_with_other_ids(store: Store, people: Space) -> None:
    other = store.space.ensure("other", "Person")
    add(store, other, [a_write("jo")])
    done = add(store, people, [a_write(f"p{n}") for n in range(700)])
    store.space.set_state(people, done[0].row, State.HIDDEN)
    with Store.open(store.path.parent) as second:
        second.space.drop("hr")
        assert store.space.all() == [other]
    with pytest.raises(SpaceDropped):
        add(store, people, [a_write("p1")])
    again = store.space.ensure("hr", "Person")
    assert again == people
    assert store.space.count(again) == 0
    assert store.space.by_key(again, "login", "p1", hidden=True) == []
    [one] = store.space.apply(again, [a_write("p1")], noted=0, now=NOW)
    assert one.outcome == "added"
    assert one.id != done[1].id
    assert one.row > done[-1].row
    assert store.space.count(other) == 1


def test_tombstones_outlive_every_run_begun_before_them(
    store: Store, people: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    [jo, al] = add(store, people, [a_write("jo"), a_write("al")])
    store.space.remove(people, [jo.row], noted=None)
    assert store.space.prune_tombstones() == 0, "younger than a day"
    store._writer.run(lambda c: c.execute("UPDATE tombstones SET at = at - 90000").rowcount)
    store.runs.request("hr", "full", "all", "test")
    run = store.runs.claim()
    assert run is not None
    assert store.runs.oldest_running_number() == store.number()
    store.space.remove(people, [al.row], noted=None)
    store._writer.run(lambda c: c.execute("UPDATE tombstones SET at = at - 90000").rowcount)
    assert store.space.prune_tombstones() == 1, "jo went before the run began, al after it"
    store.runs.finish(run.id, "done")
    assert store.runs.oldest_running_number() is None
    assert store.space.prune_tombstones() == 1
