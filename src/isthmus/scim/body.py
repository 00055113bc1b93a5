"""Read a request body: JSON that means one thing only, within limits, or 400 invalidSyntax at once."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from isthmus.scim.errors import InvalidSyntax, UnsupportedMediaType

MAX_DEPTH = 64
"""Levels of nesting; a SCIM resource has at most six, a bulk request of PATCH requests eleven."""
_MAX_NUMBER = 400
"""Digits of a number, and its exponent; the largest float has 309."""

MEDIA_TYPE: Final = "application/scim+json"
_MEDIA_TYPES = frozenset({MEDIA_TYPE, "application/json"})
_CHARSETS = frozenset({"utf-8", "utf8"})
_BOM = b"\xef\xbb\xbf"


def check_content_type(header: str | None) -> None:
    """Accept SCIM's media type and plain JSON (RFC 7644 3.1, 8.1; Okta's POST), and no Content-Type at all.

    Raises:
        UnsupportedMediaType: the body is announced as something else.
        InvalidSyntax: it is announced in a character set other than UTF-8, the only one of RFC 7644 3.1.
    """
    if not header or header == MEDIA_TYPE:
        return
    kind, *parameters = header.split(";")
    if kind.strip().lower() not in _MEDIA_TYPES:
        raise UnsupportedMediaType(f"send Content-Type: {MEDIA_TYPE} or application/json")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip("\"'").lower() not in _CHARSETS:
            raise InvalidSyntax("the body must be in UTF-8, and charset, if named, utf-8")


def parse_json(raw: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Return the object that a request body holds.

    Refused with its reason: an empty body, a byte order mark (RFC 8259 8.1), bytes that are not UTF-8, what is not
    JSON (NaN and lone surrogates included), anything but an object at the top, nesting deeper than `max_depth`, and a
    name that an object has twice, at the top also in another case (SCIM names have no case), because readers disagree
    on which of two values counts. A number that a float cannot hold exactly comes as a `Decimal`, or as an `int` of
    any size.

    Raises:
        InvalidSyntax: it is refused; the message quotes no values.
    """
    if not raw or raw.isspace():
        raise InvalidSyntax("the body is empty; send a JSON object")
    if raw.startswith(_BOM):
        raise InvalidSyntax("the body starts with a byte order mark; send plain UTF-8")
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as problem:
        raise InvalidSyntax(_reason(raw, problem)) from None
    if not isinstance(parsed, dict):
        raise InvalidSyntax("the body is JSON but not an object")
    body: dict[str, Any] = parsed
    floats: list[float] = []
    names = _count_names(body, max_depth, floats)
    # Every name of an object is followed by a colon; a quotation mark before a colon is something else only within a
    # string. Equal counts therefore prove that no name was dropped for standing twice, at half the cost of a parser
    # that looks at each pair.
    if raw.translate(None, b" \t\r\n").count(b'":') != names:
        json.loads(raw, object_pairs_hook=_unique)
    if floats:
        body = json.loads(raw, parse_float=_exact, parse_int=_whole)
    if len({name.lower() for name in body}) != len(body):
        raise InvalidSyntax("the object has an attribute twice, in different case")
    return body


def _count_names(value: dict[str, Any] | list[Any], levels: int, floats: list[float]) -> int:
    """Return how many members all objects have together, and collect the floating-point numbers."""
    if levels == 0:
        raise InvalidSyntax("the body is nested too deeply")
    count = 0
    inner: Iterable[Any] = value
    if isinstance(value, dict):
        count = len(value)
        inner = value.values()
    for each in inner:
        kind = type(each)
        if kind is dict or kind is list:
            count += _count_names(each, levels - 1, floats)
        elif kind is float:
            floats.append(each)
    return count


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidSyntax("an object in the body has the same name twice")


def _exact(text: str) -> float | Decimal:
    """Return the float if it says the same as the text, else a decimal that does."""
    value = float(text)
    if len(text) > _MAX_NUMBER or not math.isfinite(value):
        raise InvalidSyntax("a number in the body is out of range")
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent that not even a decimal has
        raise InvalidSyntax("a number in the body is out of range") from None
    if Decimal(repr(value)) == exact:
        return value
    if not -_MAX_NUMBER < exact.adjusted() < _MAX_NUMBER:
        raise InvalidSyntax("a number in the body is out of range")  # a huge exponent is a huge text later on
    return exact


def _whole(text: str) -> int:
    if len(text) > _MAX_NUMBER:
        raise InvalidSyntax("a number in the body is out of range")
    return int(text)


def _reason(raw: bytes, problem: orjson.JSONDecodeError) -> str:
    if "depth" in problem.msg or "recursion" in problem.msg.lower():  # orjson stops at 1,024 levels
        return "the body is nested too deeply"
    try:
        raw.decode()
    except UnicodeDecodeError as wrong:
        return f"the body is not valid UTF-8 at byte {wrong.start + 1}"
    return f"the body is not valid JSON at line {problem.lineno}, column {problem.colno}"
