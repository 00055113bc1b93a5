"""Filters judged in plain Python on SCIM resources: RFC 7644 3.4.2.2 as its table reads, independent of the host's way.

It knows what a client knows: the JSON of each resource, and of each attribute its type and whether case counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scim2_models import ScimFilter
from scim2_models.path import expressions as e

MOMENTS = {"created", "lastmodified"}


@dataclass(frozen=True)
class Facts:
    """Types by path in lower case (`emails.type`); what is not named is text in which case does not count."""

    exact: frozenset[str] = frozenset()
    moments: frozenset[str] = frozenset()


def judge(text: str, resource: Mapping[str, Any], facts: Facts) -> bool:
    """Return whether the filter is true of a resource. The text is parsed by scim2-models, not by us."""
    return _holds(ScimFilter(text).ast, resource, "", facts)


def _holds(node: Any, within: Mapping[str, Any], prefix: str, facts: Facts) -> bool:
    match node:
        case e.Not():
            return not _holds(node.expr, within, prefix, facts)
        case e.LogicalExpr():
            judged = (_holds(term, within, prefix, facts) for term in node.terms)
            return all(judged) if node.op.value == "and" else any(judged)
        case e.ValuePath():
            path = prefix + node.attr_path.attr.lower()
            elements = _values(within, node.attr_path)
            return any(isinstance(each, dict) and _holds(node.val_filter, each, f"{path}.", facts) for each in elements)
        case e.Present():
            return any(each not in ("", [], {}) for each in _values(within, node.attr_path))
        case e.Comparison():
            return _compared(node, within, prefix, facts)
    raise AssertionError(node)


def _values(within: Mapping[str, Any], path: e.AttrPath) -> list[Any]:
    """Return the values that a path leads to; null and absent are none."""
    at: Any = within
    if path.uri is not None:
        section = _member(within, path.uri)
        at = within if section is None and path.uri.lower() in _schemas(within)[:1] else section or {}
    found = _list(_member(at, path.attr))
    if path.sub_attr is None:
        return found
    return [part for each in found if isinstance(each, dict) for part in _list(_member(each, path.sub_attr))]


def _schemas(within: Mapping[str, Any]) -> list[str]:
    return [each.lower() for each in within.get("schemas", [])]


def _member(within: Any, name: str) -> Any:
    return next((value for key, value in within.items() if key.lower() == name.lower()), None)


def _list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _compared(node: e.Comparison, within: Mapping[str, Any], prefix: str, facts: Facts) -> bool:
    operator, wanted = node.op.value.lower(), node.value
    path = ".".join(part.lower() for part in (node.attr_path.attr, node.attr_path.sub_attr) if part)
    values = [_member(each, "value") if isinstance(each, dict) else each for each in _values(within, node.attr_path)]
    values = [each for each in values if each not in (None, "")]
    if wanted is None:  # `eq null` asks for no value (RFC 7643 2.5: null and absent are the same)
        return (not values) is (operator == "eq")
    if operator == "ne":  # the contrary of eq: of a list, that no value equals
        return not any(_true("eq", each, wanted, prefix + path, facts) for each in values)
    return any(_true(operator, each, wanted, prefix + path, facts) for each in values)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_PART: dict[str, Callable[[str, str], bool]] = {
    "co": lambda a, b: b in a,
    "sw": lambda a, b: a.startswith(b),
    "ew": lambda a, b: a.endswith(b),
}


def _true(operator: str, found: Any, wanted: Any, path: str, facts: Facts) -> bool:
    if path in facts.moments or path.removeprefix("meta.") in MOMENTS:
        return _ORDER[operator](_moment(found), _moment(wanted))
    if isinstance(found, str) and isinstance(wanted, str):
        if path not in facts.exact:
            found, wanted = found.casefold(), wanted.casefold()
        if operator in _PART:
            return _PART[operator](found, wanted)
        return _ORDER[operator](found, wanted)
    if isinstance(found, bool) is not isinstance(wanted, bool) or isinstance(found, str) or isinstance(wanted, str):
        return False
    return _ORDER[operator](found, wanted)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
