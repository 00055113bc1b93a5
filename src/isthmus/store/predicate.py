"""The store's own condition type: what a filter becomes before it is run inside the store.

Attributes are names of the target's attributes (keys of the stored attribute JSON), or one of the pseudo names in
`Pseudo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Pseudo(StrEnum):
    """What a condition can test besides target attributes."""

    ID = "#id"
    EXTERNAL_ID = "#externalId"
    CREATED = "#created"
    MODIFIED = "#modified"
    VERSION = "#version"
    DN = "#dn"


Compare = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]


@dataclass(frozen=True, slots=True)
class Test:
    """True if any value of the attribute compares so. `ne` is true if no value equals (also when there is none).

    `kind` says how: 'text' by case_exact rule, 'number' (JSON numbers and decimals as text), 'boolean', 'datetime'
    (ISO 8601 text; without offset UTC), 'binary' (base64 text). `co`, `sw` and `ew` look at texts only, whatever the
    kind. Values of another JSON type than the kind's never compare.
    """

    attribute: str
    operator: Compare
    value: str | int | float | bool
    kind: Literal["text", "number", "boolean", "datetime", "binary"] = "text"
    case_exact: bool = False


@dataclass(frozen=True, slots=True)
class Present:
    """True if the attribute has a value that is not an empty string."""

    attribute: str


@dataclass(frozen=True, slots=True)
class KeyEquals:
    """True for objects with this key: answered by the index of `keys`."""

    attribute: str
    value: str


@dataclass(frozen=True, slots=True)
class LinkTo:
    """True for objects that refer to this target key; `key` None: to anything."""

    attribute: str
    key: str | None


@dataclass(frozen=True, slots=True)
class ReferredBy:
    """True for objects that an attribute of a live object in the rows `low` to `high` refers to.

    `by_dn`: references name an object by its dn, where it has one, else by its anchor.
    """

    attribute: str
    low: int
    high: int
    by_dn: bool = False


@dataclass(frozen=True, slots=True)
class SomeElement:
    """True if one value of the attribute, which is a JSON object, fulfils the inner condition on its members.

    The inner condition is made of `Test`, `Present`, `All`, `AnyOf`, `Negated` and `Constant`; the attributes they name
    are members of that object.
    """

    attribute: str
    part: Predicate


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    part: Predicate


@dataclass(frozen=True, slots=True)
class Constant:
    """Always true or never."""

    value: bool


Predicate = Test | Present | KeyEquals | LinkTo | ReferredBy | SomeElement | All | AnyOf | Negated | Constant
