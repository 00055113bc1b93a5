"""The full demo's database, seen past Isthmus: made, filled, read and removed directly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from isthmus.demo.full.tables import PREFIX, tables
from isthmus.demo.table import DemoProblem, refusal

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Rows by table."""


class FullDatabase:
    """The demo's tables in one database. Only tables that this object created are ever dropped."""

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
        self.prefix = ""
        self._ours: list[sa.Table] = []
        self._tables = tables()

    def open(self) -> None:
        """Look at tables that exist without a prefix; they are not ours, so `drop` leaves them alone."""
        self.prefix, self._tables = "", tables()

    def create(self, rows: Rows, *, own: bool) -> None:
        """Create the tables and fill them: `own`, without a prefix, else under one that nobody uses yet.

        CREATE TABLE without IF NOT EXISTS decides who owns a name, so a table of somebody else is never taken over.
        """
        try:
            taken = {each.casefold() for each in sa.inspect(self.engine).get_table_names()}
            self.prefix = next(p for p in _prefixes(own) if not any(t.casefold() in taken for t in tables(p).tables))
            self._tables = tables(self.prefix)
            with self.engine.begin() as connection:
                for table in self._tables.sorted_tables:
                    table.create(connection, checkfirst=False)
                    self._ours.append(table)
                for table in self._tables.sorted_tables:
                    if values := rows.get(table.name.removeprefix(self.prefix)):
                        connection.execute(table.insert(), [dict(each) for each in values])
        except DBAPIError as exc:
            self.drop()
            raise DemoProblem(f"The database refused the demo's tables: {refusal(exc)}") from exc

    def rows(self, name: str, /, **wanted: Any) -> list[dict[str, Any]]:
        """Return the rows that have these values, in the order of their key, without keys that the database made."""
        table = self._table(name)
        shown = [column for column in table.columns if column.name != "id"]
        query = sa.select(*shown).order_by(*table.primary_key)
        for column, value in wanted.items():
            query = query.where(table.c[column] == value)
        with self.engine.connect() as connection:
            return [dict(each) for each in connection.execute(query).mappings()]

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has."""
        with self.engine.connect() as connection:
            return {
                table.name.removeprefix(self.prefix): connection.execute(
                    sa.select(sa.func.count()).select_from(table)
                ).scalar_one()
                for table in self._tables.sorted_tables
            }

    def drop(self) -> None:
        """Remove the tables that this object created."""
        while self._ours:
            self._ours[-1].drop(self.engine, checkfirst=True)
            self._ours.pop()

    def close(self) -> None:
        self.engine.dispose()

    def _table(self, name: str) -> sa.Table:
        return self._tables.tables[f"{self.prefix}{name}"]


def _prefixes(own: bool) -> Sequence[str]:
    return [""] if own else [PREFIX, *(f"{PREFIX}{number}_" for number in range(2, 1000))]
