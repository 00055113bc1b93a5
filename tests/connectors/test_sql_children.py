"""Child tables on real databases: memberships, e-mail addresses, phones; keys of one and of several columns."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.servers.targets import Target
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import BooleanColumn, ChildTable, ReferenceColumn, SqlObjectType
from isthmus.spi import (
    AlreadyExists,
    Anchor,
    AttributeChange,
    AttributeType,
    Call,
    Complex,
    ConnectorObject,
    Identity,
    ImportScope,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    Reference,
)

KEY = {
    "sqlite": "INTEGER PRIMARY KEY",
    "postgresql": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "mariadb": "bigint AUTO_INCREMENT PRIMARY KEY",
}
CI = {
    "sqlite": "varchar(40) COLLATE NOCASE",
    "postgresql": "citext",
    "mariadb": "varchar(40) COLLATE utf8mb4_general_ci",
}

TYPES = (
    SqlObjectType(
        name="person",
        table="people",
        child_tables=(
            ChildTable(attribute="emails", table="emails", boolean_columns=(BooleanColumn(column="main"),)),
            ChildTable(attribute="phones", table="phones", order_column="pos"),
            ChildTable(attribute="roles", table="roles", owner_columns=("login",), columns=("role",)),
            ChildTable(attribute="groups", table="members", read_only=True),
        ),
    ),
    SqlObjectType(name="group", table="teams", child_tables=(ChildTable(attribute="members", table="members"),)),
)


def script(target: Target) -> str:
    key, ci = KEY[target.dialect], CI[target.dialect]
    return f"""
CREATE TABLE people (login {ci} NOT NULL PRIMARY KEY, name varchar(40));
CREATE TABLE emails (
  id {key}, person {ci} NOT NULL, address varchar(60) NOT NULL UNIQUE, kind varchar(10), main char(1),
  FOREIGN KEY (person) REFERENCES people (LOGIN));
