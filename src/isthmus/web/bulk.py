"""`/Bulk`: many operations in one request (RFC 7644 3.7)."""

from __future__ import annotations

import falcon
import orjson

from isthmus.config.documents import ScimSettings
from isthmus.scim.body import parse_json
from isthmus.scim.bulk import bulk_response, parse_bulk
from isthmus.web.bodies import BodyReader
from isthmus.web.exchange import admitted


class Bulk:
    """Takes a request of at most so many bytes and operations; what the gate asked of it, holds for each of them."""

    def __init__(self, bodies: BodyReader, scim: ScimSettings) -> None:
        self._bodies = bodies
        self._max_depth = scim.max_depth
        self._max_operations = scim.bulk_max_operations

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer 200 with the outcome of each operation."""
        asked = admitted(req.env)
        body = parse_json(self._bodies.read(req.env), max_depth=self._max_depth)
        request = parse_bulk(body, max_operations=self._max_operations, strict=asked.endpoint.document.strict)
        resp.data = orjson.dumps(bulk_response(asked.endpoint.bulk(request, caller=asked.caller)))
