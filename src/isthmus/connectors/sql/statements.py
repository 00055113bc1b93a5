"""SQL for one table, compiled once for each set of columns. Names are always quoted, values always bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement, quoted_name

from isthmus.connectors.sql.database import Database, Statement
from isthmus.connectors.sql.layout import Column, Layout
from isthmus.spi import ConnectorObject

T = TypeVar("T")

FIND_LIMIT = 100
_KEPT = 1000


class Change(Enum):
    """How a column is set: to a value, to nothing, or to nothing if it has that value."""

    SET = auto()
    CLEAR = auto()
    CLEAR_IF = auto()


class Statements:
    """The statements of one layout.

    Values are bound under these names: `parameter(column)` to set one, `k0`, `k1`... for the anchor, `value` to search.
    """

    def __init__(self, layout: Layout, database: Database) -> None:
        self._layout = layout
        self._database = database
        self._cache: dict[object, Any] = {}
        self._names = {name: f"v{n}" for n, name in enumerate(layout.columns)}
        columns: dict[str, sa.ColumnClause[Any]] = {name: sa.column(quoted_name(name, True)) for name in layout.columns}
        self._columns = columns
        schema = quoted_name(layout.schema, True) if layout.schema else None
        self._table = sa.table(quoted_name(layout.table, True), *columns.values(), schema=schema)

    def parameter(self, column: str) -> str:
        """Return the name under which a column's value is bound."""
        return self._names[column]

    def read(self, columns: Sequence[Column]) -> Statement:
        names = tuple(c.name for c in columns)
        # two rows are enough to see that the anchor is not unique
        return self._once(("read", names), lambda: _at_most(2, self._select(columns).where(*self._at_anchor())))

    def find(self, columns: Sequence[Column], by: Column) -> Statement:
        names = tuple(c.name for c in columns)

        def build() -> ClauseElement:
            column: sa.ColumnElement[Any] = self._columns[by.name]
            if not by.comparable:
                column = sa.cast(column, sa.CHAR if self._database.dialect.name == "mariadb" else sa.Text)
            condition = column == sa.bindparam("value", type_=sa.types.NullType())
            return _at_most(FIND_LIMIT, self._select(columns).where(condition, *self._has_anchor()))

        return self._once(("find", names, by.name), build)

    def probe(self, columns: Sequence[Column]) -> Statement:
        """Return a statement that reads nothing but fails if the columns cannot be read."""
        return self._once("probe", lambda: _at_most(0, self._select(columns)))

    def everything(self, columns: Sequence[Column]) -> str:
        statement = self._select(columns).where(*self._has_anchor())
        return str(statement.compile(dialect=self._database.plain))

    def insert(self, given: Sequence[str], returned: Sequence[Column]) -> Statement:
        def build() -> ClauseElement:
            values: dict[Any, Any] = {self._columns[name]: sa.bindparam(self._names[name]) for name in given}
            statement = sa.insert(self._table).values(values)
            return statement.returning(*self._read_as(returned)) if returned else statement

        return self._once(("insert", tuple(given), tuple(c.name for c in returned)), build)

    def update(self, changes: Sequence[tuple[str, Change]], returned: Sequence[Column]) -> Statement:
        def build() -> ClauseElement:
            values = {self._columns[name]: self._changed(name, change) for name, change in changes}
            statement = sa.update(self._table).values(values).where(*self._at_anchor())
            return statement.returning(*self._read_as(returned)) if returned else statement

        return self._once(("update", tuple(changes), tuple(c.name for c in returned)), build)

    def delete(self) -> Statement:
        return self._once("delete", lambda: sa.delete(self._table).where(*self._at_anchor()))

    def decoder(self, columns: Sequence[Column]) -> Callable[[Sequence[Any]], ConnectorObject]:
        """Return what makes an object of a row of these columns."""
        return self.kept(("decoder", tuple([c.name for c in columns])), lambda: self._layout.decoder(columns))

    def kept(self, key: object, make: Callable[[], T]) -> T:
        """Return what depends on nothing but the layout and the key, made once."""
        found: T | None = self._cache.get(key)
        if found is None:
            if len(self._cache) >= _KEPT:
                self._cache.clear()  # clients name ever other sets of attributes
            found = self._cache[key] = make()
        return found

    def _once(self, key: object, build: Callable[[], ClauseElement]) -> Statement:
        def compiled() -> Statement:
            made = build().compile(dialect=self._database.dialect)
            order = tuple(made.positiontup or ())  # type: ignore[attr-defined]
            return Statement(str(made), order, self._layout.table)

        return self.kept(key, compiled)

    def _select(self, columns: Sequence[Column]) -> sa.Select[Any]:
        return sa.select(*self._read_as(columns)).select_from(self._table)

    def _read_as(self, columns: Sequence[Column]) -> list[sa.ColumnElement[Any]]:
        return [
            sa.literal_column(c.read_as).op("*")(self._columns[c.name]) if c.read_as else self._columns[c.name]
            for c in columns
        ]

    def _at_anchor(self) -> list[sa.ColumnElement[bool]]:
        return [
            self._columns[column.name] == sa.bindparam(f"k{n}", type_=sa.types.NullType())
            for n, column in enumerate(self._layout.anchor)
        ]

    def _has_anchor(self) -> list[sa.ColumnElement[bool]]:
        """A row without an anchor is no object."""
        return [self._columns[c.name].is_not(None) for c in self._layout.anchor if c.nullable]

    def _changed(self, name: str, change: Change) -> Any:
        match change:
            case Change.SET:
                return sa.bindparam(self._names[name])
            case Change.CLEAR:
                return sa.null()
            case Change.CLEAR_IF:
                column = self._columns[name]
                same = column == sa.bindparam(self._names[name], type_=sa.types.NullType())
                return sa.case((same, sa.null()), else_=column)


def _at_most(rows: int, statement: sa.Select[Any]) -> sa.Select[Any]:
    # Literals: numbers of ours need not be bound. SQLite's compiler binds an offset when none is given.
    return statement.limit(sa.literal_column(str(rows))).offset(sa.literal_column("0"))
