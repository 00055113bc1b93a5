"""One `serve` for a state folder: the claim on it, and who has it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from isthmus.web.errors import AlreadyServing, CannotServe

FILE_NAME = "serve.json"
_ASKED_WITHIN = 1.0  # seconds


class Claimant(msgspec.Struct, kw_only=True):
    """Who serves, since when, and on which addresses."""

    pid: int
    started: float
    scim: str
    operations: str


class Claim:
    """Holds the lock on `serve.json` for as long as `serve` runs; the kernel releases it however the process ends."""

    def __init__(self, folder: Path, *, scim: str, operations: str) -> None:
        self._path = folder / FILE_NAME
        self._claimant = Claimant(pid=os.getpid(), started=time.time(), scim=scim, operations=operations)
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the claim.

        Raises:
            AlreadyServing: another process has it.
            CannotServe: the folder cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise CannotServe(f"the state folder cannot be written: {self._path}: {exc.strerror}") from exc
        if not self._locked():
            os.close(self._descriptor)
            found = claimant(self._path.parent)
            who = "" if found is None else f" (process {found.pid}, {found.scim})"
            raise AlreadyServing(f"another `isthmus serve` already works on {self._path.parent}{who}; stop it first")
        try:
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, msgspec.json.encode(self._claimant))
        except OSError as exc:  # a full disk
            os.close(self._descriptor)
            raise CannotServe(f"the state folder cannot be written: {self._path}: {exc.strerror}") from exc
        return self

    def _locked(self) -> bool:
        """Take the lock, and return whether we have it. Who asks for the claimant has it for a moment as well."""
        deadline = time.monotonic() + _ASKED_WITHIN
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline or claimant(self._path.parent) is not None:
                    return False
                time.sleep(0.01)
            else:
                return True

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def claimant(folder: Path) -> Claimant | None:
    """Return who serves this state folder, or None if nobody does."""
    path = folder / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return msgspec.json.decode(os.read(descriptor, 4096), type=Claimant)
        return None
    except msgspec.DecodeError:
        return None  # it is just being written
    finally:
        os.close(descriptor)
