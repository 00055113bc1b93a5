"""The reference says what the program does: commands, errors, links from messages."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import typer.main

from docs.pages import ROOT
from isthmus.cli.main import app
from isthmus.scim import errors


def leaves(command: Any, path: str) -> list[tuple[str, Any]]:
    inner = getattr(command, "commands", {})
    if not inner:
        return [(path, command)]
    shown = [(name, each) for name, each in inner.items() if not each.hidden]
    return [leaf for name, each in shown for leaf in leaves(each, f"{path} {name}")]


COMMANDS = leaves(typer.main.get_command(app), "isthmus")


def test_the_command_line_page_is_what_the_command_says() -> None:
    ran = subprocess.run(
        [sys.executable, "tools/cli_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_says_what_it_does_with_an_example(path: str, command: Any) -> None:
    assert command.help
    assert re.search(r"Examples?:", command.help), path
    assert path in command.help.partition("Example")[2], "the example calls this very command"


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[path for path, _ in COMMANDS])
def test_every_command_that_answers_has_a_form_for_machines(path: str, command: Any) -> None:
    stays_up = path in {"isthmus serve", "isthmus demo"}
    always = path == "isthmus config show"
    assert stays_up or always or any("--json" in option.opts for option in command.params), path


def test_every_command_named_on_a_page_exists() -> None:
    known = {path for path, _ in COMMANDS}
    groups = {path.rsplit(" ", 1)[0] for path in known} - {"isthmus"}
    unknown = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for named in re.findall(r"(?<![\w/.])isthmus((?: [a-z][a-z-]*)+)", "\n".join(code_of(page.read_text()))):
            words = named.split()
            paths = {"isthmus " + " ".join(words[:length]) for length in (1, 2)}
            group_alone = len(words) == 1 and paths <= groups  # prose may name a whole group
            if not (paths & known or group_alone):
                unknown.append(f"{page.relative_to(ROOT)}: isthmus{named}")
    assert unknown == []


def code_of(text: str) -> list[str]:
    """Return code spans and the commands of blocks: where a command is meant as one."""
    blocks = re.findall(r"^ *```(?:sh|console)[^\n]*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    lines = [line.split("#")[0] for block in blocks for line in block.splitlines() if "isthmus " in line]
    return [*lines, *re.findall(r"`(isthmus [^`\n]*)`", text)]


def test_every_error_of_the_protocol_has_a_row() -> None:
    text = (ROOT / "docs" / "reference" / "errors.md").read_text()
    rows = {
        (int(status), keyword) for status, keyword in re.findall(r"^\| (\d{3}) \| `?(\w*)`? ?\|", text, re.MULTILINE)
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ScimError)]
    answers = {(kind.fixed_status, kind.fixed_type or "") for kind in kinds if hasattr(kind, "fixed_status")}
    assert len(answers) > 15
    assert answers - rows == set()


def test_every_metric_has_a_row_and_every_row_is_a_metric() -> None:
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    rows = {name.removesuffix("_total") for name in re.findall(r"^\| `(isthmus_\w+)` \|", text, re.MULTILINE)}
    source = (ROOT / "src" / "isthmus" / "web" / "exposition.py").read_text()
    made = set(re.findall(r'(?:MetricFamily|_counter|_histogram)\(\s*"(isthmus_\w+)"', source))
    assert len(made) > 5
    assert rows == made
