"""The short way through the endpoints for what clients ask all day: one resource, a page, a filter, POST and PATCH.

Framework, routing and request objects take 12 us of a read of 30, and more of a write. Anything else, also a parameter
or a header that changes the answer, goes the long way, through `scim.Item` and `scim.Collection`, which give the same
answers to these requests too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.scim.body import parse_json
from isthmus.web.bodies import BodyReader
from isthmus.web.exchange import Admitted
from isthmus.web.query import parameters, projection, whole_number

if TYPE_CHECKING:
    from isthmus.mapping.resource_type import ResourceType

Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers, body."""

_SHOWING = frozenset({"attributes", "excludedattributes"})
_PAGING = _SHOWING | {"filter", "startindex", "count"}
_ROUTED = frozenset({"ServiceProviderConfig", "ResourceTypes", "Schemas", "Bulk", "Me"})
"""First segments that the framework's routes take before any resource type of that name."""


def answer(environ: dict[str, Any], asked: Admitted, rest: tuple[str, ...]) -> Answer | None:
    """Return the answer to a GET of the path `rest` below the base URL; None: go the long way.

    Raises:
        ScimError: as the long way does.
    """
    depth = len(rest)
    if not 1 <= depth <= 2 or rest[0] in _ROUTED:
        return None
    rt = asked.endpoint.resource_types().get(rest[0].casefold())
    if rt is None:
        return None
    return _page(environ, asked, rt) if depth == 1 else _one(environ, asked, rt, rest[1])


class Writes:
    """The short way of POST and PATCH."""

    def __init__(self, bodies: BodyReader, max_depth: int) -> None:
        self._bodies = bodies
        self._max_depth = max_depth

    def answer(self, environ: dict[str, Any], asked: Admitted, rest: tuple[str, ...]) -> Answer | None:
        """Return the answer to a POST or PATCH without a query; None: go the long way, the body was not touched.

        Raises:
            ScimError: as the long way does.
        """
        creates = environ["REQUEST_METHOD"] == "POST"
        if environ["QUERY_STRING"] or len(rest) != (1 if creates else 2) or rest[0] in _ROUTED:
            return None
        rt = asked.endpoint.resource_types().get(rest[0].casefold())
        if rt is None or not (creates or _plain(rest[1])):
            return None
        body = parse_json(self._bodies.read(environ), max_depth=self._max_depth)
        if creates:
            made = asked.endpoint.create(rt, body, caller=asked.caller)
            headers = [("etag", made.etag)] if made.etag else []
            headers.append(("location", made.location))
            return ("201 Created", headers, made.body) if made.with_body else ("204 No Content", headers, b"")
        done = asked.endpoint.patch(
            rt,
            rest[1],
            body,
            if_match=environ.get("HTTP_IF_MATCH"),
            if_none_match=environ.get("HTTP_IF_NONE_MATCH"),
            caller=asked.caller,
        )
        headers = [("etag", done.etag)] if done.etag else []
        return ("200 OK", headers, done.body) if done.with_body else ("204 No Content", headers, b"")


def _plain(id: str) -> bool:
    """Tell whether the framework would hand over the segment as it is, and not take it for `.search`."""
    return id[0] != "." and id.isascii()


def _one(environ: dict[str, Any], asked: Admitted, rt: ResourceType, id: str) -> Answer | None:
    if not _plain(id):
        return None
    query = parameters(environ) if environ["QUERY_STRING"] else {}
    if not _SHOWING.issuperset(query):
        return None
    if "HTTP_IF_NONE_MATCH" in environ or "HTTP_IF_MATCH" in environ:
        return None
    found = asked.endpoint.get(rt, id, projection=projection(query), caller=asked.caller)
    return (
        "200 OK",
        [("etag", found.etag), ("content-location", found.location)],
        found.body,
    )  # as the framework has them


def _page(environ: dict[str, Any], asked: Admitted, rt: ResourceType) -> Answer | None:
    query = parameters(environ) if environ["QUERY_STRING"] else {}
    if not _PAGING.issuperset(query):
        return None
    start = whole_number(query, "startindex")
    body = asked.endpoint.list(
        rt,
        filter=query.get("filter"),
        start=1 if start is None else start,
        count=whole_number(query, "count"),
        projection=projection(query),
        caller=asked.caller,
    )
    return "200 OK", [], body
