"""Read the body of a PATCH request (RFC 7644 3.5.2), in the RFC's form and in the ones that clients send."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from isthmus.scim import urns
from isthmus.scim.errors import InvalidPath, InvalidSyntax, InvalidValue, NoTarget, TooLarge
from isthmus.scim.filter import parse_path
from isthmus.scim.syntax import PatchPath

PatchVerb = Literal["add", "remove", "replace"]

MAX_OPERATIONS = 1000
_VERBS: Final[dict[str, PatchVerb]] = {"add": "add", "remove": "remove", "replace": "replace"}


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One operation. `value` is None if none was sent; `text` is the path as written, for messages.

    Without `path` (add and replace only) `value` is an object whose keys are names of attributes or, in Entra's dialect
    `aadOptscim062020`, paths: dotted, with a filter, full URNs, the URN of a whole extension. `parse_path` reads each.
    """

    op: PatchVerb
    path: PatchPath | None
    value: Any = None
    text: str | None = None


def parse_operations(body: Mapping[str, Any], *, strict: bool = False) -> list[PatchOperation]:
    """Return the operations of a PatchOp message, in order; nothing is applied, so a bad one spoils them all.

    `op` and keys may be in any case (Entra's `Add`; RFC 7643 2.1: names have none); unknown members are ignored.
    A missing or foreign `schemas` and an empty path are tolerated unless `strict`.

    Raises:
        InvalidSyntax: no operations, or one that is no operation.
        InvalidPath: a path cannot be parsed.
        NoTarget: a remove without path.
        InvalidValue: an add or replace without the value it needs.
        TooLarge: more than `MAX_OPERATIONS`.
    """
    if strict:
        schemas = _member(body, "schemas")
        if not isinstance(schemas, list) or urns.PATCH_OP not in schemas:
            raise InvalidSyntax(f"schemas must be [{urns.PATCH_OP!r}]")
    operations = _member(body, "Operations")
    if not isinstance(operations, list) or not operations:
        raise InvalidSyntax("a PATCH needs Operations, an array of at least one operation")
    if len(operations) > MAX_OPERATIONS:
        raise TooLarge(f"{len(operations)} operations in one request; at most {MAX_OPERATIONS} are taken")
    return [_operation(each, number, strict=strict) for number, each in enumerate(operations, 1)]


def _operation(sent: Any, number: int, *, strict: bool) -> PatchOperation:
    if not isinstance(sent, dict):
        raise InvalidSyntax(f"operation {number} is not an object")
    name = _member(sent, "op")
    if not isinstance(name, str):
        raise InvalidSyntax(f"operation {number} has no op; it is add, remove or replace")
    verb = _VERBS.get(name.strip().lower())
    if verb is None:
        raise InvalidSyntax(f"operation {number} has an unknown op; it is add, remove or replace")
    text = _member(sent, "path")
    if text is not None and not isinstance(text, str):
        raise InvalidPath(f"the path of operation {number} is not a string")
    path = None if text is None or (not strict and not text.strip()) else _path(text, number)
    value = _member(sent, "value", _ABSENT)
    if verb == "remove":
        if path is None:
            raise NoTarget(f"operation {number} removes without saying what: path is missing")
        return PatchOperation(verb, path, None if value is _ABSENT else value, text)
    if value is _ABSENT:
        raise InvalidValue(f"operation {number} has no value; to clear an attribute send null or use remove")
    if path is None and not isinstance(value, dict):
        raise InvalidValue(f"operation {number} has no path; its value must then be an object of attributes")
    return PatchOperation(verb, path, value, text if path is not None else None)


def _path(text: str, number: int) -> PatchPath:
    try:
        return parse_path(text)
    except InvalidPath as problem:
        raise InvalidPath(f"operation {number}: {problem.detail}") from None


_ABSENT: Final = object()


def _member(message: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """Return a member by its name in any case; the exact spelling wins."""
    if name in message:
        return message[name]
    lowered = name.lower()
    for key, value in message.items():
        if key.lower() == lowered:
            return value
    return default
