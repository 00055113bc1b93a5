"""Write docs/reference/cli.md from the command itself. Usage: python tools/cli_reference.py [--check]"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from isthmus.cli.main import app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"

HEAD = """\
# Command line

Written by `tools/cli_reference.py` from the command itself; a test fails when the two differ. Each has `--help`.

Commands look for `isthmus.toml` where `--config` or `ISTHMUS_CONFIG` points, otherwise in the current folder, otherwise
in `/etc/isthmus`. Exit codes: 0 done; 1 refused, failed or
interrupted, with one line on standard error; 2 wrong usage; 141 whoever read the output has left (`| head`).

Shell completion: `isthmus --install-completion`.
"""


def page() -> str:
    """Return the page as it should be."""
    return "\n".join([HEAD, *commands(typer.main.get_command(app), "isthmus")])


def commands(command: Any, path: str) -> Iterator[str]:
    """Yield the sections of a command and of those below it."""
    inner = getattr(command, "commands", {})
    if not inner:
        yield section(command, path)
        return
    if path == "isthmus":
        yield options_of(command, "## Options of every command\n")
    for name in sorted(inner):
        if not inner[name].hidden:
            yield from commands(inner[name], f"{path} {name}")


def section(command: Any, path: str) -> str:
    """Return one command: what it does, its arguments and options, examples."""
    text, _, examples = inspect.cleandoc(command.help or "").partition("\nExample")
    usage = " ".join([path, *(argument_text(each) for each in arguments(command))])
    parts = [f"## {path}\n", f"{text.strip()}\n", f"```text\n{usage} [OPTIONS]\n```\n", options_of(command, "")]
    shown = [line.strip() for line in examples.partition(":")[2].splitlines() if line.strip()]
    if shown:
        parts.append("```text\n" + "\n".join(shown) + "\n```\n")
    return "\n".join(part for part in parts if part)


def options_of(command: Any, title: str) -> str:
    """Return a table of arguments and options."""
    rows = [f"| `{argument_text(each)}` | {cell(each.help)} |" for each in arguments(command)]
    for each in command.params:
        if each.param_type_name != "option" or each.hidden or "--help" in each.opts:
            continue
        names = ", ".join(f"`{name}`" for name in [*each.opts, *each.secondary_opts])
        rows.append(f"| {names}{default_of(each)} | {cell(each.help)} |")
    if not rows:
        return title
    return (
        "\n".join([title, "| | |", "|---|---|", *rows, ""]) if title else "\n".join(["| | |", "|---|---|", *rows, ""])
    )


def arguments(command: Any) -> list[Any]:
    """Return the positional parameters."""
    return [each for each in command.params if each.param_type_name == "argument"]


def argument_text(parameter: Any) -> str:
    """Return an argument as usage shows it."""
    name = parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def default_of(parameter: Any) -> str:
    """Return the default value where there is one worth saying."""
    value = parameter.default
    if parameter.is_flag or value is None or value == () or callable(value) or str(value) in ("", "."):
        return ""
    return f" (default `{getattr(value, 'value', value)}`)"


def cell(text: str | None) -> str:
    """Return a text that fits in a table's cell."""
    return " ".join((text or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    wanted = page()
    if "--check" in sys.argv[1:]:
        sys.exit(
            0 if PAGE.read_text() == wanted else f"{PAGE} is not what the command says; run tools/cli_reference.py"
        )
    PAGE.write_text(wanted)
