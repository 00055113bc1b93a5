"""Giving an object a new anchor, and with it every row that holds the old one.

A foreign key with ON UPDATE CASCADE does that by itself. Where one stands in the way, it depends on when the database
checks keys: PostgreSQL at the end of a statement, so that one statement changes all rows; SQLite at the end of the
transaction, if it is asked to; InnoDB row by row, so that rows of child tables are taken out and put in again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus.connectors.sql.child_writing import Run
from isthmus.connectors.sql.database import KeyChecks, Link, Result, Statement
from isthmus.connectors.sql.planning import Plan
from isthmus.connectors.sql.statements import Statements
from isthmus.spi import InvalidValue, Value

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

    def update(self, plan: Plan, left: Callable[[], float]) -> Result:
        """Change the object's row."""
        enforced = [n for n in self._moves if self._statements.dependents[n].dependent.enforced]
        if enforced and self._link.key_checks is KeyChecks.DEFERRED:
            self._link.execute(_DEFER, (), seconds=left())
        if enforced and self._link.key_checks is KeyChecks.STATEMENT:
            self._with = enforced
            bound = {**plan.bound, **self._bound(enforced)}
            return self._run(self._statements.rename(plan.changes, enforced), bound, "")
        return self._run(self._statements.update(plan.changes, ()), plan.bound, "")

    def finish(self) -> None:
        """Move the rows that have not moved with it."""
        for n, (held, wanted) in self._moves.items():
            if n not in self._with:
                self._run(self._statements.dependents[n].move(), _named("", held, wanted), "")

    def _bound(self, numbers: Sequence[int]) -> Mapping[str, Any]:
        bound: dict[str, Any] = {}
        for n in numbers:
            bound.update(_named(str(n), *self._moves[n]))
        return bound


def _named(mark: str, held: Sequence[Any], wanted: Sequence[Any]) -> dict[str, Any]:
    old = {f"from{mark}_{n}": value for n, value in enumerate(held)}
    return {**old, **{f"to{mark}_{n}": value for n, value in enumerate(wanted)}}
