"""Find secrets, keys and stored data that other accounts of this machine can read or replace."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.config.documents import Configuration
from isthmus.config.errors import ConfigError, Where
from isthmus.config.files import exposure, reachable
from isthmus.config.secrets import Secrets


@dataclass(frozen=True, slots=True)
class ExposedFile:
    """A file or folder, what is wrong with its permissions, and the command that mends it."""

    path: Path
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.mend}"


def exposed_files(configuration: Configuration) -> list[ExposedFile]:
    """Return every exposed file of a configuration; `serve` refuses to start while there is one.

    Looked at are the key of the secrets; the folders of secrets, private keys and state with all they hold; a private
    key kept elsewhere; and the configuration files themselves, which nobody else may write. Files of the state count
    only where the folders above let others through, since the database engine chooses their modes.

    Raises:
        ConfigError: the key lies in a folder of the configuration, or a folder cannot be looked at.
    """
    try:
        by_path = {found.path: found for found in _exposed(configuration)}
    except OSError as exc:
        text = f"the permissions cannot be looked at: {exc.strerror}"
        raise ConfigError(text, Where(Path(exc.filename) if exc.filename else configuration.folder)) from exc
    return [by_path[path] for path in sorted(by_path)]


def _exposed(configuration: Configuration) -> Iterator[ExposedFile]:
    yield from _secret(Secrets(configuration).key_file)
    tls = configuration.host.scim.tls
    if tls.key is not None:
        yield from _secret(configuration.folder / tls.key)
    for folder in (configuration.secrets_dir, configuration.tls_dir, configuration.state_dir):
        yield from _replaceable(folder)
    for path in _tree(configuration.secrets_dir):
        yield from _secret(path)
    for path in _tree(configuration.tls_dir):
        yield from _secret(path) if path.suffix == ".key" else _replaceable(path)
    for path in _tree(configuration.state_dir):
        if reachable(path):
            yield from _secret(path)
    for path in (configuration.path, configuration.connectors_dir, *configuration.connectors_dir.glob("*.toml")):
        yield from _replaceable(path)


def _tree(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except OSError:
        return None  # what is not there exposes nothing; what cannot be read is told by whoever needs it


def _secret(path: Path) -> Iterator[ExposedFile]:
    mode = _mode(path)
    problem = exposure(mode) if mode is not None else None
    if problem is not None:
        yield ExposedFile(path, problem, f"chmod 600 {path}")


def _replaceable(path: Path) -> Iterator[ExposedFile]:
    mode = _mode(path)
    if mode is None:
        return
    sticky_folder = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
    if mode & stat.S_IWOTH and not sticky_folder:
        yield ExposedFile(path, "every account of this machine can change it", f"chmod o-w {path}")
