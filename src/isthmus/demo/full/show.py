"""What a step of the full walk looks like on a terminal: request, answer, and rows before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from isthmus.demo.client import Answer
from isthmus.demo.full.document import ENTERPRISE
from isthmus.demo.full.steps import FullStep, Rows
from isthmus.demo.show import abbreviated, answer_line, short

_INDENT = (0, 0, 0, 3)


def show_step(
    console: Console,
    number: int,
    step: FullStep,
    answer: Answer,
    before: Rows,
    after: Rows,
    problems: Sequence[str],
    *,
    base: str,
) -> None:
    """Print one step; rows that went begin with -, rows that came with +."""
    console.print()
    console.print(Text.assemble((f"{number}. {step.title}", "bold cyan"), (f"  {step.why}", "dim")))
    target = _abbreviated(abbreviated(base + step.request.target(encoded=False)))
    console.print(Padding(Text(f"{step.request.method} {target}", style="bold"), _INDENT))
    if step.request.body is not None:
        console.print(Padding(Text(_abbreviated(short(step.request.body)), style="magenta"), _INDENT))
    console.print(Padding(answer_line(answer), _INDENT))
    for table, _ in step.watched:
        for row in _marked(before[table], after[table]):
            console.print(Padding(_line(table, *row, width=console.width - 3), _INDENT))
    if not problems:
        console.print(Padding(Text(f"✓ {step.result}", style="green"), _INDENT))
    for problem in problems:
        console.print(Padding(Text(f"✗ {problem}", style="bold red"), _INDENT))


def _marked(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    gone = [row for row in before if row not in after]
    come = [row for row in after if row not in before]
    if len(gone) == len(come) == 1:  # one row changed: its key, and what differs
        names = [name for number, name in enumerate(gone[0]) if number == 0 or gone[0][name] != come[0][name]]
        gone, come = [{name: row[name] for name in names} for row in gone], [{n: row[n] for n in names} for row in come]
    return [("-", row) for row in gone] + [(" ", row) for row in after if row in before] + [("+", row) for row in come]


def _line(table: str, mark: str, row: Mapping[str, Any], *, width: int) -> Text:
    style = {"-": "red", "+": "bold green"}.get(mark, "dim")
    cells = ", ".join(f"{name}={_cell(value)}" for name, value in row.items() if value is not None or len(row) == 2)
    line = Text.assemble((f"{mark} ", style), (f"{table}: ", "dim"), (cells, style))
    line.truncate(width, overflow="ellipsis")
    return line


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    return str(int(value)) if isinstance(value, bool) else str(value)


def _abbreviated(text: str) -> str:
    return text.replace(ENTERPRISE, "urn:…:enterprise:2.0:User")
