"""Walks through objects in an order, against the same order made in Python."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from isthmus.store import (
    Constant,
    Direction,
    Key,
    KeyEquals,
    Part,
    Place,
    Present,
    Ranked,
    SortBy,
    Space,
    State,
    Store,
    StoreBusy,
)
from isthmus.store import Test as Comparison
from isthmus.store.ordering import KEY_LENGTH
from unit.store.store_objects import a_write, add

TITLES: list[list[Any]] = [
    [],
    [""],
    ["b"],
    ["B"],
    ["ä"],
    ["Ä"],
    ["a", "z"],
    ["ß"],
    ["", "c"],
    ["x" * 300],
    ["𝄞"],
    ["\uffff"],
]


def fill(store: Store, space: Space, count: int, chance: random.Random) -> None:
    add(
        store,
        space,
        [
            a_write(
                f"{space.object_type}{n}",
                attributes=json.dumps(
                    {
                        "login": [f"{space.object_type}{n}"],
                        "title": chance.choice(TITLES),
                        "age": chance.choice([[], [1], [2.5], ["10"], [-3], ["x"], [2**70]]),
                        "hired": chance.choice([[], ["2024-01-02T00:00:00+01:00"], ["2024-01-01T23:30:00Z"], ["soon"]]),
                        "vip": chance.choice([[], [True], [False]]),
                        'odd"name': chance.choice([[], ["b"], ["a"]]),
                    }
                ).encode(),
            )
            for n in range(count)
        ],
    )


def first(values: list[Any]) -> Any:
    return next((value for value in values if value not in {"", None}), None)


def expected_key(sort: SortBy, values: dict[str, list[Any]]) -> Key:
    if sort.truths is not None:
        return {True: 1, False: 0}.get(first(values["vip"]))
    for name in sort.attributes:
        value = first(values.get(name, []))
        if value is None:
            continue
        if sort.kind == "number":
            value = None if value == "x" else float(value)
        elif sort.kind == "datetime":
            value = {"2024-01-02T00:00:00+01:00": 1704150000000000, "2024-01-01T23:30:00Z": 1704151800000000}.get(value)
        else:
            value = (value if sort.case_exact else value.casefold())[:KEY_LENGTH]
        if value is not None:
            return value  # type: ignore[no-any-return]
    return None


def expected(ranked: list[tuple[int, Key]], direction: Direction) -> list[int]:
    """Sort by hand: rows first, then keys over them, for sorting is stable."""
    rows = sorted(ranked, key=lambda each: each[0], reverse=direction.backwards)
    some = sorted(
        (each for each in rows if each[1] is not None), key=lambda each: each[1], reverse=not direction.keys_rise
    )  # type: ignore[arg-type, return-value]
    none = [each for each in rows if each[1] is None]
    return [row for row, _ in (some + none if direction.keys_rise else none + some)]


SORTS = [
    SortBy(("title",)),
    SortBy(("title",), case_exact=True),
    SortBy(("title", 'odd"name')),
    SortBy(('odd"name',)),
    SortBy(("age",), "number"),
    SortBy(("hired",), "datetime"),
    SortBy(truths=(Comparison("vip", "eq", True, "boolean"), Comparison("vip", "eq", False, "boolean"))),
    SortBy(("nothing",)),
    SortBy(),
]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sort", SORTS)
def test_an_order_is_that_of_python(
    store: Store, people: Space, sort: SortBy, descending: bool, backwards: bool
) -> None:
    fill(store, people, 60, random.Random(3))
    direction = Direction(descending, backwards)
    parts = [Part(people, None, sort)]
    found = store.space.walk(parts, direction, count=100)
    keys = {one.object.row: expected_key(sort, json.loads(one.object.attributes)) for one in found}
    assert {one.object.row: one.key for one in found} == keys
    order = [one.object.row for one in found]
    assert order == expected(list(keys.items()), direction)
    assert [one.object.row for one in store.space.walk(parts, direction, skip=7, count=9)] == order[7:16]
    assert _stepped(store, parts, direction, 7) == order


def _stepped(store: Store, parts: list[Part], direction: Direction, count: int) -> list[int]:
    """Follow the pages from place to place."""
    seen: list[Ranked] = []
    place = None
    while page := store.space.walk(parts, direction, place=place, count=count):
        seen += page
        place = Place(page[-1].object.row, page[-1].key)
    return [one.object.row for one in seen]


@pytest.mark.parametrize(
    "direction", [Direction(), Direction(descending=True), Direction(backwards=True), Direction(True, True)]
)
@pytest.mark.parametrize("sorted_", [False, True])
def test_several_spaces_in_one_order(store: Store, people: Space, direction: Direction, sorted_: bool) -> None:
    groups = store.space.ensure("hr", "Group")
    things = store.space.ensure("hr", "Thing")
    for space in (people, groups, things):
        fill(store, space, 25, random.Random(space.number))
    if not sorted_:
        direction = Direction(backwards=direction.backwards)
    sorts = [SortBy(("title",)), SortBy(("age",), "number"), SortBy()] if sorted_ else [None, None, None]
    parts = [Part(space, Present("login"), sort) for space, sort in zip((groups, people, things), sorts, strict=True)]
    whole = store.space.walk(parts, direction, count=1000)
    assert len(whole) == 75
    assert {one.part for one in whole} == {0, 1, 2}
    assert all(
        json.loads(one.object.attributes)["login"][0].startswith(parts[one.part].space.object_type) for one in whole
    )
    order = [one.object.row for one in whole]
    assert _stepped(store, parts, direction, 8) == order
    assert [one.object.row for one in store.space.walk(parts, direction, skip=30, count=20)] == order[30:50]
    if not sorted_:
        assert order == sorted(order, reverse=direction.backwards)


def test_values_made_of_parts(store: Store, people: Space) -> None:
    mails: dict[str, list[dict[str, Any]]] = {
        "a": [{"value": "z@x", "no": 5}, {"value": "b@x", "primary": True, "no": 1}],
        "b": [{"value": "", "no": 2}, {"value": "c@x"}],
        "c": [],
        "d": [{"no": 3}],
        "e": [{"value": "A@x", 'odd"name': True}, {"value": "0@x", "primary": False}],
    }
    add(store, people, [a_write(n, attributes=json.dumps({"mails": v}).encode()) for n, v in mails.items()])

    def order(**sort: Any) -> list[str]:
        parts = [Part(people, None, SortBy(("mails",), **sort))]
        return [one.object.anchor[0] for one in store.space.walk(parts, Direction(), count=10)]

    assert order(part="value", primary="primary") == ["e", "a", "b", "c", "d"]
    assert order(part="value") == ["e", "b", "a", "c", "d"]
    assert order(part="no", kind="number") == ["b", "d", "a", "c", "e"]
    assert order(part="no", kind="number", primary="primary") == ["a", "b", "d", "c", "e"]
    assert order(part="primary", kind="boolean") == ["e", "a", "b", "c", "d"]
    assert order(part='odd"name', kind="boolean") == ["e", "a", "b", "c", "d"]
    assert order() == ["a", "b", "c", "d", "e"], "an object has no order of its own"


def test_only_live_objects_that_meet_the_condition(store: Store, people: Space) -> None:
    applied = add(store, people, [a_write(name) for name in ("a", "b", "c", "d")])
    store.space.set_state(people, applied[1].row, State.HIDDEN)
    for sort in (None, SortBy(("login",))):
        found = store.space.walk([Part(people, None, sort)], Direction(), count=10)
        assert [one.object.anchor for one in found] == [("a",), ("c",), ("d",)]
        by_key = store.space.walk([Part(people, KeyEquals("login", "c"), sort)], Direction(), count=10)
        assert [one.object.anchor for one in by_key] == [("c",)]
        assert store.space.walk([Part(people, Constant(False), sort)], Direction(), count=10) == []
        assert store.space.walk([Part(people, None, sort)], Direction(), count=0) == []


def test_a_walk_ends_at_its_deadline(store: Store, people: Space) -> None:
    fill(store, people, 3000, random.Random(1))
    with pytest.raises(StoreBusy):
        store.space.walk([Part(people, None, SortBy(("title",)))], Direction(), count=5, deadline=time.monotonic() - 1)


def test_a_page_by_row_looks_at_no_more_rows_than_it_needs(store: Store, people: Space) -> None:
    fill(store, people, 3000, random.Random(1))
    connection = store.space._readers.connection()
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    [[last]] = [[one.object.row for one in store.space.walk([Part(people)], Direction(), skip=2000, count=1)]]
    connection.set_progress_handler(step, 1)
    store.space.walk([Part(people)], Direction(), place=Place(last), count=5)
    connection.set_progress_handler(None, 0)
    assert 0 < steps < 1000
