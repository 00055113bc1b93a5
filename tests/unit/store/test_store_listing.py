"""Totals and pages after random histories, against a plain Python model."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from isthmus.store import AnyOf, KeyEquals, Present, Space, State, Store, StoreBusy
from isthmus.store import Test as Comparison
from isthmus.store.records import StoredObject
from isthmus.store.shown import Form
from unit.store.store_objects import LATER, NOW, a_write, add


class Model:
    """What the store should hold: by anchor, in row order."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, str, State, int]] = {}
        self.ids: set[str] = set()

    def live(self) -> list[str]:
        rows = sorted((row, own) for row, own, state, _ in self.objects.values() if state is State.LIVE)
        return [own for _, own in rows]


def _compare(store: Store, space: Space, model: Model, chance: random.Random) -> None:
    live = model.live()
    assert store.space.count(space) == len(live)
    for start in {1, max(1, len(live)), len(live) + 1, chance.randint(1, len(live) + 2)}:
        count = chance.choice([0, 1, 7, 100, 3000])
        page = store.space.page(space, None, start=start, count=count)
        assert page.total == len(live)
        assert [one.id for one in page.objects] == live[start - 1 : start - 1 + count]
        shape = page.objects[0].shape if page.objects else 0
        shown = store.space.show_page(space, Form("<%s%s%s%s%s%d%s>", 1, shape, True), start=start, count=count)
        assert shown == (page.total, len(page.objects), b",".join(map(_text, page.objects)))
    everything = store.space.page(space, Present("login"), start=1, count=10_000)
    assert (everything.total, [one.id for one in everything.objects]) == (len(live), live)
    assert sum(len(rows) for rows in store.space.rows(space)) == len(model.objects)
    assert sum(len(rows) for rows, _ in store.space.digests(space)) == len(model.objects)


def _text(one: StoredObject) -> bytes:
    return f"<{one.id}{one.scim[:-1].decode()}{one.created}{one.modified}{one.number}{one.id}>".encode()


def test_a_page_with_a_text_of_another_shape_is_not_put_together() -> None:
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        space = store.space.ensure("hr", "Person")
        add(store, space, [a_write(f"n{n}") for n in range(3)])
        [shape] = {one.shape for one in store.space.page(space, None, start=1, count=3).objects}
        assert store.space.show_page(space, Form("%s", 1, shape, True), start=1, count=3) is not None
        assert store.space.show_page(space, Form("%s", 1, shape + 1, True), start=1, count=3) is None
        assert store.space.show_page(space, Form("%s", 10_000, shape, True), start=1, count=3) is None
        assert store.space.show_page(space, Form("%s", 1, shape + 1, True), start=4, count=3) == (3, 0, b"")


@pytest.mark.parametrize(
    "removed", [[], [0], [1023], [1024], [1500], [2047, 2048], [2199], [2198, 2199], range(1024, 2048)]
)
def test_pages_around_every_edge_of_a_block(store: Store, people: Space, removed: Sequence[int]) -> None:
    """A page is found by arithmetic as far as nothing was removed before it, and otherwise by counting."""
    rows = [one.row for one in add(store, people, [a_write(f"n{n}") for n in range(2200)])]
    store.space.remove_in_slices(people, [rows[number] for number in removed], noted=store.number())
    total = len(rows) - len(removed)
    for start in {edge + by for edge in (1, 1024, 2048, 2200 - len(removed)) for by in range(-3, 4)} - {-2, -1, 0}:
        page = store.space.page(people, None, start=start, count=5)
        assert page.total == total
        assert len(page.objects) == max(0, min(5, total - start + 1))
        shown = store.space.show_page(people, Form("<%s%s%s%s%s%d%s>", 1, 1, True), start=start, count=5)
        assert shown == (total, len(page.objects), b",".join(map(_text, page.objects)))


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_leave_exact_totals_and_pages(seed: int) -> None:
    chance = random.Random(seed)
    model = Model()
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        decoy = store.space.ensure("decoy", "Person")
        add(store, decoy, [a_write(f"d{n}") for n in range(5)])
        space = store.space.ensure("hr", "Person")
        for step in range(40):
            names = list(model.objects)
            some = chance.sample(names, min(len(names), chance.choice([1, 2, 50, 900])))
            match chance.choice(["add", "add", "change", "remove", "hide", "show", "rename"]):
                case "add":
                    fresh = [f"n{step}-{n}" for n in range(chance.choice([1, 3, 400, 1100]))]
                    fresh += [f"gone{chance.randint(0, 5)}"]
                    fresh = [name for name in fresh if name not in model.objects]
                    for one in store.space.apply_in_slices(
                        space, [a_write(name) for name in fresh], noted=None, now=NOW
                    ):
                        assert one.outcome == "added"
                        assert one.id not in model.ids
                        model.ids.add(one.id)
                        model.objects[one.anchor[0]] = (one.row, one.id, State.LIVE, 1)
                case "change":
                    writes = [a_write(name, version=step + 2) for name in some]
                    for one in store.space.apply(space, writes, noted=store.number(), now=LATER):
                        row, own, state, _ = model.objects[one.anchor[0]]
                        assert (one.outcome, one.row, one.id) == ("changed", row, own)
                        model.objects[one.anchor[0]] = (row, own, state, step + 2)
                case "remove":
                    rows = [model.objects.pop(name)[0] for name in some]
                    assert sorted(store.space.remove_in_slices(space, rows, noted=store.number())) == sorted(rows)
                case "hide" | "show" as what:
                    state = State.LIVE if what == "show" else chance.choice([State.HIDDEN, State.PASSWORD_MISSING])
                    for name in some[:20]:
                        row, own, _, version = model.objects[name]
                        store.space.set_state(space, row, state)
                        model.objects[name] = (row, own, state, version)
                case "rename":
                    for name in some[:5]:
                        row, own, state, _ = model.objects.pop(name)
                        new = f"r{step}-{name}"
                        renamed = store.space.rename(space, row, a_write(new, version=step + 2), now=LATER)
                        assert (renamed.id, renamed.row) == (own, row)
                        model.objects[new] = (row, own, state, step + 2)
            if step % 4 == 3:
                _compare(store, space, model, chance)
        _compare(store, space, model, chance)
        assert store.space.count(decoy) == 5
        with Store.open(Path(folder)) as other:
            _compare(other, space, model, chance)


def test_a_page_of_equal_keys_beyond_the_fast_way(store: Store, people: Space) -> None:
    done = add(store, people, [a_write(f"p{n}", keys=[("team", "red" if n % 2 else "blue")]) for n in range(500)])
    red = [one.id for one in done[1::2]]
    page = store.space.page(people, KeyEquals("team", "red"), start=101, count=30)
    assert (page.total, [one.id for one in page.objects]) == (250, red[100:130])
    both = store.space.page(people, AnyOf((KeyEquals("team", "red"), KeyEquals("team", "blue"))), start=450, count=100)
    assert (both.total, [one.id for one in both.objects]) == (500, [one.id for one in done[449:]])
    assert store.space.count(people, KeyEquals("team", "red")) == 250


def test_a_search_ends_at_its_deadline_and_the_next_one_works(store: Store, people: Space) -> None:
    store.space.apply_in_slices(people, [a_write(f"p{n}") for n in range(3000)], noted=None, now=NOW)
    slow = Comparison("login", "co", "nobody")
    with pytest.raises(StoreBusy, match="deadline"):
        store.space.page(people, slow, start=1, count=10, deadline=time.monotonic() - 1)
    assert store.space.page(people, slow, start=1, count=10, deadline=time.monotonic() + 60).total == 0
    assert store.space.count(people) == 3000
