"""The demo's table, seen past Isthmus: made, filled, read and removed directly in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError

from isthmus.demo.people import Person

SQLITE_NAME = "Employees"
OWN_NAME = "isthmus_demo_employees"

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


class DemoProblem(Exception):
    """The demo cannot go on; the message is for the person who started it."""


class PeopleTable:
    """Microsoft's tutorial table plus Disabled. Only a table that this object created is ever dropped."""

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True)
        self._table: sa.Table | None = None
        self._ours = False

    def open(self, name: str) -> None:
        """Look at a table that exists; it is not ours, so `drop` leaves it alone."""
        self._table = sa.Table(name, sa.MetaData(), *_columns())

    @property
    def name(self) -> str:
        return self._known.name

    @property
    def _known(self) -> sa.Table:
        if self._table is None:
            raise RuntimeError("neither created nor opened yet")
        return self._table

    def create(self, people: Sequence[Person], *, name: str) -> None:
        """Create the table under `name`, or the next free name like it, and fill it.

        CREATE TABLE without IF NOT EXISTS decides who owns a name, so a table of somebody else is never taken over.
        """
        try:
            taken = {existing.casefold() for existing in sa.inspect(self.engine).get_table_names()}
            free = next(each for each in _names(name) if each.casefold() not in taken)
            table = sa.Table(free, sa.MetaData(), *_columns())
            with self.engine.begin() as connection:
                table.create(connection, checkfirst=False)
                self._table, self._ours = table, True
                if people:
                    connection.execute(table.insert(), [each.row() for each in people])
        except DBAPIError as exc:
            self.drop()
            raise DemoProblem(f"The database refused the demo's table: {refusal(exc)}") from exc

    def row(self, login: str) -> dict[str, Any] | None:
        """Return the person's row as the database has it now, or None."""
        query = sa.select(self._known).where(self._known.c.ContosoLogin == login)
        with self.engine.connect() as connection:
            found = connection.execute(query).mappings().first()
        return None if found is None else dict(found)

    def count(self) -> int:
        """Return how many rows there are."""
        with self.engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(self._known)).scalar_one()

    def insert(self, row: Mapping[str, Any]) -> None:
        """Add a person without Isthmus knowing."""
        with self.engine.begin() as connection:
            connection.execute(self._known.insert(), [dict(row)])

    def drop(self) -> None:
        """Remove the table if this object created it."""
        if self._table is None or not self._ours:
            return
        self._table.drop(self.engine, checkfirst=True)
        self._table, self._ours = None, False

    def close(self) -> None:
        self.engine.dispose()


def parse_url(text: str) -> sa.URL:
    """Return the URL with the driver that is installed.

    Raises:
        DemoProblem: not a URL, or not a database the demo knows.
    """
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise DemoProblem("--database is not a URL; for example postgresql://user:password@127.0.0.1/test") from None
    plain = url.drivername.partition("+")[0]
    if plain not in _DRIVERS:
        raise DemoProblem(f"--database takes postgresql://, mysql:// or mariadb:// URLs, not {plain}://")
    url = url.set(drivername=_DRIVERS[plain])
    if not url.database:
        raise DemoProblem("--database needs the database's name at the end of the URL; for example .../test")
    try:
        with sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True).connect():
            return url
    except NoSuchModuleError as exc:
        raise DemoProblem(f"The driver for {plain} is not installed") from exc
    except DBAPIError as exc:
        raise DemoProblem(f"The database cannot be opened: {refusal(exc)}") from exc


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("ContosoLogin", sa.String(128), primary_key=True),
        sa.Column("FirstName", sa.String(50), nullable=False),
        sa.Column("LastName", sa.String(50), nullable=False),
        sa.Column("Email", sa.String(128), unique=True),
        sa.Column("InternalGUID", sa.String(38)),
        sa.Column("AzureID", sa.String(38)),
        sa.Column("textID", sa.String(128)),
        sa.Column("Disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    ]


def _names(name: str) -> Sequence[str]:
    return [name, *(f"{name}_{number}" for number in range(2, 1000))]


def refusal(exc: DBAPIError) -> str:
    """Return the driver's words; a driver names host and user, never the password."""
    return str(exc.orig).strip().splitlines()[0] if exc.orig else type(exc).__name__
