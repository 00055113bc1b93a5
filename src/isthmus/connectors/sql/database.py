"""What differs between databases: one subclass of `Database` and one of `Link` for each."""

from __future__ import annotations

import marshal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.engine.reflection import Inspector, ObjectKind

from isthmus.connectors.sql.errors import Failure
from isthmus.connectors.sql.facts import ColumnFacts, KeyFacts
from isthmus.connectors.sql.keys import reflected_keys
from isthmus.connectors.sql.settings import SqlSettings
from isthmus.spi import Call

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with placeholders, compiled once, the names of the values to bind, in order, and the table it is about."""

    text: str
    order: tuple[str, ...] = ()
    table: str = ""


@dataclass(frozen=True, slots=True)
class RowPage:
    """Rows as they were read, and a byte string for each that differs whenever the row does."""

    packed: Sequence[Any]
    wire: Sequence[bytes]


def packed(rows: Sequence[Row]) -> list[bytes]:
    """Return bytes for each row that differ when the row differs. Version 2 of the format has no back references."""
    dumps = marshal.dumps
    return [dumps(tuple(row), 2) for row in rows]


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement gave: rows as the driver has them, how many rows it touched, and the number it generated."""

    rows: Sequence[Row]
    count: int
    generated: int | None = None


class KeyChecks(Enum):
    """When a database sees to it that foreign keys point at something."""

    ROW = auto()
    STATEMENT = auto()
    """At the end of each statement."""
    DEFERRED = auto()
    """At the end of the transaction, if that is asked for."""


class Link(ABC):
    """One connection, in autocommit; used by one thread at a time. Every method raises `Failure` and nothing else.

    `seconds` is how long to wait for an answer. When that is over the connection is closed, and the failure is `LOST`.
    """

    session: str = ""
    """The session whose lock this connection holds."""

    key_checks: KeyChecks

    @abstractmethod
    def execute(self, statement: Statement, values: Sequence[Any], *, seconds: float) -> Result: ...

    @abstractmethod
    def begin(self, *, seconds: float) -> None: ...

    @abstractmethod
    def begin_reading(self, *, seconds: float) -> None:
        """Begin a transaction that only reads, and sees one moment however many statements it has."""

    @abstractmethod
    def commit(self, *, seconds: float) -> None: ...

    @abstractmethod
    def rollback(self, *, seconds: float) -> None: ...

    @abstractmethod
    def quiet(self) -> bool:
        """Whether the connection is open, outside a transaction, and the server has said nothing unasked."""

    @abstractmethod
    def ping(self, *, seconds: float) -> None: ...

    @abstractmethod
    def take_session(self, session: str, *, seconds: float) -> None:
        """Hold the lock of this session instead of the one held before."""

    @abstractmethod
    def close(self) -> None:
        """Close it, without waiting for the server."""


class Database(ABC):
    """One kind of database. Does not talk to it but in the methods that take `seconds`."""

    dialect: Dialect
    """Compiles the statements that `Link.execute` takes."""

    plain: Dialect
    """Compiles statements without values for `import_rows`."""

    url: str
    """Names the dialect and driver to SQLAlchemy."""

    returns_inserted = True
    returns_updated = True

    def __init__(self, settings: SqlSettings) -> None:
        self.settings = settings

    @abstractmethod
    def connect(self, *, seconds: float) -> Link:
        """Return a new connection with every timeout set on the server's side."""

    @abstractmethod
    def catalogue(self, *, seconds: float) -> Any:
        """Return a new connection of the driver on which SQLAlchemy reads the catalogue."""

    @abstractmethod
    def failure(self, error: BaseException) -> Failure:
        """Return what an error of the driver means, after a statement was sent."""

    def tables(self, inspector: Inspector, schema: str | None) -> Sequence[str]:
        """Return the names of tables, without those that are only parts of others."""
        return inspector.get_table_names(schema)

    @abstractmethod
    def column_facts(
        self, inspector: Inspector, schema: str | None, tables: Sequence[str]
    ) -> dict[str, tuple[ColumnFacts, ...]]:
        """Return the columns of tables and views."""

    def keys(self, inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, KeyFacts]:
        """Return the keys of tables."""
        return reflected_keys(inspector, schema, tables)

    def checks(self, inspector: Inspector, schema: str | None, tables: Sequence[str]) -> dict[str, list[str]]:
        """Return what the CHECK constraints of tables say, as the database writes it."""
        found = inspector.get_multi_check_constraints(schema, filter_names=tables, kind=ObjectKind.ANY)
        return {table: [str(each["sqltext"]) for each in constraints] for (_, table), constraints in found.items()}

    @abstractmethod
    def changing(self, inspector: Inspector, schema: str | None) -> tuple[set[str], set[str], set[str]]:
        """Return the tables with triggers, and the views that take inserts and updates."""

    @abstractmethod
    def begin_import(self, *, link: Link, call: Call) -> None:
        """Prepare a connection for `import_rows`, several times if need be: all see one moment."""

    @abstractmethod
    def import_rows(self, text: str, *, page_size: int, link: Link, call: Call, last: bool = True) -> Iterator[RowPage]:
        """Yield the rows of a query in pages, with bounded memory.

        `link` is used up if this is the last query, or the rows are not taken to their end. The rows of the others are
        taken at once, without waiting for anybody else, and need no wire form.
        """

    @abstractmethod
    def cut(self, packed: Any, fields: int) -> tuple[Any, Any]:
        """Return the first fields of a row, such that equal ones are equal, and the rest, which `unpack` takes."""

    @abstractmethod
    def unpack(self, packed: Any) -> Row:
        """Return the fields of one row of a page."""

    def unpack_columns(self, packed: Sequence[Any], width: int) -> Sequence[Sequence[Any]]:
        """Return the fields of some rows of a page, all of that width, by column."""
        if not packed:
            return [()] * width
        return list(zip(*map(self.unpack, packed), strict=True))

    @abstractmethod
    def settle(self, session: str, *, link: Link, call: Call) -> None:
        """Return once no connection of the session can change anything any more."""
