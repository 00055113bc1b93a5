"""Comparisons with one attribute of the target, in the forms the store keeps values in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from isthmus.mapping.bound import FALSE, TRUE, BoundComparison, BoundFilter, BoundPresence, Kind, every, negated
from isthmus.mapping.values import base64_text, moment_key
from isthmus.scim.syntax import Operator
from isthmus.spi import AttributeDefinition, AttributeType, Value

_ORDER: frozenset[Operator] = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_EQUALITY: frozenset[Operator] = frozenset({"eq", "ne"})

KINDS: dict[AttributeType, Kind] = {
    AttributeType.STRING: "text",
    AttributeType.INTEGER: "number",
    AttributeType.DECIMAL: "number",
    AttributeType.BOOLEAN: "boolean",
    AttributeType.DATETIME: "datetime",
    AttributeType.BINARY: "binary",
}

_ALLOWED: dict[Kind, frozenset[Operator]] = {
    "text": frozenset({*_ORDER, "co", "sw", "ew"}),
    "number": _ORDER,
    "boolean": _EQUALITY,
    "datetime": _ORDER,
    "binary": _EQUALITY,
}
"""Which operators make sense (RFC 7644 3.4.2.2: booleans and binaries have no order)."""


def allowed(definition: AttributeDefinition) -> frozenset[Operator]:
    """Return the operators an attribute can be compared with."""
    return _EQUALITY if definition.type is AttributeType.REFERENCE else _ALLOWED[KINDS[definition.type]]


def comparison(definition: AttributeDefinition, operator: Operator, value: Value, *, indexed: bool) -> BoundFilter:
    """Return the comparison of an attribute with a value of its own type."""
    kind = KINDS[definition.type]

    def compare(op: Operator, stored: str | float | bool) -> BoundFilter:
        found = indexed and op == "eq"
        return BoundComparison(definition.name, op, stored, kind, definition.case_exact, found, value)

    match value:
        case datetime():
            return compare(operator, moment_key(value) + "Z")
        case Decimal():
            return compare(
                operator, int(value) if value == value.to_integral_value() and abs(value) < 2**63 else float(value)
            )
        case bytes():
            return compare(operator, base64_text(value))
        case bool() | int():
            return compare(operator, value)
        case str():
            return _text(definition.name, operator, value, compare)
    return FALSE


def _text(
    attribute: str, operator: Operator, value: str, compare: Callable[[Operator, str], BoundFilter]
) -> BoundFilter:
    if value == "":
        # an empty string counts as no value (RFC 7643 2.5), so nothing equals it and every value contains it
        if operator in {"eq", "lt", "le"}:
            return FALSE
        return TRUE if operator == "ne" else BoundPresence(attribute)
    return compare(operator, value)


def host_moment(attribute: str, operator: Operator, value: datetime) -> BoundFilter:
    """Compare with `meta.created` or `meta.lastModified`."""
    return BoundComparison(attribute, operator, moment_key(value) + "Z", "datetime", case_exact=True)


def truth(definition: AttributeDefinition, *, wanted: bool) -> BoundFilter:
    """Return the condition that a boolean, or a number standing for one, has a value that means true (or false)."""
    if definition.type is AttributeType.INTEGER:
        zero = BoundComparison(definition.name, "eq", 0, "number", definition.case_exact, native=0)
        return every([BoundPresence(definition.name), negated(zero)]) if wanted else zero
    return BoundComparison(definition.name, "eq", wanted, "boolean", definition.case_exact, native=wanted)
