"""Unusual databases, as there are: triggers, rules and policies that do something else than what was asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.servers.targets import Target, make_target
from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import ChildTable, ReferenceColumn, SqlObjectType
from isthmus.spi import (
    AlreadyExists,
    Anchor,
    AttributeChange,
    Call,
    ConnectorError,
    ConnectorObject,
    Identity,
    ImportScope,
    InvalidValue,
    MisconfiguredConnector,
    NotFound,
    Reference,
    Secret,
    TargetRejected,
    TargetUnavailable,
)


@pytest.fixture
def opened() -> Iterator[Callable[..., Any]]:
    connectors = []

    def open_it(target: Target, *types: SqlObjectType) -> Any:
        connectors.append(connector_type.open(target.settings(object_types=types or (SqlObjectType(name="people"),))))
        return connectors[-1]

    yield open_it
    for each in connectors:
        each.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def silent(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """Give an empty database of each kind whose triggers can keep a row as it is without an error."""
    return make_target(request.param, request, tmp_path)


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return make_target("postgresql", request, tmp_path)


@pytest.fixture
def maria(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return make_target("mariadb", request, tmp_path)


def call(**keywords: Any) -> Call:
    return Call(timeout=20, session="test", **keywords)


def at(*key: str) -> Identity:
    return Identity(Anchor(key))


def change(connector: Any, key: str, *, kind: str = "people", **values: Any) -> ConnectorObject:
    changes = [AttributeChange(name, replace=(value,)) for name, value in values.items()]
    found: ConnectorObject = connector.update(kind, at(key), changes, call=call())
    return found


def refuses(write: Callable[[], object], text: str) -> None:
    """A definite refusal that is neither "not found", which would make the host forget the person, nor unknown."""
    with pytest.raises(TargetRejected, match=text) as caught:
        write()
    assert not isinstance(caught.value, NotFound)
    assert not caught.value.outcome_unknown


def guarded(target: Target) -> None:
    """Make a table in which the database takes no notice of writes to rows of the kind 'kept'."""
    target.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, kind varchar(9), mail varchar(40))")
    target.run("INSERT INTO people VALUES ('root', 'kept', NULL), ('ann', 'free', NULL)")
    if target.dialect == "postgresql":
        target.run(
            "CREATE FUNCTION pass_over() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
            "IF TG_OP = 'INSERT' AND NEW.kind = 'kept' OR TG_OP <> 'INSERT' AND OLD.kind = 'kept' THEN RETURN NULL; "
            "ELSIF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END$$"
        )
        target.run(
            "CREATE TRIGGER g BEFORE INSERT OR UPDATE OR DELETE ON people FOR EACH ROW EXECUTE FUNCTION pass_over()"
        )
        return
    for event, row in (("INSERT", "NEW"), ("UPDATE", "OLD"), ("DELETE", "OLD")):
        target.run(
            f"CREATE TRIGGER g_{event} BEFORE {event} ON people WHEN {row}.kind = 'kept' "
            "BEGIN SELECT RAISE(IGNORE); END"
        )


def test_what_a_trigger_passes_over_is_refused(silent: Target, opened: Callable[..., Any]) -> None:
    guarded(silent)
    connector = opened(silent)
    refuses(lambda: change(connector, "root", mail="x"), "the row is there")
    refuses(lambda: connector.delete("people", at("root"), call=call()), "the row is there")
    refuses(lambda: connector.create("people", {"login": ("eve",), "kind": ("kept",)}, call=call()), "inserts no row")
    assert silent.run("SELECT login, mail FROM people ORDER BY login") == [("ann", None), ("root", None)]
    assert change(connector, "ann", mail="a@x").attributes["mail"] == ("a@x",)
    connector.delete("people", at("ann"), call=call())
    for write in (
        lambda: change(connector, "ann", mail="b@x"),
        lambda: connector.delete("people", at("ann"), call=call()),
    ):
        with pytest.raises(NotFound):
            write()


def test_rows_that_a_policy_protects_are_not_taken_for_gone(postgres: Target, opened: Callable[..., Any]) -> None:
    postgres.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, mail varchar(40))")
    postgres.run("INSERT INTO people VALUES ('root', NULL), ('ann', NULL)")
    postgres.run("ALTER TABLE people ENABLE ROW LEVEL SECURITY")
    postgres.run("ALTER TABLE people FORCE ROW LEVEL SECURITY")
    postgres.run("CREATE POLICY reads ON people FOR SELECT USING (true)")
    for event in ("UPDATE", "DELETE"):
        postgres.run(f"CREATE POLICY {event}s ON people FOR {event} USING (login <> 'root')")
    postgres.run("CREATE TABLE roles (login varchar(20) REFERENCES people (login), role varchar(20))")
    roles = ChildTable(attribute="roles", table="roles")
    connector = opened(
        postgres,
        SqlObjectType(name="people"),
        SqlObjectType(name="with roles", table="people", child_tables=(roles,)),
    )
    for kind in ("people", "with roles"):
        refuses(lambda kind=kind: change(connector, "root", kind=kind, mail="x"), "the row is there")
        refuses(lambda kind=kind: connector.delete(kind, at("root"), call=call()), "the row is there")
    joins = [AttributeChange("roles", add=("admin",))]
    refuses(lambda: connector.update("with roles", at("root"), joins, call=call()), "the row is there")
    assert change(connector, "ann", mail="a@x").attributes["mail"] == ("a@x",)
    connector.delete("people", at("ann"), call=call())
    assert postgres.run("SELECT login FROM people") == [("root",)]


@pytest.mark.parametrize("how", ["trigger", "foreign key"])
def test_a_delete_that_breaks_a_rule_is_refused(how: str, silent: Target, opened: Callable[..., Any]) -> None:
    """The row is there still: "not found" would be the worst of answers."""
    silent.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, mail varchar(40))")
    silent.run("INSERT INTO people VALUES ('root', NULL)")
    if how == "trigger" and silent.dialect == "postgresql":
        silent.run(
            "CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'the last administrator stays' USING ERRCODE = 'check_violation'; END$$"
        )
        silent.run("CREATE TRIGGER g BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION stay()")
    elif how == "trigger":
        silent.run("CREATE TABLE counts (n integer CHECK (n > 0))")
        silent.run("INSERT INTO counts VALUES (1)")
        silent.run("CREATE TRIGGER g BEFORE DELETE ON people BEGIN UPDATE counts SET n = n - 1; END")
    else:
        silent.run(
            "CREATE TABLE badges (n integer PRIMARY KEY, login varchar(20) NOT NULL "
            "REFERENCES people (login) ON DELETE SET NULL)"
        )
        silent.run("INSERT INTO badges VALUES (1, 'root')")
    connector = opened(silent)
    refuses(lambda: connector.delete("people", at("root"), call=call()), "refuses")
    assert silent.run("SELECT login FROM people") == [("root",)]


def test_a_trigger_that_marks_rows_instead_of_deleting_them(postgres: Target, opened: Callable[..., Any]) -> None:
    """Seen through a view that leaves marked rows out, the person is gone; in the table itself, it is not."""
    postgres.run("CREATE TABLE all_people (login varchar(20) PRIMARY KEY, gone boolean NOT NULL DEFAULT false)")
    postgres.run(
        "CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN UPDATE all_people SET gone = true WHERE login = OLD.login; RETURN NULL; END$$"
    )
    postgres.run("CREATE TRIGGER g BEFORE DELETE ON all_people FOR EACH ROW EXECUTE FUNCTION mark()")
    postgres.run("CREATE VIEW people AS SELECT login FROM all_people WHERE NOT gone")
    postgres.run("INSERT INTO all_people VALUES ('ann'), ('bob')")
    connector = opened(postgres, SqlObjectType(name="people", anchor=("login",)), SqlObjectType(name="all_people"))
    connector.delete("people", at("ann"), call=call())
    with pytest.raises(NotFound):
        connector.delete("people", at("ann"), call=call())
    refuses(lambda: connector.delete("all_people", at("bob"), call=call()), "the row is there")
    assert postgres.run("SELECT login, gone FROM all_people ORDER BY login") == [("ann", True), ("bob", False)]


def test_a_row_that_others_delete_meanwhile_is_gone(server_target: Target, opened: Callable[..., Any]) -> None:
    """A transaction of InnoDB goes on showing a row that it has seen, although its DELETE finds none."""
    server_target.run("CREATE TABLE people (login varchar(20) PRIMARY KEY)")
    server_target.run("CREATE TABLE gone (login varchar(20))")
    server_target.run("INSERT INTO people VALUES ('ann')")
    if server_target.dialect == "postgresql":
        server_target.run(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN INSERT INTO gone VALUES (OLD.login); RETURN OLD; END$$"
        )
        server_target.run("CREATE TRIGGER g AFTER DELETE ON people FOR EACH ROW EXECUTE FUNCTION note()")
    else:
        server_target.run("CREATE TRIGGER g AFTER DELETE ON people FOR EACH ROW INSERT INTO gone VALUES (OLD.login)")
    connector = opened(server_target)
    connector.read_schema(call=call())
    assert server_target.server is not None
    other = server_target.server.connect(server_target.database, administrator=False)
    with closing(other), ThreadPoolExecutor(1) as pool, other.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("DELETE FROM people WHERE login = 'ann'")
        deleting = pool.submit(connector.delete, "people", at("ann"), call=call())
        until = time.monotonic() + 10
        while not waits_for_a_lock(server_target):
            assert time.monotonic() < until
            time.sleep(0.01)
        cursor.execute("COMMIT")
        with suppress(NotFound):  # as good: the row is gone
            deleting.result()


def waits_for_a_lock(target: Target) -> bool:
    if target.dialect == "postgresql":
        asked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(target.run(asked))
    assert target.server is not None
    # Not innodb_trx: who asks more often than ten times a second is shown the first answer again and again.
    asked = "SELECT 1 FROM information_schema.processlist WHERE db = %s AND state = 'Updating' AND time_ms > 100"
    return bool(target.server.run(asked, target.database))


def test_members_that_a_trigger_passes_over_are_refused(silent: Target, opened: Callable[..., Any]) -> None:
    """Nobody may be told that somebody has joined or left a group who has not."""
    silent.run("CREATE TABLE people (login varchar(20) PRIMARY KEY)")
    silent.run("CREATE TABLE roles (login varchar(20) NOT NULL REFERENCES people (login), role varchar(20) NOT NULL)")
    silent.run("INSERT INTO people VALUES ('ann')")
    silent.run("INSERT INTO roles VALUES ('ann', 'kept'), ('ann', 'free')")
    if silent.dialect == "postgresql":
        silent.run(
            "CREATE FUNCTION pass_over() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN "
            "IF TG_OP = 'INSERT' THEN IF NEW.role = 'never' THEN RETURN NULL; END IF; RETURN NEW; END IF; "
            "IF OLD.role = 'kept' THEN RETURN NULL; END IF; RETURN OLD; END$$"
        )
        silent.run("CREATE TRIGGER g BEFORE INSERT OR DELETE ON roles FOR EACH ROW EXECUTE FUNCTION pass_over()")
    else:
        for event, when in (("INSERT", "NEW.role = 'never'"), ("DELETE", "OLD.role = 'kept'")):
            silent.run(f"CREATE TRIGGER g_{event} BEFORE {event} ON roles WHEN {when} BEGIN SELECT RAISE(IGNORE); END")
    roles = ChildTable(attribute="roles", table="roles")
    connector = opened(silent, SqlObjectType(name="people", child_tables=(roles,)))
    for changed in (
        AttributeChange("roles", remove=("kept",)),
        AttributeChange("roles", replace=("free",)),
        AttributeChange("roles", replace=()),
        AttributeChange("roles", add=("never",)),
        AttributeChange("roles", replace=("kept", "free", "never")),
    ):
        refuses(lambda changed=changed: connector.update("people", at("ann"), [changed], call=call()), "leaves rows")
    refuses(
        lambda: connector.create("people", {"login": ("bob",), "roles": ("x", "never")}, call=call()), "leaves rows"
    )
    assert silent.run("SELECT login, role FROM roles ORDER BY role") == [("ann", "free"), ("ann", "kept")]
    assert silent.run("SELECT login FROM people") == [("ann",)]
    fine = [AttributeChange("roles", add=("x", "free"), remove=("absent",))]
    connector.update("people", at("ann"), fine, call=call())
    assert silent.run("SELECT role FROM roles ORDER BY role") == [("free",), ("kept",), ("x",)]


def test_a_change_by_which_the_row_leaves_the_view(postgres: Target, opened: Callable[..., Any]) -> None:
    """As a delete flow does that sets the column by which the view chooses."""
    postgres.run("CREATE TABLE all_people (login varchar(20) PRIMARY KEY, gone boolean NOT NULL DEFAULT false)")
    postgres.run("CREATE VIEW people AS SELECT * FROM all_people WHERE NOT gone")
    postgres.run("INSERT INTO all_people VALUES ('ann')")
    connector = opened(postgres, SqlObjectType(name="people", anchor=("login",)))
    assert change(connector, "ann", gone=True).attributes == {"login": ("ann",), "gone": (True,)}
    assert postgres.run("SELECT gone FROM all_people") == [(True,)]
    assert connector.read("people", at("ann"), attributes=(), call=call()) is None


def test_triggers_below_a_view_and_in_partitions_are_shown(postgres: Target, opened: Callable[..., Any]) -> None:
    postgres.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, mail varchar(40)) PARTITION BY LIST (login)")
    postgres.run("CREATE TABLE others PARTITION OF people DEFAULT")
    postgres.run("CREATE VIEW shown AS SELECT * FROM people")
    postgres.run(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN UPDATE people SET mail = login || '@x' WHERE login = NEW.login AND mail IS NULL; RETURN NULL; END$$"
    )
    postgres.run("CREATE TRIGGER g AFTER INSERT OR UPDATE ON others FOR EACH ROW EXECUTE FUNCTION fill()")
    connector = opened(postgres, SqlObjectType(name="people"), SqlObjectType(name="shown", anchor=("login",)))
    for kind in ("people", "shown"):
        created = connector.create(kind, {"login": (kind,)}, call=call(wanted=("login", "mail")))
        assert created.attributes["mail"] == (f"{kind}@x",)
        cleared = connector.update(kind, created.identity, [AttributeChange("mail", replace=())], call=call())
        assert cleared.attributes["mail"] == (f"{kind}@x",)


def test_a_new_name_that_a_trigger_changes(silent: Target, opened: Callable[..., Any]) -> None:
    silent.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, mail varchar(40))")
    if silent.dialect == "postgresql":
        silent.run(
            "CREATE FUNCTION low() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN NEW.login := lower(NEW.login); RETURN NEW; END$$"
        )
        silent.run("CREATE TRIGGER g BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION low()")
    connector = opened(silent)
    created = connector.create("people", {"login": ("Ann",)}, call=call())
    renamed = connector.update("people", created.identity, [AttributeChange("login", replace=("Bob",))], call=call())
    assert silent.run("SELECT login FROM people") == [renamed.attributes["login"]]


def test_tables_that_inherit_do_not_share_the_key(postgres: Target, opened: Callable[..., Any]) -> None:
    postgres.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, mail varchar(40))")
    postgres.run("CREATE TABLE guests () INHERITS (people)")
    postgres.run("INSERT INTO people VALUES ('ann', 'a@x')")
    postgres.run("INSERT INTO guests VALUES ('ann', 'guest@x'), ('bob', 'b@x')")
    connector = opened(postgres)
    for write in (
        lambda: change(connector, "ann", mail="n"),
        lambda: connector.delete("people", at("ann"), call=call()),
    ):
        with pytest.raises(MisconfiguredConnector, match="several rows") as caught:
            write()
        assert not caught.value.outcome_unknown
    assert change(connector, "bob", mail="n").attributes["mail"] == ("n",)
    assert postgres.run("SELECT login, mail FROM people ORDER BY 2") == [
        ("ann", "a@x"),
        ("ann", "guest@x"),
        ("bob", "n"),
    ]


def test_rows_that_cannot_be_read_are_not_taken_for_absent(postgres: Target, opened: Callable[..., Any]) -> None:
    """A view that converts what it cannot: an empty answer would have everybody created again."""
    postgres.run("CREATE TABLE staff (login varchar(20) PRIMARY KEY, room text)")
    postgres.run("INSERT INTO staff VALUES ('ann', '12'), ('bob', 'none')")
    postgres.run("CREATE VIEW people AS SELECT login, room::integer AS room FROM staff")
    connector = opened(postgres, SqlObjectType(name="people", anchor=("login",)))
    for read in (
        lambda: connector.read("people", at("bob"), attributes=("room",), call=call()),
        lambda: connector.find("people", "room", 12, attributes=("room",), call=call()),
        lambda: list(connector.import_full(ImportScope("people", ("people",)), attributes={"people": ("room",)},
                                           page_size=9, call=call())),
    ):  # fmt: skip
        with pytest.raises(MisconfiguredConnector, match="cannot read"):
            read()
    assert connector.read("people", at("ann"), attributes=("room",), call=call()).attributes["room"] == (12,)


def test_columns_of_different_collations_are_not_taken_for_absent_rows(
    maria: Target, opened: Callable[..., Any]
) -> None:
    maria.run("CREATE TABLE people (login varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY)")
    maria.run("CREATE TABLE roles (login varchar(20), role varchar(20)) COLLATE utf8mb4_unicode_ci")
    maria.run("INSERT INTO people VALUES ('ann')")
    roles = ChildTable(attribute="roles", table="roles", owner_columns=("login",))
    connector = opened(maria, SqlObjectType(name="people", child_tables=(roles,)))
    for read in (
        lambda: connector.test(call=call()),
        lambda: connector.read("people", at("ann"), attributes=("roles",), call=call()),
        lambda: connector.find("people", "login", "ann", attributes=("roles",), call=call()),
        lambda: connector.find("people", "roles", "admin", attributes=(), call=call()),
    ):
        with pytest.raises(MisconfiguredConnector, match="llegal mix of collations"):
            read()


def test_a_column_that_nobody_selected_is_not_read_back(target: Target, opened: Callable[..., Any]) -> None:
    """It may hold what has no counterpart; the write that has taken effect must not fail by it."""
    odd = {
        "postgresql": "timestamptz NOT NULL DEFAULT 'infinity'",
        "mariadb": "tinyint(1) NOT NULL DEFAULT 2",
        "sqlite": "datetime NOT NULL DEFAULT 'never'",
    }[target.dialect]
    target.run(f"CREATE TABLE people (login varchar(20) PRIMARY KEY, mail varchar(40), expires {odd})")
    connector = opened(target)
    wanted = ("login", "mail")
    created = connector.create("people", {"login": ("ann",)}, call=call(wanted=wanted))
    assert created.attributes == {"login": ("ann",), "mail": ()}
    changes = [AttributeChange("mail", replace=("a@x",))]
    changed = connector.update("people", created.identity, changes, call=call(wanted=wanted))
    assert changed.attributes == {"login": ("ann",), "mail": ("a@x",)}


def test_text_is_never_a_part_of_a_number(target: Target, opened: Callable[..., Any]) -> None:
    """MariaDB takes "abc" for 0 and "7abc" for 7 where the other side is a number."""
    target.run("CREATE TABLE people (id integer PRIMARY KEY, rank smallint, share decimal(5,2))")
    target.run("INSERT INTO people VALUES (0, 0, 0), (7, 7, 7)")
    connector = opened(target, SqlObjectType(name="people", text_columns=("id", "rank", "share")))
    for text in ("abc", "7abc", ""):
        for name in ("id", "rank", "share"):
            assert not connector.find("people", name, text, attributes=(), call=call()), f"{name} {text!r}"
        assert connector.read("people", at(text), attributes=(), call=call()) is None
    assert [each.identity for each in connector.find("people", "rank", "7", attributes=(), call=call())] == [at("7")]
    assert change(connector, "7", rank="-12").attributes["rank"] == ("-12",)


def test_text_is_never_the_number_of_a_word(maria: Target, opened: Callable[..., Any]) -> None:
    """MariaDB takes '1' for the first word of an ENUM, and '3' for the first two of a SET."""
    maria.run(
        "CREATE TABLE people (login varchar(20) PRIMARY KEY, kind enum('admin', 'user', '7'), "
        "areas set('north', 'south'), since year)"
    )
    connector = opened(maria)
    for name, value in (
        ("kind", "1"),
        ("kind", "nobody"),
        ("kind", ""),
        ("areas", "3"),
        ("areas", "north,west"),
        ("since", 24),
    ):
        with pytest.raises(InvalidValue) as caught:
            connector.create("people", {"login": ("ann",), name: (value,)}, call=call())
        assert caught.value.attribute == name
        assert list(connector.find("people", name, value, attributes=(), call=call())) == []
    for name, value in (
        ("kind", "7"),
        ("kind", "user"),
        ("areas", "north,south"),
        ("areas", ""),
        ("since", 2024),
        ("since", 0),
    ):
        created = connector.create("people", {"login": (f"{name} {value}",), name: (value,)}, call=call())
        assert created.attributes[name] == (value,)


@pytest.mark.parametrize(
    ("collation", "letters"), [("utf8mb4_turkish_ci", "Ii"), ("latin1_swedish_ci", "Šš"), ("utf8mb4_general_ci", "Ҋҋ")]
)
def test_letters_that_a_collation_tells_apart(
    collation: str, letters: str, maria: Target, opened: Callable[..., Any]
) -> None:
    """Two people must never become one: "I" is no capital of "i" in Turkish, and MySQL's first collations lack some."""
    charset = collation.partition("_")[0]
    maria.run(f"CREATE TABLE people (login varchar(20) CHARACTER SET {charset} COLLATE {collation} PRIMARY KEY)")
    connector = opened(maria)
    made = [connector.create("people", {"login": (f"{letter}A",)}, call=call()) for letter in letters]
    assert made[0].identity != made[1].identity
    assert connector.read("people", at(f"{letters[0]}a"), attributes=("login",), call=call()) == made[0]
    connector.delete("people", made[0].identity, call=call())
    assert maria.run("SELECT login FROM people") == [(f"{letters[1]}A",)]


