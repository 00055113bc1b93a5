"""Live objects per 1,024 row numbers: exact totals, and the place of a start index without counting to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from isthmus.store.objects import BLOCK_BITS, BLOCK_SIZE, block_range
from isthmus.store.records import Space
from isthmus.store.statements import statement

_MORE = statement("block_more")
_FEWER = statement("block_fewer")
_OF = statement("blocks_of")
_TOTAL = statement("blocks_total")


def more_live(connection: sqlite3.Connection, blocks: Mapping[int, int]) -> None:
    """Count objects that became live."""
    connection.executemany(_MORE, list(blocks.items()))


def fewer_live(connection: sqlite3.Connection, blocks: Mapping[int, int]) -> None:
    """Count objects that no longer are."""
    connection.executemany(_FEWER, [(count, block) for block, count in blocks.items()])


def total(connection: sqlite3.Connection, space: Space) -> int:
    """Return how many objects of the space are live."""
    found: int = connection.execute(_TOTAL, block_range(space)).fetchone()[0]
    return found


def place(connection: sqlite3.Connection, space: Space, skip: int) -> tuple[int, int, int]:
    """Return the total, the row to begin at and how many live rows to pass over from there (below 1,024).

    A full block needs no passing over: its rows are numbered without a gap.
    """
    before = 0
    begin, passed = -1, 0
    for block, live in connection.execute(_OF, block_range(space)):
        if begin < 0 and before + live > skip:
            begin, passed = block << BLOCK_BITS, skip - before
            if live == BLOCK_SIZE:
                begin, passed = begin + passed, 0
        before += live
    return before, begin, passed
