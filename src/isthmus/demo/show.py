"""What the walk looks like on a terminal: request and answer, and the table's row before and after."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from isthmus.demo.client import Answer
from isthmus.demo.steps import ECMA, Outcome, Row, Step

_COLUMNS = ("ContosoLogin", "FirstName", "LastName", "Email", "textID", "Disabled")
_OTHER_COLUMNS_WIDTH = 66  # what is left of the terminal's width is for the address
_GUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_INDENT = (0, 0, 0, 3)


def show_step(
    console: Console, number: int, step: Step, outcome: Outcome, problems: Sequence[str], *, base: str
) -> None:
    """Print one step in about ten lines."""
    console.print()
    console.print(Text.assemble((f"{number}. {step.title}", "bold cyan"), (f"  {step.why}", "dim")))
    request = step.request
    target = abbreviated(base + request.target(encoded=False))
    console.print(Padding(Text(f"{request.method} {target}", style="bold"), _INDENT))
    if request.body is not None:
        console.print(Padding(Text(short(request.body), style="magenta"), _INDENT))
    console.print(Padding(answer_line(outcome.answer), _INDENT))
    console.print(Padding(_rows(outcome.before, outcome.after, console.width), _INDENT))
    if not problems:
        console.print(Padding(Text(f"✓ {step.result}", style="green"), _INDENT))
    for problem in problems:
        console.print(Padding(Text(f"✗ {problem}", style="bold red"), _INDENT))


def answer_line(answer: Answer) -> Text:
    """Return status, time, and what the answer is about."""
    style = "green" if answer.status < 300 else "yellow"
    line = Text.assemble(
        ("→ ", "dim"), (f"{answer.status} {answer.reason}", style), (f"  {answer.seconds * 1000:.0f} ms", "dim")
    )
    detail = answer.body.get("detail")
    if detail:
        line.append(f"  {detail}")
    elif "totalResults" in answer.body:
        line.append(f"  totalResults {answer.body['totalResults']}")
        for found in answer.resources[:1]:
            line.append(f", id {found.get('id')}")
    elif "id" in answer.body:
        line.append(f"  id {answer.body['id']}")
    return line


def _rows(before: Row, after: Row, width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("")
    for name in _COLUMNS:
        widest = max(8, width - _OTHER_COLUMNS_WIDTH) if name == "Email" else 15
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=widest)
    table.add_row("row before", *_cells(before, before), style="dim")
    table.add_row("row after", *_cells(after, before))
    return table


def _cells(row: Row, other: Row) -> list[Text]:
    if row is None:
        return [Text("no row", style="dim italic")]
    cells = []
    for name in _COLUMNS:
        changed = other is None or other.get(name) != row.get(name)
        cells.append(Text(_cell(row.get(name)), style="bold green" if changed else ""))
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def short(body: Mapping[str, Any]) -> str:
    """Return the body as JSON; `schemas` and `meta` say nothing new."""
    told = {name: value for name, value in body.items() if name not in ("schemas", "meta")}
    return abbreviated(json.dumps(told, ensure_ascii=False))


def abbreviated(text: str) -> str:
    """Return the text with the long URN and GUIDs cut; what is sent is whole."""
    return _GUID.sub(r"\1…", text.replace(ECMA, "urn:…:ECMA2Host:2.0:User"))
