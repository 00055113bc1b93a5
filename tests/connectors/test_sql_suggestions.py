"""What the wizard is offered for a database with people, groups, memberships and child tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.servers.postgresql import PostgresServer
from connectors.servers.targets import Target
from isthmus.config.documents import Configuration, HostDocument
from isthmus.config.errors import ConfigError
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import ChildTable, ReferenceColumn, SqlObjectType
from isthmus.spi import AttributeType, Call
from isthmus.wizard.adding import Answers, discover

SCRIPT = """
CREATE TABLE departments (code varchar(10) NOT NULL PRIMARY KEY, title varchar(40));
CREATE TABLE people (
  id integer NOT NULL PRIMARY KEY, login varchar(40) NOT NULL UNIQUE, manager integer REFERENCES people (id),
  department varchar(10) REFERENCES departments (code));
CREATE TABLE devices (id integer NOT NULL PRIMARY KEY, owner integer REFERENCES people (id), serial varchar(40));
CREATE TABLE person_emails (
  person integer NOT NULL REFERENCES people (id) ON DELETE CASCADE, address varchar(60) NOT NULL, kind varchar(10),
  PRIMARY KEY (person, address));
CREATE TABLE phones ({key}, person integer NOT NULL REFERENCES people (id), number varchar(30) NOT NULL, pos integer);
CREATE TABLE teams (id integer NOT NULL PRIMARY KEY, name varchar(40) NOT NULL);
CREATE TABLE team_people (
  person integer NOT NULL REFERENCES people (id), team integer NOT NULL REFERENCES teams (id),
  added timestamp DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (team, person));
CREATE TABLE friends (
  mine integer NOT NULL REFERENCES people (id), other integer NOT NULL REFERENCES people (id),
  PRIMARY KEY (mine, other));
CREATE TABLE salaries (
  person integer NOT NULL REFERENCES people (id), month varchar(7) NOT NULL, amount integer NOT NULL,
  PRIMARY KEY (person, month));
CREATE TABLE orders (
  {key}, person integer NOT NULL REFERENCES people (id) ON DELETE CASCADE, total integer);
CREATE TABLE loans (
  id integer NOT NULL PRIMARY KEY, person integer REFERENCES people (id), device integer REFERENCES devices (id),
  amount integer)
"""
KEY = {
    "sqlite": "id INTEGER PRIMARY KEY",
    "postgresql": "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "mariadb": "id bigint AUTO_INCREMENT PRIMARY KEY",
}


def call() -> Call:
    return Call(timeout=20, session="test")


@pytest.fixture
def suggested(target: Target) -> dict[str, SqlObjectType]:
    target.script(SCRIPT.format(key=KEY[target.dialect]))
    connector: Any = connector_type.open(target.settings())
    offered = connector.suggest(call=call())["object_types"].values
    connector.close()
    assert [each.name for each in offered] == [
        "people", "departments", "teams", "devices", "loans", "orders", "salaries",
    ]  # fmt: skip
    return {each.name: each for each in offered}


def test_tables_that_belong_to_others_are_no_types_of_their_own(suggested: dict[str, SqlObjectType]) -> None:
    people = {each.attribute: each for each in suggested["people"].child_tables}
    assert people["emails"] == ChildTable(attribute="emails", table="person_emails")
    assert set(people) == {"emails", "phoneNumbers", "friends"}, "salaries and orders are nobody's attributes"
    assert people["phoneNumbers"] == ChildTable(attribute="phoneNumbers", table="phones", order_column="pos")
    friends = people["friends"]
    assert {friends.owner_columns, friends.columns} == {("mine",), ("other",)}
    assert suggested["teams"].child_tables == (
        ChildTable(attribute="members", table="team_people", reference_to="people"),
    )
    assert ReferenceColumn(column="manager", object_type="people") in suggested["people"].reference_columns
    assert suggested["devices"].reference_columns == (ReferenceColumn(column="owner", object_type="people"),)


def test_what_is_suggested_works_as_it_is(suggested: dict[str, SqlObjectType], target: Target) -> None:
    connector: Any = connector_type.open(target.settings(object_types=tuple(suggested.values())))
    try:
        connector.test(call=call())
        types = connector.read_schema(call=call()).object_types
        for login in (1, 2):
            connector.create("people", {"id": (login,), "login": (f"p{login}",)}, call=call())
        team = connector.create("teams", {"id": (1,), "name": ("crew",)}, call=call())
    finally:
        connector.close()
    assert types["people"].attribute("emails").type is AttributeType.COMPLEX
    assert types["people"].attribute("phoneNumbers").type is AttributeType.STRING
    assert types["people"].attribute("friends").reference_to == "people"
    assert types["teams"].attribute("members").type is AttributeType.REFERENCE
    assert team.identity.anchor.values == ("1",)


@pytest.mark.parametrize("order", [("grp", "usr"), ("usr", "grp")])
def test_groups_of_users_are_groups(target: Target, order: tuple[str, str]) -> None:
    columns = {
        "grp": "grp integer NOT NULL REFERENCES user_groups (id)",
        "usr": "usr integer NOT NULL REFERENCES users (id)",
    }
    target.script(f"""
CREATE TABLE users (id integer NOT NULL PRIMARY KEY, login varchar(40) NOT NULL);
CREATE TABLE user_groups (id integer NOT NULL PRIMARY KEY, name varchar(40) NOT NULL);
CREATE TABLE user_group_members ({columns[order[0]]}, {columns[order[1]]}, PRIMARY KEY (grp, usr))""")
    connector: Any = connector_type.open(target.settings())
    offered = connector.suggest(call=call())["object_types"].values
    connector.close()
    assert [(each.name, [child.attribute for child in each.child_tables]) for each in offered] == [
        ("users", []),
        ("user_groups", ["members"]),
    ]


@pytest.mark.parametrize("table", [None, "people"])
def test_the_wizard_tells_of_tables_in_another_schema(
    postgresql: PostgresServer, tmp_path: Path, table: str | None
) -> None:
    target = Target("postgresql", postgresql.create_database(), postgresql)
    target.script("""
CREATE SCHEMA "HR";
CREATE TABLE "HR".people (id integer PRIMARY KEY)""")
    settings = {
        "host": postgresql.host,
        "port": postgresql.port,
        "database": target.database,
        "user": postgresql.user,
        "password": {"env": "HR_PASSWORD"},
    }
    configuration = Configuration(path=tmp_path / "isthmus.toml", host=HostDocument(), connectors={}, names={})
    answers = Answers(name="hr", table=table, settings={"dialect": "postgresql", **settings})
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HR_PASSWORD", postgresql.password)
        with pytest.raises(ConfigError, match="--set schema=NAME: there are HR, public"):
            discover(configuration, answers)
        found = discover(configuration, replace(answers, settings={**answers.settings, "schema": "HR"}))
    assert list(found.schema.object_types) == ["people"]