CREATE TABLE phones (
  id {key}, person {ci} NOT NULL, number varchar(30) NOT NULL, pos integer NOT NULL,
  FOREIGN KEY (person) REFERENCES people (login) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE roles (login {ci}, role varchar(30));
CREATE TABLE teams (id {key}, name varchar(40) NOT NULL);
CREATE TABLE members (
  team bigint NOT NULL, person {ci} NOT NULL, PRIMARY KEY (team, person),
  FOREIGN KEY (team) REFERENCES teams (id), FOREIGN KEY (person) REFERENCES people (login))
"""


@pytest.fixture
def opened(target: Target) -> Iterator[Callable[..., Any]]:
    connectors = []

    def open_it(**changes: Any) -> Any:
        connectors.append(connector_type.open(target.settings(**changes)))
        return connectors[-1]

    if target.server is not None and target.dialect == "postgresql":
        target.server.run("CREATE EXTENSION IF NOT EXISTS citext", database=target.database)
    yield open_it
    for each in connectors:
        each.close()


@pytest.fixture
def connector(target: Target, opened: Callable[..., Any]) -> Any:
    target.script(script(target))
    return opened(object_types=TYPES)


def call(**keywords: Any) -> Call:
    return Call(timeout=60, session="test", **keywords)


def mail(address: str, **parts: Any) -> Complex:
    return Complex({"address": address, **parts})


def refers(login: str) -> Reference:
    return Reference((login,), "person")


def add(connector: Any, login: str, **values: tuple[Any, ...]) -> ConnectorObject:
    return connector.create("person", {"login": (login,), **values}, call=call())


def team(connector: Any, name: str, *members: str) -> ConnectorObject:
    given = {"name": (name,), "members": tuple(refers(m) for m in members)}
    return connector.create("group", given, call=call())


def change(connector: Any, which: ConnectorObject, *changes: AttributeChange, **keywords: Any) -> ConnectorObject:
    return connector.update(which.object_type, which.identity, changes, call=call(**keywords))


def read(connector: Any, which: ConnectorObject, *names: str) -> dict[str, set[Any]]:
    found = connector.read(which.object_type, which.identity, attributes=names, call=call())
    assert found is not None
    assert all(len(values) == len(set(values)) for values in found.attributes.values())
    return {name: set(found.attributes[name]) for name in names}


def imported(connector: Any, kind: str, *names: str, page_size: int = 100) -> dict[str, ConnectorObject]:
    scope = next(s for s in connector.scopes() if s.key == kind)
    found = {}
    for page in connector.import_full(scope, attributes={kind: names}, page_size=page_size, call=call()):
        assert len(page.wire) == len(page.objects)
        for each in page.objects:
            found["/".join(each.identity.anchor.values)] = each
    return found


def test_owners_in_a_column_of_another_type(target: Target, opened: Callable[..., Any]) -> None:
    """PostgreSQL compares no text with numbers; MariaDB takes "abc" for 0 and "7abc" for 7: another person's roles."""
    target.run("CREATE TABLE people (id integer NOT NULL PRIMARY KEY)")
    target.run("CREATE TABLE roles (person varchar(20), role varchar(20))")
    target.run("INSERT INTO people VALUES (0), (7)")
    target.run("INSERT INTO roles VALUES ('7', 'one'), ('7abc', 'other'), ('abc', 'other')")
    roles = ChildTable(attribute="roles", table="roles", owner_columns=("person",))
    connector = opened(object_types=(SqlObjectType(name="person", table="people", child_tables=(roles,)),))
    for key, expected in (("0", ()), ("7", ("one",))):
        identity = Identity(Anchor((key,)))
        assert connector.read("person", identity, attributes=("roles",), call=call()).attributes["roles"] == expected
        connector.update("person", identity, [AttributeChange("roles", replace=("new",))], call=call())
    scope = ImportScope("person", ("person",))
    pages = connector.import_full(scope, attributes={"person": ("roles",)}, page_size=9, call=call())
    assert [each.attributes["roles"] for page in pages for each in page.objects] == [("new",), ("new",)]
    assert not connector.find("person", "roles", "other", attributes=(), call=call())
    assert sorted(target.run("SELECT person FROM roles")) == [("0",), ("7",), ("7abc",), ("abc",)]


def test_others_remove_or_add_the_same_rows_meanwhile(server_target: Target) -> None:
    """A transaction of InnoDB goes on showing what it read first; rows that are gone were taken for protected."""
    server_target.run("CREATE TABLE people (login varchar(20) NOT NULL PRIMARY KEY)")
    server_target.run("CREATE TABLE roles (login varchar(20), role varchar(20))")
    server_target.run("CREATE TABLE tags (login varchar(20), tag varchar(20))")
    server_target.run("INSERT INTO people VALUES ('ann')")
    server_target.run("INSERT INTO roles VALUES ('ann', 'one'), ('ann', 'two')")
    children = tuple(
        ChildTable(attribute=name, table=name, owner_columns=("login",), columns=(name[:-1],))
        for name in ("roles", "tags")
    )
    person = SqlObjectType(name="person", table="people", child_tables=children)
    connector: Any = connector_type.open(server_target.settings(object_types=(person,)))

    def meddle(text: str) -> None:
        if text.startswith("DELETE"):
            server_target.run("DELETE FROM roles")
        if text.startswith("INSERT") and "tags" in text:
            server_target.run("INSERT INTO tags VALUES ('ann', 'new')")

    changes = [AttributeChange("roles", replace=("two",)), AttributeChange("tags", add=("new",))]
    late = Call(timeout=20, session="test", on_sent=meddle)
    connector.update("person", Identity(Anchor(("ann",))), changes, call=late)
    connector.close()
    assert server_target.run("SELECT * FROM tags") == [("ann", "new")]


def test_values_that_are_one_to_the_database_are_sent_once(target: Target, opened: Callable[..., Any]) -> None:
    """A new person with two spellings of one address was answered as if the person existed."""
    ci = CI[target.dialect]
    target.run("CREATE TABLE people (login varchar(20) NOT NULL PRIMARY KEY)")
    target.run(f"CREATE TABLE tags (login varchar(20), tag {ci} NOT NULL, PRIMARY KEY (login, tag))")
    target.run(f"CREATE TABLE mails (login varchar(20), mail {ci}, kind varchar(9), PRIMARY KEY (login, mail, kind))")
    tags = ChildTable(attribute="tags", table="tags", owner_columns=("login",))
    mails = ChildTable(attribute="mails", table="mails", owner_columns=("login",), columns=("mail", "kind"))
    connector = opened(object_types=(SqlObjectType(name="person", table="people", child_tables=(tags, mails)),))
    doubled = [Complex({"mail": "A@x", "kind": "work"}), Complex({"mail": "a@x", "kind": "work"})]
    home = Complex({"mail": "a@x", "kind": "home"})
    made = connector.create(
        "person", {"login": ("ann",), "tags": ("VIP", "vip"), "mails": (*doubled, home)}, call=call()
    )
    assert (made.attributes["tags"], set(made.attributes["mails"])) == (("VIP",), {doubled[0], home})
    for change in (AttributeChange("tags", replace=("New", "NEW")), AttributeChange("tags", add=("More", "more"))):
        connector.update("person", made.identity, [change], call=call())
    found = connector.read("person", made.identity, attributes=("tags",), call=call())
    assert set(found.attributes["tags"]) == {"New", "More"}


def test_the_schema_is_read_from_foreign_keys(connector: Any) -> None:
    types = connector.read_schema(call=call()).object_types
    person = {a.name: a for a in types["person"].attributes}
    assert person["emails"].type is AttributeType.COMPLEX
    assert person["emails"].multivalued
    parts = {a.name: a for a in person["emails"].sub_attributes}
    assert list(parts) == ["address", "kind", "main"]
    assert parts["main"].type is AttributeType.BOOLEAN
    assert parts["address"].required
    assert parts["kind"].max_length == 10
    assert person["phones"].type is AttributeType.STRING
    assert person["phones"].max_length == 30
    assert person["roles"].multivalued
    assert person["groups"].type is AttributeType.REFERENCE
    assert person["groups"].readonly
    members = types["group"].attribute("members")
    assert members is not None
    assert (members.type, members.reference_to, members.readonly) == (AttributeType.REFERENCE, "person", False)
    assert not members.case_exact


def test_created_values_are_read_found_and_imported(connector: Any, target: Target) -> None:
    ann = add(
        connector,
        "Ann",
        emails=(mail("a@x", kind="work", main=True), mail("b@x")),
        phones=("2", "1", "3"),
        roles=("admin",),
        groups=(),
    )
    assert set(ann.attributes["emails"]) == {mail("a@x", kind="work", main=True), mail("b@x")}
    assert ann.attributes["phones"] == ("2", "1", "3")
    assert ann.attributes["groups"] == ()
    add(connector, "bob", emails=())
    crew = team(connector, "crew", "ann", "bob")
    assert set(crew.attributes["members"]) == {refers("ann"), refers("bob")}
    assert read(connector, ann, "groups")["groups"] == {Reference(crew.identity.anchor.values, "group")}
    everybody = imported(connector, "person", "name", "emails", "phones", "roles", "groups")
    assert set(everybody) == {"ann", "bob"}
    assert set(everybody["ann"].attributes["emails"]) == set(ann.attributes["emails"])
    assert everybody["ann"].attributes["phones"] == ("2", "1", "3")
    assert everybody["ann"].attributes["roles"] == ("admin",)
    assert everybody["bob"].attributes["emails"] == ()
    found = connector.find("person", "phones", "1", attributes=("emails",), call=call())
    assert [each.identity for each in found] == [ann.identity]
    assert set(found[0].attributes["emails"]) == set(ann.attributes["emails"])
    whole = connector.find("person", "emails", mail("b@x"), attributes=("login",), call=call())
    assert [each.identity for each in whole] == [ann.identity]
    assert not connector.find("person", "emails", mail("a@x"), attributes=("login",), call=call())
    part = connector.find("person", "emails.address", "a@x", attributes=("login",), call=call())
    assert [each.identity for each in part] == [ann.identity]
    groups = connector.find("group", "members", refers("ANN"), attributes=("name",), call=call())
    assert [each.identity for each in groups] == [crew.identity]
    assert target.run("SELECT main FROM emails WHERE address = 'a@x'")[0][0] == "1"


def test_one_member_is_one_insert_and_one_delete(connector: Any) -> None:
    for login in ("ann", "bob", "eve"):
        add(connector, login)
    crew = team(connector, "crew", "ann", "bob")
    sent: list[str] = []
    updated = change(connector, crew, AttributeChange("members", add=(refers("eve"),)), on_sent=sent.append)
    assert "members" not in updated.attributes
    assert [text.split()[0] for text in sent] == ["SELECT", "INSERT"]
    assert "eve" not in "".join(sent)
    assert read(connector, crew, "members")["members"] == {refers("ann"), refers("bob"), refers("eve")}
    sent.clear()
    updated = change(connector, crew, AttributeChange("members", remove=(refers("ANN"),)), on_sent=sent.append)
    assert "members" not in updated.attributes
    assert [text.split()[0] for text in sent] == ["SELECT", "DELETE"]
    assert read(connector, crew, "members")["members"] == {refers("bob"), refers("eve")}


def test_what_is_there_is_not_added_twice_and_what_is_gone_is_no_error(connector: Any, target: Target) -> None:
    ann = add(connector, "ann", roles=("admin",), emails=(mail("a@x", kind="work"),))
    again = (
        AttributeChange("roles", add=("admin", "admin")),
        AttributeChange("emails", add=(mail("a@x", kind="work"),)),
    )
    change(connector, ann, *again)
    gone = AttributeChange("roles", remove=("never", "x" * 99))
    change(connector, ann, gone)
    assert len(target.run("SELECT * FROM roles")) == 1
    assert len(target.run("SELECT * FROM emails")) == 1
    change(connector, ann, AttributeChange("roles", remove=("admin",), add=("admin", "user")))
    assert read(connector, ann, "roles")["roles"] == {"admin", "user"}


def test_what_the_database_makes_of_a_value_is_returned(target: Target, opened: Callable[..., Any]) -> None:
    target.script("""
CREATE TABLE people (id integer PRIMARY KEY);
CREATE TABLE phones (
  person integer NOT NULL, number varchar(30) NOT NULL, kind varchar(10) DEFAULT 'other',
  low varchar(30) GENERATED ALWAYS AS (lower(number)) STORED, FOREIGN KEY (person) REFERENCES people (id));
INSERT INTO people VALUES (1)
""")
    phones = ChildTable(attribute="phones", table="phones", columns=("number", "kind", "low"))
    connector = opened(object_types=(SqlObjectType(name="people", child_tables=(phones,)),))
    one = Identity(Anchor(("1",)))
    added = AttributeChange("phones", add=(Complex({"number": "+1A"}),))
    updated = connector.update("people", one, [added], call=call(wanted=("phones",)))
    made = Complex({"number": "+1A", "kind": "other", "low": "+1a"})
    assert updated.attributes["phones"] == (made,)
    changed = AttributeChange("phones", remove=(made,), add=(Complex({"number": "+2B", "kind": "work"}),))
    updated = connector.update("people", one, [changed], call=call(wanted=("phones",)))
    assert updated.attributes["phones"] == (Complex({"number": "+2B", "kind": "work", "low": "+2b"}),)


def test_replacing_sends_the_difference(connector: Any, target: Target) -> None:
    ann = add(connector, "ann", emails=tuple(mail(f"{n}@x", kind="work") for n in range(5)))
    before = dict(target.run("SELECT address, id FROM emails"))
    wanted = (mail("1@x", kind="work"), mail("2@x", kind="home"), mail("9@x"))
    updated = change(connector, ann, AttributeChange("emails", replace=wanted))
    assert set(updated.attributes["emails"]) == set(wanted)
    after = dict(target.run("SELECT address, id FROM emails"))
    assert set(after) == {"1@x", "2@x", "9@x"}
    assert after["1@x"] == before["1@x"]
    updated = change(connector, ann, AttributeChange("emails", replace=()))
    assert updated.attributes["emails"] == ()
    assert target.run("SELECT * FROM emails") == []


def test_values_are_numbered_in_their_order(connector: Any, target: Target) -> None:
    ann = add(connector, "ann", phones=("b", "a"))
    change(connector, ann, AttributeChange("phones", add=("c",)))
    change(connector, ann, AttributeChange("phones", replace=("c", "b", "d")))
    found = connector.read("person", ann.identity, attributes=("phones",), call=call())
    assert found.attributes["phones"] == ("b", "c", "d")
    numbers = [int(n) for (n,) in target.run("SELECT pos FROM phones")]
    assert len(set(numbers)) == 3


def test_an_update_that_fails_changes_nothing(connector: Any) -> None:
    ann, bob = add(connector, "ann", emails=(mail("a@x"),)), add(connector, "bob", emails=(mail("b@x"),))
    with pytest.raises(AlreadyExists) as caught:
        change(
            connector,
            ann,
            AttributeChange("name", replace=("x",)),
            AttributeChange("roles", add=("r",)),
            AttributeChange("emails", add=(mail("b@x"),)),
        )
    assert caught.value.attribute == "emails"
    assert read(connector, ann, "name", "roles", "emails") == {"name": set(), "roles": set(), "emails": {mail("a@x")}}
    with pytest.raises(AlreadyExists):
        add(connector, "eve", emails=(mail("e@x"), mail("b@x")))
    gone = Identity(Anchor(("eve",)))
    assert connector.read("person", gone, attributes=("emails",), call=call()) is None
    assert read(connector, bob, "emails")["emails"] == {mail("b@x")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("emails", mail("x" * 61)),
        ("emails", Complex({"kind": "work"})),
        ("emails", mail("a@x", other="b")),
        ("emails", Complex({})),
        ("emails", "text"),
        ("phones", "n" * 31),
        ("roles", 7),
        ("groups", Reference(("1",), "group")),
    ],
)
def test_bad_values_name_the_attribute(connector: Any, name: str, value: Any) -> None:
    ann = add(connector, "ann")
    for bad in (AttributeChange(name, add=(value,)), AttributeChange(name, replace=(value,))):
        with pytest.raises(InvalidValue) as caught:
            change(connector, ann, bad)
        assert caught.value.attribute == name
    with pytest.raises(InvalidValue):
        add(connector, "bob", **{name: (value,)})


