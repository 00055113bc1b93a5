"""Tables for people, JSON for machines."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import typer


def write_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Write a table, or the text `empty` where there are no rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    if made.row_count == 0:
        typer.echo(empty)
        return
    console = Console()
    if not console.is_terminal:
        console.width = 200
    console.print(made)


def facts(values: Mapping[str, Any]) -> None:
    """Write names and values, one pair a line."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        typer.echo(f"{name:<{width}}  {'-' if text in (None, '') else text}")


def moment(seconds: float | None) -> str:
    """Return a moment as local time with its zone's offset, or "-"."""
    if seconds is None:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S%z", time.localtime(seconds))


def seconds_of(text: str) -> float:
    """Return the seconds since 1970 of `2026-01-31`, `2026-01-31T12:00`, or of `2h`, `30m`, `7d` ago."""
    import datetime as dt

    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    if text and text[-1] in units and text[:-1].isdigit():
        return time.time() - int(text[:-1]) * units[text[-1]]
    try:
        return dt.datetime.fromisoformat(text).astimezone().timestamp()
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is neither a date such as 2026-01-31T12:00 nor an age such as 2h") from exc