@pytest.mark.parametrize(
    ("collation", "names"),
    [("czech", ("Mach", "macH")), ("danish", ("Aage", "aAge")), ("croatian", ("Džo", "dŽo"))],
)
def test_two_letters_that_count_as_one(
    collation: str, names: Sequence[str], maria: Target, opened: Callable[..., Any]
) -> None:
    """Where "ch" is a letter with the capitals "Ch" and "CH", "cH" is two others; alone they are equal as anywhere."""
    maria.run(f"CREATE TABLE people (login varchar(20) COLLATE utf8mb4_{collation}_ci PRIMARY KEY)")
    connector = opened(maria)
    made = [connector.create("people", {"login": (name,)}, call=call()) for name in names]
    assert made[0].identity != made[1].identity
    made.append(connector.create("people", {"login": ("HAnŽ",)}, call=call()))
    assert made[2].identity == at("hanž")
    for each in made:
        assert connector.read("people", each.identity, attributes=("login",), call=call()) == each


@pytest.mark.parametrize(
    ("kind", "column", "folding"),
    [
        ("sqlite", "text COLLATE NOCASE", "letters"),
        ("postgresql", "citext", "letters"),
        ("mariadb", "varchar(20) COLLATE utf8mb4_general_ci", "letters"),
        ("mariadb", "varchar(20) COLLATE utf8mb4_unicode_ci", "full"),
    ],
)
def test_what_a_collation_takes_for_equal_beyond_letters(
    request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., Any], kind: str, column: str, folding: str
) -> None:
    target = make_target(kind, request, tmp_path)
    if column == "citext":
        target.run("CREATE EXTENSION citext")
    target.run(f"CREATE TABLE people (login {column} PRIMARY KEY)")
    target.run("INSERT INTO people VALUES ('straße')")
    assert target.run("SELECT count(*) FROM people WHERE login = 'STRASSE'") == [(1 if folding == "full" else 0,)]
    login = opened(target).read_schema(call=call()).object_types["people"].attribute("login")
    assert (login.case_exact, login.case_folding) == (False, folding)


