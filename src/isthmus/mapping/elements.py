"""Elements of multi-valued complex attributes: which one a request means, by content or by a path's filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus.mapping.layout import Element, Plural
from isthmus.mapping.values import Unfit, accept_boolean
from isthmus.scim.syntax import And, Comparison, Filter, Not, Or, Presence, ValueFilter
from isthmus.spi import Value

Now = Callable[[str], Sequence[Value]]
"""The values an attribute of the target has at this point of the request."""


def same(wanted: object, found: object) -> bool:
    """Compare as SCIM does for attributes without case: texts ignoring case, "True" as true."""
    if isinstance(wanted, bool) or isinstance(found, bool):
        try:
            return accept_boolean(wanted) is accept_boolean(found)
        except Unfit:
            return False
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted.casefold() == found.casefold()
    return wanted == found


def view(node: Plural, element: Element, now: Now) -> dict[str, Any] | None:
    """Return the element as a client sees it, names in lower case, or None if it has no value at present."""
    seen: dict[str, Any] = {}
    for name, slot in element.subs.items():
        values = now(slot.attribute) if slot.readable else ()
        if values and values[0] != "":
            seen[name] = values[0] if slot.show is None else slot.show(values[0])
    if not seen:
        return None
    seen.update(element.selector)
    if node.has_primary:
        seen.setdefault("primary", element.primary)
    return seen


def satisfies(condition: Comparison | Presence | ValueFilter, seen: Mapping[str, Any]) -> bool:
    """Return whether an element with these constants fulfils one test of a filter (RFC 7644 3.5.2)."""
    match condition:
        case Comparison(path=path, operator=operator, value=value):
            return _compare(operator, seen.get(path.name.lower()), value)
        case Presence(path=path):
            return seen.get(path.name.lower()) not in (None, "")
        case ValueFilter():
            return False  # elements have no elements of their own (RFC 7643 2.3.8)


def _compare(operator: str, found: Any, wanted: Any) -> bool:
    if operator == "eq":
        return found is None if wanted is None else found is not None and same(wanted, found)
    if operator == "ne":
        return not _compare("eq", found, wanted)
    if not isinstance(found, str) or not isinstance(wanted, str):
        return False
    left, right = found.casefold(), wanted.casefold()
    match operator:
        case "co":
            return right in left
        case "sw":
            return left.startswith(right)
        case "ew":
            return left.endswith(right)
        case "gt":
            return left > right
        case "ge":
            return left >= right
        case "lt":
            return left < right
        case _:
            return left <= right


def comparisons(condition: Filter) -> int:
    """Return how many comparisons a filter is made of."""
    match condition:
        case And(parts=parts) | Or(parts=parts):
            return sum(map(comparisons, parts))
        case Not(part=part) | ValueFilter(filter=part):
            return comparisons(part)
        case _:
            return 1


def implied(condition: Filter) -> dict[str, Any] | None:
    """Return the constants of a filter made of equalities joined by `and`; None for any other filter.

    From these an absent element can be made: Entra adds to and replaces `emails[type eq "work"].value` before there is
    one.
    """
    constants: dict[str, Any] = {}
    for part in condition.parts if isinstance(condition, And) else (condition,):
        if not isinstance(part, Comparison) or part.operator != "eq":
            return None
        constants[part.path.name.lower()] = part.value
    return constants


def chosen(node: Plural, sent: Mapping[str, Any]) -> Element | None:
    """Return the element whose selector fits best; one without type goes to the primary element."""
    kind = sent.get("type")
    if node.by_type and isinstance(kind, str) and kind:
        return node.by_type.get(kind.casefold())
    elements = node.elements
    fitting = [
        element for element in elements if all(same(value, sent.get(name)) for name, value in element.selector.items())
    ]
    if fitting:
        return max(fitting, key=lambda element: len(element.selector))
    telling = {name for element in elements for name in element.selector} - {"primary"}
    if not kind and telling.isdisjoint(sent.keys() - {"type"}):
        return next((element for element in elements if element.primary), None)
    return None
