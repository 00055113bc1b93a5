"""SQL for one child table, joined with its owner wherever rows are read: orphans belong to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement, FromClause

from isthmus.connectors.sql.child import Child, Part
from isthmus.connectors.sql.compiling import Compiled, at_most, bound, read_as, table_of
from isthmus.connectors.sql.database import Database, Statement
from isthmus.connectors.sql.layout import Layout
from isthmus.spi import AttributeType


class ChildStatements(Compiled):
    """The statements of one child table.

    Values are bound under these names: `k0`... for the anchor in the owner's table; `o0`... for the columns that hold
    it here and `v0`... for those of a value, when rows are inserted (with a number of the row, `v3_0`, if there are
    several); `h0`... and `w0`... for the same columns in conditions. Apart, since PostgreSQL wants one type for each.
    """

    def __init__(self, child: Child, owner: Layout, database: Database) -> None:
        super().__init__(database, child.table)
        self._child = child
        self._owner = owner
        names = dict.fromkeys(c.name for c in (*child.owner, *child.values, *([child.order] if child.order else ())))
        self._table = table_of(child.schema, child.table, names)
        self._parent = table_of(owner.schema, owner.table, [c.name for c in owner.anchor]).alias("isthmus_owner")

    def of_owner(self) -> Statement:
        """Return what reads the values of one object."""
        return self.once("of owner", lambda: self._owned().where(*self._at_anchor()).order_by(*self._order()))

    def everything(self) -> str:
        """Return what reads all values, in the order of the owner's anchor, which stands before the value's columns."""
        keys = [read_as(c, self._parent.c[c.name]) for c in self._owner.anchor]
        ordered = [self._parent.c[c.name] for c in self._owner.anchor]
        return self.plain(self._owned(*keys).order_by(*ordered, *self._order()))

    def probe(self) -> Statement:
        return self.once("probe", lambda: at_most(0, self._owned()))

    def stored(self) -> Statement:
        """Return what reads the rows of one owner by this table alone."""

        def build() -> ClauseElement:
            return sa.select(*self._values()).select_from(self._table).where(*self._held(), self._has_value())

        return self.once("stored", build)

    def add(self, parts: tuple[Part, ...]) -> Statement:
        """Return what inserts a value unless the owner has it."""

        def build() -> ClauseElement:
            there = self._table.alias("there")
            has_it: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(there)
            has_it = has_it.where(*self._held(there), *self._equal(there, parts))
            names: list[str] = []
            values: list[Any] = []
            for name, parameter in self._given(parts).items():
                names.append(name)
                values.append(bound(parameter))
            if self._child.counted:
                assert self._child.order is not None
                names.append(self._child.order.name)
                values.append(self._next_number())
            chosen: sa.Select[Any] = sa.select(*values).where(~has_it.exists())
            return sa.insert(self._table).from_select(names, chosen)

        return self.once(("add", parts), build)

    def insert(self, rows: Sequence[tuple[Part, ...]]) -> Statement:
        """Return what inserts several rows at once; with a number each, `n`, if they are counted."""

        def build() -> ClauseElement:
            several = []
            for n, parts in enumerate(rows):
                row: dict[str, Any] = {
                    name: bound(parameter if parameter[0] == "o" else f"v{n}_{parameter[1:]}")
                    for name, parameter in self._given(parts).items()
                }
                if self._child.counted:
                    assert self._child.order is not None
                    row[self._child.order.name] = bound(f"n{n}")
                several.append(row)
            return sa.insert(self._table).values(several)

        return self.once(("insert", tuple(rows)), build)

    def last_number(self) -> Statement:
        """Return what reads the highest number that a value of the owner has."""
        assert self._child.order is not None
        highest = sa.func.max(self._table.c[self._child.order.name])
        return self.once("last number", lambda: sa.select(highest).select_from(self._table).where(*self._held()))

    def remove(self, values: Sequence[tuple[Part, ...]]) -> Statement:
        """Return what deletes values of the owner; their parts are bound with a number each, as `w0_1`."""

        return self.once(
            ("remove", tuple(values)), lambda: sa.delete(self._table).where(*self._held(), self._one_of(values))
        )

    def any_of(self, values: Sequence[tuple[Part, ...]]) -> Statement:
        """Return what tells whether the owner has one of several values, bound as for `remove`."""

        def build() -> ClauseElement:
            found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(self._table)
            return self.current(at_most(1, found.where(*self._held(), self._one_of(values))))

        return self.once(("any of", tuple(values)), build)

    def clear(self) -> Statement:
        return self.once("clear", lambda: sa.delete(self._table).where(*self._held(), self._has_value()))

    def exists(self, owner: FromClause, parts: Sequence[Part | None]) -> sa.ColumnElement[bool]:
        """Return the condition that a row of the owner's table has a value; None stands for any part."""
        found: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(self._table)
        return found.where(*self._owned_by(owner), *self._equal(self._table, parts)).correlate(owner).exists()

    def _owned(self, *before: sa.ColumnElement[Any]) -> sa.Select[Any]:
        joined = self._table.join(self._parent, sa.and_(*self._owned_by(self._parent)))
        return sa.select(*before, *self._values()).select_from(joined).where(self._has_value())

    def _owned_by(self, owner: FromClause) -> list[sa.ColumnElement[bool]]:
        """Return the conditions that a row belongs to the row of the owner's table."""
        return [
            self.alike(mine, self._table.c[mine.name], theirs, owner.c[theirs.name])
            for mine, theirs in zip(self._child.owner, self._owner.anchor, strict=True)
        ]

    def _values(self) -> list[sa.ColumnElement[Any]]:
        return [read_as(c, self._table.c[c.name]) for c in self._child.values]

    def _has_value(self) -> sa.ColumnElement[bool]:
        there = [self._table.c[c.name].is_not(None) for c in self._child.values]
        return sa.or_(*there) if self._child.type is AttributeType.COMPLEX else sa.and_(*there)

    def _order(self) -> list[sa.ColumnElement[Any]]:
        return [self._table.c[self._child.order.name]] if self._child.order is not None else []

    def _at_anchor(self) -> list[sa.ColumnElement[bool]]:
        return [self.same(c, self._parent.c[c.name], f"k{n}") for n, c in enumerate(self._owner.anchor)]

    def _held(self, table: FromClause | None = None) -> list[sa.ColumnElement[bool]]:
        at = self._table if table is None else table
        return [self.same(column, at.c[column.name], f"h{n}") for n, column in enumerate(self._child.owner)]

    def _one_of(self, values: Sequence[tuple[Part, ...]]) -> sa.ColumnElement[bool]:
        return sa.or_(*(sa.and_(*self._equal(self._table, parts, f"{n}_")) for n, parts in enumerate(values)))

    def _equal(self, table: FromClause, parts: Sequence[Part | None], mark: str = "") -> list[sa.ColumnElement[bool]]:
        conditions: list[sa.ColumnElement[bool]] = []
        for n, (column, part) in enumerate(zip(self._child.values, parts, strict=True)):
            if part is Part.GIVEN:
                conditions.append(self.same(column, table.c[column.name], f"w{mark}{n}"))
            elif part is Part.NOTHING:
                conditions.append(table.c[column.name].is_(None))
        return conditions

    def _given(self, parts: Sequence[Part]) -> dict[str, str]:
        """Return the columns to insert with the names of their values; a column that is in both parts comes once."""
        given = {column.name: f"o{n}" for n, column in enumerate(self._child.owner)}
        for n, (column, part) in enumerate(zip(self._child.values, parts, strict=True)):
            if part is Part.GIVEN and column.name not in given:
                given[column.name] = f"v{n}"
        return given

    def _next_number(self) -> sa.ScalarSelect[Any]:
        assert self._child.order is not None
        counted = self._table.alias("counted")
        highest = sa.func.coalesce(sa.func.max(counted.c[self._child.order.name]), sa.literal_column("-1"))
        next_one = highest + sa.literal_column("1")
        return sa.select(next_one).select_from(counted).where(*self._held(counted)).scalar_subquery()