def test_letters_that_turkish_tells_apart(postgres: Target, opened: Callable[..., Any]) -> None:
    postgres.run("CREATE COLLATION tr (provider = icu, locale = 'tr-u-ks-level2', deterministic = false)")
    postgres.run("CREATE TABLE people (login varchar(20) COLLATE tr PRIMARY KEY)")
    connector = opened(postgres)
    made = [connector.create("people", {"login": (login,)}, call=call()) for login in ("ILGAZ", "ilgaz", "ÎLE", "île")]
    assert len({each.identity for each in made}) == 4
    assert made[0].identity == at("Ilgaz")


def test_citext_of_a_schema_that_is_not_searched(postgres: Target, opened: Callable[..., Any]) -> None:
    """There its equality is that of text: an anchor in lower case would find nobody."""
    assert postgres.server is not None
    postgres.server.run("CREATE SCHEMA extensions", database=postgres.database)
    postgres.server.run("CREATE EXTENSION citext SCHEMA extensions", database=postgres.database)
    postgres.server.run(f"GRANT USAGE ON SCHEMA extensions TO {postgres.server.user}", database=postgres.database)
    postgres.run("CREATE TABLE people (login extensions.citext PRIMARY KEY, mail varchar(40))")
    connector = opened(postgres)
    created = connector.create("people", {"login": ("Ann",)}, call=call())
    assert connector.read("people", created.identity, attributes=(), call=call()) is not None
    assert change(connector, *created.identity.anchor.values, mail="a@x").attributes["mail"] == ("a@x",)


