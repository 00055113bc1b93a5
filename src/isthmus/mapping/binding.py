"""Bind a filter: replace SCIM paths by the target's attributes, and values by values of the attributes' types."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from isthmus.mapping.activity import Activity
from isthmus.mapping.bound import (
    FALSE,
    TRUE,
    BoundAnd,
    BoundComparison,
    BoundConstant,
    BoundElement,
    BoundFilter,
    BoundMembership,
    BoundNot,
    BoundOr,
    BoundPresence,
    BoundReference,
    every,
    negated,
    some,
)
from isthmus.mapping.conditions import boolean, composite_test, element, element_condition, slot_condition
from isthmus.mapping.layout import (
    CREATED,
    ID,
    MODIFIED,
    VERSION,
    Activation,
    Complex,
    Composite,
    Element,
    Layout,
    Link,
    Memberships,
    Place,
    Plural,
    ServerOwned,
    Simple,
    Slot,
)
from isthmus.mapping.literals import host_moment
from isthmus.mapping.problems import nearest_hint
from isthmus.mapping.values import Unfit, accept_datetime
from isthmus.scim.errors import InvalidFilter
from isthmus.scim.syntax import And, AttributePath, Comparison, Filter, Not, Or, Presence, ValueFilter
from isthmus.spi import AttributeType

_PROBE = "placeholder"
"""What Entra's default mapping asks for until an administrator replaces it; nobody has it."""
_TAG = re.compile(r'(?:W/)?"(.*)"')
_META_MOMENTS = {"created": CREATED, "lastmodified": MODIFIED}


