"""The SCIM endpoints (RFC 7644) of every connector, as one WSGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import falcon

from isthmus.scim.body import parse_json
from isthmus.scim.errors import MethodNotAllowed, NotFound, ScimError, Unsupported
from isthmus.scim.etag import check_if_match, not_modified
from isthmus.web.answers import SCIM
from isthmus.web.bodies import BodyReader
from isthmus.web.bulk import Bulk
from isthmus.web.discovery import RESERVED, ResourceTypes, Schemas, ServiceProvider
from isthmus.web.exchange import admitted
from isthmus.web.gate import Gate
from isthmus.web.logs import AccessLog
from isthmus.web.lookup import check_version, resource_type
from isthmus.web.metrics import Recorder
from isthmus.web.openapi import OpenApi
from isthmus.web.query import parameters, projection, whole_number
from isthmus.web.quick import Writes
from isthmus.web.searching import Asked, Root, Search
from isthmus.web.work import Work

if TYPE_CHECKING:
    from isthmus.config.documents import ScimSettings
    from isthmus.engine.host import Host
    from isthmus.engine.resource import Resource
    from isthmus.scim.projection import Projection


def scim_application(host: Host, *, recorder: Recorder | None = None, access_log: AccessLog | None = None) -> Gate:
    """Return the WSGI application that serves all connectors of a host."""
    scim = host.configuration.host.scim
    work = Work(bodies=max(1, scim.threads // 2))
    bodies = BodyReader(work, limit=scim.max_body_bytes, turns=host.turns)
    application: falcon.App[Any, Any] = falcon.App(media_type=SCIM)
    application.req_options.strip_url_path_trailing_slash = True
    application.set_error_serializer(_serialise)
    application.add_error_handler(ScimError, _answer)
    application.add_error_handler(Exception, _raise)
    application.add_route("/ServiceProviderConfig", ServiceProvider(scim))
    application.add_route("/ResourceTypes", ResourceTypes())
    application.add_route("/ResourceTypes/{name}", ResourceTypes(), suffix="one")
    application.add_route("/Schemas", Schemas())
    application.add_route("/Schemas/{name}", Schemas(), suffix="one")
    bulk_bodies = BodyReader(
        work, limit=scim.bulk_max_payload_bytes, turns=host.turns, setting="scim.bulk_max_payload_bytes"
    )
    application.add_route("/Bulk", Bulk(bulk_bodies, scim) if scim.bulk_max_operations else _NotYet())
    application.add_route("/Me", _NotYet())
    application.add_route("/openapi.json", OpenApi(bulk=scim.bulk_max_operations > 0))
    application.add_route("/", Root(scim))
    for path in ("/.search", "/{endpoint}/.search"):
        application.add_route(path, Search(bodies, scim))
    application.add_route("/{endpoint}", Collection(bodies, scim))
    application.add_route("/{endpoint}/{id}", Item(bodies, scim.max_depth))
    application.add_sink(_nothing_there)
    return Gate(
        host,
        application,
        work=work,
        writes=Writes(bodies, scim.max_depth),
        recorder=recorder or Recorder(None),
        access_log=access_log or AccessLog(host.configuration.host.log),
    )


class Collection:
    """`/Users` and every other resource type: list and create."""

    def __init__(self, bodies: BodyReader, scim: ScimSettings) -> None:
        self._bodies = bodies
        self._max_depth = scim.max_depth
        self._asked = Asked(scim)

    def on_get(self, req: falcon.Request, resp: falcon.Response, endpoint: str) -> None:
        """Answer RFC 7644 3.4.2."""
        asked = admitted(req.env)
        query = parameters(req.env)
        if "sortby" in query or "cursor" in query:
            types = [resource_type(asked, endpoint)]
            resp.data = asked.endpoint.search(types, self._asked.in_url(query), caller=asked.caller)
            return
        self._asked.check(query)
        start = whole_number(query, "startindex")
        resp.data = asked.endpoint.list(
            resource_type(asked, endpoint),
            filter=query.get("filter"),
            start=1 if start is None else start,
            count=whole_number(query, "count"),
            projection=projection(query),
            caller=asked.caller,
        )

    on_head = on_get

    def on_post(self, req: falcon.Request, resp: falcon.Response, endpoint: str) -> None:
        """Answer RFC 7644 3.3: 201 with Location."""
        asked = admitted(req.env)
        rt = resource_type(asked, endpoint)
        body = parse_json(self._bodies.read(req.env), max_depth=self._max_depth)
        made = asked.endpoint.create(rt, body, caller=asked.caller, projection=shown(req))
        _answer_with(resp, made, falcon.HTTP_201)


class Item:
    """One resource: read, replace, change, delete."""

    def __init__(self, bodies: BodyReader, max_depth: int) -> None:
        self._bodies = bodies
        self._max_depth = max_depth

    def on_get(self, req: falcon.Request, resp: falcon.Response, endpoint: str, id: str) -> None:
        """Answer RFC 7644 3.4.1, and 304 where the client has this version (3.14)."""
        asked = admitted(req.env)
        query = parameters(req.env) if req.env["QUERY_STRING"] else {}
        found = asked.endpoint.get(
            resource_type(asked, endpoint),
            id,
            projection=projection(query),
            caller=asked.caller,
        )
        if "HTTP_IF_MATCH" in req.env:
            check_if_match(req.env["HTTP_IF_MATCH"], found.etag)
        if "HTTP_IF_NONE_MATCH" in req.env and not_modified(req.env["HTTP_IF_NONE_MATCH"], found.etag):
            resp.status = falcon.HTTP_304
            resp.set_headers([("ETag", found.etag), ("Content-Location", found.location)])
            return
        resp.data = found.body
        resp.set_headers([("ETag", found.etag), ("Content-Location", found.location)])

    on_head = on_get

    def on_put(self, req: falcon.Request, resp: falcon.Response, endpoint: str, id: str) -> None:
        """Answer RFC 7644 3.5.1."""
        asked = admitted(req.env)
        rt = resource_type(asked, endpoint)
        body = parse_json(self._bodies.read(req.env), max_depth=self._max_depth)
        done = asked.endpoint.replace(
            rt,
            id,
            body,
            if_match=req.env.get("HTTP_IF_MATCH"),
            if_none_match=req.env.get("HTTP_IF_NONE_MATCH"),
            projection=shown(req),
            caller=asked.caller,
        )
        _answer_with(resp, done, falcon.HTTP_200)

    def on_patch(self, req: falcon.Request, resp: falcon.Response, endpoint: str, id: str) -> None:
        """Answer RFC 7644 3.5.2: 200 with the resource, or 204."""
        asked = admitted(req.env)
        rt = resource_type(asked, endpoint)
        body = parse_json(self._bodies.read(req.env), max_depth=self._max_depth)
        done = asked.endpoint.patch(
            rt,
            id,
            body,
            if_match=req.env.get("HTTP_IF_MATCH"),
            if_none_match=req.env.get("HTTP_IF_NONE_MATCH"),
            projection=shown(req),
            caller=asked.caller,
        )
        _answer_with(resp, done, falcon.HTTP_200)

    def on_delete(self, req: falcon.Request, resp: falcon.Response, endpoint: str, id: str) -> None:
        """Answer RFC 7644 3.6."""
        asked = admitted(req.env)
        asked.endpoint.delete(
            resource_type(asked, endpoint),
            id,
            if_match=req.env.get("HTTP_IF_MATCH"),
            if_none_match=req.env.get("HTTP_IF_NONE_MATCH"),
            caller=asked.caller,
        )
        resp.status = falcon.HTTP_204


class _NotYet:
    """Endpoints of RFC 7644 that are not offered: /Me (3.11), a token stands for no person; /Bulk if switched off."""

    def on_post(self, req: falcon.Request, _resp: falcon.Response, **_fields: str) -> None:
        raise Unsupported(f"{req.path} is not offered; /ServiceProviderConfig tells what is", {"Connection": "close"})

    on_get = on_head = on_put = on_patch = on_delete = on_post


def shown(req: falcon.Request) -> Projection | None:
    """Return which attributes the answer to a write is to show (RFC 7644 3.9)."""
    return projection(parameters(req.env)) if req.env["QUERY_STRING"] else None


def _answer_with(resp: falcon.Response, resource: Resource, status: str) -> None:
    headers = [("ETag", resource.etag)] if resource.etag else []
    if status == falcon.HTTP_201:
        headers.append(("Location", resource.location))
    resp.set_headers(headers)
    if resource.with_body:
        resp.status = status
        resp.data = resource.body
    else:
        resp.status = falcon.HTTP_204


def _nothing_there(req: falcon.Request, resp: falcon.Response, **_fields: str) -> None:
    del resp
    check_version(req.path.split("/")[1])
    raise NotFound(f"there is nothing at this path below the base URL; there is /Users, /Users/ID, {RESERVED}")


def _answer(_req: falcon.Request, _resp: falcon.Response, error: Exception, _fields: Any) -> None:
    raise error


def _raise(_req: falcon.Request, _resp: falcon.Response, error: Exception, _fields: Any) -> None:
    """Leave what is not ours to the gate."""
    raise error


def _serialise(_req: falcon.Request, _resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Turn the framework's own errors into ours."""
    if isinstance(error, falcon.HTTPMethodNotAllowed) and isinstance(error.headers, dict):
        allowed = error.headers.get("Allow", "")
        raise MethodNotAllowed(f"this endpoint takes {allowed}", {"Allow": allowed, "Connection": "close"})
    raise ScimError(error.status_code, error.description or error.title or "the request cannot be understood")
