"""Reading one row, finding rows by a value, and all rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from isthmus.connectors.sql.connections import Connections
from isthmus.connectors.sql.database import Database, Link, Row, Statement
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.layout import Column, Layout
from isthmus.connectors.sql.statements import Statements
from isthmus.connectors.sql.values import Unfit
from isthmus.spi import (
    Call,
    ConnectorObject,
    Identity,
    ImportPage,
    MisconfiguredConnector,
    Value,
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads rows of one table."""

    connections: Connections
    layout: Layout
    statements: Statements
    call: Call

    def read(self, identity: Identity, names: Sequence[str]) -> ConnectorObject | None:
        columns = self.layout.readable(names)
        key = self.layout.located(identity)
        if key is None:
            return None
        return one(self.layout, self._matching(self.statements.read(columns), key), self.statements.decoder(columns))

    def find(self, name: str, value: Value, names: Sequence[str]) -> Sequence[ConnectorObject]:
        columns = self.layout.readable(names)
        by = {column.name: column for column in self.layout.readable((name,))}[name]
        try:
            bound = by.encode(value)
        except Unfit:
            return ()  # no row can have a value that the column cannot hold
        rows = self._matching(self.statements.find(columns, by), (bound,))
        decode = self.statements.decoder(columns)
        return [decode(row) for row in rows]

    def _matching(self, statement: Statement, bound: Sequence[Any]) -> Sequence[Row]:
        self.call.sent(statement.text)
        try:
            return self.connections.read(
                self.call, lambda link: link.execute(statement, bound, seconds=self.call.remaining()).rows
            )
        except Failure as failure:
            if failure.kind is Kind.BAD_VALUE:  # not a date, not an address...: no row can have it
                return ()
            raise


def one(layout: Layout, rows: Sequence[Row], decode: Callable[[Row], ConnectorObject]) -> ConnectorObject | None:
    """Return the only row as an object; None if there is none."""
    if len(rows) > 1:
        raise not_unique(layout)
    return decode(rows[0]) if rows else None


def not_unique(layout: Layout) -> MisconfiguredConnector:
    anchor = ", ".join(column.name for column in layout.anchor)
    return MisconfiguredConnector(
        f"{layout.target}: several rows have the same value in {anchor}; choose an anchor that is unique"
    )


class Rows(Sequence[ConnectorObject]):
    """The objects of a page, each decoded when it is asked for."""

    __slots__ = ("_columns", "_database", "_decode", "_layout", "_packed")

    def __init__(self, packed: Sequence[object], layout: Layout, columns: Sequence[Column], database: Database) -> None:
        self._packed = packed
        self._layout = layout
        self._columns = columns
        self._database = database
        self._decode = layout.decoder(columns)

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> ConnectorObject: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ConnectorObject]: ...
    def __getitem__(self, index: int | slice) -> ConnectorObject | Sequence[ConnectorObject]:
        if isinstance(index, slice):
            return Rows(self._packed[index], self._layout, self._columns, self._database)
        try:
            row = self._database.unpack(self._packed[index])
        except Failure as failure:
            raise MisconfiguredConnector(f"{self._layout.target}: {failure}") from failure
        return self._decode(row)


def import_pages(
    database: Database, layout: Layout, text: str, columns: Sequence[Column], *, page_size: int, link: Link, call: Call
) -> Iterator[ImportPage]:
    """Yield all rows of a query over these columns."""
    call.sent(text)
    for page in database.import_rows(text, page_size=page_size, link=link, call=call):
        yield ImportPage(objects=Rows(page.packed, layout, columns, database), wire=page.wire)
