"""The conformance suite on types with child tables: people with values of every kind under a key of two columns, and
groups with members. On SQLite, PostgreSQL and MariaDB; foreign keys cascade nowhere, so that the connector must."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.servers.mariadb import MariadbServer
from connectors.servers.postgresql import PostgresServer
from connectors.servers.targets import Target
from connectors.test_sql_conformance import _Mariadb, _Postgres, _Sqlite
from isthmus.connectors.sql.settings import BooleanColumn, ChildTable, ReferenceColumn, SqlObjectType, SqlSettings
from isthmus.spi import AttributeChange, Complex, Reference, Value
from isthmus.testing import ConnectorConformance, Hooks, Subject
from isthmus.testing.suite.concurrency import Concurrency
from isthmus.testing.suite.creating import Creating
from isthmus.testing.suite.hostile import HostileValues
from isthmus.testing.suite.importing import FullImport
from isthmus.testing.suite.lookup import Lookup
from isthmus.testing.suite.references import References
from isthmus.testing.suite.schema import DiscoveredSchema
from isthmus.testing.suite.secrecy import Secrecy
from isthmus.testing.suite.streaming import Streaming
from isthmus.testing.suite.updating import Updating
from isthmus.testing.suite.values import TypedValues
from isthmus.testing.values import HOSTILE, same

TYPES = (
    SqlObjectType(
        name="person",
        correlation_attribute="mark",
        reference_columns=(
            ReferenceColumn(columns=("boss_company", "boss_login"), object_type="person", attribute="manager"),
        ),
        child_tables=(
            ChildTable(
                attribute="emails", table="email", boolean_columns=(BooleanColumn(column="main", true="Y", false="N"),)
            ),
            ChildTable(attribute="phones", table="phone", columns=("number",), order_column="pos"),
            ChildTable(attribute="friends", table="friend", owner_columns=("company", "login"), reference_to="person"),
            ChildTable(attribute="teams", table="team_person", read_only=True),
        ),
    ),
    SqlObjectType(name="team", child_tables=(ChildTable(attribute="members", table="team_person"),)),
)

SCRIPT = """
CREATE TABLE IF NOT EXISTS person (
  company varchar(20) NOT NULL, login {ci} NOT NULL, notes {long}, title varchar(20), mark varchar(60),
  boss_company varchar(20), boss_login {ci}, PRIMARY KEY (company, login),
  FOREIGN KEY (boss_company, boss_login) REFERENCES person (company, login){cascade});
CREATE TABLE IF NOT EXISTS email (
  id {key}, company varchar(20) NOT NULL, login {ci} NOT NULL, address {long} NOT NULL, kind varchar(10), main char(1),
  weight decimal(20,4), seen {moment}, picture {binary}, n integer,
  FOREIGN KEY (company, login) REFERENCES person (company, login));
CREATE TABLE IF NOT EXISTS phone (
  id {key}, company varchar(20) NOT NULL, login {ci} NOT NULL, number varchar(60) NOT NULL, pos integer NOT NULL,
  FOREIGN KEY (company, login) REFERENCES person (company, login));
CREATE TABLE IF NOT EXISTS friend (
  company varchar(20) NOT NULL, login {ci} NOT NULL, friend_company varchar(20) NOT NULL, friend_login {ci} NOT NULL,
  PRIMARY KEY (company, login, friend_company, friend_login),
  FOREIGN KEY (company, login) REFERENCES person (company, login),
  FOREIGN KEY (friend_company, friend_login) REFERENCES person (company, login));
CREATE TABLE IF NOT EXISTS team (id {key}, name varchar(100) NOT NULL, notes {long}, mark varchar(60));
CREATE TABLE IF NOT EXISTS team_person (
  team bigint NOT NULL, company varchar(20) NOT NULL, login {ci} NOT NULL, PRIMARY KEY (team, company, login),
  FOREIGN KEY (team) REFERENCES team (id),
  FOREIGN KEY (company, login) REFERENCES person (company, login))
