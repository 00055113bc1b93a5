"""/Schemas says of each attribute what the database does with it (RFC 7643 7)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness import CORE, OWN, Client, bench

TABLES = """
CREATE TABLE team (name TEXT PRIMARY KEY);
CREATE TABLE person (
  login TEXT COLLATE NOCASE NOT NULL PRIMARY KEY,
  badge INTEGER NOT NULL UNIQUE,
  given TEXT NOT NULL,
  country TEXT NOT NULL DEFAULT 'DE',
  status TEXT CHECK (status IN ('new', 'active', 'left')),
  desk TEXT,
  shown TEXT GENERATED ALWAYS AS (given || ' <' || login || '>') VIRTUAL,
  pin TEXT,
  team TEXT REFERENCES team (name),
  boss TEXT COLLATE NOCASE REFERENCES person (login) ON UPDATE CASCADE,
  gone BOOLEAN NOT NULL DEFAULT 0);
CREATE TABLE phone (id INTEGER PRIMARY KEY, login TEXT NOT NULL REFERENCES person (login) ON UPDATE CASCADE,
  number TEXT NOT NULL, kind TEXT CHECK (kind IN ('desk', 'mobile')));
"""

DOCUMENT = """type = "sql"
[settings]
url = "sqlite:///{path}"
[[settings.object_types]]
name = "person"
secret_columns = ["pin"]
reference_columns = [{{ column = "team", object_type = "team" }}, {{ column = "boss", object_type = "person" }}]
child_tables = [{{ attribute = "phones", table = "phone" }}]
[[settings.object_types]]
name = "team"
[[resource_types]]
object_type = "person"
attributes = ["login", "badge", "given", "country", "status", "desk", "shown", "pin", "team", "boss", "gone", "phones"]
matching = ["login", "desk"]
disable = {{ action = "set", values = {{ gone = true }} }}
delete = {{ action = "delete" }}
[resource_types.flows]
userName = {{ attribute = "login" }}
displayName = {{ attribute = "shown", direction = "import" }}
userType = {{ attribute = "status" }}
phoneNumbers = {{ attribute = "phones", sub_attributes = {{ value = "number", type = "kind" }} }}
manager = {{ attribute = "boss" }}
[[resource_types]]
object_type = "team"
name = "Team"
endpoint = "Teams"
attributes = ["name"]
matching = ["name"]
delete = {{ action = "delete" }}
"""

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(sqlite3.connect(tmp_path / "hr.db")) as connection:
        connection.executescript(TABLES)
    with bench(tmp_path / "host", {"hr": DOCUMENT.format(path=tmp_path / "hr.db")}) as opened:
        yield opened.client("hr")


def test_what_is_stated_is_what_is_done(client: Client) -> None:
    stated = {
        each["id"]: {attribute["name"]: attribute for attribute in each["attributes"]}
        for each in client.get("/Schemas").resources
    }
    core, own, enterprise = stated[CORE], stated[OWN], stated[ENTERPRISE]

    def told(attribute: dict[str, Any]) -> tuple[Any, ...]:
        return (
            attribute["required"],
            attribute["mutability"],
            attribute["returned"],
            attribute.get("uniqueness"),
            attribute.get("caseExact"),
        )

    assert told(core["userName"]) == (True, "readWrite", "default", "server", False)
    assert told(core["displayName"]) == (False, "readOnly", "default", "none", True)
    assert told(core["active"]) == (True, "readWrite", "default", "none", None)
    assert told(own["badge"]) == (True, "readWrite", "default", "server", None)
    assert told(own["given"]) == (True, "readWrite", "default", "none", True)
    assert told(own["country"]) == (False, "readWrite", "default", "none", True)
    assert told(own["desk"]) == (False, "readWrite", "default", "server", True)
    assert told(own["shown"]) == (False, "readOnly", "default", "none", True)
    assert told(own["pin"]) == (False, "writeOnly", "never", "none", True)
    for section, name, words in (
        (core, "userType", ["new", "active", "left"]),
        (own, "status", ["new", "active", "left"]),
        (core, "phoneNumbers", ["desk", "mobile"]),
        (own, "phones", ["desk", "mobile"]),
    ):
        found = section[name]
        for part in found.get("subAttributes", ()):
            if part["name"] in {"type", "kind"}:
                found = part
        assert found["canonicalValues"] == words
    parts = {part["name"]: part for part in core["phoneNumbers"]["subAttributes"]}
    assert (parts["value"]["required"], parts["type"]["required"]) == (True, False)
    for section, name, kind in ((own, "team", "Team"), (enterprise, "manager", "User")):
        url = {part["name"]: part for part in section[name]["subAttributes"]}["$ref"]
        assert url["referenceTypes"] == [kind]
    teams = {each["name"]: each for each in client.get("/Schemas").resources if each["name"] == "Team"}
    assert [each["name"] for each in teams["Team"]["attributes"]] == ["name"]

    # and so it is
    whole = {"userName": "anna", OWN: {"badge": 7, "given": "Anna", "pin": "0000"}, "userType": "new"}
    for missing in ("badge", "given"):
        less = {**whole, OWN: {name: value for name, value in whole[OWN].items() if name != missing}}  # type: ignore[attr-defined]
        assert missing in client.post(less).refused(400, "invalidValue")
    client.post({**whole, "userType": "retired"}).refused(400, "invalidValue")
    made = client.post(whole)
    assert made.status == 201, made
    assert made.json["displayName"] == "Anna <anna>"
    assert (made.json[OWN]["country"], made.json["active"]) == ("DE", True)
    assert "pin" not in made.json[OWN]
    client.patch(made.id, {"op": "replace", "path": "displayName", "value": "x"}).refused(400, "mutability")
    other = client.post({"userName": "ben", OWN: {"badge": 7, "given": "Ben"}})
    other.refused(409, "uniqueness")
    client.post({"userName": "ANNA", OWN: {"badge": 8, "given": "A"}}).refused(409, "uniqueness")
    for name, badge, status in (("cleo", 9, 201), ("dora", 10, 409)):
        assert client.post({"userName": name, OWN: {"badge": badge, "given": "G", "desk": "4.17"}}).status == status
    client.patch(made.id, {"op": "remove", "path": f"{OWN}:given"}).refused(400, "mutability")
