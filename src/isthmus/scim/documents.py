"""The documents of the protocol itself: list answers (RFC 7644 3.4.2) and what discovery shows (RFC 7643 5 to 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from isthmus.scim import urns
from isthmus.scim.schema import ScimSchema

_LIST_HEAD = (
    b'{"schemas":["'
    + urns.LIST_RESPONSE.encode()
    + b'"],"totalResults":%d,"startIndex":%d,"itemsPerPage":%d,"Resources":['
)


def list_response(resources: Sequence[bytes], *, total: int, start_index: int = 1) -> bytes:
    """Return a ListResponse around resources that are JSON text already; `Resources` is there even if it is empty.

    `itemsPerPage` is the number of resources in this answer (RFC 7644 3.4.2.4).
    """
    return b"".join((_LIST_HEAD % (total, start_index, len(resources)), b",".join(resources), b"]}"))


def cursor_response(
    resources: Sequence[bytes], *, total: int, next_cursor: str | None = None, previous_cursor: str | None = None
) -> bytes:
    """Return a ListResponse of a page by cursor: without `startIndex`, and without what there is not (RFC 9865)."""
    head: dict[str, Any] = {"schemas": [urns.LIST_RESPONSE], "totalResults": total, "itemsPerPage": len(resources)}
    if next_cursor is not None:
        head["nextCursor"] = next_cursor
    if previous_cursor is not None:
        head["previousCursor"] = previous_cursor
    return b'%s,"Resources":[%s]}' % (orjson.dumps(head)[:-1], b",".join(resources))


def list_of(documents: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a ListResponse with all of a few documents: /Schemas and /ResourceTypes do not page (RFC 7644 4)."""
    return list_response([orjson.dumps(document) for document in documents], total=len(documents))


def service_provider_config(
    *,
    base_url: str,
    max_results: int,
    patch: bool = True,
    filter: bool = True,
    etag: bool = True,
    change_password: bool = False,
    sort: bool = False,
    bulk_max_operations: int = 0,
    bulk_max_payload: int = 0,
    default_page: int | None = None,
    cursor_timeout: int = 0,
    documentation_uri: str | None = None,
) -> dict[str, Any]:
    """Return what the service offers; the caller states facts, nothing is promised by default that is not kept.

    Bulk is supported if `bulk_max_operations` is not 0. Some clients cut PATCH requests by that number too, and take
    0 for "no limit", which is why it must be 0 and not a guess while bulk is not offered. Pages by cursor are offered
    if `cursor_timeout`, in seconds, is not 0 (RFC 9865).
    """
    document: dict[str, Any] = {"schemas": [urns.SERVICE_PROVIDER_CONFIG]}
    if documentation_uri is not None:
        document["documentationUri"] = documentation_uri
    document |= {
        "patch": {"supported": patch},
        "bulk": {
            "supported": bulk_max_operations > 0,
            "maxOperations": bulk_max_operations,
            "maxPayloadSize": bulk_max_payload,
        },
        "filter": {"supported": filter, "maxResults": max_results},
        "changePassword": {"supported": change_password},
        "sort": {"supported": sort},
        "etag": {"supported": etag},
        "pagination": {
            "cursor": cursor_timeout > 0,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": default_page or max_results,
            "maxPageSize": max_results,
        }
        | ({"cursorTimeout": cursor_timeout} if cursor_timeout else {}),
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A secret token in the Authorization header of every request",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base_url}/ServiceProviderConfig"},
    }
    return document


def resource_type(
    name: str,
    *,
    endpoint: str,
    schema: str,
    extensions: Mapping[str, bool] | None = None,
    description: str = "",
    base_url: str = "",
) -> dict[str, Any]:
    """Return a ResourceType: `endpoint` without slash (`Users`), `extensions` by URN with whether each is required."""
    document: dict[str, Any] = {
        "schemas": [urns.RESOURCE_TYPE],
        "id": name,
        "name": name,
        "endpoint": f"/{endpoint}",
        "description": description or name,
        "schema": schema,
    }
    if extensions:
        document["schemaExtensions"] = [{"schema": urn, "required": required} for urn, required in extensions.items()]
    return located(document, f"{base_url}/ResourceTypes/{name}", "ResourceType")


def schema_document(schema: ScimSchema, *, base_url: str = "") -> dict[str, Any]:
    """Return a Schema resource."""
    return located(schema.to_json(), f"{base_url}/Schemas/{schema.id}", "Schema")


def located(document: Mapping[str, Any], location: str, kind: str) -> dict[str, Any]:
    """Return the document with the `meta` of a discovery resource, replacing one that it has."""
    return {**document, "meta": {"resourceType": kind, "location": location}}
