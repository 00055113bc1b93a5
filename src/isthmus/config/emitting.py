"""Write a new TOML file in the layout a person would choose: keys, then tables, short tables on one line."""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterator, Mapping
from typing import Any

from isthmus.config.errors import ConfigError, dotted, quoted

_WIDTH = 110
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def plain(value: Any) -> Any:
    """Return a value as `tomllib` would read it: lists, dicts and scalars; keys whose value is None are left out.

    Raises:
        ConfigError: something in it cannot be written in TOML, or must not be: a secret.
    """
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigError("a text that is not Unicode cannot be written to a configuration file") from None
    if isinstance(value, str | bool | int | float | dt.datetime | dt.date | dt.time):
        return value
    raise ConfigError(f"a value of the type {type(value).__name__} cannot be written to a configuration file")


def toml_text(document: Mapping[str, Any]) -> str:
    """Return the text of a document made by `plain`; reading it gives an equal document."""
    return "\n".join(_table((), document)).strip("\n") + "\n"


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    nested = []
    for key, value in table.items():
        if _stands_alone(path, key, value):
            nested.append((key, value))
        else:
            yield f"{_key(key)} = {_value(value, len(key))}"
    for key, value in nested:
        name = dotted((*path, key))
        for element in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            yield from _table((*path, key), element)


def _stands_alone(path: tuple[str, ...], key: str, value: Any) -> bool:
    """Tell whether a value gets a [header] of its own."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(element, dict) for element in value)
    if not isinstance(value, dict):
        return False
    all_tables = bool(value) and all(isinstance(element, dict) for element in value.values())
    return not path or all_tables or len(key) + len(_inline(value)) > _WIDTH


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else quoted(key)


def _value(value: Any, before: int) -> str:
    text = _inline(value)
    if isinstance(value, list) and value and before + len(text) > _WIDTH:
        return "[\n" + "".join(f"  {_inline(element)},\n" for element in value) + "]"
    return text


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(key)} = {_inline(element)}" for key, element in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(element) for element in value) + "]"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, dt.datetime | dt.date | dt.time) else repr(value)