def test_a_schema_that_the_account_may_not_use(postgres: Target, opened: Callable[..., Any]) -> None:
    """Types and collations of such columns work, but cannot be named; the rest of the connector is not to stop."""
    server, database = postgres.server, postgres.database
    assert server is not None
    server.run("CREATE SCHEMA hidden", database=database)
    server.run("CREATE EXTENSION citext SCHEMA hidden", database=database)
    server.run(
        "CREATE COLLATION hidden.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        database=database,
    )
    for table, kind in (("people", "hidden.citext"), ("teams", "varchar(20) COLLATE hidden.ci")):
        server.run(f"CREATE TABLE {table} (login {kind} PRIMARY KEY, mail varchar(40))", database=database)
        server.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {server.user}", database=database)
    connector = opened(postgres, SqlObjectType(name="people"), SqlObjectType(name="teams"))
    for kind in ("people", "teams"):
        created = connector.create(kind, {"login": ("Ann",)}, call=call())
        assert created.identity == at("Ann")
        assert change(connector, "Ann", kind=kind, mail="a@x").attributes["mail"] == ("a@x",)


def test_settings_for_all_sessions_leave_nobody_out(maria: Target, opened: Callable[..., Any]) -> None:
    """An import that reads fewer rows than there are takes people for deleted."""
    maria.run("CREATE TABLE people (login varchar(20) PRIMARY KEY)")
    maria.run("CREATE TABLE roles (login varchar(20), role varchar(20))")
    maria.run("INSERT INTO people VALUES ('ann'), ('bob'), ('eve')")
    maria.run("INSERT INTO roles VALUES ('ann', 'a'), ('ann', 'b'), ('ann', 'c')")
    chosen = {"sql_select_limit": 2, "sql_safe_updates": 1, "sql_big_selects": 0, "max_join_size": 2}
    assert maria.server is not None
    try:
        for name, value in chosen.items():
            maria.server.run(f"SET GLOBAL {name} = {value}")
        roles = ChildTable(attribute="roles", table="roles", owner_columns=("login",))
        connector = opened(maria, SqlObjectType(name="people", child_tables=(roles,)))
        pages = connector.import_full(
            connector.scopes()[0], attributes={"people": ("roles",)}, page_size=9, call=call()
        )
        found = [each for page in pages for each in page.objects]
        assert [each.identity for each in found] == [at("ann"), at("bob"), at("eve")]
        assert set(found[0].attributes["roles"]) == {"a", "b", "c"}
        connector.update("people", at("ann"), [AttributeChange("roles", remove=("b",))], call=call())
        assert maria.run("SELECT count(*) FROM roles WHERE role = 'b'") == [(0,)]
    finally:
        for name in chosen:
            maria.server.run(f"SET GLOBAL {name} = DEFAULT")


