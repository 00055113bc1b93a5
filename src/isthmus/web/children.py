"""Start and end child processes. Each is the leader of a process group, so that nothing it forked can stay behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from isthmus.web.process import Task

_TASK_BYTES = 1_048_576
"""What a pipe holds at most without privileges (pipe(7)): a task fits, so that sending it does not wait."""


class Child:
    """One child process with the pipe on which it tells what happens."""

    def __init__(self, module: str, arguments: Sequence[str], *, descriptors: Sequence[int] = ()) -> None:
        """Start `python -m module PARENT arguments... NOTICES`; it loads its code and waits for `send`."""
        self.started = time.monotonic()
        self.module = module
        self.notices, telling = os.pipe()
        os.set_blocking(self.notices, False)
        self._pending = b""
        self._kill_at: float | None = None
        try:
            # -P: modules come from where Isthmus is installed, never from the working directory.
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", module, str(os.getpid()), *arguments, str(telling)],
                stdin=subprocess.PIPE,
                pass_fds=[*descriptors, telling],
                process_group=0,
                pipesize=_TASK_BYTES,
            )
        finally:
            os.close(telling)

    def send(self, task: Task) -> None:
        """Give it its task; it begins."""
        stream = self.process.stdin
        assert stream is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already; `ended` tells
            stream.write(task.encode())
        with contextlib.suppress(BrokenPipeError):
            stream.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def ended(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.process.poll()

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what it told since the last call, as word and detail."""
        while True:
            try:
                chunk = os.read(self.notices, 4096)
            except BlockingIOError:
                break
            if not chunk:
                break
            self._pending += chunk
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            word, _, detail = line.decode("utf-8", "replace").partition(" ")
            yield word, detail

    def stop(self, *, within: float) -> None:
        """Ask it to end; `overdue` kills what has not ended then."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + within
            self._signal(signal.SIGTERM)

    @property
    def stopping(self) -> bool:
        return self._kill_at is not None

    def overdue(self) -> None:
        """Kill the whole group if it was to have ended by now."""
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self.kill()

    def kill(self) -> None:
        """Kill the child and everything it forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def group_lives(self) -> bool:
        """Tell whether it, or anything it forked, still runs."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def terminate_group(self) -> None:
        """Ask what a dead leader left behind to end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)

    def _signal(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def close(self) -> None:
        """Give the pipe back."""
        os.close(self.notices)
