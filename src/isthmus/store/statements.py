"""The store's statements, by name, from `queries.sql`."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import chain
from typing import Any

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_ID_HEAD = re.compile(r"\bid_head\(([^()]+)\)")
_AT_ONCE = 100


@cache
def statements() -> dict[str, str]:
    """Return every named statement of `queries.sql`, comments removed.

    Raises:
        ValueError: a name is used twice.
    """
    text = resources.files("isthmus.store").joinpath("queries.sql").read_text("utf-8")
    parts = _NAME.split(text)[1:]
    found: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise ValueError(f"queries.sql: two statements are named {name}")
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        found[name] = _ID_HEAD.sub(lambda match: id_head(match[1]), "\n".join(lines)).strip().rstrip(";")
    return found


def id_head(value: str) -> str:
    """Return the SQL of what the index of ids has of an id: the column `id_head` of schema.sql."""
    return f"iif({value} GLOB '????????-????-5*', substr({value}, 1, 8), {value})"


@cache
def steps() -> str:
    """Return the script that gives a writing connection the views of `steps.sql`."""
    return resources.files("isthmus.store").joinpath("steps.sql").read_text("utf-8")


def statement(name: str) -> str:
    """Return the text of one statement.

    Raises:
        KeyError: there is none of that name.
    """
    return statements()[name]


def insert(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run an INSERT of one row for many: a hundred in a statement, which costs a quarter less than one by one."""
    whole = len(rows) - len(rows) % _AT_ONCE
    if whole:
        many = _repeated(sql)
        for start in range(0, whole, _AT_ONCE):
            connection.execute(many, tuple(chain.from_iterable(rows[start : start + _AT_ONCE])))
    connection.executemany(sql, rows[whole:])


@cache
def _repeated(sql: str) -> str:
    """Return the statement with its row of values a hundred times."""
    head, values = sql.split("VALUES ")
    return f"{head}VALUES {', '.join([values] * _AT_ONCE)}"