def test_encodings_without_our_letters(postgres: Target, opened: Callable[..., Any]) -> None:
    server, name = postgres.server, f"{postgres.database}_cyrillic"
    assert server is not None
    server.run(
        f"CREATE DATABASE {name} OWNER {server.user} TEMPLATE template0 ENCODING 'WIN1251' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    there = Target("postgresql", name, server)
    server.run("CREATE EXTENSION citext", database=name)
    there.run("CREATE TABLE people (login citext PRIMARY KEY, mail varchar(40))")
    connector = opened(there)
    created = connector.create("people", {"login": ("Иван",), "mail": ("x",)}, call=call())
    assert connector.read("people", created.identity, attributes=("mail",), call=call()) == created
    assert list(connector.find("people", "mail", "😀", attributes=(), call=call())) == []
    with pytest.raises(InvalidValue):
        change(connector, "Иван", mail="😀")


def test_domains_bring_their_defaults(postgres: Target, opened: Callable[..., Any]) -> None:
    postgres.run("CREATE DOMAIN state AS varchar(9) DEFAULT 'new' NOT NULL")
    postgres.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, state state)")
    created = opened(postgres).create("people", {"login": ("ann",)}, call=call())
    assert created.attributes["state"] == ("new",)


def test_columns_that_a_view_computes_are_read_only(postgres: Target, opened: Callable[..., Any]) -> None:
    postgres.run("CREATE TABLE staff (login varchar(20) PRIMARY KEY, first varchar(20), last varchar(20))")
    postgres.run("CREATE VIEW people AS SELECT login, first, last, concat(first, ' ', last) AS name FROM staff")
    connector = opened(postgres, SqlObjectType(name="people", anchor=("login",)))
    person = connector.read_schema(call=call()).object_types["people"]
    assert {a.name for a in person.attributes if a.readonly} == {"name"}
    created = connector.create("people", {"login": ("ann",), "first": ("Ann",), "last": ("Lee",)}, call=call())
    with pytest.raises(InvalidValue, match="computed"):
        change(connector, "ann", name="Ann Smith")
    wanted = call(wanted=("name",))
    married = connector.update("people", created.identity, [AttributeChange("last", replace=("Ray",))], call=wanted)
    assert married.attributes["name"] == ("Ann Ray",)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_trigger_that_quotes_a_secret(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., Any]
) -> None:
    target = make_target(kind, request, tmp_path)
    target.run("CREATE TABLE people (login varchar(20) PRIMARY KEY, password varchar(40))")
    if kind == "postgresql":
        target.run(
            "CREATE FUNCTION check_it() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'password % is too easy', NEW.password; END$$"
        )
        target.run("CREATE TRIGGER g BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION check_it()")
    else:
        target.run(
            "CREATE TRIGGER g BEFORE INSERT ON people FOR EACH ROW BEGIN DECLARE said varchar(99) DEFAULT "
            "CONCAT('password ', NEW.password, ' is too easy'); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = said; END"
        )
    connector = opened(target, SqlObjectType(name="people", secret_columns=("password",)))
    with pytest.raises(TargetRejected, match="is too easy") as caught:
        connector.create("people", {"login": ("ann",), "password": ("hunter2",)}, call=call())
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


