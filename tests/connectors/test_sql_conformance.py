"""The conformance suite on SQLite, PostgreSQL and MariaDB: a table whose key people choose, and one with a number."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.servers.mariadb import MariadbServer
from connectors.servers.postgresql import PostgresServer
from connectors.servers.targets import Target
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import BooleanColumn, ReferenceColumn, SqlObjectType, SqlSettings
from isthmus.spi import ConnectorObject, Secret, Value
from isthmus.testing import ConnectorConformance, Hooks
from isthmus.testing.suite.concurrency import Concurrency
from isthmus.testing.suite.creating import Creating
from isthmus.testing.suite.importing import FullImport
from isthmus.testing.suite.lookup import Lookup
from isthmus.testing.suite.schema import DiscoveredSchema
from isthmus.testing.suite.streaming import Streaming
from isthmus.testing.suite.updating import Updating

TYPES = (
    SqlObjectType(
        name="person",
        correlation_attribute="mark",
        boolean_columns=(BooleanColumn(column="disabled", true="Y", false="N"),),
        reference_columns=(ReferenceColumn(column="manager", object_type="person"),),
        secret_columns=("hash",),
    ),
    SqlObjectType(name="device", correlation_attribute="mark"),
)


class _Writer:
    """Somebody else who writes to the table `person`."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def _stored(self, name: str, value: Value) -> object:
        if name == "disabled":
            return "Y" if value else "N"
        if isinstance(value, datetime):
            return value.replace(tzinfo=None).isoformat(sep=" ")  # UTC
        return str(value) if isinstance(value, Decimal) else value

    def create(self, attributes: Mapping[str, tuple[Value, ...]]) -> None:
        names = [name for name, values in attributes.items() if values]
        marks = ", ".join([self._target.mark()] * len(names))
        columns = ", ".join(self._target.quote(name) for name in names)
        values = [self._stored(name, attributes[name][0]) for name in names]
        self._target.run(f"INSERT INTO person ({columns}) VALUES ({marks})", *values)

    def update(self, existing: ConnectorObject, attribute: str, values: tuple[Value, ...]) -> None:
        mark, name = self._target.mark(), self._target.quote(attribute)
        login = existing.attributes["login"][0]
        self._target.run(f"UPDATE person SET {name} = {mark} WHERE login = {mark}", values[0], login)

    def delete(self, existing: ConnectorObject) -> None:
        login = existing.attributes["login"][0]
        self._target.run(f"DELETE FROM person WHERE login = {self._target.mark()}", login)


class _Sql(Hooks):
    connector_type = connector_type
    object_type: ClassVar[str] = "person"
    text_attribute = "notes"
    schema_sql: ClassVar[str]
    many_sql: ClassVar[str]
    target: Target

    @pytest.fixture
    def settings(self, emptied: Target) -> SqlSettings:
        self.target = emptied
        return emptied.settings(object_types=TYPES, connect_timeout=2.0)

    def fill(self, settings: Any, count: int) -> bool:
        assert count == self.many
        self.target.run(self.many_sql)
        return True

    def changed_schema(self, settings: Any) -> Any:
        @contextmanager
        def changed() -> Iterator[None]:
            self.target.run("ALTER TABLE person ADD COLUMN extra integer")
            yield
            self.target.run("ALTER TABLE person DROP COLUMN extra")

        return changed()

    def other_writer(self, settings: Any) -> _Writer:
        return _Writer(self.target)


class _Server(_Sql):
    def wrong_credentials(self, settings: Any) -> Any:
        return dataclasses.replace(settings, password=Secret("not-the-password"))

    def dead_target(self, settings: Any) -> Any:
        server = self.target.server
        assert server is not None

        @contextmanager
        def dead() -> Iterator[Any]:
            server.stop()
            try:
                yield settings
            finally:
                server.start()

        return dead()

    def hang_target(self, settings: Any) -> Any:
        server = self.target.server
        assert server is not None

        @contextmanager
        def hanging() -> Iterator[Any]:
            server.pause()
            try:
                yield settings
            finally:
                server.resume()

        return hanging()


