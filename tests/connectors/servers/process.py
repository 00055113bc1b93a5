"""One server process and its children: start, stop, hang, let go on, kill."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ports import free_port

_LIMIT = 60.0
"""Seconds a server may take to start or stop; two cores need 3, a crowded machine ten times that."""


def unprivileged(command: Sequence[str]) -> list[str]:
    """Return the command, run as `nobody` when we are root: database servers refuse root."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--", *command]


def temporary_folder(prefix: str) -> Path:
    """Return a new folder that an unprivileged server may enter and own."""
    folder = Path(tempfile.mkdtemp(prefix=f"isthmus-{prefix}-"))
    folder.chmod(0o755)
    give_away(folder)
    return folder


def give_away(path: Path) -> None:
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def until(condition: Callable[[], bool], *, seconds: float = _LIMIT, what: str = "it") -> None:
    """Poll until the condition holds; fail with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.02)


def descendants(pid: int) -> Iterator[int]:
    """Yield the children of a process, and theirs."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                yield int(child)
                yield from descendants(int(child))


def lives(pid: int) -> bool:
    """Tell whether there is such a process, and not only what its parent has not yet asked about."""
    return any(state not in "ZX" for state in _states(pid))


def goes_on(pid: int) -> bool:
    """Tell whether a thread of this process was not stopped."""
    return any(state not in "TtZX" for state in _states(pid))


def _states(pid: int) -> Iterator[str]:
    """Yield the state of each thread, as a letter (proc(5))."""
    for task in Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(OSError):
            yield task.read_text().rpartition(")")[2].split()[0]


class Server:
    """A server under our control. Subclasses say how it is made and started."""

    host = "127.0.0.1"
    privileged = False
    """Whether it needs root."""

    def __init__(self, prefix: str) -> None:
        self.folder = temporary_folder(prefix)
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._log = self.folder / "output.log"

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        """Start it and return once it answers."""
        assert self.process is None, "it runs already"
        with self._log.open("ab") as log:
            command = list(self.command()) if self.privileged else unprivileged(self.command())
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _LIMIT
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = self._log.read_text(errors="replace")[-2000:]
                self.kill()
                raise RuntimeError(f"the server did not start:\n{output}")
            time.sleep(0.02)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        """End it in order; connections are closed."""
        if self.process is None:
            return
        self.resume()
        self.process.send_signal(sig)
        try:
            self.process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def _all(self) -> list[int]:
        assert self.process is not None, "it does not run"
        return [self.process.pid, *descendants(self.process.pid)]

    def pause(self) -> None:
        """Hang, and return once every thread has: it keeps its connections, takes new ones and answers nothing."""
        stopped: set[int] = set()
        while fresh := [pid for pid in self._all() if pid not in stopped]:
            for pid in fresh:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                stopped.add(pid)
            # the signal takes a moment: until one thread has taken it, the others go on, and children are born
            until(lambda: not any(map(goes_on, stopped)), what="every thread stopping")

    def resume(self) -> None:
        for pid in reversed(self._all()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, as a power cut would, and return when nothing of it is left.

        A child that lives on, if only for a moment, keeps the next server from starting in the same folder.
        """
        if self.process is None:
            return
        if self.process.poll() is None:
            self.pause()  # or it makes children while we count them
        family = self._all()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(_LIMIT)
        self.process = None
        until(lambda: not any(map(lives, family)), what="the end of every process")

    def remove(self) -> None:
        """Kill it and delete its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
