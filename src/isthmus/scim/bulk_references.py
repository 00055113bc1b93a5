"""References of bulk operations to what other operations of the same request create (RFC 7644 3.7.2).

A reference is the text `bulkId:NAME`, as a whole value anywhere in `data` or as the id in `path`; within a PATCH path,
a `$ref` or a name of `data` it may also stand inside of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from isthmus.scim.bulk import BulkOperation

_PREFIX = "bulkId:"
_INSIDE = re.compile(r"""bulkId:([^\s"'\\/\[\]()?#,]+)""")
_PARTLY = frozenset({"path", "$ref"})

Ids = Mapping[str, str]
"""Ids of resources by the bulkId of the operation that made them."""


def references(operation: BulkOperation) -> set[str]:
    """Return the bulkIds an operation refers to."""
    found: set[str] = set()

    def note(name: str) -> str:
        found.add(name)
        return ""

    _replaced(operation.data, note)
    _replaced_text(operation.id, note, inside=False)
    return found


def refers_to(value: Any, names: set[str]) -> bool:
    """Tell whether a value holds a reference to any of these bulkIds."""
    found: set[str] = set()

    def note(name: str) -> str:
        found.add(name)
        return ""

    _replaced(value, note)
    return not found.isdisjoint(names)


def resolved(value: Any, ids: Ids) -> Any:
    """Return the value with every reference replaced by the id; each of them must be known."""
    return _replaced(value, ids.__getitem__)


def resolved_text(text: str, ids: Ids) -> str:
    """Return an id, or the id that it refers to."""
    return _replaced_text(text, ids.__getitem__, inside=False)


def cut(data: Mapping[str, Any], names: set[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a resource without what refers to these bulkIds, and the PATCH operations that add it afterwards.

    Of a list the elements that refer to one are left out; of anything else the whole attribute. The attributes of an
    extension are taken one by one.
    """
    return _cut(data, names, "")


def _cut(data: Mapping[str, Any], names: set[str], prefix: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kept: dict[str, Any] = {}
    added: list[dict[str, Any]] = []
    for name, value in data.items():
        if not refers_to(value, names):
            kept[name] = value
        elif isinstance(value, dict) and name.lower().startswith("urn:") and not prefix:
            kept[name], inner = _cut(value, names, f"{name}:")
            added += inner
        elif isinstance(value, list):
            kept[name] = [each for each in value if not refers_to(each, names)]
            later = [each for each in value if refers_to(each, names)]
            added.append({"op": "add", "path": prefix + name, "value": later})
        else:
            added.append({"op": "add", "path": prefix + name, "value": value})
    return kept, added


def _replaced(value: Any, id_of: Callable[[str], str], *, inside: bool = False) -> Any:
    match value:
        case str():
            return _replaced_text(value, id_of, inside=inside)
        case list():
            return [_replaced(each, id_of, inside=inside) for each in value]
        case dict():
            return {
                _replaced_text(name, id_of, inside=True): _replaced(each, id_of, inside=name.lower() in _PARTLY)
                for name, each in value.items()
            }
    return value


def _replaced_text(text: str, id_of: Callable[[str], str], *, inside: bool) -> str:
    if _PREFIX not in text:
        return text
    if text.startswith(_PREFIX) and not inside:
        return id_of(text[len(_PREFIX) :])
    return _INSIDE.sub(lambda match: id_of(match[1]), text) if inside else text


@dataclass(frozen=True, slots=True)
class Order:
    """The operations in the order to carry out, and of each the references that cannot be known by then."""

    operations: tuple[BulkOperation, ...]
    deferred: dict[int, set[str]] = field(default_factory=dict)
    """By the operation's number; only operations that stand in a circle have any."""


def ordered(operations: Sequence[BulkOperation]) -> Order:
    """Return the order of a request: as sent, but what an operation refers to is created before it.

    Where operations refer to one another in a circle, the one that is reached last goes first, without the reference
    that closes the circle.
    """
    makers: dict[str, BulkOperation] = {}
    for each in operations:
        if each.method == "POST" and each.bulk_id is not None:
            makers.setdefault(each.bulk_id, each)  # a second one with the same bulkId is refused
    made: list[BulkOperation] = []
    deferred: dict[int, set[str]] = {}
    done: set[int] = set()
    open_: set[int] = set()
    for first in operations:
        # A stack of our own: a chain of a thousand operations must not end in Python's limit.
        stack = [(first, iter(sorted(references(first))))] if first.number not in done else []
        open_.update(each.number for each, _ in stack)
        while stack:
            operation, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
                open_.discard(operation.number)
                done.add(operation.number)
                made.append(operation)
                continue
            maker = makers.get(name)
            if maker is None or maker.number in done:
                continue
            if maker.number in open_:
                deferred.setdefault(operation.number, set()).add(name)
            else:
                stack.append((maker, iter(sorted(references(maker)))))
                open_.add(maker.number)
    return Order(tuple(made), deferred)