def test_an_unknown_member_is_an_invalid_value(connector: Any) -> None:
    crew = team(connector, "crew")
    for bad in (
        AttributeChange("members", add=(refers("nobody"),)),
        AttributeChange("members", replace=(refers("no"),)),
    ):
        with pytest.raises(InvalidValue) as caught:
            change(connector, crew, bad)
        assert caught.value.attribute == "members"
    with pytest.raises(InvalidValue):
        team(connector, "other", "nobody")


def test_a_change_of_what_is_gone_is_not_found(connector: Any) -> None:
    crew = team(connector, "crew")
    connector.delete("group", crew.identity, call=call())
    for bad in (AttributeChange("members", add=(refers("ann"),)), AttributeChange("members", replace=())):
        with pytest.raises(NotFound):
            change(connector, crew, bad)
    with pytest.raises(NotFound):
        connector.delete("group", crew.identity, call=call())


def test_delete_takes_children_and_memberships_along(connector: Any, target: Target) -> None:
    ann = add(connector, "ann", emails=(mail("a@x"),), phones=("1",), roles=("r",))
    add(connector, "bob", roles=("r",))
    crew = team(connector, "crew", "ann", "bob")
    connector.delete("person", ann.identity, call=call())
    assert read(connector, crew, "members")["members"] == {refers("bob")}
    assert target.run("SELECT * FROM emails") == target.run("SELECT * FROM phones") == []
    assert len(target.run("SELECT * FROM roles")) == 1
    connector.delete("group", crew.identity, call=call())
    assert target.run("SELECT * FROM members") == []
    assert len(target.run("SELECT * FROM people")) == 1


