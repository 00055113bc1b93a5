"""Compare parsed TOML with a typed document and say in an operator's words where they differ."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec

from isthmus.config.errors import KeyPath, nearest, shown

S = TypeVar("S", bound=msgspec.Struct)

_WORDS: dict[Any, str] = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    tuple: "a list",
    dict: "a table",
    dt.datetime: "a date and time",
    dt.date: "a date",
    dt.time: "a time of day",
}


class Problem(NamedTuple):
    """Something wrong at one key."""

    path: KeyPath
    text: str


def word(kind: Any) -> str:
    """Return what TOML calls a value of this Python type."""
    return _WORDS.get(kind, getattr(kind, "__name__", str(kind)))


def alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the members of a union without None, which TOML does not have; another type is its only member."""
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(member for member in get_args(kind) if member is not type(None))
    return (kind,)


def shape_problems(raw: object, kind: Any, path: KeyPath = ()) -> Iterator[Problem]:
    """Yield every unknown key, missing key and value of a wrong type; nothing means that `convert` succeeds."""
    members = alternatives(kind)
    if len(members) > 1:
        if not any(_is(raw, member) for member in members):
            expected = ", ".join(word(member) for member in members[:-1]) + f" or {word(members[-1])}"
            yield Problem(path, f"must be {expected}, not {word(type(raw))}")
        return
    kind = members[0]
    origin = get_origin(kind) or kind
    if origin is Any:
        return
    if origin is Literal:
        choices = get_args(kind)
        if not isinstance(raw, str):
            yield Problem(path, f"must be one of {', '.join(choices)} (in quotes), not {word(type(raw))}")
        elif raw not in choices:
            yield Problem(path, f"{shown(raw)} is not allowed here; one of: {', '.join(choices)}")
        return
    container = dict if isinstance(origin, type) and issubclass(origin, msgspec.Struct) else origin
    if not _is(raw, container):
        yield Problem(path, f"must be {word(container)}, not {word(type(raw))}")
        return
    if isinstance(raw, dict) and container is not origin:
        yield from _table_problems(raw, kind, path)
    elif isinstance(raw, dict):
        for key, value in raw.items():
            yield from shape_problems(value, get_args(kind)[1], (*path, key))
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            yield from shape_problems(value, get_args(kind)[0], (*path, index))
    elif origin is float:
        try:
            float(raw)  # type: ignore[arg-type]  # `_is` has seen that it is a number
        except OverflowError:
            yield Problem(path, "the number is too large")


def _table_problems(raw: dict[str, Any], kind: Any, path: KeyPath) -> Iterator[Problem]:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for key, value in raw.items():
        field = fields.get(key)
        if field is None:
            yield Problem((*path, key), f"unknown key; {nearest(key, fields)}")
        else:
            yield from shape_problems(value, field.type, (*path, key))
    for name, field in fields.items():
        if field.required and name not in raw:
            yield Problem((*path, name), "is missing; it has no default")


def _is(raw: object, kind: Any) -> bool:
    if kind is float:
        return isinstance(raw, int | float) and not isinstance(raw, bool)
    if kind is int:
        return isinstance(raw, int) and not isinstance(raw, bool)
    if kind is tuple:
        return isinstance(raw, list)
    return isinstance(raw, kind)


def convert(raw: dict[str, Any], kind: type[S]) -> S:
    """Return the typed document; the caller has seen that `shape_problems` finds nothing."""
    return msgspec.convert(raw, kind)
