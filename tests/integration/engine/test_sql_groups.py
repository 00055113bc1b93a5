"""Groups of an SQL database over SCIM: members that come and go, roles in a child table, a login that changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness import OWN, Bench, Client, bench
from isthmus.connectors.sql.database import Result
from isthmus.connectors.sql.sqlite import SqliteLink
from isthmus.engine import scheduling

TABLES = """
CREATE TABLE people (login text COLLATE NOCASE NOT NULL PRIMARY KEY, mail text);
CREATE TABLE roles (login text COLLATE NOCASE NOT NULL REFERENCES people (login), role text NOT NULL);
CREATE TABLE teams (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE team_people (
  team integer NOT NULL REFERENCES teams (id), login text COLLATE NOCASE NOT NULL REFERENCES people (login),
  PRIMARY KEY (team, login));
"""

DOCUMENT = """
type = "sql"
[settings]
url = "sqlite:///{path}"
[[settings.object_types]]
name = "people"
child_tables = [{{ attribute = "roles", table = "roles" }}]
[[settings.object_types]]
name = "teams"
child_tables = [{{ attribute = "members", table = "team_people" }}]
[[resource_types]]
object_type = "people"
attributes = ["login", "mail", "roles"]
matching = ["login"]
disable = {{ action = "nothing" }}
delete = {{ action = "delete" }}
[resource_types.flows]
userName = {{ attribute = "login" }}
[[resource_types]]
object_type = "teams"
name = "Group"
endpoint = "Groups"
attributes = ["id", "name", "members"]
matching = ["name"]
delete = {{ action = "delete" }}
[resource_types.flows]
displayName = {{ attribute = "name" }}
members = {{ attribute = "members" }}
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "hr.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(TABLES)
    return path


@pytest.fixture
def running(tmp_path: Path, database: Path) -> Iterator[Bench]:
    with bench(tmp_path / "host", {"hr": DOCUMENT.format(path=database)}) as running:
        yield running


@pytest.fixture
def client(running: Bench) -> Client:
    return running.client("hr")


def rows(database: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


def members(client: Client, id: str) -> set[str]:
    answer = client.get(f"/Groups/{id}")
    assert answer.status == 200, answer
    return {each["value"] for each in answer.json.get("members", ())}


def import_all(running: Bench) -> None:
    """Import every object type; each is a run of its own."""
    for _ in scheduling.request_import(running.host, "hr", kind="full", requested_by="test"):
        done = scheduling.execute_next(running.host)
        assert done is not None
        assert done.state == "done", done


def test_members_come_and_go(client: Client, running: Bench, database: Path) -> None:
    people = [client.created(f"p{n}") for n in range(4)]
    crew = client.created("crew", path="/Groups", members=[{"value": each} for each in people[:2]])
    assert members(client, crew) == set(people[:2])
    add = {"op": "add", "path": "members", "value": [{"value": each} for each in people[1:3]]}
    assert client.patch(crew, add, path="/Groups").status in {200, 204}
    assert members(client, crew) == set(people[:3])
    remove = {"op": "remove", "path": f'members[value eq "{people[0]}"]'}
    assert client.patch(crew, remove, path="/Groups").status in {200, 204}
    assert members(client, crew) == set(people[1:3])
    assert rows(database, "SELECT login FROM team_people ORDER BY 1") == [("p1",), ("p2",)]
    assert client.delete(people[1]).status == 204
    import_all(running)
    assert members(client, crew) == {people[2]}
    assert client("DELETE", f"/Groups/{crew}").status == 204
    assert rows(database, "SELECT * FROM team_people") == []


def test_what_others_write_is_imported(client: Client, running: Bench, database: Path) -> None:
    people = [client.created(f"p{n}") for n in range(3)]
    crew = client.created("crew", path="/Groups", members=[{"value": people[0]}])
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO team_people SELECT 1, login FROM people WHERE login <> 'p0'")
        connection.execute("INSERT INTO roles VALUES ('P1', 'admin'), ('p1', 'user')")
    import_all(running)
    assert members(client, crew) == set(people)
    assert set(client.user(people[1])[OWN]["roles"]) == {"admin", "user"}


def test_roles_and_a_new_login(client: Client, running: Bench, database: Path) -> None:
    person = client.created("ann", **{OWN: {"roles": ["a", "b"]}})
    crew = client.created("crew", path="/Groups", members=[{"value": person}])
    operations = (
        {"op": "add", "path": f"{OWN}:roles", "value": ["c"]},
        {"op": "replace", "path": "userName", "value": "Anna"},
    )
    answer = client.patch(person, *operations)
    assert answer.status == 200, answer
    assert set(client.user(person)[OWN]["roles"]) == {"a", "b", "c"}
    assert sorted(rows(database, "SELECT * FROM roles")) == [("Anna", "a"), ("Anna", "b"), ("Anna", "c")]
    import_all(running)
    assert client.user(person)["userName"] == "Anna"
    assert members(client, crew) == {person}


def test_what_nobody_asked_for_is_not_read(client: Client, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new name, and a member more, of a group that may have 100,000: none of the others is looked at."""
    people = [client.created(f"p{n}") for n in range(3)]
    crew = client.created("crew", path="/Groups", members=[{"value": people[0]}])
    sent: list[str] = []
    run = SqliteLink.run

    def noted(self: SqliteLink, text: str, values: Sequence[Any], seconds: float, *, table: str = "") -> Result:
        sent.append(text)
        return run(self, text, values, seconds, table=table)

    monkeypatch.setattr(SqliteLink, "run", noted)
    rename = {"op": "replace", "path": "displayName", "value": "team"}
    assert client.patch(crew, rename, path="/Groups").status in {200, 204}
    assert sent
    assert not [text for text in sent if "team_people" in text]
    sent.clear()
    add = {"op": "add", "path": "members", "value": [{"value": people[1]}]}
    assert client.patch(crew, rename, add, path="/Groups").status in {200, 204}
    assert len([text for text in sent if "team_people" in text]) == 1
    sent.clear()
    assert client.patch(people[0], {"op": "replace", "path": f"{OWN}:mail", "value": "m@x"}).status == 200
    assert not [text for text in sent if "team_people" in text]
    assert members(client, crew) == set(people[:2])
    assert rows(database, "SELECT name FROM teams") == [("team",)]


def test_whom_the_database_protects_is_not_forgotten(client: Client, running: Bench, database: Path) -> None:
    """Triggers that pass over a statement without a word: the answer is a refusal, and SCIM shows what is there."""
    root = client.created("root")
    crew = client.created("crew", path="/Groups", members=[{"value": root}])
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(
            """
CREATE TRIGGER stays BEFORE DELETE ON people WHEN OLD.login = 'root' BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER same BEFORE UPDATE ON people WHEN OLD.login = 'root' BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER belongs BEFORE DELETE ON team_people WHEN OLD.login = 'root' BEGIN SELECT RAISE(IGNORE); END"""
        )
    assert "the row is there" in client.patch(root, {"op": "replace", "path": f"{OWN}:mail", "value": "m@x"}).refused(
        400, "invalidValue"
    )
    leaves = {"op": "remove", "path": f'members[value eq "{root}"]'}
    assert "leaves rows as they are" in client.patch(crew, leaves, path="/Groups").refused(400, "invalidValue")
    assert client.delete(root).status == 400
    assert client.user(root)["userName"] == "root"
    assert members(client, crew) == {root}
    import_all(running)
    assert client.user(root)["userName"] == "root"
    assert members(client, crew) == {root}
