"""Sets of numbers that mostly follow one another."""

from __future__ import annotations

from array import array
from bisect import bisect_right


class Ranges:
    """Numbers of changes, kept as ranges: a million changes that follow one another take 16 bytes."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts = array("q")
        self._lasts = array("q")

    def add(self, number: int) -> None:
        """Add a number that is higher than all before it.

        Raises:
            ValueError: it is not.
        """
        if self._lasts and number <= self._lasts[-1]:
            raise ValueError("the numbers of changes only rise")
        if self._lasts and number == self._lasts[-1] + 1:
            self._lasts[-1] = number
        else:
            self._firsts.append(number)
            self._lasts.append(number)

    def __contains__(self, number: object) -> bool:
        assert isinstance(number, int)
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def __len__(self) -> int:
        """Return how many ranges there are."""
        return len(self._firsts)
