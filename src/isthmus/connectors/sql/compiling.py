"""SQL compiled once and kept, with names quoted and values bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import ClauseElement, quoted_name

from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.database import Database, Statement

_KEPT = 1000
_TEXT = re.compile("char|text|clob|enum", re.IGNORECASE)
"""What the types of text have in their names."""

T = TypeVar("T")


class Compiled:
    """Statements about one table, by what they are for."""

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._about = table
        self._cache: dict[object, Any] = {}

    def once(self, key: object, build: Callable[[], ClauseElement]) -> Statement:
        def compiled() -> Statement:
            made = build().compile(dialect=self._database.dialect)
            order = tuple(made.positiontup or ())  # type: ignore[attr-defined]
            return Statement(str(made), order, self._about)

        return self.kept(key, compiled)

    def kept(self, key: object, make: Callable[[], T]) -> T:
        """Return what depends on nothing but the table and the key, made once."""
        found: T | None = self._cache.get(key)
        if found is None:
            if len(self._cache) >= _KEPT:
                self._cache.clear()  # clients name ever other sets of attributes
            found = self._cache[key] = make()
        return found

    def plain(self, statement: ClauseElement) -> str:
        """Return the text of a statement without values."""
        return str(statement.compile(dialect=self._database.plain))

    def current(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Return the query as one that sees what others have committed since the transaction began.

        Elsewhere each statement does; InnoDB goes on showing the moment of the first, unless rows are to be locked.
        """
        return statement.with_for_update(read=True) if self._database.dialect.name == "mariadb" else statement

    def same(self, column: Column, expression: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
        """Return the condition that a column equals what is bound under a name, as the database compares."""
        if not column.comparable:
            expression = self._as_text(expression)
        return expression == bound(name)

    def alike(
        self, mine: Column, one: sa.ColumnElement[Any], theirs: Column, other: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        """Return the condition that two columns are equal, as text where one of them is text and the other is not.

        PostgreSQL compares no text with a number, and MariaDB takes text that is none for 0.
        """
        texts = [bool(_TEXT.search(column.definition.native_type)) for column in (mine, theirs)]
        if mine.comparable and theirs.comparable and texts[0] != texts[1]:
            return self._as_text(one) == self._as_text(other)
        return one == other

    def _as_text(self, expression: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(expression, sa.CHAR if self._database.dialect.name == "mariadb" else sa.Text)


def table_of(schema: str | None, name: str, columns: Iterable[str]) -> sa.TableClause:
    """Return a table of which only names are known; they are quoted always."""
    quoted: list[sa.ColumnClause[Any]] = [sa.column(quoted_name(each, True)) for each in columns]
    return sa.table(quoted_name(name, True), *quoted, schema=quoted_name(schema, True) if schema else None)


def bound(name: str) -> sa.BindParameter[Any]:
    """Return a place for a value that the driver gets as it is."""
    return sa.bindparam(name, type_=sa.types.NullType())


def read_as(column: Column, expression: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return what is read of a column: itself, unless its own text form loses digits."""
    return sa.literal_column(column.read_as).op("*")(expression) if column.read_as else expression


def at_most(rows: int, statement: sa.Select[Any]) -> sa.Select[Any]:
    # Literals: numbers of ours need not be bound. SQLite's compiler binds an offset when none is given.
    return statement.limit(sa.literal_column(str(rows))).offset(sa.literal_column("0"))
