"""Turn a bound SCIM filter into a store predicate, and find the look-ups it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from isthmus.mapping.bound import (
    BoundAnd,
    BoundComparison,
    BoundConstant,
    BoundFilter,
    BoundNot,
    BoundOr,
    BoundPresence,
    BoundReference,
)
from isthmus.mapping.resource_type import ResourceType
from isthmus.spi import Value
from isthmus.store import predicate as p

KeyOf = Callable[[str], str | None]
"""Canonical target key of the object with this SCIM id, or None if there is none."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """An equality over an attribute that the target itself can be asked for."""

    attribute: str
    value: Value
    key: str
    """The normalised value, as in the store's index."""


def predicate_of(bound: BoundFilter, rt: ResourceType, key_of: KeyOf) -> p.Predicate:
    """Return the store's condition that is true for exactly the objects the filter is true for."""
    match bound:
        case BoundComparison():
            return _comparison(bound, rt)
        case BoundPresence(attribute=attribute):
            if attribute in rt.reference_attributes:
                return p.LinkTo(attribute, None)
            return p.Present(attribute)
        case BoundReference(attribute=attribute, id=id):
            key = key_of(id)
            return p.Constant(False) if key is None else p.LinkTo(attribute, key)
        case BoundConstant(value=value):
            return p.Constant(value)
        case BoundAnd(parts=parts):
            return p.All(tuple(predicate_of(part, rt, key_of) for part in parts))
        case BoundOr(parts=parts):
            return p.AnyOf(tuple(predicate_of(part, rt, key_of) for part in parts))
        case BoundNot(part=part):
            return p.Negated(predicate_of(part, rt, key_of))


def _comparison(bound: BoundComparison, rt: ResourceType) -> p.Predicate:
    if bound.operator == "eq" and bound.value == "" and bound.kind == "text":
        return p.Constant(False)  # an empty string is no value (RFC 7643 2.5); nobody is matched by it
    if bound.operator == "eq" and (bound.indexed or bound.attribute == p.Pseudo.EXTERNAL_ID):
        value = (
            str(bound.value) if bound.attribute == p.Pseudo.EXTERNAL_ID else rt.normalise(bound.attribute, bound.value)
        )
        return p.KeyEquals(bound.attribute, value)
    return p.Test(bound.attribute, bound.operator, bound.value, bound.kind, bound.case_exact)


def attributes_of(bound: BoundFilter) -> Iterator[str]:
    """Yield every attribute that a filter looks at."""
    match bound:
        case BoundAnd(parts=parts) | BoundOr(parts=parts):
            for part in parts:
                yield from attributes_of(part)
        case BoundNot(part=part):
            yield from attributes_of(part)
        case BoundConstant():
            return
        case _:
            yield bound.attribute


def lookups(bound: BoundFilter, rt: ResourceType) -> Iterator[Lookup]:
    """Yield every equality over an indexed attribute that can make the filter true (so none below a `not`)."""
    match bound:
        case BoundComparison(operator="eq", indexed=True, native=native) if native is not None and native != "":
            yield Lookup(bound.attribute, native, rt.normalise(bound.attribute, bound.value))
        case BoundAnd(parts=parts) | BoundOr(parts=parts):
            for part in parts:
                yield from lookups(part, rt)
        case _:
            return
