"""Change configuration files by program; what a person wrote around the change, comments included, stays."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
import tomlkit.exceptions
import tomlkit.items

from isthmus.config.documents import Configuration, HostDocument
from isthmus.config.emitting import plain, toml_text
from isthmus.config.errors import ConfigError, KeyPath, Where, dotted, nearest
from isthmus.config.files import sync_folder, write_atomically
from isthmus.config.loading import connector_files, text_problems
from isthmus.config.names import connector_name_problem
from isthmus.config.source import Source

_KEY_PART = re.compile(r"""(?:^|\.)(?:([A-Za-z0-9_-]+)|("(?:\\.|[^"\\])*"|'[^']*'))|\[(\d{1,6})\]""")
_MODE = 0o640  # no secret is in it, but names of hosts and accounts are


def connector_path(configuration: Configuration, name: str) -> Path:
    """Return the file of a connector.

    Raises:
        ConfigError: there is no connector of this name.
    """
    written = configuration.names.get(name.casefold())
    if written is None:
        hint = nearest(name, configuration.names.values(), what="connectors")
        raise ConfigError(f"there is no connector {name}; {hint}", Where(configuration.connectors_dir))
    return configuration.connectors_dir / f"{written}.toml"


def add_connector(configuration: Configuration, name: str, document: Mapping[str, Any]) -> Path:
    """Write `connectors/NAME.toml` from a document of plain values and return its path.

    Raises:
        ConfigError: name or document are not valid, or there is such a connector; nothing was written then.
    """
    problem = connector_name_problem(name)
    if problem is not None:
        raise ConfigError(problem)
    folder = configuration.connectors_dir
    for file in connector_files(folder):
        if file.name.removesuffix(".toml").casefold() == name.casefold():
            raise ConfigError(
                "there is already a connector of this name; names are compared ignoring case", Where(file)
            )
    path = folder / f"{name}.toml"
    values = plain(document)
    text = f"# The connector {name}. Every key is described in docs/reference/configuration.md.\n\n{toml_text(values)}"
    wrong = text_problems(path, text, connector=True, host=configuration.host)
    if wrong:
        raise wrong[0]
    _write(path, text)
    return path


def remove_connector(configuration: Configuration, name: str) -> Path:
    """Remove the connector's file and return where it was.

    Raises:
        ConfigError: there is no such connector, or its file cannot be removed.
    """
    path = connector_path(configuration, name)
    try:
        path.unlink()
        sync_folder(path.parent)
    except OSError as exc:
        raise ConfigError(f"the file cannot be removed: {exc.strerror}", Where(path)) from exc
    return path


def set_value(path: Path, key: str | KeyPath, value: Any, *, host: HostDocument | None = None) -> None:
    """Set one key, written as in an error message (`scim.listen`, `resource_types[0].name`); None removes it."""
    set_values(path, {key: value}, host=host)


def set_values(path: Path, values: Mapping[str | KeyPath, Any], *, host: HostDocument | None = None) -> None:
    """Set several keys of a configuration file in one atomic write.

    `host` gives the limits that a connector's file is judged by.

    Raises:
        ConfigError: a key is not one, or the file would have a problem that it has not now; nothing was written then.
    """
    source = Source.read(path)
    expected = copy.deepcopy(source.tables)
    try:
        edited = tomlkit.parse(source.text)
        for key, value in values.items():
            where = parse_key(key) if isinstance(key, str) else key
            content = None if value is None else plain(value)
            _assign(expected, where, content, path)
            _assign(edited, where, None if content is None else _item(content), path)
        text = tomlkit.dumps(edited)
        faithful = bool(tomllib.loads(text) == expected)
    except (tomlkit.exceptions.TOMLKitError, ValueError, RecursionError):
        faithful = False
    if not faithful:
        keys = ", ".join(key if isinstance(key, str) else dotted(key) for key in values)
        raise ConfigError(f"{keys} cannot be set without touching other keys; change it in an editor", Where(path))
    connector = "type" in expected
    known = {
        (error.where.key, error.problem) for error in text_problems(path, source.text, connector=connector, host=host)
    }
    for error in text_problems(path, text, connector=connector, host=host):
        if (error.where.key, error.problem) not in known:
            raise error
    _write(path, text)


def parse_key(text: str) -> KeyPath:
    """Return the path that a dotted key names.

    Raises:
        ConfigError: it is not written as TOML writes keys.
    """
    path: list[str | int] = []
    at = 0
    while at < len(text):
        match = _KEY_PART.match(text, at)
        if match is None or (at == 0 and text.startswith(".")):
            break
        bare, quoted, index = match.groups()
        try:
            path.append(int(index) if index else bare or str(tomllib.loads(f"key = {quoted}")["key"]))
        except tomllib.TOMLDecodeError:
            break
        at = match.end()
    if at < len(text) or not path or isinstance(path[0], int):
        raise ConfigError(f'{text!r} is no key; write keys as in `scim.listen` or `resource_types[0].flows."a.b"`')
    return tuple(path)


def _assign(document: Any, path: KeyPath, value: Any, file: Path) -> None:
    """Set or (None) remove a value in nested tables, of `tomllib` or of `tomlkit` alike."""
    table = document
    for depth, part in enumerate(path[:-1], 1):
        if isinstance(part, str) and isinstance(table, dict) and part not in table:
            if value is None:
                return
            table[part] = _new_table(table)
        table = _child(table, part, file, path[:depth])
    last = path[-1]
    if isinstance(last, int) or not isinstance(table, dict):
        _child(table, last, file, path)
        if value is None:
            del table[last]
        else:
            table[last] = value
    elif value is None:
        table.pop(last, None)
    else:
        table[last] = value


def _new_table(within: Any) -> Any:
    if isinstance(within, tomlkit.items.InlineTable):
        return tomlkit.inline_table()
    return tomlkit.table() if isinstance(within, tomlkit.items.Item | tomlkit.TOMLDocument) else {}


def _child(table: Any, part: Any, file: Path, path: KeyPath) -> Any:
    if not isinstance(table, list if isinstance(part, int) else dict):
        raise ConfigError(
            "the key leads through something that is not a table or list", Where(file, None, dotted(path))
        )
    try:
        return table[part]
    except IndexError:
        raise ConfigError("there is no such element", Where(file, None, dotted(path))) from None


def _item(value: Any) -> Any:
    """Return tomlkit's form of a value; tables within it are written on one line, as in `{ secret = "hr" }`."""
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        for key, element in value.items():
            table[key] = _item(element)
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        array.extend(_item(element) for element in value)
        return array
    return tomlkit.item(value)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        write_atomically(path, text.encode(), mode=_MODE)
    except OSError as exc:
        raise ConfigError(f"the file cannot be written: {exc.strerror}", Where(path)) from exc