class Binder:
    """Compiled once for each resource type."""

    def __init__(
        self, layout: Layout, activity: Activity, *, name: str, schemas: Collection[str], indexed: Collection[str]
    ) -> None:
        self._layout = layout
        self._activity = activity
        self._name = name
        self._schemas = {urn.casefold() for urn in schemas}
        self._indexed = frozenset(indexed)

    def bind(self, condition: Filter) -> BoundFilter:
        """Return the same condition over the target's attributes.

        Raises:
            InvalidFilter: an attribute is unknown, not mapped or not readable, or a comparison makes no sense. An empty
                answer instead would make clients create everyone again.
        """
        match condition:
            case Comparison() | Presence():
                return self._test(condition)
            case And(parts=parts):
                return every([self.bind(part) for part in parts])
            case Or(parts=parts):
                return some([self.bind(part) for part in parts])
            case Not(part=part):
                return negated(self.bind(part))
            case ValueFilter(path=path, filter=inner):
                return self._value_filter(path, inner)

    def indexed_text(self, path: AttributePath) -> str | None:
        """Return the attribute if the path leads to a readable text that is indexed, and to nothing else."""
        place = self._layout.locate(path)
        if not isinstance(place.node, Simple) or place.sub is not None:
            return None
        slot = place.node.slot
        plain = slot.readable and not slot.invert and slot.scim_type != "boolean"
        if not plain or slot.definition.type is not AttributeType.STRING or slot.attribute not in self._indexed:
            return None
        return slot.attribute

    def _test(self, test: Comparison | Presence) -> BoundFilter:
        path = test.path
        if isinstance(test, Comparison) and test.value is None and test.operator in {"eq", "ne"}:
            present = self._test(Presence(path))  # null is no value, whatever the attribute is made of
            return negated(present) if test.operator == "eq" else present
        place = self._layout.locate(path)
        sub = None if place.sub is None else place.sub.lower()
        match place.node:
            case Simple(slot=slot) if sub in {None, "value"}:
                return self._slot(slot, test)
            case Activation() if sub is None:
                return self._active(test)
            case Complex() as node:
                part = node.subs.get(sub or "value")
                if part is not None:
                    return self._slot(part, test)
                if sub is None and isinstance(test, Presence):
                    return some([self._slot(each, test) for each in node.subs.values() if each.readable])
            case Link() as node if sub in {None, "value"}:
                return self._link(node, test)
            case Plural() as node:
                return self._plural(node, sub, test)
            case Memberships() if sub in {None, "value", "$ref"}:
                return self._membership(test)
            case Composite() as node if sub is not None or "value" in node.parts or isinstance(test, Presence):
                return composite_test(node, sub, test)
            case ServerOwned(path="id") if sub is None:
                return self._id(test)
            case ServerOwned(path="meta"):
                return self._meta(sub, test)
            case ServerOwned(path="schemas") if sub is None:
                return self._constant(test, lambda value: value.casefold() in self._schemas)
            case _:
                pass
        return self._nowhere(path, place)

    def _nowhere(self, path: AttributePath, place: Place) -> BoundFilter:
        if path.name.lower() == _PROBE:
            return FALSE
        names = self._layout.names()
        if place.section is not None and path.urn is not None:
            names = place.section.names()
        what = "is not mapped to an attribute of the target"
        if place.node is None:
            what = "is not an attribute of this resource"
        elif place.sub is None and isinstance(place.node, Complex | Composite):
            raise InvalidFilter(f"{path} is made of parts and has no value of its own; compare one of its parts")
        raise InvalidFilter(f"{path} {what}{nearest_hint(path.name, names)}")

    # -- attributes of the target

    def _slot(self, slot: Slot, test: Comparison | Presence) -> BoundFilter:
        return slot_condition(slot, test, indexed=slot.attribute in self._indexed)

    def _active(self, test: Comparison | Presence) -> BoundFilter:
        if isinstance(test, Presence):
            return TRUE
        return self._activity.condition(active=boolean("active", test))

    # -- references

    def _link(self, node: Link, test: Comparison | Presence) -> BoundFilter:
        slot = node.slot
        if not slot.readable:
            raise InvalidFilter(f"{slot.path} is never returned, so nothing can be found by it")
        if isinstance(test, Presence):
            return BoundPresence(slot.attribute)
        if test.operator not in {"eq", "ne"}:
            raise InvalidFilter(f"{slot.path} refers to a resource and can only be compared with eq and ne")
        wanted = test.text or str(test.value)
        bound: BoundFilter = BoundReference(slot.attribute, wanted) if wanted else FALSE
        return bound if test.operator == "eq" else negated(bound)

    def _membership(self, test: Comparison | Presence) -> BoundFilter:
        if isinstance(test, Presence):
            return BoundMembership(None)
        if test.operator not in {"eq", "ne"}:
            raise InvalidFilter("groups can only be compared with eq and ne, by the id of a group")
        wanted = test.text or str(test.value)
        if (test.path.sub or test.path.name).lower() == "$ref":
            wanted = wanted.rstrip("/").rpartition("/")[2]
        bound: BoundFilter = BoundMembership(wanted) if wanted else FALSE
        return bound if test.operator == "eq" else negated(bound)

    # -- several values

    def _plural(self, node: Plural, sub: str | None, test: Comparison | Presence) -> BoundFilter:
        """Bind `emails.value eq "x"` and `emails eq "x"`: some element fulfils it."""
        if isinstance(test, Comparison) and test.operator == "ne":
            same = Comparison(test.path, "eq", test.value, test.text)
            return negated(self._plural(node, sub, same))
        name = AttributePath(sub or "value")
        inner = Presence(name) if isinstance(test, Presence) else Comparison(name, test.operator, test.value, test.text)
        if sub is None and isinstance(test, Presence) and node.elements:
            return some([self._exists(element) for element in node.elements])
        return self._some_element(node, inner)

    def _value_filter(self, path: AttributePath, inner: Filter) -> BoundFilter:
        place = self._layout.locate(path)
        node = place.node
        match node:
            case Plural() if place.sub is None:
                return self._some_element(node, inner)
            case Memberships() if place.sub is None:
                return self._membership(_value_of(node.path, inner))
            case Composite(plural=True) if place.sub is None:
                return element(node, inner)
            case Link(plural=True) | Simple() if place.sub is None:
                return self._only_value(node, inner)
            case Complex(path=name) | Composite(path=name) | Simple(slot=Slot(path=name)) | Link(slot=Slot(path=name)):
                raise InvalidFilter(f"{name} has one value; compare it or its sub-attributes without brackets")
            case _:
                return self._nowhere(path, place)

    def _only_value(self, node: Link | Simple, inner: Filter) -> BoundFilter:
        """Bind a filter on the elements of a list that have nothing but a `value`: one condition on it."""
        inner = _value_of(node.slot.path, inner)
        return self._link(node, inner) if isinstance(node, Link) else self._slot(node.slot, inner)

    def _some_element(self, node: Plural, inner: Filter) -> BoundFilter:
        if node.whole is not None:
            if any(name not in node.known for name in _names(inner)):
                raise InvalidFilter(f"{node.path} has no such sub-attribute; it has {', '.join(sorted(node.known))}")
            return self._only_value(Simple(node.whole), inner)
        for name in _names(inner):
            served = any(name in element.subs for element in node.elements)
            constant = name == "primary" or any(name in element.selector for element in node.elements)
            if not served and not constant and name not in {"type", "display"}:
                known = sorted({sub for element in node.elements for sub in element.subs})
                what = "is not mapped to an attribute of the target" if name in node.known else "is not in the schema"
                raise InvalidFilter(f"{node.path}.{name} {what}{nearest_hint(name, known)}")
        return some([self._element(node, element, inner) for element in node.elements])

    def _element(self, node: Plural, element: Element, inner: Filter) -> BoundFilter:
        bound = element_condition(node, element, inner, self._slot)
        if bound == FALSE or _needs_value(bound):
            return bound
        return every([self._exists(element), bound])

    def _exists(self, element: Element) -> BoundFilter:
        return some([BoundPresence(slot.attribute) for slot in element.subs.values() if slot.readable])

    # -- what the host itself keeps

    def _id(self, test: Comparison | Presence) -> BoundFilter:
        if isinstance(test, Presence):
            return TRUE
        return BoundComparison(ID, test.operator, test.text or str(test.value), "text", case_exact=True)

    def _meta(self, sub: str | None, test: Comparison | Presence) -> BoundFilter:
        if sub == "resourcetype":
            return self._constant(test, lambda value: value == self._name)
        if isinstance(test, Presence):
            return TRUE
        if sub in _META_MOMENTS:
            if test.operator in {"co", "sw", "ew"}:
                raise InvalidFilter(f"meta.{sub} is a dateTime and cannot be compared with {test.operator}")
            try:
                moment = accept_datetime(test.value)
            except Unfit as exc:
                raise InvalidFilter(f"meta.{sub} {exc}") from exc
            return host_moment(_META_MOMENTS[sub], test.operator, moment)  # type: ignore[arg-type]
        if sub == "version":
            version = test.text or str(test.value)
            tag = _TAG.fullmatch(version)
            return BoundComparison(VERSION, test.operator, tag[1] if tag else version, "text", case_exact=True)
        raise InvalidFilter("of meta, resourceType, created, lastModified and version can be compared")

    def _constant(self, test: Comparison | Presence, holds: Any) -> BoundFilter:
        if isinstance(test, Presence):
            return TRUE
        if test.operator not in {"eq", "ne"}:
            raise InvalidFilter(f"{test.path} can only be compared with eq and ne")
        return BoundConstant(holds(str(test.value)) is (test.operator == "eq"))


def _value_of(path: str, inner: Filter) -> Comparison | Presence:
    """Return the one test of `value` within the brackets behind a list whose elements have nothing else."""
    if not isinstance(inner, Comparison | Presence) or inner.path.name.lower() != "value":
        raise InvalidFilter(f"{path}: only one comparison of `value` is possible within the brackets")
    return inner


def _names(inner: Filter) -> set[str]:
    match inner:
        case Comparison(path=path) | Presence(path=path):
            return {path.name.lower()}
        case And(parts=parts) | Or(parts=parts):
            return set().union(*(_names(part) for part in parts))
        case Not(part=part):
            return _names(part)
        case ValueFilter():
            return set()


def _needs_value(bound: BoundFilter) -> bool:
    """Tell whether a condition can only be true for an element that has a value."""
    match bound:
        case BoundComparison(operator=operator):
            return operator != "ne"
        case BoundPresence() | BoundReference() | BoundMembership() | BoundElement():
            return True
        case BoundAnd(parts=parts):
            return any(_needs_value(part) for part in parts)
        case BoundOr(parts=parts):
            return all(_needs_value(part) for part in parts)
        case BoundNot() | BoundConstant():
            return False
