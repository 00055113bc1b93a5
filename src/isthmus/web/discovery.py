"""/ServiceProviderConfig, /ResourceTypes and /Schemas (RFC 7644 4), compiled from what the connector publishes."""

from __future__ import annotations

from typing import Any

import falcon
import orjson

from isthmus.scim.documents import list_of, located, service_provider_config
from isthmus.scim.errors import Forbidden, NotFound
from isthmus.web.exchange import Admitted, admitted
from isthmus.web.query import parameters

RESERVED = "/Schemas, /ResourceTypes and /ServiceProviderConfig"


class ServiceProvider:
    """What this service offers, per connector."""

    def __init__(self, *, max_results: int) -> None:
        self._max_results = max_results

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer RFC 7643 5."""
        asked = admitted(req.env)
        resp.data = orjson.dumps(service_provider_config(base_url=_base(asked), max_results=self._max_results))

    on_head = on_get


class _Documents:
    """A list of documents, and each by its id."""

    kind: str
    member: str

    def documents(self, asked: Admitted) -> list[dict[str, Any]]:
        """Return them in the order they are listed."""
        raise NotImplementedError

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer RFC 7644 4: all of them; a filter is refused, for clients must not take part for all."""
        if "filter" in parameters(req.env):
            raise Forbidden(f"{self.kind} documents cannot be filtered (RFC 7644 4); leave the filter out")
        resp.data = list_of(self.documents(admitted(req.env)))

    on_head = on_get

    def on_get_one(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer one of them."""
        for document in self.documents(admitted(req.env)):
            if document["id"].casefold() == name.casefold():
                resp.data = orjson.dumps(document)
                resp.set_header("Content-Location", document["meta"]["location"])
                return
        raise NotFound(f"there is no {self.kind} with this id; the list is one level up")

    on_head_one = on_get_one


class ResourceTypes(_Documents):
    kind = "ResourceType"

    def documents(self, asked: Admitted) -> list[dict[str, Any]]:
        base = _base(asked)
        found = [rt.resource_type_document() for rt in _types(asked)]
        return [located(each, f"{base}/ResourceTypes/{each['id']}", self.kind) for each in found]


class Schemas(_Documents):
    kind = "Schema"

    def documents(self, asked: Admitted) -> list[dict[str, Any]]:
        base = _base(asked)
        found = {each["id"]: each for rt in _types(asked) for each in rt.schema_documents()}
        return [located(each, f"{base}/Schemas/{each['id']}", self.kind) for each in found.values()]


def _types(asked: Admitted) -> list[Any]:
    return list(asked.endpoint.resource_types().values())


def _base(asked: Admitted) -> str:
    return asked.caller.base_url