def test_a_new_key_takes_children_and_memberships_along(connector: Any, target: Target) -> None:
    ann = add(connector, "ann", emails=(mail("a@x"), mail("b@x", kind="work")), phones=("1",), roles=("r",))
    crew = team(connector, "crew", "ann")
    renamed = change(connector, ann, AttributeChange("login", replace=("Anna",)), AttributeChange("roles", add=("s",)))
    assert renamed.identity.anchor.values == ("anna",)
    assert read(connector, renamed, "emails", "phones", "roles") == {
        "emails": {mail("a@x"), mail("b@x", kind="work")},
        "phones": {"1"},
        "roles": {"r", "s"},
    }
    assert read(connector, crew, "members")["members"] == {refers("anna")}
    assert {row[0] for row in target.run("SELECT login FROM roles")} == {"Anna"}
    assert {row[0] for row in target.run("SELECT person FROM emails")} == {"Anna"}


def test_orphans_belong_to_nobody(connector: Any, target: Target) -> None:
    add(connector, "bob", roles=("r",))
    for login in ("aaa", "bob2", "zzz"):
        target.run(f"INSERT INTO roles VALUES ('{login}', 'orphan')")
    target.run("INSERT INTO roles VALUES (NULL, 'orphan')")
    target.run("INSERT INTO roles VALUES ('bob', NULL)")
    found = imported(connector, "person", "roles")
    assert {name: each.attributes["roles"] for name, each in found.items()} == {"bob": ("r",)}


