"""Pages of live objects in row order, with exact totals."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from isthmus.store.blocks import place, total
from isthmus.store.errors import translated
from isthmus.store.objects import COLUMNS, by_key, by_rows, row_range, stored
from isthmus.store.predicate import KeyEquals, Predicate
from isthmus.store.predicates import Condition
from isthmus.store.records import Page, Space
from isthmus.store.statements import statement

_FROM = statement("page_from").format(columns=COLUMNS)
_ALL = statement("search_all")
_CANDIDATES = statement("search_candidates")

_FEW = 100
_BATCH = 5_000
_STEPS = 10_000  # of SQLite's machine between two looks at the clock: well under a millisecond


def count(
    connection: sqlite3.Connection, space: Space, predicate: Predicate | None, deadline: float | None = None
) -> int:
    """Return how many live objects meet the condition.

    Raises:
        StoreBusy: the deadline (monotonic) passed.
    """
    if predicate is None:
        return total(connection, space)
    return page(connection, space, predicate, start=1, count=0, deadline=deadline).total


def few(connection: sqlite3.Connection, space: Space, predicate: KeyEquals, *, start: int, count: int) -> Page | None:
    """Return the page of a key that few live objects have, which is nearly every key; None if they are many."""
    found = by_key(connection, space.number, predicate.attribute, predicate.value, limit=_FEW + 1)
    if len(found) > _FEW:
        return None
    start, count = max(1, start), max(0, count)
    return Page(total=len(found), objects=found[start - 1 : start - 1 + count])


def page(
    connection: sqlite3.Connection,
    space: Space,
    predicate: Predicate | None,
    *,
    start: int,
    count: int,
    deadline: float | None = None,
) -> Page:
    """Return `count` live objects that meet the condition, from the `start`th (from 1) on.

    Raises:
        StoreBusy: the deadline (monotonic) passed.
        ValueError: the condition is nested too deeply.
    """
    start, count = max(1, start), max(0, count)
    with one_view(connection, deadline):
        if predicate is None:
            return _numbered(connection, space, start, count)
        return _searched(connection, space, predicate, start, count)


def _numbered(connection: sqlite3.Connection, space: Space, start: int, count: int) -> Page:
    all_live, begin, passed = place(connection, space, start - 1)
    if begin < 0 or count == 0:
        return Page(total=all_live, objects=())
    rows = connection.execute(_FROM, (begin, row_range(space)[1], count, passed))
    return Page(total=all_live, objects=[stored(row) for row in rows])


def _searched(connection: sqlite3.Connection, space: Space, predicate: Predicate, start: int, count: int) -> Page:
    condition = Condition(predicate, space.number)
    low, high = row_range(space)
    if condition.candidates is None:
        sql = _ALL.format(where=condition.where)
    else:
        sql = _CANDIDATES.format(where=condition.where, candidates=condition.candidates)
    cursor = connection.execute(sql, {**condition.parameters, "low": low, "high": high})
    found = 0
    wanted: list[int] = []
    while rows := cursor.fetchmany(_BATCH):
        if found < start - 1 + count and found + len(rows) >= start:
            wanted += [row for (row,) in rows[max(0, start - 1 - found) : start - 1 + count - found]]
        found += len(rows)
    return Page(total=found, objects=by_rows(connection, wanted) if wanted else ())


@contextmanager
def one_view(connection: sqlite3.Connection, deadline: float | None) -> Iterator[None]:
    """Run several statements on the same state of the store, until the deadline at the latest."""
    if deadline is not None:
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        with translated():
            connection.execute("BEGIN")
            yield
    finally:
        if deadline is not None:
            connection.set_progress_handler(None, 0)
        if connection.in_transaction:
            connection.execute("ROLLBACK")