"""
TABLES = ("team_person", "friend", "phone", "email", "team")

MAIL = {
    "address": "a@example.org",
    "kind": "work",
    "main": True,
    "weight": Decimal("12.5"),
    "seen": datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
    "picture": b"\x00\xff'",
    "n": -7,
}


class _Children(Hooks):
    text_attribute = "notes"
    object_type: ClassVar[str] = "person"
    target: Target
    script: ClassVar[str]

    @pytest.fixture
    def settings(self, emptied: Target) -> SqlSettings:
        self.target = emptied
        return emptied.settings(object_types=TYPES, connect_timeout=2.0)

    def new_attributes(self, n: int) -> Mapping[str, tuple[Value, ...]]:
        if self.object_type == "team":
            return {"name": (f"team {n}",), "notes": (f"n{n}",)}
        return {
            "company": (f"c{n % 3}",),
            "login": (f"login-{n}",),
            "notes": (f"notes {n}",),
            "title": (f"t{n}",),
            "phones": (f"p{n}", f"q{n}"),
            "emails": (
                Complex({"address": f"a{n}@example.org", "kind": "work", "main": True, "weight": Decimal(n)}),
                Complex({"address": f"b{n}@example.org", "picture": b"\x00%d" % n, "n": n}),
            ),
        }

    reserved = frozenset({"emails"})  # the suite makes no complex values by itself

    def other_writer(self, settings: Any) -> None:
        return None


class _Complex(Hooks):
    """Promises about values made of parts."""

    def test_every_kind_of_part_round_trips(self, subject: Subject) -> None:
        values = (
            Complex(MAIL),
            Complex({"address": "x"}),
            Complex({"address": "x", "main": False}),
            Complex({"address": "x", "n": 0}),
        )
        created = subject.create(subject.attributes(emails=values))
        assert _same(created.attributes["emails"], values)
        assert _same(subject.read_there(created).attributes["emails"], values)
        found = subject.imported()[created.identity.anchor.values]
        assert _same(found.attributes["emails"], values)
        for n, value in enumerate(values):
            subject.update(created, AttributeChange("emails", remove=(value,)))
            assert _same(subject.read_there(created).attributes["emails"], values[n + 1 :])
        for n, value in enumerate(values):
            subject.update(created, AttributeChange("emails", add=(value, value)))
            assert _same(subject.read_there(created).attributes["emails"], values[: n + 1])
        updated = subject.update(created, AttributeChange("emails", replace=values[1:]))
        assert _same(updated.attributes["emails"], values[1:])

    def test_hostile_text_in_parts(self, subject: Subject) -> None:
        created = subject.create()
        for text in HOSTILE:
            value = Complex({"address": text, "kind": "'\"\\"})
            change = AttributeChange("emails", replace=(value,))
            if subject.tolerated(f"a part {text!r}", subject.update, created, change):
                continue  # refused
            assert subject.read_there(created).attributes["emails"] == (value,)
            assert created.identity in [each.identity for each in subject.find("emails", value)]
            subject.update(created, AttributeChange("emails", remove=(value,)))
            assert subject.read_there(created).attributes["emails"] == ()


def _same(left: tuple[Value, ...], right: tuple[Value, ...]) -> bool:
    """Compare with moments in UTC: a column without zone gives them back without."""

    def plain(value: Value) -> object:
        assert isinstance(value, Complex)
        return frozenset((k, v.replace(tzinfo=UTC) if isinstance(v, datetime) else v) for k, v in value.parts)

    return sorted(map(hash, map(plain, left))) == sorted(map(hash, map(plain, right)))


class _ChildrenPostgres(_Children, _Postgres):
    schema_sql = SCRIPT.format(
        ci="citext",
        long="text",
        key="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        moment="timestamptz",
        binary="bytea",
        cascade=" ON UPDATE CASCADE",
    )
    many_sql = """
WITH people AS (
  INSERT INTO person (company, login, notes) SELECT 'c', 'many' || i, repeat('n', 50) FROM generate_series(1, 10000) i
  RETURNING company, login)
INSERT INTO phone (company, login, number, pos) SELECT company, login, '1' || login, 0 FROM people
"""

    @pytest.fixture
    def emptied(self, postgresql: PostgresServer) -> Target:
        return _database(postgresql, self.schema_sql)


class _ChildrenMariadb(_Children, _Mariadb):
    schema_sql = SCRIPT.format(
        ci="varchar(60) COLLATE utf8mb4_general_ci",
        long="longtext COLLATE utf8mb4_nopad_bin",
        key="bigint AUTO_INCREMENT PRIMARY KEY",
        moment="timestamp(6) NULL",
        binary="longblob",
        cascade=" ON UPDATE CASCADE",
    )
    many_sql = """
