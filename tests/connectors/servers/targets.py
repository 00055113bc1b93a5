"""A database to connect to, of any kind: settings for the connector, and a way past it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.servers.mariadb import MariadbServer
from connectors.servers.postgresql import PostgresServer
from isthmus.connectors.sql.settings import SqlSettings
from isthmus.spi import Secret


class Target:
    """An empty database. `server` is None for SQLite."""

    def __init__(self, dialect: str, database: str, server: PostgresServer | MariadbServer | None) -> None:
        self.dialect = dialect
        self.database = database
        self.server = server

    def settings(self, **changes: Any) -> SqlSettings:
        if self.server is None:
            return SqlSettings(**{"dialect": self.dialect, "database": self.database, **changes})
        given = {
            "dialect": self.dialect,
            "host": self.server.host,
            "port": self.server.port,
            "database": self.database,
            "user": self.server.user,
            "password": Secret(self.server.password),
        }
        return SqlSettings(**{**given, **changes})

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement past the connector, with the driver's own placeholders."""
        if self.server is None:
            with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys=ON")
                return connection.execute(statement, values).fetchall()
        connection = self.server.connect(self.database, administrator=False)
        try:
            cursor = connection.cursor()
            cursor.execute(statement, values or None)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def script(self, text: str) -> None:
        """Run statements that are separated by a semicolon at the end of a line."""
        for statement in text.split(";\n"):
            if statement.strip():
                self.run(statement)

    def mark(self) -> str:
        """Return the driver's placeholder."""
        return "?" if self.server is None else "%s"

    def quote(self, name: str) -> str:
        if self.dialect == "mariadb":
            return "`" + name.replace("`", "``") + "`"
        return '"' + name.replace('"', '""') + '"'


def make_target(kind: str, request: pytest.FixtureRequest, folder: Path) -> Target:
    if kind == "sqlite":
        path = folder / "hr.db"
        sqlite3.connect(path).close()
        return Target("sqlite", str(path), None)
    server = request.getfixturevalue(kind)
    return Target(kind, server.create_database(), server)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """Give an empty database of each kind."""
    return make_target(request.param, request, tmp_path)


@pytest.fixture(params=["postgresql", "mariadb"])
def server_target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """Give an empty database of each kind that has a server."""
    made = make_target(request.param, request, tmp_path)
    yield made
    assert made.server is not None
    if made.server.process is None:
        made.server.start()
    else:
        made.server.resume()
