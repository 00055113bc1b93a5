"""Filters and paths as trees (RFC 7644 3.4.2.2 and 3.5.2): what the parser makes and the mapping binds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
Literal_ = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class AttributePath:
    """Name an attribute: optional schema URN, name, optional sub-attribute; spelt as the client spelt it."""

    name: str
    sub: str | None = None
    urn: str | None = None

    def __str__(self) -> str:
        text = self.name if self.sub is None else f"{self.name}.{self.sub}"
        return text if self.urn is None else f"{self.urn}:{text}"


@dataclass(frozen=True, slots=True)
class Comparison:
    path: AttributePath
    operator: Operator
    value: Literal_


@dataclass(frozen=True, slots=True)
class Presence:
    path: AttributePath


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


@dataclass(frozen=True, slots=True)
class ValueFilter:
    """`emails[type eq "work"]`: some element of the attribute satisfies the inner filter (whose paths are sub-attributes)."""

    path: AttributePath
    filter: Filter


Filter = Comparison | Presence | And | Or | Not | ValueFilter


@dataclass(frozen=True, slots=True)
class PatchPath:
    """A PATCH path: `attribute`, `attribute[filter]` or `attribute[filter].sub` (then `sub` is set here)."""

    path: AttributePath
    filter: Filter | None = None
    sub: str | None = None