def test_an_account_with_no_more_rights_than_it_needs(server_target: Target, opened: Callable[..., Any]) -> None:
    """MariaDB hides the rules of foreign keys from it."""
    server, database = server_target.server, server_target.database
    assert server is not None
    server_target.script("""
CREATE TABLE people (login varchar(20) PRIMARY KEY);
CREATE TABLE roles (login varchar(20) NOT NULL, role varchar(20) NOT NULL, PRIMARY KEY (login, role),
  FOREIGN KEY (login) REFERENCES people (login) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE mails (login varchar(20) NOT NULL, mail varchar(20) NOT NULL, PRIMARY KEY (login, mail),
  FOREIGN KEY (login) REFERENCES people (login) ON DELETE CASCADE);
CREATE TABLE phones (login varchar(20) NOT NULL, phone varchar(20) NOT NULL, PRIMARY KEY (login, phone),
  FOREIGN KEY (login) REFERENCES people (login) ON UPDATE CASCADE)""")
    name = f"little_{database}"
    mariadb = server_target.dialect == "mariadb"
    server.run(f"CREATE USER {name} {'IDENTIFIED BY' if mariadb else 'PASSWORD'} 'little-password'")
    for table in ("people", "roles", "mails", "phones"):
        where = f"{database}.{table}" if mariadb else table
        server.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {where} TO {name}", database=database)
    settings = replace(
        server_target.settings(),
        user=name,
        password=Secret("little-password"),
        object_types=(
            SqlObjectType(
                name="people",
                child_tables=tuple(ChildTable(attribute=each, table=each) for each in ("roles", "mails", "phones")),
            ),
        ),
    )
    connector = connector_type.open(settings)
    suggested = connector.suggest(call=call())["object_types"].values
    assert [(each.name, {child.table for child in each.child_tables}) for each in suggested] == [
        ("people", {"roles", "mails", "phones"})
    ]
    values = {"roles": ("r",), "mails": ("m",), "phones": ("p",)}
    connector.create("people", {"login": ("ann",), **values}, call=call())
    dependents = connector._known["people"][0].dependents
    assert {(each.table, each.moved, each.removed) for each in dependents} == {
        ("mails", True, False),
        ("phones", False, True),
    }
    change(connector, "ann", login="bob")
    found = connector.read("people", at("bob"), attributes=tuple(values), call=call())
    assert found.attributes == {"login": ("bob",), **values}
    connector.delete("people", at("bob"), call=call())
    for table in ("people", "roles", "mails", "phones"):
        assert server_target.run(f"SELECT count(*) FROM {table}") == [(0,)]
    connector.close()


