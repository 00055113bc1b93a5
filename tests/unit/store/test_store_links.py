"""References: read by attribute, changed by difference, found from both ends by an index."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from store_objects import LATER, NOW, a_write, add

from isthmus.store import (
    All,
    AnyOf,
    Constant,
    KeyEquals,
    LinkChanges,
    Negated,
    Predicate,
    ReferredBy,
    Space,
    State,
    Store,
    StoreError,
)
from isthmus.store.links import Naming, Referred
from isthmus.store.objects import row_range
from isthmus.store.predicates import Condition

MEMBERS = "members"


def key(*parts: str) -> str:
    return json.dumps(list(parts), separators=(",", ":"), ensure_ascii=False)


def attributes(**values: object) -> bytes:
    return json.dumps({name: [value] for name, value in values.items()}).encode()


@pytest.fixture
def groups(store: Store) -> Space:
    return store.space.ensure("hr", "Group")


def group(store: Store, space: Space, name: str, *members: str, attribute: str = MEMBERS) -> int:
    [done] = add(store, space, [a_write(name, links=[(attribute, key(member)) for member in members])])
    return done.row


def test_only_the_attributes_asked_for_are_read(store: Store, groups: Space) -> None:
    [one] = add(store, groups, [a_write("g", links=[(MEMBERS, key("a")), (MEMBERS, key("b")), ("owner", key("c"))])])
    assert store.links.of([one.row], ["owner"]) == {one.row: [("owner", key("c"))]}
    assert store.links.of([one.row], [MEMBERS]) == {one.row: [(MEMBERS, key("a")), (MEMBERS, key("b"))]}
    assert store.links.of([one.row], []) == {one.row: []}
    assert store.links.any_of(one.row, MEMBERS)
    assert not store.links.any_of(one.row, "other")
    wanted = {(MEMBERS, key("a")), (MEMBERS, key("c")), ("owner", key("c"))}
    assert store.links.present(one.row, wanted) == {(MEMBERS, key("a")), ("owner", key("c"))}
    assert store.links.present(one.row, set()) == set()


def test_links_that_come_and_go_leave_the_others_alone(store: Store, groups: Space) -> None:
    row = group(store, groups, "g", "a", "b")
    changes = LinkChanges(add=[(MEMBERS, key("c"))], remove=[(MEMBERS, key("a"))])
    [done] = store.space.apply(groups, [a_write("g", version=2, link_changes=changes)], noted=None, now=LATER)
    assert (done.outcome, done.row) == ("changed", row)
    assert store.links.of([row], [MEMBERS])[row] == [(MEMBERS, key("b")), (MEMBERS, key("c"))]
    again = LinkChanges(add=[(MEMBERS, key("b"))], remove=[(MEMBERS, key("x"))])
    store.space.apply(groups, [a_write("g", version=3, link_changes=again)], noted=None, now=LATER)
    assert len(store.links.of([row], [MEMBERS])[row]) == 2


def test_changes_of_links_need_an_object(store: Store, groups: Space) -> None:
    with pytest.raises(StoreError, match="no object"):
        store.space.apply(groups, [a_write("g", link_changes=LinkChanges())], noted=None, now=NOW)


def test_whom_an_object_refers_to(store: Store, people: Space, groups: Space) -> None:
    writes = [
        a_write("a", attributes=attributes(displayName="Anna", login="a")),
        a_write("b", attributes=attributes(displayName="", login="b")),
        a_write("c", attributes=b'{"login":[7]}'),
        a_write("d"),
    ]
    ids = {one.anchor[0]: one for one in add(store, people, writes)}
    store.space.set_state(people, ids["d"].row, State.HIDDEN)
    row = group(store, groups, "g", "a", "b", "c", "d", "nobody")
    naming = Naming(people, ("displayName", "login"))
    assert list(store.links.referred([row], [MEMBERS], naming)) == [
        Referred(row, MEMBERS, key("a"), ids["a"].id, "Anna"),
        Referred(row, MEMBERS, key("b"), ids["b"].id, "b"),
        Referred(row, MEMBERS, key("c"), ids["c"].id, "7"),
    ]
    assert [one.name for one in store.links.referred([row], [MEMBERS], Naming(people, ('no"name',)))] == [None] * 3
    assert list(store.links.referred([row], ["owner"], naming)) == []
    assert list(store.links.referred([row], [MEMBERS], Naming(groups))) == []


@pytest.mark.parametrize("dn", ["cn=Ann,ou=x", 'cn="q\\uote",ou=y', "cn=Zoë\t\u2028名"])
def test_who_is_named_by_dn(store: Store, people: Space, groups: Space, dn: str) -> None:
    [one] = add(store, people, [a_write("1", dn=dn, attributes=attributes(cn="Ann"))])
    row = group(store, groups, "g", dn)
    named = store.links.referred([row], [MEMBERS], Naming(people, ("cn",), by_dn=True))
    assert list(named) == [Referred(row, MEMBERS, key(dn), one.id, "Ann")]
    assert [obj.id for obj in store.space.page(people, by(row, dn=True), start=1, count=9).objects] == [one.id]
    assert store.space.page(people, by(row), start=1, count=9).total == 0


def test_who_refers_to_an_object(store: Store, groups: Space) -> None:
    first, second = group(store, groups, "g", "a", "b"), group(store, groups, "h", "a")
    group(store, groups, "o", "a", attribute="owner")
    group(store, store.space.ensure("hr", "Other"), "x", "a")
    found = store.links.referring([key("a"), key("b"), key("c")], MEMBERS, Naming(groups, ("login",)))
    names = {each: sorted(str(name) for _, name in who) for each, who in found.items()}
    assert names == {key("a"): ["g", "h"], key("b"): ["g"]}
    store.space.set_state(groups, second, State.HIDDEN)
    assert len(store.links.referring([key("a")], MEMBERS, Naming(groups))[key("a")]) == 1
    assert first


def test_how_objects_are_named_by_id(store: Store, people: Space) -> None:
    one, two = add(store, people, [a_write("a", dn="cn=a"), a_write("b", "c")])
    store.space.set_state(people, two.row, State.HIDDEN)
    found = store.links.named(people, [one.id, two.id, "nobody"])
    assert (found[one.id].anchor, found[one.id].dn, found[one.id].state) == (("a",), "cn=a", State.LIVE)
    assert (found[two.id].anchor, found[two.id].state) == (("b", "c"), State.HIDDEN)
    assert len(found) == 2
    assert store.links.named(people, []) == {}


def by(row: int, *, dn: bool = False) -> ReferredBy:
    return ReferredBy(MEMBERS, row, row, by_dn=dn)


def test_objects_are_found_by_who_refers_to_them(store: Store, people: Space, groups: Space) -> None:
    add(store, people, [a_write(name) for name in "abcd"])
    first, second = group(store, groups, "g", "a", "b"), group(store, groups, "h", "b", "c")
    low, high = row_range(groups)
    anybody = ReferredBy(MEMBERS, low, high)

    def found(predicate: Predicate) -> str:
        page = store.space.page(people, predicate, start=1, count=9)
        assert page.total == len(page.objects)
        return "".join(obj.anchor[0] for obj in page.objects)

    assert found(by(first)) == "ab"
    assert found(AnyOf((by(first), by(second)))) == "abc"
    assert found(All((by(first), by(second)))) == "b"
    assert found(All((KeyEquals("login", "a"), by(first)))) == "a"
    assert found(Negated(by(first))) == "cd"
    assert found(anybody) == "abc"
    assert found(Negated(anybody)) == "d"
    assert found(AnyOf((by(first), Constant(False)))) == "ab"
    assert found(ReferredBy("owner", low, high)) == ""
    store.space.set_state(groups, first, State.HIDDEN)
    assert found(by(first)) == ""
    assert found(anybody) == "bc"


@pytest.mark.parametrize("dn", [False, True])
def test_an_index_finds_the_members_of_a_group_and_the_groups_of_a_member(
    store: Store, people: Space, groups: Space, dn: bool
) -> None:
    row = group(store, groups, "g", "a")
    condition = Condition(by(row, dn=dn), people.number)
    low, high = row_range(groups)
    whole = Condition(All((KeyEquals("login", "a"), ReferredBy(MEMBERS, low, high, by_dn=dn))), people.number)
    with closing(sqlite3.connect(store.path)) as connection:
        for each in (condition, whole):
            assert each.candidates is not None
            sql = f"SELECT o.row FROM objects AS o WHERE o.row IN ({each.candidates}) AND ({each.where})"
            plan = [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", each.parameters)]
            assert not [step for step in plan if step.startswith("SCAN") and "l" in step.split()[1:2]], plan
            assert any("links_key (attribute=? AND key=? AND row>? AND row<?)" in step for step in plan), plan