def test_spelling_of_the_owner_does_not_matter(connector: Any, target: Target) -> None:
    names = ["ann", "Bob", "BOB2", "bob_x", "Ä", "z", "-", "a b", "a-b", "ab"]
    for name in names:
        add(connector, name)
        target.run(f"INSERT INTO roles VALUES ('{name.upper() if name.isascii() else name}', 'role of {name}')")
        target.run(f"INSERT INTO roles VALUES ('{name}', 'second of {name}')")
    for size in (1, 3, 100):
        found = imported(connector, "person", "roles", page_size=size)
        assert len(found) == len(names)
        for each in found.values():
            login = each.attributes["login"][0]
            assert set(each.attributes["roles"]) == {f"role of {login}", f"second of {login}"}


def test_the_wire_form_covers_the_children(connector: Any, target: Target) -> None:
    def wires() -> dict[str, bytes]:
        scope = next(s for s in connector.scopes() if s.key == "person")
        pages = connector.import_full(scope, attributes={"person": ("emails", "roles")}, page_size=2, call=call())
        return {o.identity.anchor.values[0]: w for p in pages for o, w in zip(p.objects, p.wire, strict=True)}

    for login in ("ann", "bob", "eve"):
        add(connector, login, emails=(mail(f"{login}@x", kind="work"),), roles=("r", "s"))
    before = wires()
    assert len(set(before.values())) == 3
    assert wires() == before
    target.run("UPDATE emails SET kind = 'home' WHERE person = 'ann'")
    target.run("INSERT INTO roles VALUES ('eve', 't')")
    after = wires()
    assert {login for login in before if before[login] != after[login]} == {"ann", "eve"}


