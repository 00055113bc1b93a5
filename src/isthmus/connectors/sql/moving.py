"""Giving an object a new anchor, and with it every row that holds the old one.

A foreign key with ON UPDATE CASCADE does that by itself. Where one stands in the way, it depends on when the database
checks keys: PostgreSQL at the end of a statement, so that one statement changes all rows; SQLite at the end of the
transaction, if it is asked to; InnoDB row by row, so that rows of child tables are taken out and put in again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus.connectors.sql.child_writing import Run, batches, beside_batch
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.database import KeyChecks, Link, Result, Statement
from isthmus.connectors.sql.planning import Plan
from isthmus.connectors.sql.statements import Statements
from isthmus.connectors.sql.values import Unfit, Unreadable
from isthmus.spi import InvalidValue, MisconfiguredConnector, TargetRejected, Value

_DEFER = Statement("PRAGMA defer_foreign_keys=ON")


class Mover:
    """One rename, within a transaction that holds the lock of the object's row."""

    def __init__(
        self, statements: Statements, link: Link, run: Run, before: Sequence[Value], after: Sequence[Value]
    ) -> None:
        self._statements = statements
        self._link = link
        self._run = run
        self._moves: dict[int, tuple[list[Any], list[Any]]] = {}
        for n, each in enumerate(statements.dependents):
            if each.dependent.moved and before != after and (held := each.dependent.bound(before)) is not None:
                wanted = each.dependent.bound(after)
                if wanted is None:
                    names = ", ".join(column.name for column in each.dependent.columns)
                    raise InvalidValue(f"{each.dependent.table}.{names} refers to this row and cannot hold its new key")
                self._moves[n] = (held, wanted)
        self._with: list[int] = []
        self._taken: dict[int, list[list[Any]]] = {}

    def update(self, plan: Plan, left: Callable[[], float]) -> Result:
        """Change the object's row."""
        enforced = [n for n in self._moves if self._statements.dependents[n].dependent.enforced]
        if enforced and self._link.key_checks is KeyChecks.DEFERRED:
            self._link.execute(_DEFER, (), seconds=left())
        if enforced and self._link.key_checks is KeyChecks.STATEMENT:
            self._with = enforced
            bound = {**plan.bound, **self._bound(enforced)}
            return self._run(self._statements.rename(plan.changes, enforced), bound, "")
        if self._link.key_checks is KeyChecks.ROW:
            for n in enforced:
                if self._statements.dependents[n].dependent.whole:
                    self._take_out(n)
        return self._run(self._statements.update(plan.changes, ()), plan.bound, "")

    def finish(self) -> None:
        """Move the rows that have not moved with it."""
        for n, (held, wanted) in self._moves.items():
            if n in self._taken:
                self._put_in(n)
            elif n not in self._with:
                self._run(self._statements.dependents[n].move(), _named("", held, wanted), "")

    def _take_out(self, n: int) -> None:
        statements, (held, _) = self._statements.dependents[n], self._moves[n]
        bound = _named("", held, ())
        columns = statements.dependent.whole
        taken = []
        for row in self._run(statements.rows(), bound, "").rows:
            try:
                taken.append([_unchanged(column, raw) for column, raw in zip(columns, row, strict=True)])
            except (Unfit, Unreadable, MisconfiguredConnector) as problem:
                raise TargetRejected(
                    f"{statements.dependent.table}: a row that refers to this one holds a value that cannot be moved "
                    f"({problem}); give its foreign key ON UPDATE CASCADE"
                ) from None
        self._run(statements.remove(), bound, "")
        self._taken[n] = taken

    def _put_in(self, n: int) -> None:
        statements, (_, wanted) = self._statements.dependents[n], self._moves[n]
        names = [column.name for column in statements.dependent.whole]
        places = [names.index(column.name) for column in statements.dependent.columns]
        rows = self._taken[n]
        for row in rows:
            for place, value in zip(places, wanted, strict=True):
                row[place] = value
        large = any(isinstance(value, str | bytes) and len(value) > 10_000 for row in rows for value in row)
        for number, batch in enumerate(batches(rows, one_by_one=large)):
            bound = {f"r{r}_{c}": value for r, row in enumerate(batch) for c, value in enumerate(row)}
            self._run(statements.put(len(batch)), bound, beside_batch(number, len(rows)))

    def _bound(self, numbers: Sequence[int]) -> Mapping[str, Any]:
        bound: dict[str, Any] = {}
        for n in numbers:
            bound.update(_named(str(n), *self._moves[n]))
        return bound


def _unchanged(column: Column, raw: Any) -> Any:
    """Return what to bind so that a value is stored again as it was."""
    value = column.decode(raw)
    if value is None and raw is not None:
        raise Unreadable(f"{column.name} is a date that is none")
    return None if value is None else column.encode(value)


def _named(mark: str, held: Sequence[Any], wanted: Sequence[Any]) -> dict[str, Any]:
    old = {f"from{mark}_{n}": value for n, value in enumerate(held)}
    return {**old, **{f"to{mark}_{n}": value for n, value in enumerate(wanted)}}
