"""Read raw TOML values as the types that a settings dataclass is annotated with."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, get_origin, get_type_hints

from isthmus.config.errors import ConfigError, KeyPath, Where, dotted, nearest, shown
from isthmus.config.secrets import Secrets
from isthmus.config.shape import alternatives, word
from isthmus.spi import ConnectorError, Secret, Setting, settings_of


class Report(Protocol):
    """Take note of a problem at a key."""

    def __call__(self, path: KeyPath, problem: str, cls: type[ConfigError] = ConfigError) -> None: ...


class _Wrong(Exception):
    """A value that was reported and cannot be used."""


class Reader:
    """Builds values; each problem goes to `report`, and the value around it is then None."""

    def __init__(self, secrets: Secrets, report: Report, file: Path | None) -> None:
        self._secrets = secrets
        self._report = report
        self._file = file

    def table(self, raw: dict[str, Any], kind: Any, path: KeyPath) -> Any:
        """Return an instance of a settings dataclass made from a TOML table, or None if something in it is wrong."""
        try:
            return self._table(raw, kind, path)
        except _Wrong:
            return None

    def _table(self, raw: dict[str, Any], kind: Any, path: KeyPath) -> Any:
        fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
        hints = get_type_hints(kind)
        declared = _declared(kind)
        sound = True
        given: dict[str, Any] = {}
        for key, value in raw.items():
            if key not in fields:
                self._report((*path, key), f"unknown setting; {nearest(key, fields, what='settings')}")
                sound = False
                continue
            try:
                given[key] = self._value(value, hints[key], (*path, key), declared.get(key))
            except _Wrong:
                sound = False
        for name, field in fields.items():
            has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            if name not in raw and not has_default:
                self._report((*path, name), f"is missing{_describe(declared.get(name))}")
                sound = False
        if not sound:
            raise _Wrong
        try:
            return kind(**given)
        except ConnectorError as exc:
            self._wrong(path, exc.message)
        except (ValueError, TypeError) as exc:  # what a dataclass's own __post_init__ refuses with
            self._wrong(path, str(exc))

    def _wrong(self, path: KeyPath, problem: str, cls: type[ConfigError] = ConfigError) -> Any:
        self._report(path, problem, cls)
        raise _Wrong

    def _value(self, raw: object, hint: Any, path: KeyPath, declared: Setting | None) -> Any:
        members = alternatives(hint)
        if Secret in members:
            if isinstance(raw, str) and str in members:
                return self._plain(raw, str, path, declared)
            return self._secret(raw, path)
        if len(members) == 1:
            return self._one(raw, members[0], path, declared)
        for member in members:
            if _fits(raw, member):
                return self._one(raw, member, path, declared)
        expected = " or ".join(_word_of(member) for member in members)
        return self._wrong(path, f"must be {expected}, not {word(type(raw))}")

    def _secret(self, raw: object, path: KeyPath) -> Secret:
        try:
            return self._secrets.resolve(raw, Where(self._file, None, dotted(path)))
        except ConfigError as exc:
            # a place other than ours (the file of the key) is part of what the operator must know
            elsewhere = exc.where.file is not None and exc.where.file != self._file
            problem = f"{exc.where}: {exc.problem}" if elsewhere else exc.problem
            self._wrong(path, problem, type(exc))
            raise

    def _one(self, raw: object, hint: Any, path: KeyPath, declared: Setting | None) -> Any:
        if not _fits(raw, hint):
            return self._wrong(path, f"must be {_word_of(hint)}, not {word(type(raw))}")
        origin = get_origin(hint) or hint
        if isinstance(raw, list):
            return self._list(raw, hint, path, declared)
        if isinstance(raw, dict):
            if dataclasses.is_dataclass(origin):
                return self._table(raw, origin, path)
            return self._mapping(raw, get_args(hint), path, declared)
        return self._plain(raw, hint, path, declared)

    def _list(self, raw: list[Any], hint: Any, path: KeyPath, declared: Setting | None) -> Any:
        origin = get_origin(hint) or hint
        if origin is Any:
            return raw
        members = get_args(hint)
        if origin is tuple and members and members[-1] is not Ellipsis:
            if len(raw) != len(members):
                return self._wrong(path, f"must have exactly {len(members)} elements, not {len(raw)}")
            kinds: Sequence[Any] = members
        else:
            kinds = [members[0] if members else Any] * len(raw)
        items = []
        sound = True
        for index, (value, kind) in enumerate(zip(raw, kinds, strict=True)):
            try:
                items.append(self._value(value, kind, (*path, index), declared))
            except _Wrong:
                sound = False
        if not sound:
            raise _Wrong
        return frozenset(items) if origin is frozenset else tuple(items)

    def _mapping(self, raw: dict[str, Any], members: tuple[Any, ...], path: KeyPath, declared: Setting | None) -> Any:
        kind = members[1] if len(members) == 2 else Any
        items = {}
        sound = True
        for key, value in raw.items():
            try:
                items[key] = self._value(value, kind, (*path, key), declared)
            except _Wrong:
                sound = False
        if not sound:
            raise _Wrong
        return items

    def _plain(self, raw: Any, hint: Any, path: KeyPath, declared: Setting | None) -> Any:
        if get_origin(hint) is Literal:
            self._choose(raw, [str(choice) for choice in get_args(hint)], path)
            return next(choice for choice in get_args(hint) if str(choice) == str(raw))
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            self._choose(raw, [str(member.value) for member in hint], path)
            return next(member for member in hint if str(member.value) == str(raw))
        if isinstance(raw, str):
            if "\0" in raw:
                return self._wrong(path, "must not hold the character NUL")
            if declared is not None and declared.choices:
                self._choose(raw, declared.choices, path)
            return Path(raw) if hint is Path else raw
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            return self._number(raw, hint, path, declared)
        return raw

    def _choose(self, raw: object, choices: Sequence[str], path: KeyPath) -> None:
        if str(raw) not in choices:
            self._wrong(path, f"{shown(raw)} is not allowed here; one of: {', '.join(filter(None, choices))}")

    def _number(self, raw: float, hint: Any, path: KeyPath, declared: Setting | None) -> float:
        try:
            value = float(raw) if hint is float else raw
            finite = math.isfinite(value)
        except OverflowError:
            finite = False
        if not finite:
            self._wrong(path, "the number is too large or no number")
        least = declared.minimum if declared is not None else None
        greatest = declared.maximum if declared is not None else None
        if (least is not None and value < least) or (greatest is not None and value > greatest):
            if least is not None and greatest is not None:
                self._wrong(path, f"must be between {least:,} and {greatest:,}")
            self._wrong(path, f"must be at least {least:,}" if least is not None else f"must be at most {greatest:,}")
        return value


def _declared(kind: Any) -> dict[str, Setting]:
    """Return the declarations of a settings class; a plain dataclass as a table within it has types only."""
    if not all(field.metadata for field in dataclasses.fields(kind)):
        return {}
    return {declared.name: declared for declared in settings_of(kind)}


def _describe(declared: Setting | None) -> str:
    if declared is None:
        return ""
    example = f', for example {declared.name} = "{declared.example}"' if declared.example else ""
    return f" ({declared.label}){example}"


def _fits(raw: object, hint: Any) -> bool:
    """Tell whether a value's TOML type is the one that an annotation asks for; its content is judged later."""
    origin = get_origin(hint) or hint
    if origin is Any:
        return True
    if origin is Literal:
        return any(type(choice) is type(raw) for choice in get_args(hint))
    if not isinstance(origin, type):
        return False
    if issubclass(origin, enum.Enum):
        return any(type(member.value) is type(raw) or isinstance(raw, str) for member in origin)
    if dataclasses.is_dataclass(origin) or issubclass(origin, Mapping):
        return isinstance(raw, dict)
    if issubclass(origin, Path):
        return isinstance(raw, str)
    if issubclass(origin, tuple | list | frozenset) or origin is Sequence:
        return isinstance(raw, list)
    if origin in (int, float):
        return isinstance(raw, int if origin is int else (int, float)) and not isinstance(raw, bool)
    return isinstance(raw, origin)


def _word_of(hint: Any) -> str:
    origin = get_origin(hint) or hint
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(hint))
    if not isinstance(origin, type):
        return word(origin)
    if issubclass(origin, enum.Enum):
        return "one of " + ", ".join(str(member.value) for member in origin)
    if dataclasses.is_dataclass(origin) or issubclass(origin, Mapping):
        return word(dict)
    if issubclass(origin, tuple | list | frozenset) or origin is Sequence:
        return word(list)
    return word(str) if issubclass(origin, Path) else word(origin)
