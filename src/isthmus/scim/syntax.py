"""Filters and paths as trees (RFC 7644 3.4.2.2 and 3.5.2): what the parser makes and the mapping binds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
Literal_ = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class AttributePath:
    """Name an attribute: optional schema URN, name, optional sub-attribute; spelt as the client spelt it.

    A URN alone (`urn:...:enterprise:2.0:User`, the whole extension) is split at its last colon like any other: compare
    `str(path)` with the schema URNs first. Below the ECMA2Host URN names are the target's own and may hold dots,
    colons and blanks; what follows the first dot is then in `sub`, and `full_name` gives the name back whole.
    """

    name: str
    sub: str | None = None
    urn: str | None = None

    @property
    def full_name(self) -> str:
        """Return name and sub-attribute as written, without the URN."""
        return self.name if self.sub is None else f"{self.name}.{self.sub}"

    def __str__(self) -> str:
        return self.full_name if self.urn is None else f"{self.urn}:{self.full_name}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compare an attribute with a value.

    `text` is the spelling of a value that stood without quotes (`4711`, `1.50`, `True`, Entra's bare words): a number
    as text for a string attribute, or more digits than a float holds. It is None for a quoted value, and does not
    count in equality.
    """

    path: AttributePath
    operator: Operator
    value: Literal_
    text: str | None = field(default=None, compare=False)


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
    """`emails[type eq "work"]`: an element of the attribute satisfies the inner filter, which names sub-attributes."""

    path: AttributePath
    filter: Filter


Filter = Comparison | Presence | And | Or | Not | ValueFilter


@dataclass(frozen=True, slots=True)
class PatchPath:
    """A PATCH path: `attribute`, `attribute[filter]` or `attribute[filter].sub` (then `sub` is set here)."""

    path: AttributePath
    filter: Filter | None = None
    sub: str | None = None
