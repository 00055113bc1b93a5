"""A person's account on a machine: a home folder, a database, and the installed command, with or without a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import termios
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acceptance.command import PROGRAM, environment, wait_for

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The one line of an error; fails if there is more, or a traceback."""
        assert "Traceback" not in self.text, self.text
        lines = [line for line in self.err.splitlines() if not line.startswith("note: ")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0].removeprefix("error: ")


class Shell:
    """Commands on one configuration; `folder` is the current folder."""

    def __init__(self, folder: Path, *, made_from: Path | None = None) -> None:
        self.folder = folder
        if made_from is not None:
            shutil.copytree(made_from, folder, symlinks=True)
        folder.mkdir(exist_ok=True)
        self.environment = environment(folder / "home")
        self.environment.pop("PYTHONUNBUFFERED", None)  # with it, what a pipe does not take at once is lost unseen

    @property
    def database(self) -> Path:
        return self.folder / "hr.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"

    def sql(self, *statements: str) -> list[Any]:
        """Change the database behind our back; return what the last statement gives."""
        with closing(sqlite3.connect(self.database, isolation_level=None)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]

    def run(self, *arguments: str, stdin: str | bytes = b"", **variables: str) -> Ran:
        """Run a command without a terminal."""
        raw = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            env={**self.environment, **variables},
            input=raw,
            capture_output=True,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def good(self, *arguments: str, stdin: str | bytes = b"") -> Ran:
        """Run a command that has to succeed."""
        ran = self.run(*arguments, stdin=stdin)
        assert ran.code == 0, f"isthmus {' '.join(arguments)}: {ran.text}"
        return ran

    def refused(self, *arguments: str, stdin: str | bytes = b"") -> str:
        """Return the one line of a command that is refused with exit code 1."""
        ran = self.run(*arguments, stdin=stdin)
        assert ran.code == 1, ran.text
        return ran.complaint

    def misused(self, *arguments: str, stdin: str | bytes = b"") -> str:
        """Return the one line of a command that is called wrongly: exit code 2."""
        ran = self.run(*arguments, stdin=stdin)
        assert ran.code == 2, ran.text
        return ran.complaint

    def add(self, name: str = "hr", table: str = "Employees", *more: str) -> None:
        """Add a connector to a table of the database."""
        fate = ("--disable", "Disabled=true", "--delete", "delete")
        self.good("connector", "add", name, "--url", self.url, "--table", table, *(more or fate))

    def audited(self) -> list[tuple[str, str]]:
        """Return operation and actor of every audit record, oldest first."""
        records = self.good("audit", "--json", "--limit", "1000").json
        return [(one["operation"], one["actor"]) for one in reversed(records)]

    def terminal(
        self,
        *arguments: str,
        answers: Iterable[tuple[str, str]] = (),
        interrupted_at: str | None = None,
        columns: int = 120,
    ) -> Ran:
        """Run a command at a terminal, where a person waits for each prompt and types the answer.

        `interrupted_at`: Ctrl-C is typed once this is shown, whatever the command is busy with.
        """
        mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        variables = {**self.environment, "TERM": "xterm", "COLUMNS": str(columns)}
        process = subprocess.Popen(
            [str(PROGRAM), *arguments],
            cwd=self.folder,
            env=variables,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - nothing else runs in this process between fork and exec
        )
        os.close(theirs)
        try:
            shown = _talk(mine, process.pid, list(answers), interrupted_at)
            return Ran(process.wait(20), ESCAPES.sub("", shown), "")
        finally:
            process.kill()
            process.wait()
            os.close(mine)


def _take_terminal() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as a person's shell does; a job in the background ignores it
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C means this process


def _listens(pid: int) -> bool:
    """Tell whether a process waits in a system call whose first argument is its terminal: it reads from it."""
    call = Path(f"/proc/{pid}/syscall").read_text().split()
    file = Path(f"/proc/{pid}/fd/{int(call[1], 16)}") if len(call) > 1 else None
    return file is not None and file.is_symlink() and str(file.readlink()).startswith(("/dev/pts/", "/dev/tty"))


def _talk(
    terminal: int, pid: int, answers: Sequence[tuple[str, str]], interrupted_at: str | None, *, seconds: float = 90
) -> str:
    """Return everything that was shown until the process closed the terminal."""
    waiting = list(answers)
    shown, read_until = "", 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:  # EIO: the other side is closed
            part = b""
        if not part:
            assert not waiting, f"never asked: {waiting[0][0]}\n{shown}"
            return shown
        shown += part.decode(errors="replace")
        if interrupted_at is not None and interrupted_at in shown:
            interrupted_at = None
            os.write(terminal, b"\x03")
        if waiting and waiting[0][0] in shown[read_until:]:
            read_until = len(shown)
            # Python looks for signals before it reads, not between: a Ctrl-C in that instant waits for the next key.
            wait_for(lambda: _listens(pid), f"never waited for an answer to {waiting[0][0]!r}")
            os.write(terminal, waiting.pop(0)[1].encode())
    raise AssertionError(f"not within {seconds:.0f} s: {waiting}\n{shown}")
