"""Notice that configuration has changed, so that `serve` reloads it without a restart."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from isthmus.config.documents import Configuration, HostDocument
from isthmus.config.errors import ConfigError
from isthmus.config.loading import load_host


def fingerprint(path: Path) -> str:
    """Return a text that changes whenever `isthmus.toml`, a connector's file or a stored secret does.

    It is made of names, inodes, sizes and times only, so that asking every second costs little; a file replaced
    within the clock's resolution still has another inode. Never raises: what cannot be read counts as absent.
    """
    try:
        host = load_host(path)
    except ConfigError:
        host = HostDocument()  # a broken file changes the fingerprint itself; where its folders were is not needed
    folder = path.absolute().parent
    seen = hashlib.sha256()
    for file in (path.absolute(), *_files(folder / host.connectors_dir), *_files(folder / host.secrets_dir)):
        seen.update(_stamp(file))
    return seen.hexdigest()[:32]


def tls_fingerprint(configuration: Configuration) -> str:
    """Return a text that changes whenever the certificate, key or client CA that the SCIM listener uses does."""
    from isthmus.config.tls import server_files  # `serve` watches in a process that is to stay small

    seen = hashlib.sha256()
    try:
        files = server_files(configuration)
    except ConfigError as exc:
        return hashlib.sha256(str(exc).encode()).hexdigest()[:32]
    for file in (files.certificate, files.key, files.client_ca) if files is not None else ():
        if file is not None:
            seen.update(_stamp(file))
    return seen.hexdigest()[:32]


def _files(folder: Path) -> Iterator[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except OSError:
        return
    for name in names:
        yield folder / name


def _stamp(file: Path) -> bytes:
    try:
        status = file.stat()
    except OSError:
        return f"{file}|absent\n".encode("utf-8", "surrogateescape")
    text = f"{file}|{status.st_ino}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}\n"
    return text.encode("utf-8", "surrogateescape")
