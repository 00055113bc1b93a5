"""A column that takes passwords: in each form, on each database, over SCIM; and nowhere else."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import bcrypt
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from connectors.servers.targets import Target
from connectors.test_sql_conformance import TYPES, _Mariadb, _Postgres, _Sqlite
from harness import Bench, bench, flows
from isthmus.connectors.sql.connector import open_connector
from isthmus.connectors.sql.settings import ReferenceColumn, SqlObjectType, SqlSettings
from isthmus.spi import (
    Call,
    ConnectorObject,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    Operation,
    Secret,
    Unsupported,
)
from isthmus.testing.suite.creating import Creating
from isthmus.testing.suite.passwords import Passwords
from isthmus.testing.suite.schema import DiscoveredSchema
from isthmus.testing.suite.secrecy import Secrecy
from isthmus.testing.suite.updating import Updating

PASSWORD = "Tr0ub4dor&3 'päss'"
OTHER = "a second one"


def fits(stored: str, password: str) -> bool:
    """Check a password as an application does that knows nothing of the host."""
    if stored.startswith("$argon2id$"):
        try:
            return PasswordHasher().verify(stored, password)
        except VerifyMismatchError:
            return False
    if stored.startswith("$2b$"):
        return bcrypt.checkpw(password.encode(), stored.encode())
    kind, rounds, salt, digest = stored.split("$")  # Django: django.contrib.auth.hashers
    assert kind == "pbkdf2_sha256"
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), int(rounds))
    return base64.b64encode(made).decode() == digest


class _WithPassword(Passwords, Secrecy, Creating, Updating, DiscoveredSchema):
    kind: ClassVar[str]
    target: Target

    @pytest.fixture
    def settings(self, emptied: Target) -> SqlSettings:
        self.target = emptied
        person = dataclasses.replace(TYPES[0], secret_columns=(), password_column="hash", password_hash=self.kind)
        return emptied.settings(object_types=(person, TYPES[1]), connect_timeout=2.0)

    def password_works(self, settings: Any, existing: ConnectorObject, password: Secret) -> bool:
        login, mark = existing.identity.anchor.values[0], self.target.mark()
        [(stored,)] = self.target.run(f"SELECT hash FROM person WHERE login = {mark}", login)
        return stored is not None and fits(stored, password.reveal())


class TestPostgres(_WithPassword, _Postgres):
    kind = "argon2"


class TestMariadb(_WithPassword, _Mariadb):
    kind = "bcrypt"


class TestSqlite(_WithPassword, _Sqlite):
    kind = "pbkdf2_sha256"


PEOPLE = "CREATE TABLE people (login TEXT PRIMARY KEY NOT NULL, title TEXT, pw VARCHAR(100) NOT NULL)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "app.db"
    run(made, PEOPLE)
    return made


def run(path: Path, statement: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


def opened(path: Path, **declared: Any) -> Any:
    people = SqlObjectType(**{"name": "people", "password_column": "pw", **declared})
    return open_connector(SqlSettings(dialect="sqlite", database=str(path), object_types=(people,)))


def test_it_is_no_attribute(path: Path) -> None:
    with closing(opened(path)) as connector:
        people = connector.read_schema(call=Call()).object_types["people"]
        assert [attribute.name for attribute in people.attributes] == ["login", "title"]
        assert Operation.PASSWORD in people.operations
        connector.test(call=Call())
    with closing(opened(path, password_column="")) as connector:
        people = connector.read_schema(call=Call()).object_types["people"]
        assert Operation.PASSWORD not in people.operations
        with pytest.raises(Unsupported, match="password_column"):
            connector.create("people", {"login": ("a",), "pw": ("x",)}, password=Secret(PASSWORD), call=Call())


def test_it_is_no_attribute_of_people_with_references_either(path: Path) -> None:
    run(path, "ALTER TABLE people ADD COLUMN boss TEXT REFERENCES people (login)")
    boss = ReferenceColumn(column="boss", object_type="people")
    with closing(opened(path, reference_columns=(boss,))) as connector:
        people = connector.read_schema(call=Call()).object_types["people"]
        assert [attribute.name for attribute in people.attributes] == ["login", "title", "boss"]
        connector.create("people", {"login": ("ann",)}, password=Secret(PASSWORD), call=Call())
    [(stored,)] = run(path, "SELECT pw FROM people")
    assert fits(stored, PASSWORD)


def test_without_one_that_the_table_needs_a_create_is_refused(path: Path) -> None:
    with closing(opened(path)) as connector:
        with pytest.raises(InvalidValue, match="needs a value for password") as refused:
            connector.create("people", {"login": ("ann",)}, call=Call())
        assert refused.value.attribute == "password"
        connector.create("people", {"login": ("ann",)}, password=Secret(PASSWORD), call=Call())
    [(stored,)] = run(path, "SELECT pw FROM people")
    assert fits(stored, PASSWORD)


def test_as_it_comes_for_a_trigger_that_hashes(path: Path) -> None:
    run(path, "CREATE TRIGGER h AFTER INSERT ON people BEGIN UPDATE people SET pw = 'h:' || length(pw); END")
    with closing(opened(path, password_hash="none")) as connector:
        connector.create("people", {"login": ("ann",)}, password=Secret(PASSWORD), call=Call())
        assert run(path, "SELECT pw FROM people") == [(f"h:{len(PASSWORD)}",)]
        with pytest.raises(InvalidValue, match="at most 100 characters"):
            connector.create("people", {"login": ("bob",)}, password=Secret("x" * 101), call=Call())


@pytest.mark.parametrize(("kind", "length"), [("argon2", 97), ("bcrypt", 60), ("pbkdf2_sha256", 98)])
def test_a_hash_always_has_the_length_that_is_asked_for(tmp_path: Path, kind: str, length: int) -> None:
    for given, fitting in ((length, True), (length - 1, False)):
        path = tmp_path / f"{given}.db"
        run(path, f"CREATE TABLE people (login TEXT PRIMARY KEY NOT NULL, pw VARCHAR({given}))")
        with closing(opened(path, password_hash=kind)) as connector:
            if not fitting:
                with pytest.raises(MisconfiguredConnector, match="make the column wider"):
                    connector.read_schema(call=Call())
                continue
            for n, password in enumerate(("x", "ä" * 30)):
                connector.create("people", {"login": (str(n),)}, password=Secret(password), call=Call())
        assert run(path, "SELECT length(pw) FROM people") == [(length,)] * 2


def test_a_column_that_holds_no_text_or_is_not_there_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    run(path, "CREATE TABLE people (login TEXT PRIMARY KEY NOT NULL, n INTEGER, up TEXT AS (upper(login)))")
    for column, said in (("n", "no text column"), ("up", "no text column"), ("pw", "names pw"), ("login", "cannot be")):
        connector = opened(path, password_column=column)
        with closing(connector), pytest.raises(MisconfiguredConnector, match=said):
            connector.read_schema(call=Call())


@pytest.mark.parametrize("wrong", ["x" * 73, "nul\0byte", "", "half \ud800"])
def test_what_bcrypt_cannot_take_is_refused(path: Path, wrong: str) -> None:
    with closing(opened(path, password_hash="bcrypt")) as connector:
        with pytest.raises(InvalidValue) as refused:
            connector.create("people", {"login": ("ann",)}, password=Secret(wrong), call=Call())
        assert refused.value.attribute == "password"
        connector.create("people", {"login": ("ann",)}, password=Secret("y" * 72), call=Call())
        identity = connector.find("people", "login", "ann", attributes=("login",), call=Call())[0].identity
        with pytest.raises(InvalidValue):
            connector.set_password("people", identity, Secret(wrong), call=Call())
        connector.delete("people", identity, call=Call())
        with pytest.raises(NotFound):
            connector.set_password("people", identity, Secret(PASSWORD), call=Call())


@pytest.fixture
def served(path: Path, tmp_path: Path) -> Iterator[Bench]:
    document = f"""type = "sql"
