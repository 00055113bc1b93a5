"""/ServiceProviderConfig, /ResourceTypes and /Schemas (RFC 7644 4), compiled from what the connector publishes."""

from __future__ import annotations

import hashlib
from typing import Any

import falcon
import orjson

from isthmus.config.documents import ScimSettings
from isthmus.scim.documents import list_of, located, service_provider_config
from isthmus.scim.errors import Forbidden, NotFound
from isthmus.scim.etag import check_if_match, not_modified
from isthmus.web.exchange import Admitted, admitted
from isthmus.web.query import parameters

RESERVED = "/Schemas, /ResourceTypes and /ServiceProviderConfig"


def send_document(req: falcon.Request, resp: falcon.Response, body: bytes) -> None:
    """Answer with a document under an entity tag made of its text, or 304 if the client has it.

    Raises:
        ScimError: 412, the client asked for another version; 400, a condition cannot be read.
    """
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    resp.set_header("ETag", tag)
    check_if_match(req.env.get("HTTP_IF_MATCH"), tag)
    if not_modified(req.env.get("HTTP_IF_NONE_MATCH"), tag):
        resp.status = falcon.HTTP_304
    else:
        resp.data = body


class ServiceProvider:
    """What this service offers, per connector."""

    def __init__(self, scim: ScimSettings) -> None:
        self._scim = scim

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer RFC 7643 5."""
        asked = admitted(req.env)
        scim = self._scim
        document = service_provider_config(
            base_url=_base(asked),
            max_results=scim.max_count,
            change_password=any(rt.takes_password for rt in _types(asked)),
            sort=True,
            bulk_max_operations=scim.bulk_max_operations,
            bulk_max_payload=scim.bulk_max_payload_bytes if scim.bulk_max_operations else 0,
            default_page=scim.default_count,
            cursor_timeout=scim.cursor_timeout,
        )
        send_document(req, resp, orjson.dumps(document))

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
        send_document(req, resp, list_of(self.documents(admitted(req.env))))

    on_head = on_get

    def on_get_one(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer one of them."""
        for document in self.documents(admitted(req.env)):
            if document["id"].casefold() == name.casefold():
                resp.set_header("Content-Location", document["meta"]["location"])
                send_document(req, resp, orjson.dumps(document))
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
