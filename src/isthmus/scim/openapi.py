"""The OpenAPI 3.1 document of one connector's endpoint, made from its resource types as they are published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.scim.body import MEDIA_TYPE
from isthmus.scim.openapi_schemas import MESSAGES, answer_schema, body_schema, component_name, list_schema
from isthmus.scim.openapi_schemas import ref as schema_ref

_TOKEN = "token"  # noqa: S105 - the name of a scheme
_ERRORS = {
    400: "The request is wrong; scimType says of which kind (RFC 7644 table 9).",
    401: "No token, or none of this connector.",
    403: "The token does not allow this, or the target does not.",
    404: "There is no such resource or endpoint.",
    405: "The endpoint does not take this method.",
    409: "Another resource has this value already, or another request is changing this one.",
    411: "The body has no Content-Length.",
    412: "The resource has another version than the one named.",
    413: "The body is too large.",
    415: "The body is not announced as JSON.",
    429: "The target asks to wait, or too many wrong tokens came.",
    500: "A fault of this service.",
    501: "The connector cannot do that.",
    503: "Try again later.",
}
_READ = (400, 401, 403, 404, 405, 429, 500, 503)
_SEND = (*_READ, 411, 413, 415)
_WRITE = (*_SEND, 409, 412, 501)


@dataclass(frozen=True, slots=True)
class PublishedType:
    """One resource type: its ResourceType document and its Schema documents, the main one first."""

    document: Mapping[str, Any]
    schemas: Sequence[Mapping[str, Any]]


def openapi_document(
    *, base_url: str, title: str, version: str, types: Sequence[PublishedType], bulk: bool
) -> dict[str, Any]:
    """Return the document; it promises what discovery promises, and nothing else."""
    schemas: dict[str, Any] = dict(MESSAGES)
    paths: dict[str, Any] = {}
    names: list[str] = []
    for published in types:
        name = component_name(published.document["name"], taken=schemas)
        names.append(name)
        schemas[name] = answer_schema(published.document, published.schemas)
        schemas[f"{name}.body"] = body_schema(published.document, published.schemas)
        schemas[f"{name}.list"] = list_schema([name])
        paths |= _type_paths(published.document["endpoint"], name)
    schemas["Any.list"] = list_schema(names)
    paths |= _root_paths(bulk=bulk) | _discovery_paths()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": version,
            "description": "A SCIM 2.0 endpoint (RFC 7643, RFC 7644, RFC 9865).",
        },
        "servers": [{"url": base_url}],
        "security": [{_TOKEN: []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": _PARAMETERS,
            "responses": {f"E{status}": _error(status, text) for status, text in _ERRORS.items()},
            "securitySchemes": {_TOKEN: {"type": "http", "scheme": "bearer"}},
        },
    }


def _type_paths(endpoint: str, name: str) -> dict[str, Any]:
    one, body, many = schema_ref(name), schema_ref(f"{name}.body"), schema_ref(f"{name}.list")
    shown = ["attributes", "excludedAttributes"]
    return {
        endpoint: {
            "get": _operation(f"list.{name}", _LISTING, {200: _answer("A page.", many)}, _READ),
            "post": _operation(
                f"create.{name}",
                shown,
                {201: _answer("Created.", one, ETag=_ETAG, Location=_TEXT)},
                _WRITE,
                body=body,
            ),
        },
        f"{endpoint}/.search": {
            "post": _operation(
                f"search.{name}", [], {200: _answer("A page.", many)}, _SEND, body=schema_ref("SearchRequest")
            )
        },
        f"{endpoint}/{{id}}": {
            "parameters": [_parameter("id")],
            "get": _operation(
                f"read.{name}",
                [*shown, "If-None-Match", "If-Match"],
                {200: _answer("The resource.", one, ETag=_ETAG), 304: {"description": "Not modified."}},
                (*_READ, 412),
            ),
            "put": _operation(
                f"replace.{name}",
                [*shown, "If-Match", "If-None-Match"],
                {200: _answer("The resource as it is now.", one, ETag=_ETAG), **_NO_BODY},
                _WRITE,
                body=body,
            ),
            "patch": _operation(
                f"change.{name}",
                [*shown, "If-Match", "If-None-Match"],
                {200: _answer("The resource as it is now.", one, ETag=_ETAG), **_NO_BODY},
                _WRITE,
                body=schema_ref("PatchOp"),
            ),
            "delete": _operation(f"delete.{name}", ["If-Match", "If-None-Match"], _NO_BODY, _WRITE),
        },
    }


def _root_paths(*, bulk: bool) -> dict[str, Any]:
    many = schema_ref("Any.list")
    paths: dict[str, Any] = {
        "/": {"get": _operation("list", _LISTING, {200: _answer("A page of all types.", many)}, _READ)},
        "/.search": {
            "post": _operation(
                "search", [], {200: _answer("A page of all types.", many)}, _SEND, body=schema_ref("SearchRequest")
            )
        },
        "/Me": {"get": _operation("me", [], {501: _error(501, _ERRORS[501])}, (401, 403, 429, 500, 503))},
    }
    if bulk:
        answer = {200: _answer("What became of each operation.", schema_ref("BulkResponse"))}
        paths["/Bulk"] = {"post": _operation("bulk", [], answer, _SEND, body=schema_ref("BulkRequest"))}
    return paths


def _discovery_paths() -> dict[str, Any]:
    document = _answer("The document.", {"type": "object"}, ETag=_ETAG)
    many = _answer("All of them.", schema_ref("ListResponse"), ETag=_ETAG)
    paths: dict[str, Any] = {}
    for name in ("ServiceProviderConfig", "openapi.json"):
        paths[f"/{name}"] = {"get": _operation(name, ["If-None-Match"], {200: document, 304: _SAME}, _READ)}
    for name in ("ResourceTypes", "Schemas"):
        paths[f"/{name}"] = {"get": _operation(name, ["If-None-Match"], {200: many, 304: _SAME}, _READ)}
        paths[f"/{name}/{{id}}"] = {
            "parameters": [_parameter("id")],
            "get": _operation(f"{name}.one", ["If-None-Match"], {200: document, 304: _SAME}, _READ),
        }
    return paths


def _operation(
    id: str,
    parameters: Sequence[str],
    answers: Mapping[int, Any],
    errors: Sequence[int],
    *,
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": id}
    if parameters:
        operation["parameters"] = [_parameter(name) for name in parameters]
    if body is not None:
        content = {kind: {"schema": body} for kind in (MEDIA_TYPE, "application/json")}
        operation["requestBody"] = {"required": True, "content": content}
    responses = {str(status): answer for status, answer in answers.items()}
    responses |= {str(status): {"$ref": f"#/components/responses/E{status}"} for status in sorted(errors)}
    operation["responses"] = responses
    return operation


def _answer(description: str, schema: Mapping[str, Any], **headers: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}
    if headers:
        answer["headers"] = headers
    return answer


def _error(status: int, description: str) -> dict[str, Any]:
    answer = _answer(description, schema_ref("Error"))
    if status in {429, 503}:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return answer


def _parameter(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/parameters/{name}"}


def _described(name: str, description: str, schema: Mapping[str, Any], where: str = "query") -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "in": where, "description": description, "schema": schema}
    return described | ({"required": True} if where == "path" else {})


_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
_ETAG: dict[str, Any] = {"description": "The version, a weak entity tag.", **_TEXT}
_SAME: dict[str, Any] = {"description": "Not modified."}
_NO_BODY: dict[int, Any] = {204: {"description": "Done."}}
_STRING: dict[str, Any] = {"type": "string"}
_LISTING = (
    "filter", "attributes", "excludedAttributes", "sortBy", "sortOrder", "startIndex", "count", "cursor",
)  # fmt: skip
_PARAMETERS: dict[str, Any] = {
    "id": _described("id", "The resource's id.", _STRING, "path"),
    "filter": _described("filter", "A filter (RFC 7644 3.4.2.2).", _STRING),
    "attributes": _described("attributes", "Names, joined by commas, of what is shown.", _STRING),
    "excludedAttributes": _described("excludedAttributes", "Names, joined by commas, of what is not.", _STRING),
    "sortBy": _described("sortBy", "The attribute to sort by.", _STRING),
    "sortOrder": _described("sortOrder", "The order.", {"type": "string", "enum": ["ascending", "descending"]}),
    "startIndex": _described("startIndex", "The first resource of the page, from 1 on.", {"type": "integer"}),
    "count": _described("count", "Resources of the page at most.", {"type": "integer"}),
    "cursor": _described("cursor", "Where the page begins; empty: the first one (RFC 9865).", _STRING),
    "If-Match": _described("If-Match", "Entity tags, one of which must be current.", _STRING, "header"),
    "If-None-Match": _described("If-None-Match", "Entity tags, none of which may be current.", _STRING, "header"),
}