[settings]
url = "sqlite:///{path}"
[[settings.object_types]]
name = "people"
password_column = "pw"
[[resource_types]]
object_type = "people"
attributes = ["login", "title"]
matching = ["login"]
delete = {{ action = "delete" }}
disable = {{ action = "nothing" }}
[resource_types.flows]
{flows({"userName": "login", "title": "title"})}
"""
    with bench(tmp_path / "host", {"app": document}) as opened_:
        yield opened_


def test_over_scim(served: Bench, path: Path) -> None:
    app = served.client("app")
    schema = app.get("/Schemas/urn:ietf:params:scim:schemas:core:2.0:User").json
    [shown] = [each for each in schema["attributes"] if each["name"] == "password"]
    assert (shown["mutability"], shown["returned"]) == ("writeOnly", "never")

    created = app.post({"userName": "ann", "password": PASSWORD})
    assert created.status == 201
    assert "password" not in created.json
    [(first,)] = run(path, "SELECT pw FROM people")
    assert fits(first, PASSWORD)

    entra = {"op": "Replace", "path": "urn:ietf:params:scim:schemas:extension:ECMA2Host:2.0:User:export_password"}
    for operation in ({"op": "replace", "path": "password", "value": OTHER}, {**entra, "value": "a third"}):
        assert app.patch(created.id, operation).status in (200, 204)
        [(stored,)] = run(path, "SELECT pw FROM people")
        assert fits(stored, str(operation["value"]))
        assert not fits(stored, PASSWORD)
    app.patch(created.id, {"op": "replace", "path": "title", "value": "Dr"})
    assert run(path, "SELECT pw, title FROM people") == [(stored, "Dr")], "a change of something else keeps it"

    app.post({"userName": "bob"}).refused(400, "invalidValue")
    told = served.stored_bytes() + "\n".join(map(str, served.audit())).encode()
    for secret in (PASSWORD, OTHER, "a third", first, stored):
        assert secret.encode() not in told