def test_the_same_value_added_by_many_at_once_is_there_once(connector: Any, target: Target) -> None:
    ann, crew = add(connector, "ann"), team(connector, "crew")
    barrier, errors = threading.Barrier(8), []

    def run(n: int) -> None:
        mine = Call(timeout=60, session=f"thread {n}")
        try:
            barrier.wait(20)
            changes = [AttributeChange("roles", add=("same", f"own {n}"))]
            connector.update("person", ann.identity, changes, call=mine)
            connector.update("group", crew.identity, [AttributeChange("members", add=(refers("ann"),))], call=mine)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert not errors
    assert sorted(row[0] for row in target.run("SELECT role FROM roles")) == sorted(
        ["same", *(f"own {n}" for n in range(8))]
    )
    assert len(target.run("SELECT * FROM members")) == 1


COMPOSITE = (
    SqlObjectType(
        name="person",
        anchor=("company", "number"),
        reference_columns=(
            ReferenceColumn(columns=("company", "boss"), object_type="person", attribute="manager"),
            ReferenceColumn(columns=("deputy_company", "deputy_number"), object_type="person", attribute="deputy"),
        ),
        child_tables=(
            ChildTable(attribute="skills", table="skill", columns=("skill", "level"), names=("value", "grade")),
        ),
    ),
    SqlObjectType(
        name="team",
        child_tables=(
            ChildTable(attribute="members", table="team_person"),
            ChildTable(attribute="leads", table="team_lead", reference_to="person"),
        ),
    ),
)

COMPOSITE_SCRIPT = """
CREATE TABLE person (
  company varchar(10) NOT NULL, number integer NOT NULL, name varchar(40), boss integer,
  deputy_company varchar(10), deputy_number integer, PRIMARY KEY (company, number),
  FOREIGN KEY (company, boss) REFERENCES person (company, number));
CREATE TABLE team (country varchar(2) NOT NULL, code varchar(10) NOT NULL, PRIMARY KEY (country, code));
CREATE TABLE team_person (
  number integer NOT NULL, company varchar(10) NOT NULL, code varchar(10) NOT NULL, country varchar(2) NOT NULL,
  PRIMARY KEY (country, code, company, number),
  FOREIGN KEY (company, number) REFERENCES person (company, number),
  FOREIGN KEY (country, code) REFERENCES team (country, code));
CREATE TABLE team_lead (
  country varchar(2) NOT NULL, code varchar(10) NOT NULL,
  lead_company varchar(10) NOT NULL, lead_number integer NOT NULL,
  FOREIGN KEY (country, code) REFERENCES team (country, code) ON DELETE CASCADE ON UPDATE CASCADE,
  FOREIGN KEY (lead_company, lead_number) REFERENCES person (company, number) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE skill (
  company varchar(10) NOT NULL, number integer NOT NULL, skill varchar(20) NOT NULL, level integer,
  FOREIGN KEY (company, number) REFERENCES person (company, number) ON DELETE CASCADE ON UPDATE CASCADE)
"""


