"""Bind `sortBy`: replace a SCIM path by the target's attributes, and say how their values are ordered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isthmus.mapping.activity import Activity
from isthmus.mapping.bound import BoundFilter, Kind
from isthmus.mapping.layout import (
    CREATED,
    ID,
    MODIFIED,
    Activation,
    Complex,
    Composite,
    Layout,
    Link,
    Node,
    Plural,
    ServerOwned,
    Simple,
    Slot,
)
from isthmus.mapping.literals import KINDS, truth
from isthmus.mapping.problems import nearest_hint
from isthmus.scim.errors import InvalidValue
from isthmus.scim.notation import parse_attribute_path
from isthmus.scim.syntax import AttributePath
from isthmus.spi import AttributeType

_META = {"created": CREATED, "lastmodified": MODIFIED}


@dataclass(frozen=True, slots=True)
class BoundSort:
    """What resources are sorted by: the first value that the attributes, in this order, have.

    Pseudo attributes as in `bound`. `truths`: instead, when the value is true and when it is false. `part`: that part
    of values which are made of parts, those first whose part `primary` is true.
    """

    attributes: tuple[str, ...] = ()
    kind: Kind = "text"
    case_exact: bool = False
    truths: tuple[BoundFilter, BoundFilter] | None = None
    part: str | None = None
    primary: str | None = None


class SortBinder:
    """Compiled once for each resource type."""

    def __init__(self, layout: Layout, activity: Activity) -> None:
        self._layout = layout
        self._activity = activity

    def bind(self, path: str) -> BoundSort:
        """Return the order that `sortBy` asks for (RFC 7644 3.4.2.3).

        Of several values the primary one counts, else the first. A complex attribute without a sub-attribute is
        sorted by its `value`.

        Raises:
            InvalidValue: nothing has that name here, it is complex without a `value`, or it has no order.
        """
        try:
            parsed = parse_attribute_path(path.strip())
        except ValueError as exc:
            raise InvalidValue(f"sortBy: {exc}") from None
        place = self._layout.locate(parsed)
        sub = None if place.sub is None else place.sub.lower()
        match place.node:
            case Simple(slot=slot) if sub in {None, "value"}:
                return _by(parsed, [slot])
            case Activation() if sub is None:
                conditions = self._activity.condition(active=True), self._activity.condition(active=False)
                return BoundSort(truths=conditions)
            case Complex(subs=subs) if (part := subs.get(sub or "value")) is not None:
                return _by(parsed, [part])
            case Complex(subs=subs) if sub is None:
                raise InvalidValue(f"sortBy: {parsed} is made of parts; sort by one of {_parts(parsed, subs)}")
            case Plural() as plural:
                return _plural(parsed, plural, sub or "value")
            case Composite() as node:
                return _composite(parsed, node, sub or "value")
            case Link():
                raise InvalidValue(f"sortBy: {parsed} refers to other resources, which have no order here")
            case ServerOwned(path="id") if sub is None:
                return BoundSort((ID,), case_exact=True)
            case ServerOwned(path="meta") if sub in _META:
                return BoundSort((_META[sub],), "datetime", case_exact=True)
            case node:
                raise self._nowhere(parsed, node)

    def _nowhere(self, path: AttributePath, node: Node | None) -> InvalidValue:
        if isinstance(node, ServerOwned):
            return InvalidValue(f"sortBy: {path} has no order; of meta, created and lastModified have")
        what = "is not an attribute of this resource" if node is None else "is not mapped to an attribute of the target"
        return InvalidValue(f"sortBy: {path} {what}{nearest_hint(path.name, self._layout.names())}")


def _plural(path: AttributePath, node: Plural, sub: str) -> BoundSort:
    if node.whole is not None:
        slots = [node.whole] if sub == "value" else []
    else:
        elements = sorted(node.elements, key=lambda element: not element.primary)
        slots = [element.subs[sub] for element in elements if sub in element.subs]
    if not slots:
        raise InvalidValue(f"sortBy: {path} has no sub-attribute {sub} that is mapped to an attribute of the target")
    return _by(path, slots)


def _composite(path: AttributePath, node: Composite, sub: str) -> BoundSort:
    part = node.parts.get(sub)
    if part is None:
        raise InvalidValue(f"sortBy: {path} has no sub-attribute {sub} that is mapped; it has {', '.join(node.parts)}")
    if not node.slot.readable:
        raise InvalidValue(f"sortBy: {path} is never returned, so nothing is sorted by it")
    definition = part.definition
    primary = None if node.primary is None else node.primary.attribute
    return BoundSort(
        (node.slot.attribute,),
        KINDS[definition.type],
        case_exact=definition.case_exact,
        part=part.attribute,
        primary=primary,
    )


def _by(path: AttributePath, slots: list[Slot]) -> BoundSort:
    first = slots[0]
    if any(not slot.readable for slot in slots):
        raise InvalidValue(f"sortBy: {path} is never returned, so nothing is sorted by it")
    if first.definition.type is AttributeType.REFERENCE:
        raise InvalidValue(f"sortBy: {path} refers to other resources, which have no order here")
    if first.definition.type not in KINDS:
        raise InvalidValue(f"sortBy: {path} is made of parts; name one of them")
    if len(slots) == 1 and (first.scim_type == "boolean" or first.invert):
        conditions = [truth(first.definition, wanted=wanted is not first.invert) for wanted in (True, False)]
        return BoundSort(truths=(conditions[0], conditions[1]))
    kinds = {KINDS[slot.definition.type] for slot in slots}
    kind = kinds.pop() if len(kinds) == 1 else "text"
    exact = any(slot.definition.case_exact for slot in slots)
    return BoundSort(tuple(slot.attribute for slot in slots), kind, case_exact=exact)


def _parts(path: AttributePath, subs: Mapping[str, Slot]) -> str:
    return ", ".join(f"{path}.{slot.name}" for slot in subs.values())
