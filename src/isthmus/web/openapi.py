"""`/openapi.json`: this connector's endpoint for programs that read OpenAPI."""

from __future__ import annotations

import falcon
import orjson

from isthmus import __version__
from isthmus.scim.openapi import PublishedType, openapi_document
from isthmus.web.discovery import send_document
from isthmus.web.exchange import admitted


class OpenApi:
    """Made from the resource types at each request: it follows the target's schema as discovery does."""

    def __init__(self, *, bulk: bool) -> None:
        self._bulk = bulk

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the OpenAPI 3.1 document."""
        asked = admitted(req.env)
        types = [
            PublishedType(rt.resource_type_document(), rt.schema_documents())
            for rt in asked.endpoint.resource_types().values()
        ]
        document = openapi_document(
            base_url=asked.caller.base_url,
            title=f"Isthmus: {asked.endpoint.name}",
            version=__version__,
            types=types,
            bulk=self._bulk,
        )
        resp.content_type = "application/json"
        send_document(req, resp, orjson.dumps(document))

    on_head = on_get
