"""SQL for rows elsewhere that hold the anchor of an object."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement

from isthmus.connectors.sql.child import Dependent
from isthmus.connectors.sql.compiling import Compiled, bound, read_as, table_of
from isthmus.connectors.sql.database import Database, Statement


class DependentStatements(Compiled):
    """Values are bound as `from_0`, `from_1`... for the anchor that rows hold, and `to_0`... for the new one."""

    def __init__(self, dependent: Dependent, database: Database) -> None:
        super().__init__(database, dependent.table)
        self.dependent = dependent
        names = [column.name for column in dependent.columns]
        every = dict.fromkeys([*names, *(column.name for column in dependent.whole)])
        self._table = table_of(dependent.schema, dependent.table, every)
        self._columns: list[sa.ColumnElement[Any]] = [self._table.c[name] for name in names]

    def remove(self) -> Statement:
        return self.once("remove", lambda: sa.delete(self._table).where(*self._held("")))

    def move(self) -> Statement:
        return self.once("move", lambda: self.moving(""))

    def rows(self) -> Statement:
        """Return what reads whole rows, and keeps them from others."""
        whole = [read_as(c, self._table.c[c.name]) for c in self.dependent.whole]
        return self.once(
            "rows", lambda: sa.select(*whole).select_from(self._table).where(*self._held("")).with_for_update()
        )

    def put(self, rows: int) -> Statement:
        """Return what inserts whole rows; their columns are bound as `r0_0`, `r0_1`..."""

        def build() -> ClauseElement:
            names = [column.name for column in self.dependent.whole]
            return sa.insert(self._table).values(
                [{name: bound(f"r{row}_{n}") for n, name in enumerate(names)} for row in range(rows)]
            )

        return self.once(("put", rows), build)

    def moving(self, mark: str) -> sa.Update:
        values: dict[Any, Any] = {column: bound(f"to{mark}_{n}") for n, column in enumerate(self._columns)}
        return sa.update(self._table).values(values).where(*self._held(mark))

    def _held(self, mark: str) -> list[sa.ColumnElement[bool]]:
        return [
            self.same(holding, column, f"from{mark}_{n}")
            for n, (holding, column) in enumerate(zip(self.dependent.columns, self._columns, strict=True))
        ]