def test_keys_of_several_columns(target: Target, opened: Callable[..., Any]) -> None:
    target.script(COMPOSITE_SCRIPT)
    connector = opened(object_types=COMPOSITE)
    person = connector.read_schema(call=call()).object_types["person"]
    assert {a.name for a in person.attributes} == {"company", "number", "name", "manager", "deputy", "skills"}

    def new(number: int, **values: tuple[Any, ...]) -> ConnectorObject:
        return connector.create("person", {"company": ("c/1",), "number": (number,), **values}, call=call())

    def point(number: int, company: str = "c/1") -> Reference:
        return Reference((company, str(number)), "person")

    new(1)
    two = new(2, manager=(point(1),), skills=(Complex({"value": "sql", "grade": 3}), Complex({"value": "go"})))
    assert two.attributes["manager"] == (point(1),)
    assert set(two.attributes["skills"]) == {Complex({"value": "sql", "grade": 3}), Complex({"value": "go"})}
    names = ("manager", "deputy", "skills")
    assert read(connector, two, *names)["manager"] == {point(1)}
    found = connector.find("person", "manager", point(1), attributes=(), call=call())
    assert [each.identity for each in found] == [two.identity]
    with pytest.raises(InvalidValue):
        change(connector, two, AttributeChange("manager", replace=(point(1, "other"),)))
    updated = change(connector, two, AttributeChange("deputy", replace=(point(1),)))
    assert updated.attributes["deputy"] == (point(1),)
    change(connector, two, AttributeChange("deputy", remove=(point(2),)))
    assert read(connector, two, "deputy")["deputy"] == {point(1)}
    change(connector, two, AttributeChange("deputy", remove=(point(1),)), AttributeChange("manager", replace=()))
    assert read(connector, two, "deputy", "manager") == {"deputy": set(), "manager": set()}
    given = {"country": ("de",), "code": ("x",), "members": (point(1), point(2)), "leads": (point(2),)}
    crew = connector.create("team", given, call=call())
    assert set(crew.attributes["members"]) == {point(1), point(2)}
    change(connector, crew, AttributeChange("members", remove=(point(1),)))
    assert read(connector, crew, "members", "leads") == {"members": {point(2)}, "leads": {point(2)}}
    change(connector, crew, AttributeChange("members", add=(point(1), point(2))))
    teams = imported(connector, "team", "members", "leads")
    assert set(teams["de/x"].attributes["members"]) == {point(1), point(2)}
    people = imported(connector, "person", *names)
    assert set(people["c/1/2"].attributes["skills"]) == set(two.attributes["skills"])
    assert people["c/1/2"].attributes["manager"] == ()
    renamed = change(connector, crew, AttributeChange("code", replace=("y",)))
    assert read(connector, renamed, "members", "leads") == {"members": {point(1), point(2)}, "leads": {point(2)}}
    connector.delete("person", two.identity, call=call())
    assert read(connector, renamed, "members", "leads") == {"members": {point(1)}, "leads": set()}


SERIES = {
    "postgresql": "SELECT i FROM generate_series(1, 100000) i",
    "mariadb": "SELECT seq FROM seq_1_to_100000",
    "sqlite": "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT i FROM n",
}


def test_a_group_of_a_hundred_thousand(target: Target, opened: Callable[..., Any]) -> None:
    target.script(f"""
CREATE TABLE people (id integer PRIMARY KEY);
CREATE TABLE teams (id integer PRIMARY KEY, name varchar(40));
CREATE TABLE members (team integer NOT NULL REFERENCES teams (id), person integer NOT NULL, PRIMARY KEY (team, person));
INSERT INTO people {SERIES[target.dialect]};
INSERT INTO teams VALUES (1, 'few'), (2, 'all'), (3, 'none');
INSERT INTO members SELECT 2, id FROM people;
INSERT INTO members VALUES (1, 7)
""")
    members = ChildTable(attribute="members", table="members", columns=("person",), reference_to="people")
    connector = opened(
        object_types=(SqlObjectType(name="people"), SqlObjectType(name="teams", child_tables=(members,)))
    )
    found = imported(connector, "teams", "name", "members")
    assert {name: len(each.attributes["members"]) for name, each in found.items()} == {"1": 1, "2": 100_000, "3": 0}
    connector.delete("teams", found["3"].identity, call=call())
    sent: list[str] = []
    updated = change(
        connector,
        found["2"],
        AttributeChange("members", add=(Reference(("100001",)), Reference(("5",)))),
        on_sent=sent.append,
    )
    assert "members" not in updated.attributes
    assert len(sent) == 4  # person 5 is there, so that no row is inserted; the last one looks whether that is why
    wanted = tuple(Reference((str(n),), "people") for n in range(50, 100_050))
    updated = change(connector, found["2"], AttributeChange("members", replace=wanted))
    assert len(updated.attributes["members"]) == 100_000
    assert set(updated.attributes["members"]) == set(wanted)


@pytest.mark.parametrize(
    ("child", "says"),
    [
        ({"table": "nothing"}, "there is no table or view nothing"),
        ({"table": "roles"}, "no foreign key points"),
        ({"table": "emails", "columns": ("adress",)}, "columns names adress"),
        ({"table": "emails", "owner_columns": ("id", "person")}, "as many as the anchor"),
        ({"table": "emails", "columns": ("address", "kind"), "names": ("value",)}, "names gives each"),
        ({"table": "members", "reference_to": "nobody"}, "no object type"),
        ({"table": "emails", "attribute": "name"}, "two attributes"),
    ],
)
def test_settings_that_do_not_fit_are_explained(
    target: Target, opened: Callable[..., Any], child: dict[str, Any], says: str
) -> None:
    target.script(script(target))
    given = ChildTable(**{"attribute": "values", **child})
    person = SqlObjectType(name="person", table="people", child_tables=(given,))
    with pytest.raises(MisconfiguredConnector, match=says):
        opened(object_types=(person,)).read_schema(call=call())


