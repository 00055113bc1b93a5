"""Who is alive: every process holds an operating-system lock on a file of its own while its store is open."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import weakref
from pathlib import Path

from isthmus.store.folder import make_private, open_private

OWNERS = "owners"
"""The folder of the lock files, beside the database."""

_NAME = re.compile(r"[0-9a-f]{16}")


class Owner:
    """This process as an owner of journal entries and runs. The lock ends with the process, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        make_private(folder)
        self.id = secrets.token_hex(8)
        self._file: int | None = self._lock()
        _living.add(self)
        self._sweep()

    def is_alive(self, owner: str) -> bool:
        """Tell whether that process still has its store open. Unknown owners are dead."""
        if owner == self.id:
            return self._file is not None
        if not _NAME.fullmatch(owner):
            return False
        try:
            return not _is_free(self._path(owner))
        except PermissionError:
            return True  # another account's, of which nothing can be told

    def close(self) -> None:
        """Give the lock up: from now on this owner is dead."""
        if self._file is None:
            return
        with contextlib.suppress(FileNotFoundError):
            self._path(self.id).unlink()
        os.close(self._file)
        self._file = None

    def forget(self) -> None:
        """Let go of the file without unlocking it: what a forked child must do, or its parent never seems dead."""
        if self._file is not None:
            os.close(self._file)  # the lock belongs to the open file, which the parent still has
            self._file = None

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"

    def _lock(self) -> int:
        path = self._path(self.id)
        while True:
            file = open_private(path)
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                if path.stat().st_ino == os.fstat(file).st_ino:
                    return file
            except FileNotFoundError:
                pass  # another process swept it away between our open and our lock: once more
            os.close(file)

    def _sweep(self) -> None:
        """Remove the files that dead processes left.

        Each under its lock: a process that has made its file and not locked it yet waits, and then makes another one.
        """
        for path in self._folder.glob("*.lock"):
            if path.stem == self.id:
                continue
            try:
                file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # another one sweeps as well
            except PermissionError:
                continue  # another account's
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
            except BlockingIOError:
                continue  # it lives
            finally:
                os.close(file)


def in_use(folder: Path) -> bool:
    """Tell whether any process has the store open, as far as this account can tell."""
    for path in folder.glob("*.lock"):
        with contextlib.suppress(PermissionError):
            if not _is_free(path):
                return True
    return False


def _is_free(path: Path) -> bool:
    """Tell whether nobody holds the lock. Asks for a shared one, so that two askers do not see each other."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


_living: weakref.WeakSet[Owner] = weakref.WeakSet()


def _forget_all() -> None:
    for owner in list(_living):
        owner.forget()


os.register_at_fork(after_in_child=_forget_all)
