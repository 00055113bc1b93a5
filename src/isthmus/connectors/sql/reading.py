"""Reading one row, finding rows by a value, and all rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from isthmus.connectors.sql.child import Child, Part
from isthmus.connectors.sql.columns import Column
from isthmus.connectors.sql.connections import Connections
from isthmus.connectors.sql.database import Database, Link, Row, Statement
from isthmus.connectors.sql.errors import Failure, Kind
from isthmus.connectors.sql.layout import Layout
from isthmus.connectors.sql.statements import Statements
from isthmus.connectors.sql.values import Unfit
from isthmus.spi import (
    AttributeType,
    Call,
    Columnar,
    Columns,
    ConnectorObject,
    Identity,
    ImportPage,
    MisconfiguredConnector,
    Reference,
    Value,
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads rows of one table, and those of its child tables."""

    connections: Connections
    layout: Layout
    statements: Statements
    call: Call

    def read(self, identity: Identity, names: Sequence[str]) -> ConnectorObject | None:
        columns = self.layout.readable(names)
        key = self.layout.located(identity)
        if key is None:
            return None
        bound = {f"k{n}": value for n, value in enumerate(key)}
        found = self._objects(self.statements.read(columns), columns, bound, names, only_one=True)
        return found[0] if found else None

    def find(self, name: str, value: Value, names: Sequence[str]) -> Sequence[ConnectorObject]:
        columns = self.layout.readable(names)
        search = self._search(name, value, columns)
        if search is None:
            return ()  # no row can have a value that the columns cannot hold
        statement, bound = search
        return self._objects(statement, columns, bound, names)

    def _search(self, name: str, value: Value, columns: Sequence[Column]) -> tuple[Statement, dict[str, Any]] | None:
        """Return how to find objects by a value; None if there can be none."""
        child = self.layout.children.get(name)
        if child is not None:
            located = child.located(value)
            if located is None:
                return None
            bound = {f"w{n}": part for n, part in enumerate(located.values)}
            return self.statements.find_by_child(columns, name, located.parts), bound
        composite = self.layout.composites.get(name)
        if composite is not None:
            key = value.key if isinstance(value, Reference) else ()
            if len(key) != len(composite.columns):
                return None
            try:
                bound = {f"value{n}": c.encode(Reference((key[n],))) for n, c in enumerate(composite.columns)}
            except Unfit:
                return None
            return self.statements.find_composite(columns, composite.columns), bound
        if name not in self.layout.columns and (found := self._part(name)) is not None:
            child, at = found
            try:
                bound = {f"w{at}": child.values[at].encode(value)}
            except Unfit:
                return None
            parts = [Part.GIVEN if n == at else None for n in range(len(child.values))]
            return self.statements.find_by_child(columns, child.name, parts), bound
        by = {column.name: column for column in self.layout.readable((name,))}[name]
        try:
            return self.statements.find(columns, by), {"value": by.encode(value)}
        except Unfit:
            return None

    def _part(self, name: str) -> tuple[Child, int] | None:
        """Return the child table and the column that `attribute.part` means."""
        for child in self.layout.children.values():
            if child.type is AttributeType.COMPLEX and name.startswith(f"{child.name}."):
                part = name.removeprefix(f"{child.name}.")
                if part in child.names:
                    return child, child.names.index(part)
        return None

    def _objects(
        self,
        statement: Statement,
        columns: Sequence[Column],
        bound: Mapping[str, Any],
        names: Sequence[str],
        *,
        only_one: bool = False,
    ) -> list[ConnectorObject]:
        children = [self.layout.children[name] for name in dict.fromkeys(names) if name in self.layout.children]

        def run(link: Link) -> list[ConnectorObject]:
            if children:
                link.begin_reading(seconds=self._left())
            rows = self._rows(link, statement, bound)
            if only_one and len(rows) > 1:
                raise not_unique(self.layout)
            decode = self.statements.decoder(columns)
            found = [self._with_children(link, decode(row), children) for row in rows]
            if children:
                link.commit(seconds=self._left())
            return found

        try:
            return self.connections.read(self.call, run)
        except Failure as failure:
            if failure.kind is Kind.BAD_VALUE and self._cannot_be(statement, bound):
                return []
            raise

    def _cannot_be(self, statement: Statement, bound: Mapping[str, Any]) -> bool:
        return self.connections.read(self.call, lambda link: cannot_be(statement, bound, link, self._left()))

    def _with_children(self, link: Link, found: ConnectorObject, children: Sequence[Child]) -> ConnectorObject:
        if not children:
            return found
        located = self.layout.located(found.identity) or []
        bound = {f"k{n}": value for n, value in enumerate(located)}
        attributes = dict(found.attributes)
        for child in children:
            rows = self._rows(link, self.statements.child(child.name).of_owner(), bound)
            attributes[child.name] = child.decoded(rows)
        return replace(found, attributes=attributes)

    def _rows(self, link: Link, statement: Statement, bound: Mapping[str, Any]) -> Sequence[Row]:
        self.call.sent(statement.text)
        return link.execute(statement, [bound[name] for name in statement.order], seconds=self._left()).rows

    def _left(self) -> float:
        self.call.check()
        return self.call.remaining()


def cannot_be(statement: Statement, bound: Mapping[str, Any], link: Link, seconds: float) -> bool:
    """Tell whether a query was refused because no row can have what it asks for: not a date, not an address...

    The same comparison that looks at no row is refused as well then. If it is not, the rows are at fault, as where a
    view converts what it cannot, and nobody knows what they hold.
    """
    compared = replace(statement, text=f"SELECT 1 FROM ({statement.text}) AS isthmus_compared LIMIT 0")  # noqa: S608
    try:
        link.execute(compared, [bound[name] for name in statement.order], seconds=seconds)
    except Failure as again:
        return again.kind is Kind.BAD_VALUE
    return False


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


class Rows(Columnar):
    """The objects of a page, decoded when they are asked for."""

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

    def columns(self, indexes: Sequence[int]) -> Columns | None:
        try:
            raw = self._database.unpack_columns([self._packed[index] for index in indexes], len(self._columns))
        except Failure:
            return None
        return self._layout.decoded_columns(self._columns, raw)


def import_pages(
    database: Database, layout: Layout, text: str, columns: Sequence[Column], *, page_size: int, link: Link, call: Call
) -> Iterator[ImportPage]:
    """Yield all rows of a query over these columns."""
    call.sent(text)
    database.begin_import(link=link, call=call)
    for page in database.import_rows(text, page_size=page_size, link=link, call=call):
        yield ImportPage(objects=Rows(page.packed, layout, columns, database), wire=page.wire)
