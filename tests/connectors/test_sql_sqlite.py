"""What is particular to SQLite: files, locks, pragmas, computed columns, collations."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from isthmus.connectors.sql import connector_type
from isthmus.connectors.sql.settings import SqlObjectType, SqlSettings
from isthmus.spi import (
    AlreadyExists,
    Anchor,
    AttributeChange,
    Call,
    Identity,
    MisconfiguredConnector,
    NotPermitted,
    TargetUnavailable,
)


def call(timeout: float = 5) -> Call:
    return Call(timeout=timeout, session="s")


def made(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def opened(path: Path, *types: SqlObjectType, **changes: Any) -> Any:
    return connector_type.open(SqlSettings(url=f"sqlite:///{path}", object_types=types, **changes))


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    connector = opened(tmp_path / "no.db")
    with pytest.raises(MisconfiguredConnector, match=r"no\.db"):
        connector.test(call=call())
    assert not (tmp_path / "no.db").exists()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(MisconfiguredConnector):
        opened(tmp_path / "text.db").test(call=call())


def test_hostile_paths(tmp_path: Path) -> None:
    for name in ("a b.db", "100%.db", "q?mode=ro#x.db", "Größe.db"):
        path = made(tmp_path / name, "CREATE TABLE t (k integer PRIMARY KEY)")
        connector = connector_type.open(SqlSettings(dialect="sqlite", database=str(path)))
        assert "t" in connector.read_schema(call=call()).object_types
        connector.close()


def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path = made(tmp_path / "hr.db", "CREATE TABLE t (k integer PRIMARY KEY)")
    connector = opened(path, SqlObjectType(name="t"), sqlite_pragmas=("query_only=1",))
    with pytest.raises(NotPermitted):
        connector.create("t", {"k": (1,)}, call=call())
    connector.close()


@pytest.mark.parametrize("instead", ["REPLACE", "IGNORE", "ROLLBACK"])
def test_a_table_that_settles_conflicts_by_itself(tmp_path: Path, instead: str) -> None:
    """It would delete the person who has the address, and say nothing."""
    path = made(
        tmp_path / "hr.db",
        f"""CREATE TABLE t (k text PRIMARY KEY ON CONFLICT {instead}, mail text UNIQUE ON CONFLICT {instead});
        INSERT INTO t VALUES ('ann', 'ann@x'), ('bob', 'bob@x');""",
    )
    connector = opened(path, SqlObjectType(name="t"))
    for taken in ({"k": ("eve",), "mail": ("ann@x",)}, {"k": ("ann",), "mail": ("eve@x",)}):
        with pytest.raises(AlreadyExists):
            connector.create("t", taken, call=call())
    change = AttributeChange("mail", replace=("ann@x",))
    with pytest.raises(AlreadyExists):
        connector.update("t", Identity(Anchor(("bob",))), [change], call=call())
    connector.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM t ORDER BY k").fetchall() == [("ann", "ann@x"), ("bob", "bob@x")]


def test_a_locked_database_is_unavailable_in_time(tmp_path: Path) -> None:
    path = made(tmp_path / "hr.db", "CREATE TABLE t (k integer PRIMARY KEY)")
    connector = opened(path, SqlObjectType(name="t"), lock_timeout=0.2)
    connector.test(call=call())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TargetUnavailable) as caught:
            connector.create("t", {"k": (1,)}, call=call())
        assert not caught.value.outcome_unknown
        with pytest.raises(TargetUnavailable):
            connector.settle("s", call=call())
        other.execute("ROLLBACK")
    connector.settle("s", call=call())
    connector.create("t", {"k": (1,)}, call=call())
    connector.close()


def test_a_statement_that_works_too_long_is_ended(tmp_path: Path) -> None:
    path = made(
        tmp_path / "hr.db",
        "CREATE VIEW slow AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) "
        "SELECT i AS k FROM n;",
    )
    connector = opened(path, SqlObjectType(name="slow", anchor=("k",)))
    with pytest.raises(TargetUnavailable) as caught:
        connector.find("slow", "k", "none", attributes=(), call=call(0.5))
    assert not caught.value.outcome_unknown
    connector.close()


@pytest.mark.parametrize("pragmas", [("synchronous=NORMAL; DROP TABLE t",), ("synchronous",), ("a=b=c",)])
def test_pragmas_are_checked(tmp_path: Path, pragmas: tuple[str, ...]) -> None:
    with pytest.raises(MisconfiguredConnector, match="pragma"):
        opened(tmp_path / "hr.db", sqlite_pragmas=pragmas)


def test_computed_columns_and_collations(tmp_path: Path) -> None:
    path = made(
        tmp_path / "hr.db",
        """CREATE TABLE t (k text PRIMARY KEY COLLATE NOCASE, a text COLLATE "RTRIM", b text DEFAULT ('x' || 'y'),
           v text GENERATED ALWAYS AS (k || ',' || a) VIRTUAL, s integer AS (length(k)) STORED, n INT NOT NULL)""",
    )
    connector = opened(path, SqlObjectType(name="t"))
    attributes = {a.name: a for a in connector.read_schema(call=call()).object_types["t"].attributes}
    assert [name for name, a in attributes.items() if a.readonly] == ["v", "s"]
    assert [name for name, a in attributes.items() if not a.case_exact] == ["k"]
    assert [name for name, a in attributes.items() if a.required] == ["k", "n"]
    created = connector.create("t", {"k": ("Ä-A",), "a": ("p ",), "n": (1,)}, call=call())
    assert created.identity.anchor.values == ("Ä-a",), "NOCASE folds A to Z only"
    assert created.attributes == {"k": ("Ä-A",), "a": ("p ",), "n": (1,), "b": ("xy",), "v": ("Ä-A,p ",), "s": (3,)}
    assert len(connector.find("t", "a", "p", attributes=(), call=call())) == 1
    assert len(connector.find("t", "k", "ä-a", attributes=(), call=call())) == 0
    connector.close()


def test_a_table_without_rowid_and_partial_unique_indexes(tmp_path: Path) -> None:
    path = made(
        tmp_path / "hr.db",
        """CREATE TABLE t (a text NOT NULL, b text NOT NULL, c text, d text UNIQUE, PRIMARY KEY (b, a)) WITHOUT ROWID;
           CREATE UNIQUE INDEX part ON t (c) WHERE c <> ''; CREATE UNIQUE INDEX lowered ON t (lower(c));""",
    )
    connector = opened(path, SqlObjectType(name="t"))
    kind = connector.read_schema(call=call()).object_types["t"]
    assert kind.anchor == ("b", "a")
    assert [a.name for a in kind.attributes if a.unique] == ["d"]
    connector.close()


def test_a_text_that_is_not_utf8_is_told_by_its_column(tmp_path: Path) -> None:
    script = "CREATE TABLE t (id integer PRIMARY KEY, room text, name text);"
    script += "INSERT INTO t VALUES (1, 'a', CAST(x'73656372657fff' AS TEXT));"
    with closing(opened(made(tmp_path / "hr.db", script), SqlObjectType(name="t"))) as connector:
        rows = connector.import_full(
            connector.scopes()[0], attributes={"t": ("room", "name")}, page_size=9, call=call()
        )
        with pytest.raises(MisconfiguredConnector, match="column name is not UTF-8") as told:
            list(rows)
    assert "secre" not in str(told.value)
