"""`POST .search` at the root and at each resource type, and lists of all types (RFC 7644 3.4.2.1, 3.4.3)."""

from __future__ import annotations

from typing import Any

import falcon

from isthmus.config.documents import ScimSettings
from isthmus.scim.body import parse_json
from isthmus.scim.errors import Sensitive
from isthmus.scim.listing import ListRequest, parse_list_request, parse_search_request
from isthmus.web.bodies import BodyReader
from isthmus.web.exchange import admitted
from isthmus.web.lookup import resource_type
from isthmus.web.query import parameters


class Asked:
    """Reads what a list request asks for, within this host's limits."""

    def __init__(self, scim: ScimSettings) -> None:
        self._bounds = {"max_results": scim.max_count, "default_results": scim.default_count}
        self._filter_in_url = scim.filter_in_url

    def in_url(self, query: dict[str, str]) -> ListRequest:
        """Return what the query parameters ask for."""
        self.check(query)
        return parse_list_request(query, **self._bounds)

    def check(self, query: dict[str, str]) -> None:
        """Refuse a filter in the URL where it is not wanted there (RFC 7644 7.5.2).

        Raises:
            Sensitive: it belongs into a body.
        """
        if not self._filter_in_url and "filter" in query:
            raise Sensitive("send the filter in the body of POST .search: URLs are logged (scim.filter_in_url)")

    def in_body(self, body: dict[str, Any], *, strict: bool) -> ListRequest:
        """Return what a SearchRequest asks for."""
        return parse_search_request(body, strict=strict, **self._bounds)


class Search:
    """`/.search` of all resource types, `/Users/.search` of one."""

    def __init__(self, bodies: BodyReader, scim: ScimSettings) -> None:
        self._bodies = bodies
        self._max_depth = scim.max_depth
        self._asked = Asked(scim)

    def on_post(self, req: falcon.Request, resp: falcon.Response, endpoint: str | None = None) -> None:
        """Answer as a GET with the same parameters would be."""
        asked = admitted(req.env)
        types = list(asked.endpoint.resource_types().values())
        if endpoint is not None:
            types = [resource_type(asked, endpoint)]
        body = parse_json(self._bodies.read(req.env), max_depth=self._max_depth)
        request = self._asked.in_body(body, strict=asked.endpoint.document.strict)
        resp.data = asked.endpoint.search(types, request, caller=asked.caller)


class Root:
    """The base URL itself: resources of every type."""

    def __init__(self, scim: ScimSettings) -> None:
        self._asked = Asked(scim)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer RFC 7644 3.4.2.1."""
        asked = admitted(req.env)
        types = list(asked.endpoint.resource_types().values())
        resp.data = asked.endpoint.search(types, self._asked.in_url(parameters(req.env)), caller=asked.caller)

    on_head = on_get
