"""The folder that holds the store: what it must be, and why one is refused."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from isthmus.store.errors import StoreFull, StoreRefused

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre"}
)
"""File systems where SQLite's shared memory or locks do not work between machines (https://www.sqlite.org/wal.html)."""

_NETWORK_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.davfs", "fuse.smb")
_ESCAPED = re.compile(r"\\([0-7]{3})")  # a blank in a name is written \040 (man 5 proc)
_ROOM = 16 << 20  # bytes: less than this is gone with the first checkpoint


def prepare(folder: Path, *, create: bool) -> None:
    """Make the folder if wanted, and check that a store can live there.

    Raises:
        StoreRefused: it is missing, not a folder, not ours to write, or on a network file system.
        StoreFull: the disk is full.
    """
    if create:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreRefused(f"the store's folder {folder} cannot be made: {error.strerror}") from error
    if not folder.is_dir():
        raise StoreRefused(f"there is no folder {folder} for the store: run 'isthmus init'")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StoreRefused(f"the store's folder {folder} cannot be written by this user")
    kind = file_system(folder.resolve(), _mounts())
    if is_network(kind):
        raise StoreRefused(
            f"the store's folder {folder} is on a network file system ({kind}); "
            "its locks cannot be relied on: use a local disk"
        )
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < _ROOM:
        raise StoreFull(f"less than {_ROOM >> 20} MB are free for the store in {folder}: free disk space")


def check_writable(path: Path) -> None:
    """Check that a file of the store is ours to write.

    Raises:
        StoreRefused: it is not.
    """
    if not os.access(path, os.R_OK | os.W_OK):
        raise StoreRefused(f"the store's file {path} cannot be read and written by this user: check its owner and mode")


def open_private(path: Path) -> int:
    """Open a file of the store for reading and writing, made if need be, for its owner alone; return the descriptor.

    What root makes belongs to the folder's owner, as SQLite sees to it for its own files: a command run by root must
    not lock the service's account out. Only what is new is given away, lest a link there gives away another file.
    """
    while True:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            pass
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue  # another process has made it
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(file, owner.st_uid, owner.st_gid)
        return file


def make_private(folder: Path) -> None:
    """Make a folder within the store's, unless it is there; it belongs to whom `open_private` gives files."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        owner = folder.parent.stat()
        os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)


def keep_private(path: Path) -> None:
    """Take the rights of group and others from a file of ours."""
    mode = path.stat()
    if mode.st_uid == os.geteuid() and stat.S_IMODE(mode.st_mode) & 0o077:
        path.chmod(0o600)


def is_network(kind: str) -> bool:
    """Tell whether a file system of that kind may be shared between machines."""
    return kind in NETWORK or kind.startswith(_NETWORK_FUSE)


def file_system(folder: Path, mounts: Iterable[str]) -> str:
    """Return the kind of file system the folder is on, by lines as in /proc/mounts; empty if none fits."""
    best, kind = -1, ""
    for line in mounts:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), fields[1]))
        if (folder == point or point in folder.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def _mounts() -> list[str]:
    try:
        return Path("/proc/self/mounts").read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return []  # not Linux: nothing is known of the file system
