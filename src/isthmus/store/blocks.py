"""Live objects per 1,024 row numbers: exact totals, and the place of a start index without counting to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from isthmus.store.objects import BLOCK_BITS, BLOCK_SIZE, block_range
from isthmus.store.records import Space
from isthmus.store.statements import statement

_MORE = statement("block_more")
_FEWER = statement("block_fewer")
_EXTENT = statement("blocks_extent")
_TOTAL = statement("blocks_total")


def more_live(connection: sqlite3.Connection, blocks: Mapping[int, int]) -> None:
    """Count objects that became live."""
    connection.executemany(_MORE, list(blocks.items()))


def fewer_live(connection: sqlite3.Connection, blocks: Mapping[int, int]) -> None:
    """Count objects that no longer are."""
    connection.executemany(_FEWER, [(count, block) for block, count in blocks.items()])


def total(connection: sqlite3.Connection, space: Space) -> int:
    """Return how many objects of the space are live."""
    return _live(connection, *block_range(space))


def place(connection: sqlite3.Connection, space: Space, skip: int) -> tuple[int, int, int]:
    """Return the total, the row to begin at and how many live rows to pass over from there (below 1,024).

    The row is -1 where `skip` is not below the total. The block does not lie before where it would be if all were
    full, and mostly is there; if not, it is found by halving, with sums made inside SQLite: at a million objects a
    third of the time of fetching a thousand counts. A full block needs no passing over: its rows have no gap.
    """
    low, high, all_live = connection.execute(_EXTENT, block_range(space)).fetchone()
    if skip >= all_live:
        return all_live, -1, 0
    before = 0
    if full := skip // BLOCK_SIZE:
        before = _live(connection, low, low + full - 1)
        low += full
    live = _live(connection, low, low)
    if skip - before >= live:
        before += live
        low += 1
        while low < high:
            middle = (low + high) // 2
            half = _live(connection, low, middle)
            if before + half > skip:
                high = middle
            else:
                before += half
                low = middle + 1
        live = _live(connection, low, low)
    begin, passed = low << BLOCK_BITS, skip - before
    return (all_live, begin + passed, 0) if live == BLOCK_SIZE else (all_live, begin, passed)


def _live(connection: sqlite3.Connection, first: int, last: int) -> int:
    found: int = connection.execute(_TOTAL, (first, last)).fetchone()[0]
    return found
