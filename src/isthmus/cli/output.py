"""Tables for people, JSON for machines."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

_AGE = re.compile(r"([0-9]{1,6})([smhd])")
_READABLE = 20  # columns of a terminal that a sentence takes at least
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def write_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    import orjson

    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode())


def say(text: str, values: Mapping[str, Any], *, json: bool) -> None:
    """Tell that something was done: a sentence for people, or what it was done to for machines."""
    if json:
        write_json(values)
    else:
        typer.echo(text)


def printable(value: Any) -> str:
    """Return a value on one line and without control characters: what a target holds must not steer a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(printable, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{printable(key)}={printable(item)}" for key, item in value.items())
    text = str(value)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in text)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Write a table, or the text `empty` where there are no rows; only a terminal breaks long lines."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if not cells:
        typer.echo(empty)
    elif sys.stdout.isatty():
        _on_terminal(columns, cells)
    else:
        widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
        for row in (columns, *cells):
            line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            typer.echo(line.rstrip())


def _on_terminal(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Break lines between words and never cut: the next command wants a whole id.

    Where not even the longest words fit side by side, each row becomes a list of names and values.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for gap in (2, 1):
        room = console.width - gap * (len(columns) - 1)
        if (widths := _widths(columns, cells, room)) is not None:
            break
    else:
        for row in cells:
            typer.echo()
            facts(dict(zip(columns, row, strict=True)))
        return
    made = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold")
    for name, width in zip(columns, widths, strict=True):
        made.add_column(name, width=width, overflow="fold")
    for row in cells:
        made.add_row(*map(Text, row))
    console.print(made)


def _widths(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return how wide each column is drawn, or None if their longest words take more than the room."""
    from rich.cells import cell_len

    widths, least = [], []
    for column in zip(columns, *cells, strict=True):
        widths.append(max(map(cell_len, column)))
        least.append(max(cell_len(word) for text in column for word in [*text.split(), ""]))
    least[-1] = min(
        least[-1], max(_READABLE, cell_len(columns[-1]))
    )  # the last one holds sentences, and values as JSON
    if sum(least) > room:
        return None
    while (over := sum(widths) - room) > 0:
        # the widest of those that can still be narrower gives way, down to the next widest
        widest = max(
            (number for number in range(len(widths)) if widths[number] > least[number]), key=widths.__getitem__
        )
        others = [width for number, width in enumerate(widths) if number != widest and width < widths[widest]]
        widths[widest] = max(least[widest], widths[widest] - over, max(others, default=0))
    return widths


def facts(values: Mapping[str, Any], *, indent: str = "") -> None:
    """Write names and values, one pair a line."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        typer.echo(f"{indent}{name:<{width}}  {printable(value) or '-'}")


def moment(seconds: float | None) -> str:
    """Return a moment for people: local time, with its zone's offset where it may be read elsewhere, or "-"."""
    form = "%Y-%m-%d %H:%M:%S" if sys.stdout.isatty() else "%Y-%m-%d %H:%M:%S%z"
    return "-" if seconds is None else time.strftime(form, time.localtime(seconds))


def instant(seconds: float | None) -> str | None:
    """Return a moment for machines: RFC 3339 in UTC, to the millisecond."""
    import datetime as dt

    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str, option: str) -> float:
    """Return the seconds since 1970 of `2026-01-31`, `2026-01-31T12:00`, or of `2h`, `30m`, `7d` ago."""
    import datetime as dt

    age = _AGE.fullmatch(text)
    if age is not None:
        return time.time() - int(age[1]) * _UNITS[age[2]]
    try:
        return dt.datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(
            f"{option}: {text!r} is neither a date such as 2026-01-31T12:00 nor an age such as 2h or 7d"
        ) from None
