"""A filter whose paths are the target's attributes: what the engine turns into a condition of the store.

Pseudo attributes: `#id`, `#externalId`, `#created`, `#modified`, `#version`, `#dn`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isthmus.scim.syntax import Operator
from isthmus.spi import Value

Kind = Literal["text", "number", "boolean", "datetime", "binary"]


@dataclass(frozen=True, slots=True)
class BoundComparison:
    """True if any value of the attribute compares so; `ne`: if no value equals.

    `value` is as the store compares it: a datetime as ISO 8601 text in UTC (without a zone it counts as UTC),
    binary as base64, decimal as a number. `native` is the same value as the connector takes it, for `find`; None where
    there is none.
    """

    attribute: str
    operator: Operator
    value: str | int | float | bool
    kind: Kind = "text"
    case_exact: bool = False
    indexed: bool = False
    native: Value | None = None


@dataclass(frozen=True, slots=True)
class BoundPresence:
    """True if the attribute, which may be a reference, has a value that is not an empty string."""

    attribute: str


@dataclass(frozen=True, slots=True)
class BoundReference:
    """True if the attribute refers to the object with this SCIM id."""

    attribute: str
    id: str


@dataclass(frozen=True, slots=True)
class BoundMembership:
    """True for a direct member of the group with this SCIM id; `id` None: of any group."""

    id: str | None


@dataclass(frozen=True, slots=True)
class BoundElement:
    """True if one value of the attribute, which is made of parts, fulfils the inner condition.

    The attributes that the inner condition names are the parts of that value; it holds no `BoundElement` itself.
    """

    attribute: str
    part: BoundFilter


@dataclass(frozen=True, slots=True)
class BoundConstant:
    value: bool


@dataclass(frozen=True, slots=True)
class BoundAnd:
    parts: tuple[BoundFilter, ...]


@dataclass(frozen=True, slots=True)
class BoundOr:
    parts: tuple[BoundFilter, ...]


@dataclass(frozen=True, slots=True)
class BoundNot:
    part: BoundFilter


BoundFilter = (
    BoundComparison
    | BoundPresence
    | BoundReference
    | BoundMembership
    | BoundElement
    | BoundConstant
    | BoundAnd
    | BoundOr
    | BoundNot
)

TRUE = BoundConstant(True)
FALSE = BoundConstant(False)


def every(parts: list[BoundFilter]) -> BoundFilter:
    """Return the conjunction without constants and single-part nesting."""
    kept = [part for part in parts if part != TRUE]
    if any(part == FALSE for part in kept):
        return FALSE
    if not kept:
        return TRUE
    return kept[0] if len(kept) == 1 else BoundAnd(tuple(kept))


def some(parts: list[BoundFilter]) -> BoundFilter:
    """Return the disjunction without constants and single-part nesting."""
    kept = [part for part in parts if part != FALSE]
    if any(part == TRUE for part in kept):
        return TRUE
    if not kept:
        return FALSE
    return kept[0] if len(kept) == 1 else BoundOr(tuple(kept))


def negated(part: BoundFilter) -> BoundFilter:
    """Return the negation; of a constant, the other constant."""
    if isinstance(part, BoundConstant):
        return BoundConstant(not part.value)
    return part.part if isinstance(part, BoundNot) else BoundNot(part)