def test_references_by_another_key_are_explained(target: Target, opened: Callable[..., Any]) -> None:
    """Taken for the anchor, they would show nobody, and write what the column does not mean."""
    target.script("""
CREATE TABLE people (id integer PRIMARY KEY, login varchar(20) NOT NULL UNIQUE, boss varchar(20),
  FOREIGN KEY (boss) REFERENCES people (login));
CREATE TABLE teams (id integer PRIMARY KEY);
CREATE TABLE team_people (team integer NOT NULL, login varchar(20) NOT NULL, PRIMARY KEY (team, login),
  FOREIGN KEY (team) REFERENCES teams (id), FOREIGN KEY (login) REFERENCES people (login))""")
    boss = ReferenceColumn(column="boss", object_type="people")
    members = ChildTable(attribute="members", table="team_people", columns=("login",), reference_to="people")
    teams = SqlObjectType(name="teams", child_tables=(members,))
    for types in (
        (SqlObjectType(name="people", reference_columns=(boss,)),),
        (SqlObjectType(name="people"), teams),
    ):
        with pytest.raises(MisconfiguredConnector, match="the foreign key holds login"):
            opened(target, *types).read_schema(call=call())
    by_login = SqlObjectType(name="people", anchor=("login",), reference_columns=(boss,))
    opened(target, by_login, teams).test(call=call())


