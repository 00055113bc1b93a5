"""SQL for one table, compiled once for each set of columns. Names are always quoted, values always bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement

from isthmus.connectors.sql.child import Part
from isthmus.connectors.sql.child_statements import ChildStatements
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.compiling import Compiled, at_most, read_as, table_of
from isthmus.connectors.sql.database import Database, Statement
from isthmus.connectors.sql.dependent_statements import DependentStatements
from isthmus.connectors.sql.layout import Layout
from isthmus.spi import ConnectorObject

FIND_LIMIT = 100
D = TypeVar("D", sa.Insert, sa.Update)


class Change(Enum):
    """How a column is set: to a value, to nothing, or to nothing if it has that value."""

    SET = auto()
    CLEAR = auto()
    CLEAR_IF = auto()


@dataclass(frozen=True, slots=True)
class ClearIfAll:
    """Set a column to nothing if several columns, one of which it is, have certain values."""

    columns: tuple[str, ...]


class Statements(Compiled):
    """The statements of one layout.

    Values are bound under these names: `parameter(column)` to set one, `k0`, `k1`... for the anchor, `value` to search.
    """

    def __init__(self, layout: Layout, database: Database) -> None:
        super().__init__(database, layout.table)
        self._layout = layout
        self._names = {name: f"v{n}" for n, name in enumerate(layout.columns)}
        self._table = table_of(layout.schema, layout.table, layout.columns)
        self._columns: Mapping[str, sa.ColumnElement[Any]] = dict(self._table.c)
        self._children = {name: ChildStatements(child, layout, database) for name, child in layout.children.items()}
        self.dependents = tuple(DependentStatements(each, database) for each in layout.dependents)

    def child(self, name: str) -> ChildStatements:
        """Return the statements of a child table, by its attribute."""
        return self._children[name]

    def parameter(self, column: str) -> str:
        """Return the name under which a column's value is bound."""
        return self._names[column]

    def read(self, columns: Sequence[Column]) -> Statement:
        names = tuple(c.name for c in columns)
        # two rows are enough to see that the anchor is not unique
        return self.once(("read", names), lambda: at_most(2, self._select(columns).where(*self._at_anchor())))

    def lock(self, columns: Sequence[Column]) -> Statement:
        """Return a statement that reads a row and keeps other writers of it out until the transaction ends.

        In PostgreSQL rows that refer to it may still be added: only its key is not to be changed.
        """
        names = tuple(c.name for c in columns)
        return self.once(
            ("lock", names), lambda: self._select(columns).where(*self._at_anchor()).with_for_update(key_share=True)
        )

    def find(self, columns: Sequence[Column], by: Column) -> Statement:
        names = tuple(c.name for c in columns)

        def build() -> ClauseElement:
            condition = self.same(by, self._columns[by.name], "value")
            return at_most(FIND_LIMIT, self._select(columns).where(condition, *self._has_anchor()))

        return self.once(("find", names, by.name), build)

    def find_composite(self, columns: Sequence[Column], by: Sequence[Column]) -> Statement:
        """Return a search by a reference of several columns; they are bound as `value0`, `value1`..."""
        names, searched = tuple(c.name for c in columns), tuple(c.name for c in by)

        def build() -> ClauseElement:
            conditions = [self.same(c, self._columns[c.name], f"value{n}") for n, c in enumerate(by)]
            return at_most(FIND_LIMIT, self._select(columns).where(*conditions, *self._has_anchor()))

        return self.once(("find", names, searched), build)

    def find_by_child(self, columns: Sequence[Column], child: str, parts: Sequence[Part | None]) -> Statement:
        """Return a search for the owners of a value; its parts are bound as `w0`, `w1`..."""
        names, given = tuple(c.name for c in columns), tuple(parts)

        def build() -> ClauseElement:
            has_it = self._children[child].exists(self._table, given)
            return at_most(FIND_LIMIT, self._select(columns).where(has_it, *self._has_anchor()))

        return self.once(("find", names, child, given), build)

    def probe(self, columns: Sequence[Column]) -> Statement:
        """Return a statement that reads nothing but fails if the columns cannot be read."""
        return self.once("probe", lambda: at_most(0, self._select(columns)))

    def everything(self, columns: Sequence[Column], *, in_order: bool = False) -> str:
        statement = self._select(columns).where(*self._has_anchor())
        if in_order:
            statement = statement.order_by(*(self._columns[c.name] for c in self._layout.anchor))
        return self.plain(statement)

    def insert(self, given: Sequence[str], returned: Sequence[Column]) -> Statement:
        def build() -> ClauseElement:
            values: dict[Any, Any] = {self._columns[name]: sa.bindparam(self._names[name]) for name in given}
            statement = self._or_refused(sa.insert(self._table).values(values))
            return statement.returning(*self._read_as(returned)) if returned else statement

        return self.once(("insert", tuple(given), tuple(c.name for c in returned)), build)

    def update(self, changes: Sequence[tuple[str, Change | ClearIfAll]], returned: Sequence[Column]) -> Statement:
        def build() -> ClauseElement:
            statement = self._update(changes)
            return statement.returning(*self._read_as(returned)) if returned else statement

        return self.once(("update", tuple(changes), tuple(c.name for c in returned)), build)

    def rename(self, changes: Sequence[tuple[str, Change | ClearIfAll]], moved: Sequence[int]) -> Statement:
        """Return one statement that changes a row and moves what refers to it, for keys that are checked at its end.

        Dependents take their values under `to{n}_{i}` and `from{n}_{i}`, n being the dependent's number.
        """

        def build() -> ClauseElement:
            statement = self._update(changes)
            for n in moved:
                statement = statement.add_cte(self.dependents[n].moving(str(n)).cte(f"moved{n}"))
            return statement

        return self.once(("rename", tuple(changes), tuple(moved)), build)

    def delete(self) -> Statement:
        return self.once("delete", lambda: sa.delete(self._table).where(*self._at_anchor()))

    def decoder(self, columns: Sequence[Column]) -> Callable[[Sequence[Any]], ConnectorObject]:
        """Return what makes an object of a row of these columns."""
        return self.kept(("decoder", tuple([c.name for c in columns])), lambda: self._layout.decoder(columns))

    def _update(self, changes: Sequence[tuple[str, Change | ClearIfAll]]) -> sa.Update:
        values: dict[Any, Any] = {self._columns[name]: self._changed(name, change) for name, change in changes}
        return self._or_refused(sa.update(self._table).values(values).where(*self._at_anchor()))

    def _or_refused(self, statement: D) -> D:
        """Return a write that fails if another row has the same unique value.

        A table of SQLite may say ON CONFLICT REPLACE, which deletes that row, or IGNORE. What a statement says goes for
        its triggers too, whatever they say themselves: it says nothing where there are some.
        """
        return statement if self._layout.triggers else statement.prefix_with("OR ABORT", dialect="sqlite")

    def _select(self, columns: Sequence[Column]) -> sa.Select[Any]:
        return sa.select(*self._read_as(columns)).select_from(self._table)

    def _read_as(self, columns: Sequence[Column]) -> list[sa.ColumnElement[Any]]:
        return [read_as(c, self._columns[c.name]) for c in columns]

    def _at_anchor(self) -> list[sa.ColumnElement[bool]]:
        return [self.same(c, self._columns[c.name], f"k{n}") for n, c in enumerate(self._layout.anchor)]

    def _has_anchor(self) -> list[sa.ColumnElement[bool]]:
        """A row without an anchor is no object."""
        return [self._columns[c.name].is_not(None) for c in self._layout.anchor if c.nullable]

    def _changed(self, name: str, change: Change | ClearIfAll) -> Any:
        column = self._columns[name]
        match change:
            case Change.SET:
                return sa.bindparam(self._names[name])
            case Change.CLEAR:
                return self._nothing(name)
            case Change.CLEAR_IF:
                return sa.case((self._is_bound(name), self._nothing(name)), else_=column)
            case ClearIfAll(names):
                return sa.case((sa.and_(*map(self._is_bound, names)), sa.null()), else_=column)

    def _nothing(self, name: str) -> sa.ColumnElement[Any]:
        return sa.literal_column("''") if self._layout.columns[name].cleared_as_empty else sa.null()

    def _is_bound(self, name: str) -> sa.ColumnElement[bool]:
        return self.same(self._layout.columns[name], self._columns[name], self._names[name])