INSERT INTO person (company, login, notes)
SELECT 'c', concat('many', seq), repeat('n', 50) FROM seq_1_to_10000
"""

    @pytest.fixture
    def emptied(self, mariadb: MariadbServer) -> Target:
        return _database(mariadb, self.schema_sql)


class _ChildrenSqlite(_Children, _Sqlite):
    schema_sql = SCRIPT.format(
        ci="varchar(60) COLLATE NOCASE",
        long="text",
        key="integer PRIMARY KEY",
        moment="datetime",
        binary="blob",
        cascade="",
    )
    many_sql = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
INSERT INTO person (company, login, notes) SELECT 'c', 'many' || i, printf('%.50c', 'n') FROM n
"""

    @pytest.fixture
    def emptied(self, tmp_path: Path) -> Target:
        path = tmp_path / "hr.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode={self.journal_mode}")
            connection.executescript(self.schema_sql)
        return Target("sqlite", str(path), None)


class _Values(
    DiscoveredSchema,
    Lookup,
    Creating,
    Updating,
    TypedValues,
    HostileValues,
    References,
    FullImport,
    Streaming,
    Secrecy,
    Concurrency,
):
    """What concerns rows; how servers fail is the same whatever they are asked."""


class TestChildrenPostgres(_Complex, _ChildrenPostgres, _Values):
    pass


class TestChildrenMariadb(_Complex, _ChildrenMariadb, _Values):
    pass


class TestChildrenSqlite(_Complex, _ChildrenSqlite, ConnectorConformance):
    pass


class TestChildrenSqliteWal(_ChildrenSqlite, FullImport, Streaming, Concurrency):
    journal_mode = "WAL"


class _Groups(Hooks):
    """Groups of people."""

    object_type = "team"
    reserved = frozenset({"members"})

    def changed_schema(self, settings: Any) -> None:
        return None

    def test_members_come_and_go(self, subject: Subject) -> None:
        people = []
        for n in range(12):
            given = {"company": ("g",), "login": (f"member-{n}",)}
            people.append(subject.the_create.create("person", given, call=subject.call()))
        points = tuple(Reference(each.identity.anchor.values, "person") for each in people)
        created = subject.create(subject.attributes(members=points[:5]))
        assert same(created.attributes["members"], points[:5])
        subject.update(created, AttributeChange("members", add=points[3:8], remove=points[:2]))
        assert same(subject.read_there(created).attributes["members"], points[2:8])
        replaced = subject.update(created, AttributeChange("members", replace=points[6:]))
        assert same(replaced.attributes["members"], points[6:])
        assert same(subject.imported()[created.identity.anchor.values].attributes["members"], points[6:])
        assert [each.identity for each in subject.find("members", points[11])] == [created.identity]
        subject.the_delete.delete("person", people[11].identity, call=subject.call())
        assert same(subject.read_there(created).attributes["members"], points[6:11])
        renamed = subject.the_update.update(
            "person", people[6].identity, [AttributeChange("login", replace=("New-Name",))], call=subject.call()
        )
        there = subject.read_there(created).attributes["members"]
        assert Reference(renamed.identity.anchor.values, "person") in there
        subject.delete(created)
        for each in (*people[:6], *people[7:11], renamed):
            subject.the_delete.delete("person", each.identity, call=subject.call())


class TestGroupsPostgres(_Groups, _ChildrenPostgres, DiscoveredSchema, Creating, Updating, Lookup, References):
    pass


class TestGroupsMariadb(_Groups, _ChildrenMariadb, DiscoveredSchema, Creating, Updating, Lookup, References):
    pass


class TestGroupsSqlite(_Groups, _ChildrenSqlite, DiscoveredSchema, Creating, Updating, Lookup, References):
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
    for table in TABLES:
        target.run(f"DELETE FROM {table}")
    target.run("UPDATE person SET boss_company = NULL")
    target.run("DELETE FROM person")
    return target