def test_rows_that_cannot_be_made_are_only_read(target: Target, opened: Callable[..., Any]) -> None:
    target.script("""
CREATE TABLE people (id integer PRIMARY KEY);
CREATE TABLE cards (
  code varchar(36) NOT NULL PRIMARY KEY, person integer NOT NULL REFERENCES people (id), color varchar(9));
INSERT INTO people VALUES (1);
INSERT INTO cards VALUES ('x-1', 1, 'red')
""")
    cards = ChildTable(attribute="cards", table="cards", columns=("color",))
    connector = opened(object_types=(SqlObjectType(name="people", child_tables=(cards,)),))
    people = connector.read_schema(call=call()).object_types["people"]
    definition = people.attribute("cards")
    assert definition.readonly
    assert "code" in definition.description
    one = Identity(Anchor(("1",)))
    assert connector.read("people", one, attributes=("cards",), call=call()).attributes["cards"] == ("red",)
    with pytest.raises(InvalidValue, match="code"):
        connector.update("people", one, [AttributeChange("cards", add=("blue",))], call=call())


WAITING = {
    "postgresql": "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '{database}'",
    "mariadb": "SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


def test_a_row_that_somebody_else_inserts_meanwhile_is_no_error(
    server_target: Target, request: pytest.FixtureRequest
) -> None:
    """Not through this connector, so that no lock keeps it out; the constraint does, and then the row is there."""
    target, server = server_target, server_target.server
    assert server is not None
    if target.dialect == "postgresql":
        server.run("CREATE EXTENSION IF NOT EXISTS citext", database=target.database)
    target.script(script(target))
    connector: Any = connector_type.open(target.settings(object_types=TYPES))
    request.addfinalizer(connector.close)
    add(connector, "ann")
    crew = team(connector, "crew")
    other = server.connect(target.database, administrator=False)
    request.addfinalizer(other.close)
    cursor = other.cursor()
    cursor.execute("BEGIN")
    cursor.execute(f"INSERT INTO members (team, person) VALUES ({crew.identity.anchor.values[0]}, 'ann')")
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(change(connector, crew, AttributeChange("members", add=(refers("ann"),))))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.run(WAITING[target.dialect].format(database=target.database)):
        assert thread.is_alive(), outcome
        assert time.monotonic() < deadline
        time.sleep(0.2)  # innodb_trx shows what it showed before when it was last read less than 0.1 s ago
    cursor.execute("COMMIT")
    thread.join(30)
    assert isinstance(outcome[0], ConnectorObject), outcome
    assert len(target.run("SELECT * FROM members")) == 1


def test_an_import_shows_one_moment_of_objects_and_their_children(connector: Any, target: Target) -> None:
    for n in range(30):
        add(connector, f"p{n}", roles=(f"old {n}",))
    scope = next(s for s in connector.scopes() if s.key == "person")
    run = connector.import_full(scope, attributes={"person": ("roles",)}, page_size=5, call=call())
    seen = list(next(run).objects)
    target.run("UPDATE roles SET role = 'new'")
    add(connector, "zoe", roles=("late",))
    connector.delete("person", Identity(Anchor(("p20",))), call=call())
    for page in run:
        seen += page.objects
    assert {each.attributes["roles"] for each in seen} == {(f"old {n}",) for n in range(30)}
    assert len(imported(connector, "person", "roles")) == 30


def test_random_changes_leave_what_they_say(connector: Any) -> None:
    """Whatever is added, removed and replaced, in any order: the database has what a set would have."""
    generator = random.Random(7)
    pool = [mail(f"{n}@x", **({"kind": "work"} if n % 2 else {})) for n in range(8)]
    ann = add(connector, "ann")
    expected: set[Complex] = set()
    for _ in range(40):
        some, others = (tuple(generator.sample(pool, generator.randint(0, 5))) for _ in range(2))
        if generator.random() < 0.3:
            updated = change(connector, ann, AttributeChange("emails", replace=some))
            expected = set(some)
            assert set(updated.attributes["emails"]) == expected
        else:
            change(connector, ann, AttributeChange("emails", add=some, remove=others))
            expected = (expected - set(others)) | set(some)
        assert read(connector, ann, "emails")["emails"] == expected
    assert set(imported(connector, "person", "emails")["ann"].attributes["emails"]) == expected
