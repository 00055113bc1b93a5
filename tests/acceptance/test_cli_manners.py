"""How every command behaves: exit codes, one-line errors, JSON, pipes, terminals, completion."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer.main

from acceptance.command import PROGRAM
from acceptance.shell import Shell
from isthmus.cli.main import app


def commands(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = getattr(command, "commands", {})
    return [leaf for name, one in inner.items() for leaf in commands(one, (*path, name))] if inner else [path]


def test_every_option_of_every_command_is_explained() -> None:
    silent = []

    def look(command: object, path: str) -> None:
        parameters = getattr(command, "params", [])
        silent.extend(f"{path} {each.name}" for each in parameters if not getattr(each, "help", None))
        for name, one in getattr(command, "commands", {}).items():
            look(one, f"{path} {name}")

    look(typer.main.get_command(app), "isthmus")
    assert silent == []


def test_help_and_version_answer_without_a_configuration(shell: Shell) -> None:
    assert re.fullmatch(r"isthmus \d+\.\d+\.\d+\S*\n", shell.good("--version").out)
    help_text = shell.good("connector", "add", "--help").out
    assert "isthmus connector add hr --url" in help_text
    assert "--delete" in help_text


def test_start_up_loads_neither_engine_nor_server(shell: Shell) -> None:
    program = "import sys\nfrom isthmus.cli.main import run\ntry:\n run()\nfinally:\n print(*sorted(sys.modules))"
    done = subprocess.run(
        [str(PROGRAM.with_name("python")), "-c", program, "--version"], capture_output=True, text=True, timeout=20
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "isthmus.cli.main" in loaded
    heavy = {
        "isthmus.engine.host",
        "isthmus.store",
        "isthmus.config.loading",
        "rich",
        "structlog",
        "orjson",
        "sqlalchemy",
    }
    assert heavy & loaded == set()


def test_bytes_that_are_no_text_are_refused(shell: Shell) -> None:
    done = subprocess.run(
        [str(PROGRAM).encode(), b"audit", b"ann\xff"], cwd=shell.folder, env=shell.environment, capture_output=True
    )
    assert (done.returncode, done.stderr) == (2, b"error: argument 2 is not valid UTF-8 text; see 'isthmus --help'\n")


def test_without_a_configuration_the_error_says_where_was_looked(shell: Shell) -> None:
    (shell.folder / "isthmus.toml").unlink()
    for arguments in (["doctor"], ["serve", "--allow-root"]):
        complaint = shell.refused(*arguments)
        assert str(shell.folder / "isthmus.toml") in complaint
        assert "`isthmus init`" in complaint
    assert "/nowhere" in shell.refused("--config", "/nowhere", "connector", "list")


def test_a_typing_error_is_named_with_line_and_key_and_completion_goes_on(hr: Shell) -> None:
    file = hr.folder / "connectors" / "hr.toml"
    file.write_text(file.read_text().replace("matching =", "matchng ="))
    line = 1 + [text.startswith("matchng") for text in file.read_text().splitlines()].index(True)
    expected = f"{file}:{line}: resource_types[0].matchng: unknown key; did you mean matching?"
    assert hr.refused("config", "check") == expected
    assert completed(hr, "isthmus connector show ") == {"hr"}, "completion goes by the names of the files"


def test_a_reader_that_leaves_early_is_no_error_worth_a_traceback(hr: Shell) -> None:
    hr.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO Employees "
        "(ContosoLogin, FirstName, LastName) SELECT 'more' || i, 'First', 'Last' FROM n"
    )
    hr.good("run", "start", "hr")
    process = subprocess.Popen(
        [str(PROGRAM), "search", "hr", "--count", "1000", "--json"],
        cwd=hr.folder,
        env=hr.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) in (1, 141)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_bug(shell: Shell, closed: str) -> None:
    add = f'"{PROGRAM}" connector add hr --url "{shell.url}" {closed}'  # asks, or says that nobody can be asked
    ran = subprocess.run(
        ["sh", "-c", f'"{PROGRAM}" connector list {closed} && {add}'],
        cwd=shell.folder, env=shell.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "bug in Isthmus" not in ran.stderr


def test_a_full_disk_behind_standard_output_is_one_line(shell: Shell) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [str(PROGRAM), "connector", "list"], cwd=shell.folder, env=shell.environment, stdout=full, stderr=-1
        )
    assert done.returncode == 1
    assert done.stderr == b"error: No space left on device\n"


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed(shell: Shell, shell_name: str) -> None:
    done = subprocess.run(
        [str(PROGRAM), "--show-completion", shell_name],
        cwd=shell.folder,
        env={**shell.environment, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    assert "_ISTHMUS_COMPLETE" in done.stdout


def completed(shell: Shell, line: str) -> set[str]:
    words = line.split(" ")
    ran = shell.run(_ISTHMUS_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert "Traceback" not in ran.text
    return set(ran.out.split())


def test_commands_and_connector_names_complete(hr: Shell) -> None:
    assert completed(hr, "isthmus conn") == {"connector"}
    assert completed(hr, "isthmus run start ") == {"hr"}
    assert completed(hr, "isthmus audit --connector h") == {"hr"}
    hr.folder.joinpath("isthmus.toml").rename(hr.folder / "elsewhere.toml")
    assert completed(hr, f"isthmus --config {hr.folder}/elsewhere.toml token list h") == {"hr"}
    assert completed(hr, "isthmus token list h") == set()
