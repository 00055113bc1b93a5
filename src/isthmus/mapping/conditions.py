"""Conditions on one attribute of the target, or on one part of a value that is made of parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isthmus.mapping.bound import (
    TRUE,
    BoundConstant,
    BoundElement,
    BoundFilter,
    BoundPresence,
    every,
    negated,
    some,
)
from isthmus.mapping.elements import satisfies
from isthmus.mapping.layout import Composite, Element, Plural, Slot
from isthmus.mapping.literals import allowed, comparison, truth
from isthmus.mapping.problems import nearest_hint
from isthmus.mapping.values import Unfit, accept_boolean
from isthmus.scim.errors import InvalidFilter
from isthmus.scim.syntax import And, AttributePath, Comparison, Filter, Not, Or, Presence, ValueFilter
from isthmus.spi import AttributeType

DESCRIBING = frozenset({"type", "primary", "display", "$ref"})
"""Sub-attributes that describe a value (RFC 7643 2.4); a target that has no room for one does without."""


def slot_condition(slot: Slot, test: Comparison | Presence, *, indexed: bool = False) -> BoundFilter:
    """Return a comparison with what stands behind a slot.

    Raises:
        InvalidFilter: it is never returned, or the comparison makes no sense.
    """
    if not slot.readable:
        raise InvalidFilter(f"{slot.path} is never returned, so nothing can be found by it")
    if isinstance(test, Presence) or test.value is None:
        return presence(slot.attribute, test)
    operator = test.operator
    if slot.scim_type == "boolean" or slot.invert:
        # `ne` is the contrary of `eq`, so that it is true where there is no value, as with every other type
        held = boolean(slot.path, test) is (operator == "eq")
        same = truth(slot.definition, wanted=held is not slot.invert)
        return same if operator == "eq" else negated(same)
    if operator not in allowed(slot.definition):
        raise InvalidFilter(f"{slot.path} is a {slot.definition.type} and cannot be compared with {operator}")
    value: Any = test.value
    if not isinstance(value, str) and test.text is not None:
        value = _written(slot, test.text, value)
    elif slot.definition.type is AttributeType.STRING and not isinstance(value, str):
        value = str(value).lower() if isinstance(value, bool) else str(value)
    if slot.definition.type is AttributeType.STRING:
        # any text may be asked for, also one that could never be stored: too long, with control characters
        return comparison(slot.definition, operator, value, indexed=indexed)
    try:
        converted = slot.accept(value)
    except Unfit as exc:
        if operator in {"eq", "ne"} and isinstance(value, str):
            # nobody has it: Entra's test of a connection asks for a random GUID, whatever the attribute's type
            return BoundConstant(operator == "ne")
        raise InvalidFilter(f"{slot.path} {exc}") from exc
    return comparison(slot.definition, operator, converted, indexed=indexed)


def presence(attribute: str, test: Comparison | Presence) -> BoundFilter:
    """Return whether the attribute has a value; `eq null` says that it has none."""
    if isinstance(test, Presence):
        return BoundPresence(attribute)
    if test.operator not in {"eq", "ne"}:
        raise InvalidFilter("null can only be compared with eq and ne")
    return negated(BoundPresence(attribute)) if test.operator == "eq" else BoundPresence(attribute)


def boolean(path: str, test: Comparison) -> bool:
    """Return which of true and false a comparison asks for."""
    if test.operator not in {"eq", "ne"}:
        raise InvalidFilter(f"{path} is true or false and can only be compared with eq and ne")
    try:
        wanted = bool(accept_boolean(test.value))
    except Unfit as exc:
        raise InvalidFilter(f"{path} {exc}") from exc
    return wanted if test.operator == "eq" else not wanted


def _written(slot: Slot, text: str, value: Any) -> Any:
    """Return a value that stood without quotes as written where its spelling counts: texts, digits beyond a double."""
    return text if slot.definition.type in {AttributeType.STRING, AttributeType.DECIMAL} else value


def composite_test(node: Composite, sub: str | None, test: Comparison | Presence) -> BoundFilter:
    """Bind `emails.value eq "x"`, `emails eq "x"`, `emails pr`, `name.givenName sw "x"`: some value fulfils it."""
    if sub is None and isinstance(test, Presence):
        return BoundElement(node.slot.attribute, some([BoundPresence(each.attribute) for each in node.parts.values()]))
    if isinstance(test, Comparison) and test.operator == "ne":
        same = Comparison(test.path, "eq", test.value, test.text)
        return negated(composite_test(node, sub, same))
    name = AttributePath(sub or "value")
    inner = Presence(name) if isinstance(test, Presence) else Comparison(name, test.operator, test.value, test.text)
    return element(node, inner)


def element(node: Composite, inner: Filter) -> BoundFilter:
    """Bind `emails[type eq "work" and value sw "x"]`: one value of the attribute fulfils it as a whole."""
    if not node.slot.readable:
        raise InvalidFilter(f"{node.path} is never returned, so nothing can be found by it")
    part = part_condition(node, inner)
    return part if part == BoundConstant(False) else BoundElement(node.slot.attribute, part)


def value_condition(slot: Slot, inner: Filter) -> BoundFilter:
    """Return the condition over one of several values that have nothing but a `value`."""
    match inner:
        case And(parts=parts):
            return every([value_condition(slot, part) for part in parts])
        case Or(parts=parts):
            return some([value_condition(slot, part) for part in parts])
        case Not(part=part):
            return negated(value_condition(slot, part))
        case Comparison(path=path) | Presence(path=path) if path.full_name.lower() == "value":
            return slot_condition(slot, inner)
        case _:
            return BoundConstant(satisfies(inner, {}))


def element_condition(
    node: Plural, element: Element, inner: Filter, bind: Callable[[Slot, Comparison | Presence], BoundFilter]
) -> BoundFilter:
    """Return the condition over the attributes behind one element; what the element's flow fixes is a constant."""
    match inner:
        case And(parts=parts):
            return every([element_condition(node, element, part, bind) for part in parts])
        case Or(parts=parts):
            return some([element_condition(node, element, part, bind) for part in parts])
        case Not(part=part):
            return negated(element_condition(node, element, part, bind))
        case Comparison(path=path) | Presence(path=path):
            slot = element.subs.get(path.name.lower())
            if slot is not None:
                return bind(slot, inner)
            constants: dict[str, Any] = dict(element.selector)
            if node.has_primary:
                constants.setdefault("primary", element.primary)
            return BoundConstant(satisfies(inner, constants))
        case ValueFilter():
            raise InvalidFilter(f"{node.path}: elements have no elements of their own")


def part_condition(node: Composite, inner: Filter, *, lenient: bool = False) -> BoundFilter:
    """Return the condition over the parts of one value. `lenient`: `type`, `primary` and the like that the target has
    no room for are passed over, so that Entra's `emails[type eq "work"]` finds what there is.
    """
    match inner:
        case And(parts=parts):
            return every([part_condition(node, part, lenient=lenient) for part in parts])
        case Or(parts=parts):
            return some([part_condition(node, part, lenient=lenient) for part in parts])
        case Not(part=part):
            return negated(part_condition(node, part, lenient=lenient))
        case ValueFilter():
            raise InvalidFilter(f"{node.path}: elements have no elements of their own")
        case Comparison(path=path) | Presence(path=path):
            name = path.full_name.lower()
            slot = node.parts.get(name)
            if slot is not None:
                return slot_condition(slot, inner)
            if lenient and name in DESCRIBING:
                return TRUE
            what = "is not mapped to an attribute of the target" if name in node.known else "is not in the schema"
            raise InvalidFilter(f"{node.path}.{path.full_name} {what}{nearest_hint(name, node.parts)}")
