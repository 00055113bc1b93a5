"""The command line inside this process: the same code as the installed command, without a second of start for each."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import structlog

from acceptance.conftest import started
from acceptance.shell import Ran, Shell
from isthmus.cli.main import run

__all__ = ["started"]


class InnerShell(Shell):
    """Runs commands in this process."""

    def run(self, *arguments: str, stdin: str | bytes = b"", **variables: str) -> Ran:
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
        before = sys.argv, sys.stdin, dict(os.environ)
        sys.argv, sys.stdin = ["isthmus", *arguments], io.TextIOWrapper(io.BytesIO(raw), "utf-8")
        os.environ.clear()
        os.environ.update({**self.environment, **variables})
        code = 0
        try:
            with chdir(self.folder), redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings():
                run()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            sys.argv, sys.stdin = before[:2]
            os.environ.clear()
            os.environ.update(before[2])
        for stream in (out, err):
            stream.flush()
        return Ran(code, out.buffer.getvalue().decode(), err.buffer.getvalue().decode())  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Undo what commands do to the log of their process."""
    handlers = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = handlers
    structlog.reset_defaults()


@pytest.fixture
def shell(started: Path, tmp_path: Path) -> InnerShell:
    """Give an account with an empty configuration and a database with people."""
    return InnerShell(tmp_path / "account", made_from=started)


@pytest.fixture
def hr(shell: InnerShell) -> InnerShell:
    """Give an account with a connector to the people."""
    shell.add()
    return shell