def test_what_is_stored_in_parts_is_one_table(postgres: Target, opened: Callable[..., Any]) -> None:
    postgres.script("""
CREATE TABLE people (login varchar(20) PRIMARY KEY) PARTITION BY HASH (login);
CREATE TABLE people_0 PARTITION OF people FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE teams (name varchar(20) PRIMARY KEY);
CREATE TABLE team_people (team varchar(20) REFERENCES teams, login varchar(20) REFERENCES people,
  PRIMARY KEY (team, login)) PARTITION BY HASH (team);
CREATE TABLE team_people_0 PARTITION OF team_people FOR VALUES WITH (MODULUS 1, REMAINDER 0)""")
    suggested = opened(postgres).suggest(call=call())["object_types"].values
    assert {each.name: [child.table for child in each.child_tables] for each in suggested} == {
        "people": [],
        "teams": ["team_people"],
    }


def test_a_key_that_the_database_makes_twice(server_target: Target, opened: Callable[..., Any]) -> None:
    """As after a restore that forgot the sequence: nobody has the name that was asked for, so it is no conflict."""
    kind = {
        "postgresql": "integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        "mariadb": "tinyint AUTO_INCREMENT PRIMARY KEY",
    }[server_target.dialect]
    server_target.run(f"CREATE TABLE people (id {kind}, login varchar(20) UNIQUE)")
    server_target.run("INSERT INTO people VALUES (1, 'ann'), (127, 'bob')")
    connector = opened(server_target)
    expected: dict[str, tuple[type[ConnectorError], str]] = {
        "postgresql": (MisconfiguredConnector, "made a key"),
        "mariadb": (TargetUnavailable, "at its limits"),
    }
    kind_of_error, text = expected[server_target.dialect]
    with pytest.raises(kind_of_error, match=text) as caught:
        connector.create("people", {"login": ("eve",)}, call=call())
    assert not caught.value.outcome_unknown
    for given in ({"login": ("ann",), "id": (5,)}, {"login": ("eve",), "id": (1,)}):
        with pytest.raises(AlreadyExists):
            connector.create("people", given, call=call())


def test_a_row_that_others_refer_to_says_by_what(server_target: Target, opened: Callable[..., Any]) -> None:
    server_target.run("CREATE TABLE people (login varchar(20) PRIMARY KEY)")
    server_target.run(
        "CREATE TABLE badges (n integer PRIMARY KEY, login varchar(20), "
        "CONSTRAINT worn_by FOREIGN KEY (login) REFERENCES people (login))"
    )
    server_target.run("INSERT INTO people VALUES ('ann')")
    server_target.run("INSERT INTO badges VALUES (1, 'ann')")
    connector = opened(server_target)
    refuses(lambda: connector.delete("people", at("ann"), call=call()), "other rows refer to this row.* worn_by")
    refuses(lambda: change(connector, "ann", login="bob"), "other rows refer to this row.* worn_by")


def test_columns_without_a_type_hold_numbers_and_text(tmp_path: Path, opened: Callable[..., Any]) -> None:
    target = Target("sqlite", str(tmp_path / "hr.db"), None)
    target.run("CREATE TABLE people (id PRIMARY KEY, room)")
    target.run("CREATE TABLE roles (id, role)")
    target.run("CREATE TABLE groups (id INTEGER PRIMARY KEY)")
    target.run("CREATE TABLE members (of REFERENCES groups, who)")
    target.run("INSERT INTO groups VALUES (1), (2)")
    target.run("INSERT INTO people VALUES (7, 12), ('eight', 'x')")
    target.run("INSERT INTO roles VALUES (7, 'admin')")
    roles = ChildTable(attribute="roles", table="roles", owner_columns=("id",))
    members = ChildTable(attribute="members", table="members", reference_to="people", columns=("who",))
    connector = opened(
        target,
        SqlObjectType(name="people", child_tables=(roles,)),
        SqlObjectType(name="groups", child_tables=(members,)),
    )
    pages = connector.import_full(
        ImportScope("people", ("people",)), attributes={"people": ("room", "roles")}, page_size=9, call=call()
    )
    seven = next(each for page in pages for each in page.objects if each.attributes["room"] == ("12",))
    assert seven.attributes["roles"] == ("admin",)
    assert connector.read("people", seven.identity, attributes=("room", "roles"), call=call()) == seven
    assert [each.identity for each in connector.find("people", "room", "12", attributes=(), call=call())] == [at("7")]
    assert change(connector, "7", room="13").attributes["room"] == ("13",)
    changes = [AttributeChange("roles", remove=("admin",))]
    connector.update("people", seven.identity, changes, call=call())
    assert target.run("SELECT * FROM roles") == []
    for group in ("1", "2"):
        joins = [AttributeChange("members", add=(Reference(("7",)),))]
        connector.update("groups", at(group), joins, call=call())
        connector.update("groups", at(group), joins, call=call())
    assert target.run("SELECT typeof(of) FROM members") == [("integer",), ("integer",)]
    target.run("UPDATE members SET who = 7")
    connector.delete("groups", at("1"), call=call())
    assert target.run("SELECT of FROM members") == [(2,)]
    connector.delete("people", seven.identity, call=call())
    assert target.run("SELECT id FROM people") == [("eight",)]
    assert target.run("SELECT * FROM members") == []
