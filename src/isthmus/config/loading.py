"""Read `isthmus.toml` and the connectors' files, or say with file, line and key why they cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from isthmus.config.documents import Configuration, ConnectorDocument, HostDocument
from isthmus.config.errors import ConfigError, Where, nearest
from isthmus.config.files import there
from isthmus.config.names import connector_name_problem
from isthmus.config.registry import connector_type_ids
from isthmus.config.rules import connector_problems, host_problems
from isthmus.config.shape import Problem, convert, shape_problems
from isthmus.config.source import Source

__all__ = [
    "CONFIG_VARIABLE",
    "connector_files",
    "connector_name_problem",
    "find_configuration",
    "load",
    "load_connector",
    "load_host",
    "problems",
    "text_problems",
]

CONFIG_VARIABLE = "ISTHMUS_CONFIG"
FILE_NAME = "isthmus.toml"
_SYSTEM_FILE = Path("/etc/isthmus") / FILE_NAME

D = TypeVar("D", bound=msgspec.Struct)


def find_configuration(given: Path | None = None) -> Path:
    """Return the path of `isthmus.toml`.

    The one given, else ISTHMUS_CONFIG, else `./isthmus.toml`, else `/etc/isthmus/isthmus.toml`. A folder stands for the
    `isthmus.toml` in it. A path that was named is returned even if nothing is there: `load` tells.

    Raises:
        ConfigError: nothing was named and neither default exists.
    """
    named = given
    if named is None and os.environ.get(CONFIG_VARIABLE):
        named = Path(os.environ[CONFIG_VARIABLE])
    if named is not None:
        return _file(named)
    local = Path.cwd() / FILE_NAME
    for candidate in (local, _SYSTEM_FILE):
        try:
            if candidate.exists():
                return candidate
        except OSError:
            return candidate  # there, but closed to this account: reading it tells so
    raise ConfigError(
        f"no configuration: there is neither {local} nor {_SYSTEM_FILE} and {CONFIG_VARIABLE} is not set; "
        f"`isthmus init` makes one"
    )


def load(path: Path) -> Configuration:
    """Return everything that was configured, checked as far as can be done without asking a target or reading a secret.

    Raises:
        ConfigError: the first problem; `problems` returns all.
    """
    found: list[ConfigError] = []
    configuration = _read(_file(path), found)
    if found:
        raise found[0]
    assert configuration is not None
    return configuration


def problems(path: Path) -> list[ConfigError]:
    """Return everything that is wrong, file by file in the order of the lines; empty: `load` succeeds."""
    found: list[ConfigError] = []
    _read(_file(path), found)
    return found


def load_host(path: Path) -> HostDocument:
    """Return `isthmus.toml` alone.

    Raises:
        ConfigError: it cannot be used.
    """
    found: list[ConfigError] = []
    document = _document(_source(_file(path), found), HostDocument, host_problems, found)
    if document is None:
        raise found[0]
    return document


def load_connector(path: Path, host: HostDocument | None = None) -> ConnectorDocument:
    """Return one connector's file, judged against the limits of `host` (left out: the defaults).

    Raises:
        ConfigError: it cannot be used.
    """
    found: list[ConfigError] = []
    document = _connector(path, host or HostDocument(), found)
    if document is None:
        raise found[0]
    return document


def text_problems(path: Path, text: str, *, connector: bool, host: HostDocument | None = None) -> list[ConfigError]:
    """Return what would be wrong if this text stood in the file."""
    found: list[ConfigError] = []
    source = Source(path, text)
    if connector:
        _document(source, ConnectorDocument, lambda document: _connector_rules(document, host or HostDocument()), found)
    else:
        _document(source, HostDocument, host_problems, found)
    return found


def connector_files(folder: Path) -> list[Path]:
    """Return the connectors' files in order; hidden ones and other endings (an editor's copies) are passed over.

    Raises:
        ConfigError: the folder cannot be read.
    """
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml" and not file.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise ConfigError(f"the folder of the connectors cannot be read: {exc.strerror}", Where(folder)) from exc


def _file(path: Path) -> Path:
    path = path.absolute()
    try:
        return path / FILE_NAME if path.is_dir() else path
    except (OSError, ValueError):
        return path


def _read(path: Path, found: list[ConfigError]) -> Configuration | None:
    source = _source(path, found)
    host = _document(source, HostDocument, host_problems, found)
    if source is None or host is None:
        return None
    connectors: dict[str, ConnectorDocument] = {}
    names: dict[str, str] = {}
    folder = path.parent / host.connectors_dir
    try:
        if "connectors_dir" in source.tables and not there(folder):
            found.append(source.error(("connectors_dir",), f"there is no folder {folder}"))
        files = connector_files(folder)
    except ConfigError as exc:
        found.append(exc)
        files = []
    for file in files:
        name = file.name.removesuffix(".toml")
        problem = connector_name_problem(name)
        if problem is None and name.casefold() in names:
            other = names[name.casefold()]
            problem = f"there is already a connector {other}; names that differ only in case are the same"
        if problem is not None:
            found.append(ConfigError(f"{problem}; rename the file", Where(file)))
            continue
        names[name.casefold()] = name
        document = _connector(file, host, found)
        if document is not None:
            connectors[name.casefold()] = document
    return Configuration(path=path, host=host, connectors=connectors, names=names)


def _connector(file: Path, host: HostDocument, found: list[ConfigError]) -> ConnectorDocument | None:
    return _document(_source(file, found), ConnectorDocument, lambda document: _connector_rules(document, host), found)


def _connector_rules(document: ConnectorDocument, host: HostDocument) -> Iterator[Problem]:
    installed = connector_type_ids()
    if document.type not in installed:
        hint = nearest(document.type, installed, what="connector types")
        yield Problem(("type",), f"no connector type of this name is installed; {hint}")
    yield from connector_problems(document, host)


def _source(file: Path, found: list[ConfigError]) -> Source | None:
    try:
        return Source.read(file)
    except ConfigError as exc:
        found.append(exc)
        return None


def _document(
    source: Source | None, kind: type[D], judge: Callable[[D], Iterable[Problem]], found: list[ConfigError]
) -> D | None:
    """Return the document if nothing is wrong with it; append to `found` whatever is."""
    if source is None:
        return None
    try:
        wrong = list(shape_problems(source.tables, kind))
    except ConfigError as exc:  # not TOML
        found.append(exc)
        return None
    document = None
    if not wrong:
        document = convert(source.tables, kind)
        wrong = list(judge(document))
    errors = [source.error(problem.path, problem.text) for problem in wrong]
    found.extend(sorted(errors, key=lambda error: error.where.line or 0))
    return None if wrong else document
