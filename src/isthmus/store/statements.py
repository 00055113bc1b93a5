"""The store's statements, by name, from `queries.sql`."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


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
        found[name] = "\n".join(lines).strip().rstrip(";")
    return found


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
