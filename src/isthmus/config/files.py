"""Write files so that a crash leaves the old or the new text, and tell which are readable by other accounts."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from isthmus.config.errors import ConfigError, Where


def write_atomically(path: Path, content: bytes, *, mode: int = 0o600, private: bool = False) -> None:
    """Replace or create the file: written beside, flushed to disk, then renamed (rename(2) is atomic).

    A file that exists keeps its mode and, where we may set it, its owner: a command run by root must not lock the
    service's account out. A new file, and with `private` any file, gets `mode`; a new one has the owner of its folder.
    A symbolic link stays; what it points at is replaced.
    """
    path = real(path)
    try:
        before = path.stat()
        mode = mode if private else stat.S_IMODE(before.st_mode)
    except FileNotFoundError:
        before = path.parent.stat()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(handle, mode)
            if os.geteuid() == 0:
                os.fchown(handle, before.st_uid, before.st_gid)
            stream.flush()
            os.fsync(handle)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def open_lock(path: Path) -> int:
    """Open a file that is only locked, made if need be, and return the descriptor; a new one has its folder's owner."""
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            pass
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            continue  # another process has made it
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        return handle


def real(path: Path) -> Path:
    """Return the path without symbolic links; links that go in a circle are an `OSError` in every version of Python."""
    try:
        return path.resolve()
    except RuntimeError as exc:
        raise OSError(errno.ELOOP, "too many symbolic links", str(path)) from exc


def there(path: Path) -> bool:
    """Tell whether the path exists.

    Raises:
        ConfigError: it cannot be told, mostly because a folder above it is closed to this account.
    """
    try:
        return path.exists()
    except OSError as exc:
        raise ConfigError(f"the file cannot be looked at: {exc.strerror}", Where(path)) from exc


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that names made or removed in it survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def exposure(mode: int) -> str | None:
    """Return how a file with this mode is open to others, or None. Reading by the group is allowed: it is chosen."""
    if mode & (stat.S_IROTH | stat.S_IXOTH):
        return "every account of this machine can read it"
    if mode & (stat.S_IWOTH | stat.S_IWGRP):
        return "other accounts of this machine can replace its content"
    return None


def reachable(path: Path) -> bool:
    """Tell whether accounts that are neither owner nor in the group get as far as this file through its folders."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)
