"""SQL for rows elsewhere that hold the anchor of an object."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from isthmus.connectors.sql.child import Dependent
from isthmus.connectors.sql.compiling import Compiled, bound, table_of
from isthmus.connectors.sql.database import Database, Statement


class DependentStatements(Compiled):
    """Values are bound as `from_0`, `from_1`... for the anchor that rows hold, and `to_0`... for the new one."""

    def __init__(self, dependent: Dependent, database: Database) -> None:
        super().__init__(database, dependent.table)
        self.dependent = dependent
        names = [column.name for column in dependent.columns]
        self._table = table_of(dependent.schema, dependent.table, names)
        self._columns: list[sa.ColumnElement[Any]] = [self._table.c[name] for name in names]

    def remove(self) -> Statement:
        return self.once("remove", lambda: sa.delete(self._table).where(*self._held("")))

    def move(self) -> Statement:
        return self.once("move", lambda: self.moving(""))

    def moving(self, mark: str) -> sa.Update:
        values: dict[Any, Any] = {column: bound(f"to{mark}_{n}") for n, column in enumerate(self._columns)}
        return sa.update(self._table).values(values).where(*self._held(mark))

    def _held(self, mark: str) -> list[sa.ColumnElement[bool]]:
        return [column == bound(f"from{mark}_{n}") for n, column in enumerate(self._columns)]
