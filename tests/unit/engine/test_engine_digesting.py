"""What an import takes for unchanged, and what for missing; against a plain dict in many histories."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from isthmus.engine.digesting import Sightings, digester

LOW = 3 << 40
"""Rows of a space begin far above zero."""


def sightings(*digests: int, gaps: int = 1) -> Sightings:
    """Return sightings of a space with these digests in the order of its rows; 0 for none."""
    rows = [LOW + 1 + gaps * place for place in range(len(digests))]
    half = len(rows) // 2
    return Sightings([(rows[:half], digests[:half]), (rows[half:], digests[half:])])


def changed(seen: Sightings, *page: int) -> list[int]:
    return list(seen.changed(array("q", page)))


def test_unchanged_objects_are_known_by_their_digest_alone() -> None:
    seen = sightings(11, 12, 13)
    assert seen.present == 3
    assert changed(seen, 11, 12) == []
    assert changed(seen, 99, 13) == [0]
    assert seen.missing() == []


def test_what_was_not_seen_is_missing() -> None:
    seen = sightings(11, 0, 13, 0)
    changed(seen, 11)
    seen.saw_row(LOW + 4)
    assert seen.missing() == [LOW + 2, LOW + 3]


def test_in_an_empty_space_everything_is_new() -> None:
    seen = Sightings([])
    assert changed(seen, 5, 6) == [0, 1]
    seen.saw_row(LOW + 1)
    assert seen.missing() == []


def test_a_row_that_is_new_in_this_run_is_not_taken_for_another() -> None:
    seen = sightings(11, 12, gaps=10)
    seen.saw_row(LOW + 2)
    seen.saw_row(LOW + 500)
    assert seen.missing() == [LOW + 1, LOW + 11]


def test_contents_that_come_back_within_a_run_are_looked_at_again() -> None:
    seen = sightings(11, 12)
    assert changed(seen, 11, 12) == []
    assert changed(seen, 99) == [0]
    assert changed(seen, 11) == [0], "the object was changed by what came in between"


def test_a_changed_row_among_unchanged_ones_is_seen_wherever_it_is() -> None:
    digests = list(range(1, 301))
    for place in range(300):
        page = [*digests[:place], -5, *digests[place + 1 :]]
        seen = sightings(*digests)
        assert changed(seen, *page) == [place]
        assert seen.missing() == [LOW + 1 + place]


def test_two_rows_that_changed_places_are_unchanged() -> None:
    seen = sightings(1, 2, 3, 4, 5)
    assert changed(seen, 1, 4, 3, 2, 5) == []
    assert seen.missing() == []


def test_an_object_without_a_digest_is_decoded() -> None:
    seen = sightings(1, 0, 3)
    assert changed(seen, 1, 2, 3) == [1]
    assert seen.missing() == [LOW + 2]


@pytest.mark.parametrize("rows", [200, 2_000])
def test_any_order_is_recognised_but_for_a_few_rows_that_are_decoded_in_vain(rows: int) -> None:
    chance = random.Random(rows)
    digests = [chance.getrandbits(63) - 2**62 for _ in range(rows)]
    seen = sightings(*digests)
    order = list(digests)
    chance.shuffle(order)
    found = changed(seen, *order)
    assert len(found) <= rows >> 8
    for index in found:
        seen.saw_row(LOW + 1 + digests.index(order[index]))
    assert seen.missing() == []


class Target:
    """A table, and the space that an import keeps of it, both as plain dicts: object by name to its contents."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.table: dict[int, int] = {}
        self.space: dict[int, tuple[int, int, int]] = {}
        """Name to row, contents and digest; 0 where a write of our own made the contents."""
        self.last = 0
        self.order: list[int] = []

    def live_through(self) -> None:
        """Change the table behind the host's back, and through it; leave some rows elsewhere."""
        chance, table = self.chance, self.table
        for _ in range(chance.choice([0, 1, 1, 5, 40])):
            name = chance.randint(1, 400)
            kind = chance.random()
            if kind < 0.25 and name in table:
                del table[name]
                self.order.remove(name)
            elif name in table:
                table[name] = chance.getrandbits(20)
                if chance.random() < 0.5:  # an updated row goes to another place
                    self.order.remove(name)
                    self.order.insert(chance.randint(0, len(self.order)), name)
            else:
                table[name] = chance.getrandbits(20)
                self.order.append(name)
            if chance.random() < 0.3:  # the host made that change
                self.write(name)
        if chance.random() < 0.2:
            chance.shuffle(self.order)
        elif chance.random() < 0.2 and self.order:
            turn = chance.randint(0, len(self.order))
            self.order = self.order[turn:] + self.order[:turn]

    def write(self, name: int) -> None:
        if name not in self.table:
            self.space.pop(name, None)
        else:
            self.keep(name, self.table[name], 0)

    def keep(self, name: int, contents: int, digest: int) -> int:
        row = self.space[name][0] if name in self.space else 0
        if not row:
            self.last += 1
            row = LOW + self.last
        self.space[name] = row, contents, digest
        return row

    def run(self) -> int:
        """Import as the engine does; return how many rows were decoded."""
        by_row = sorted(self.space.values())
        seen = Sightings([([row for row, _, _ in by_row], [digest for _, _, digest in by_row])])
        decoded, size = 0, self.chance.choice([1, 7, 50, 1000])
        for start in range(0, len(self.order), size):
            names = self.order[start : start + size]
            page = [self.digest(name) for name in names]
            for index in seen.changed(array("q", page)):
                seen.saw_row(self.keep(names[index], self.table[names[index]], page[index]))
                decoded += 1
        gone = set(seen.missing())
        self.space = {name: one for name, one in self.space.items() if one[0] not in gone}
        return decoded

    def digest(self, name: int) -> int:
        return name * 2**24 + self.table[name] - 2**62


@pytest.mark.parametrize("seed", range(40))
def test_after_any_history_an_import_leaves_what_the_table_holds(seed: int) -> None:
    target = Target(random.Random(seed))
    for name in range(1, 300):
        target.table[name] = name
        target.order.append(name)
    for _ in range(12):
        target.live_through()
        target.run()
        assert {name: contents for name, (_, contents, _) in target.space.items()} == target.table
    target.run()  # what was recognised late has its digest by now
    assert target.run() <= len(target.table) >> 8


class Shown:
    """As much of a resource type as digests depend on."""

    def __init__(self, read: Sequence[str] = ("login",), shape: int = 1) -> None:
        self.read_attributes, self.shape = read, shape


class Document(msgspec.Struct):
    settings: dict[str, Any]


def test_digests_depend_on_the_row_and_on_everything_that_decoding_depends_on() -> None:
    rows = [b"a\t1\n", b"a\t2\n", b"", b"x" * 1000]
    document = Document({"url": "one"})

    def digests(shown: Shown, document: Document) -> list[int]:
        return digester(shown, document)(rows).tolist()  # type: ignore[arg-type]

    first = digests(Shown(), document)
    assert digests(Shown(), Document({"url": "one"})) == first
    others = [
        digests(Shown(), Document({"url": "two"})),
        digests(Shown(("login", "mail")), document),
        digests(Shown(shape=2), document),
    ]
    assert len({digest for one in (first, *others) for digest in one}) == 4 * len(rows)
