"""The numbers of a run's own changes, kept as ranges."""

from __future__ import annotations

import random

import pytest

from isthmus.store.ranges import Ranges


def test_consecutive_numbers_are_one_range() -> None:
    own = Ranges()
    for number in (*range(5, 1000), 1001):
        own.add(number)
    assert len(own) == 2
    assert [number in own for number in (4, 5, 999, 1000, 1001, 1002)] == [False, True, True, False, True, False]


def test_nothing_is_in_an_empty_one() -> None:
    assert 1 not in Ranges()


def test_a_number_that_does_not_rise_is_refused() -> None:
    own = Ranges()
    own.add(3)
    with pytest.raises(ValueError, match="only rise"):
        own.add(3)


@pytest.mark.parametrize("seed", range(5))
def test_any_rising_numbers_are_found_and_no_others(seed: int) -> None:
    chance = random.Random(seed)
    chosen = sorted(chance.sample(range(300), chance.randint(1, 299)))
    own = Ranges()
    for number in chosen:
        own.add(number)
    assert [number for number in range(-2, 303) if number in own] == chosen
