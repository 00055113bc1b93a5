"""A condition over the parts of one value, worked out here: the same answer as the store gives for a filter."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from isthmus.mapping.bound import (
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
)
from isthmus.mapping.values import base64_text, moment_key
from isthmus.scim.syntax import Operator
from isthmus.spi import Complex, Value


def holds(condition: BoundFilter, value: Complex) -> bool:
    """Return whether a value made of parts fulfils a condition that `conditions.part_condition` made."""
    match condition:
        case BoundComparison(operator="ne"):
            return not _compares(condition, "eq", value.get(condition.attribute))
        case BoundComparison(attribute=attribute, operator=operator):
            return _compares(condition, operator, value.get(attribute))
        case BoundPresence(attribute=attribute):
            return value.get(attribute) not in (None, "", b"")
        case BoundAnd(parts=parts):
            return all(holds(part, value) for part in parts)
        case BoundOr(parts=parts):
            return any(holds(part, value) for part in parts)
        case BoundNot(part=part):
            return not holds(part, value)
        case BoundConstant(value=constant):
            return constant
        case BoundReference() | BoundMembership() | BoundElement():
            return False  # a part is neither a reference nor made of parts itself


def _compares(condition: BoundComparison, operator: Operator, found: Value | None) -> bool:
    left = _form(condition, found)
    right: Any = condition.value
    if left is None:
        return False
    match condition.kind:
        case "text":
            right = str(right) if condition.case_exact else str(right).casefold()
        case "number":
            right = _number(right)
        case "datetime":
            right = str(right).removesuffix("Z")
        case _:
            pass
    return _ordered(operator, left, right)


def _form(condition: BoundComparison, found: Value | None) -> Any:
    """Return a part in the form in which it is compared, None if it is no value of that kind."""
    match found:
        case str() if condition.kind == "text":
            return found if condition.case_exact else found.casefold()
        case bool():
            return found if condition.kind == "boolean" else None
        case int() | Decimal() if condition.kind == "number":
            return _number(found)
        case datetime() if condition.kind == "datetime":
            return moment_key(found)
        case bytes() if condition.kind == "binary":
            return base64_text(found)
    return None


def _number(value: float | Decimal) -> int | float:
    """Return the number as SQLite holds it: integers of 64 bits, else double precision."""
    if isinstance(value, Decimal) and str(value).removeprefix("-").isdecimal():
        value = int(value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    return float(value)


def _ordered(operator: Operator, left: Any, right: Any) -> bool:
    match operator:
        case "eq":
            return bool(left == right)
        case "ne":
            return bool(left != right)
        case "co":
            return right in left
        case "sw":
            return bool(left.startswith(right))
        case "ew":
            return bool(left.endswith(right))
        case "gt":
            return bool(left > right)
        case "ge":
            return bool(left >= right)
        case "lt":
            return bool(left < right)
        case "le":
            return bool(left <= right)
