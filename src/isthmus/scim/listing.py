"""What a list request asks for: the query parameters of RFC 7644 3.4.2, or the body of a search (3.4.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from isthmus.scim import urns
from isthmus.scim.errors import InvalidCount, InvalidCursor, InvalidSyntax, InvalidValue
from isthmus.scim.projection import Projection

MAX_RESULTS = 200
"""Resources in one answer unless configured otherwise."""
_LARGEST = 2**62
_NUMBER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """A list request, its numbers already within bounds.

    `start_index` is at least 1; `count` is between 0 (totals only) and the server's maximum, which is also the default.
    `filter` and `sort_by` are text: what they mean depends on the resource type. `cursor` None: pages by index; empty:
    the first page of those by cursor (RFC 9865).
    """

    filter: str | None = None
    start_index: int = 1
    count: int = MAX_RESULTS
    projection: Projection | None = None
    sort_by: str | None = None
    sort_order: Literal["ascending", "descending"] = "ascending"
    cursor: str | None = None


def parse_list_request(
    query: Mapping[str, Any], *, max_results: int = MAX_RESULTS, default_results: int | None = None
) -> ListRequest:
    """Read query parameters, names in any case; unknown ones are ignored, and so are empty ones but for `cursor`.

    `startIndex` below 1 counts as 1, `count` below 0 as 0, and above `max_results` as that (RFC 7644 3.4.2.4). A
    parameter that was given twice arrives as a list: the two must agree, but for the lists of attributes, which are
    joined.

    With a cursor too a negative `count` is 0 (RFC 9865 2), the total alone; such an answer has no cursors.

    Raises:
        InvalidValue: a number or the sort order is none, a parameter stands twice, or `startIndex` beside `cursor`.
        InvalidCount: `count` beside a cursor is no number.
    """
    given: dict[str, Any] = {}
    for name, value in query.items():
        lowered = name.lower()
        if lowered in _LISTS and isinstance(value, list):
            value = ",".join(str(each) for each in value)  # noqa: PLW2901
        if lowered in given and given[lowered] != value:
            raise InvalidValue(f"the parameter {name} stands twice")
        given[lowered] = value
    return _request(given, max_results, default_results)


def parse_search_request(
    body: Mapping[str, Any],
    *,
    max_results: int = MAX_RESULTS,
    default_results: int | None = None,
    strict: bool = False,
) -> ListRequest:
    """Read the body of a POST to `.search`; without `schemas` only if not `strict`.

    Raises:
        InvalidSyntax: it is no SearchRequest.
        InvalidValue, InvalidCount: as `parse_list_request`.
    """
    schemas = next((value for name, value in body.items() if name.lower() == "schemas"), None)
    if (schemas is not None or strict) and (not isinstance(schemas, list) or urns.SEARCH_REQUEST not in schemas):
        raise InvalidSyntax(f"schemas must be [{urns.SEARCH_REQUEST!r}]")
    given: dict[str, Any] = {}
    for name, value in body.items():
        lowered = name.lower()
        if lowered in _LISTS and isinstance(value, list):
            if not all(isinstance(each, str) for each in value):
                raise InvalidSyntax(f"{name} must be a list of attribute names")
            given[lowered] = ",".join(value)
        else:
            given[lowered] = value
    return _request(given, max_results, default_results)


_LISTS = frozenset({"attributes", "excludedattributes"})


def _request(given: Mapping[str, Any], max_results: int, default_results: int | None) -> ListRequest:
    order = (_text(given, "sortorder", "sortOrder") or "ascending").strip().lower()
    if order not in {"ascending", "descending"}:
        raise InvalidValue("sortOrder is ascending or descending")
    default = max_results if default_results is None else default_results
    cursor = given.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise InvalidCursor("cursor is no text; send the nextCursor of the page before, or nothing for the first page")
    count = _count(given, default, with_cursor=cursor is not None)
    if cursor is not None and given.get("startindex") not in (None, ""):
        raise InvalidValue("pages are counted by startIndex or followed by cursor; send one of the two")
    return ListRequest(
        filter=_text(given, "filter", "filter"),
        start_index=max(1, _number(given, "startindex", "startIndex", 1)),
        count=min(max(0, count), max_results),
        projection=Projection.parse(
            _text(given, "attributes", "attributes"), _text(given, "excludedattributes", "excludedAttributes")
        ),
        sort_by=_text(given, "sortby", "sortBy"),
        sort_order="ascending" if order == "ascending" else "descending",
        cursor=cursor,
    )


def _count(given: Mapping[str, Any], default: int, *, with_cursor: bool) -> int:
    try:
        return _number(given, "count", "count", default)
    except InvalidValue as problem:
        if with_cursor:
            raise InvalidCount(problem.detail) from None
        raise


def _text(given: Mapping[str, Any], key: str, shown: str) -> str | None:
    value = given.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidValue(f"the parameter {shown} stands twice or is no text")
    return value if value.strip() else None


def _number(given: Mapping[str, Any], key: str, shown: str, default: int) -> int:
    value = given.get(key)
    if value is None or value == "":
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return max(-_LARGEST, min(_LARGEST, value))
    if isinstance(value, str) and _NUMBER.fullmatch(text := value.strip()) is not None:
        # Python refuses to convert texts of several thousand digits; all beyond 18 lie outside every bound anyway.
        if len(text) > 18:
            return -_LARGEST if text.startswith("-") else _LARGEST
        return int(text)
    raise InvalidValue(f"{shown} must be a whole number")
