from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

import pytest

from isthmus.store import migrating, objects, statements
from isthmus.store.folding import register

FOLDER = resources.files("isthmus.store")
_HARMLESS = {"SCAN j VIRTUAL TABLE INDEX 1:", "SCAN CONSTANT ROW", "SCAN counter"}  # the bound values, one row


def _described(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    # A column that was added later stands behind the line's end.
    return {(kind, name): re.sub(r" (?=[,)])", "", " ".join(sql.split())) for kind, name, sql in rows}


def _contents(connection: sqlite3.Connection) -> dict[str, list[object]]:
    tables = [name for kind, name in _described(connection) if kind == "table"]
    return {table: connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}


def test_the_schema_is_what_all_migrations_make() -> None:
    with closing(sqlite3.connect(":memory:")) as whole, closing(sqlite3.connect(":memory:")) as steps:
        whole.executescript(FOLDER.joinpath("schema.sql").read_text("utf-8"))
        for _, _, text in migrating.migrations():
            steps.executescript(text)
        assert _described(steps) == _described(whole)
        assert _contents(steps) == _contents(whole)
        assert ("table", "objects") in _described(whole)


@pytest.mark.parametrize("name", sorted(statements.statements()))
def test_every_statement_is_valid_and_used(name: str) -> None:
    text = statements.statement(name)
    source = "".join(path.read_text("utf-8") for path in Path(str(FOLDER)).glob("*.py"))
    assert f'"{name}"' in source
    columns = objects.COLUMNS if "objects AS o" in text else "1"
    if name in ("entry_get", "entries_unfinished", "entries_all", "locks_holders"):
        columns = "e.id"
    fillings = {
        "columns": columns, "where": "1", "candidates": "SELECT 1", "among": "", "key": "o.id", "place": "1",
        "order": "row", "direction": "ASC", "part": "0", "attribute": "'a'", "first": "'$.a'", "second": "NULL",
        "space": "1", "low": "1", "high": "2", "more": "", "row": "1",
    }  # fmt: skip
    filled = text
    for place, filling in fillings.items():
        filled = filled.replace("{" + place + "}", filling)
    with closing(sqlite3.connect(":memory:")) as connection:
        register(connection)
        connection.executescript(FOLDER.joinpath("schema.sql").read_text("utf-8"))
        connection.executescript(statements.steps())
        names = dict.fromkeys(re.findall(r":([a-z_]+)", filled))
        numbered = [int(number) for number in re.findall(r"\?(\d)", filled)]
        count = max(numbered) if numbered else filled.count("?")
        connection.execute(f"EXPLAIN {filled}", names or [None] * count)


def test_every_statement_has_a_comment() -> None:
    text = FOLDER.joinpath("queries.sql").read_text("utf-8")
    for match in re.finditer(r"^-- name: (\w+)\n(.*)$", text, re.MULTILINE):
        assert match[2].startswith("-- "), match[1]


@pytest.mark.parametrize(
    "name",
    [
        "object_by_id", "object_by_anchor", "objects_by_key", "known_by_anchors", "links_to", "page_from",
        "blocks_total", "tombstones_after", "locks_held", "guard_count", "schedules_due", "entries_unfinished",
        "entry_look", "entry_head", "runs_owned", "runs_watching",
    ],
)  # fmt: skip
def test_look_ups_never_scan_a_table(name: str) -> None:
    text = statements.statement(name).format(columns="1")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(FOLDER.joinpath("schema.sql").read_text("utf-8"))
        count = max([int(number) for number in re.findall(r"\?(\d)", text)] or [text.count("?")])
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", [1] * count)]
    scans = [line for line in plan if line.startswith("SCAN") and line not in _HARMLESS]
    if name == "entries_unfinished":  # the list of what is unfinished
        scans = [line for line in scans if line != "SCAN entry_locks"]
    if name == "guard_count":  # its own subquery's few rows
        scans = [line for line in scans if line != "SCAN e"]
    if name == "schedules_due":  # one row per connector
        scans = []
    assert scans == []
    assert plan


@pytest.mark.parametrize("name", ["object_by_id", "object_by_id_any", "named_by_ids", "id_used"])
def test_ids_are_looked_up_by_their_own_index_and_not_by_the_space(name: str) -> None:
    text = statements.statement(name).format(columns="1")
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(FOLDER.joinpath("schema.sql").read_text("utf-8"))
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", (1, "x"))]
    assert [line for line in plan if "objects_id (id_head=?)" in line]
    assert not [line for line in plan if "objects_anchor" in line]