class _Postgres(_Server):
    schema_sql = """
CREATE TABLE IF NOT EXISTS person (
  login citext PRIMARY KEY, notes text, title varchar(20), email varchar(60) NOT NULL UNIQUE, disabled char(1),
  age integer, big bigint, salary numeric(20,4), ratio double precision, hired timestamptz, seen timestamp,
  picture bytea, manager citext REFERENCES person (login), mark varchar(60), hash varchar(100), fixed boolean,
  shout text GENERATED ALWAYS AS (upper(title)) STORED);
CREATE TABLE IF NOT EXISTS device (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(100) NOT NULL, notes text, mark varchar(60))
"""
    many_sql = """
INSERT INTO person (login, email, notes)
SELECT 'many' || i, i || '@example.org', repeat('n', 50) FROM generate_series(1, 10000) i
"""

    @pytest.fixture
    def emptied(self, postgresql: PostgresServer) -> Target:
        return _database(postgresql, self.schema_sql)


class _Mariadb(_Server):
    schema_sql = """
CREATE TABLE IF NOT EXISTS person (
  login varchar(60) PRIMARY KEY, notes longtext COLLATE utf8mb4_bin, title varchar(20),
  email varchar(60) NOT NULL UNIQUE, disabled char(1), age integer, big bigint, salary decimal(20,4), ratio double,
  hired timestamp(6) NULL, seen datetime(6), picture longblob, manager varchar(60) REFERENCES person (login),
  mark varchar(60), hash varchar(100), fixed boolean,
  shout varchar(20) GENERATED ALWAYS AS (upper(title)) STORED);
CREATE TABLE IF NOT EXISTS device (
  id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, notes longtext COLLATE utf8mb4_nopad_bin,
  mark varchar(60))
"""
    many_sql = """
INSERT INTO person (login, email, notes)
SELECT concat('many', seq), concat(seq, '@example.org'), repeat('n', 50) FROM seq_1_to_10000
"""

    @pytest.fixture
    def emptied(self, mariadb: MariadbServer) -> Target:
        return _database(mariadb, self.schema_sql)


class _Sqlite(_Sql):
    schema_sql = """
CREATE TABLE IF NOT EXISTS person (
  login text PRIMARY KEY COLLATE NOCASE NOT NULL, notes text, title varchar(20) COLLATE NOCASE,
  email varchar(60) NOT NULL UNIQUE, disabled char(1), age integer, salary decimal(20,4), ratio real,
  hired datetime, picture blob,
  manager text COLLATE NOCASE REFERENCES person (login), mark varchar(60), hash varchar(100), fixed boolean,
  shout text GENERATED ALWAYS AS (upper(title)) STORED);
CREATE TABLE IF NOT EXISTS device (id integer PRIMARY KEY, name varchar(100) NOT NULL, notes text, mark varchar(60))
"""
    many_sql = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
INSERT INTO person (login, email, notes) SELECT 'many' || i, i || '@example.org', printf('%.50c', 'n') FROM n
"""
    journal_mode: ClassVar[str] = "DELETE"

    @pytest.fixture
    def emptied(self, tmp_path: Path) -> Target:
        path = tmp_path / "hr.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode={self.journal_mode}")
            connection.executescript(self.schema_sql)
        return Target("sqlite", str(path), None)

    def hang_target(self, settings: Any) -> Any:
        @contextmanager
        def hanging() -> Iterator[Any]:
            with closing(sqlite3.connect(settings.database, isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                yield settings

        return hanging()


class TestPostgres(_Postgres, ConnectorConformance):
    pass


class TestMariadb(_Mariadb, ConnectorConformance):
    pass


class TestSqlite(_Sqlite, ConnectorConformance):
    pass


class TestSqliteWal(_Sqlite, FullImport, Streaming, Concurrency):
    journal_mode = "WAL"


class _Generated(Hooks):
    """The subjects for which it matters that the database makes the anchor."""

    object_type = "device"

    def other_writer(self, settings: Any) -> None:
        return None

    def changed_schema(self, settings: Any) -> None:
        return None


class TestGeneratedPostgres(_Generated, _Postgres, DiscoveredSchema, Creating, Updating, Lookup):
    pass


class TestGeneratedMariadb(_Generated, _Mariadb, DiscoveredSchema, Creating, Updating, Lookup):
    pass


class TestGeneratedSqlite(_Generated, _Sqlite, DiscoveredSchema, Creating, Updating, Lookup):
    pass


_made: dict[int, str] = {}


def _database(server: PostgresServer | MariadbServer, script: str) -> Target:
    """Give the server's one database for this suite, with empty tables."""
    name = _made.get(server.port)
    if name is None:
        name = _made[server.port] = server.create_database()
        if isinstance(server, PostgresServer):
            server.run("CREATE EXTENSION IF NOT EXISTS citext", database=name)
    target = Target(server.dialect, name, server)
    target.script(script)
    target.run("DELETE FROM person")
    target.run("DELETE FROM device")
    return target
