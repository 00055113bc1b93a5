"""JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them) of resources and of the protocol's messages."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any

from isthmus.scim import urns
from isthmus.scim.bulk import METHODS
from isthmus.scim.schema import COMMON_ATTRIBUTES

_TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "decimal": {"type": "number"},
    "integer": {"type": "integer"},
    "dateTime": {"type": "string", "format": "date-time"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "reference": {"type": "string"},
}
_FOREIGN = re.compile(r"[^A-Za-z0-9_-]")


def ref(name: str) -> dict[str, str]:
    """Return the reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def component_name(name: str, *, taken: Container[str]) -> str:
    """Return the name under which a resource type's schemas stand: without what OpenAPI does not allow, and unique."""
    wanted = base = _FOREIGN.sub("_", name) or "_"
    number = 2
    while wanted in taken:
        wanted = f"{base}_{number}"
        number += 1
    return wanted


def answer_schema(document: Mapping[str, Any], schemas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a resource looks like in an answer; with `attributes` it may have less than is required here."""
    main, *extensions = schemas
    properties = _properties([each.to_json() for each in COMMON_ATTRIBUTES], sent=False)
    properties |= _properties(main["attributes"], sent=False)
    for extension in extensions:
        properties[extension["id"]] = _object(_properties(extension["attributes"], sent=False), ())
    return _object(properties, ("schemas", "id")) | {"description": document.get("description", document["name"])}


def body_schema(document: Mapping[str, Any], schemas: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a client sends to create or replace a resource; what it may not set is not in it."""
    main, *extensions = schemas
    properties: dict[str, Any] = {
        "schemas": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "externalId": {"type": "string"},
    }
    properties |= _properties(main["attributes"], sent=True)
    required = ["schemas", *_required(main["attributes"])]
    needed = {each["schema"] for each in document.get("schemaExtensions", ()) if each["required"]}
    for extension in extensions:
        inner = _required(extension["attributes"]) if extension["id"] in needed else []
        properties[extension["id"]] = _object(_properties(extension["attributes"], sent=True), inner)
    return _object(properties, [*required, *sorted(needed)])


def list_schema(names: Sequence[str]) -> dict[str, Any]:
    """Return a ListResponse of resources of these types."""
    items = ref(names[0]) if len(names) == 1 else {"anyOf": [ref(name) for name in names]} if names else {}
    properties = dict(_LIST_PROPERTIES)
    properties["Resources"] = {"type": "array", "items": items}
    return _object(properties, ("schemas", "totalResults", "Resources"))


def _properties(attributes: Sequence[Mapping[str, Any]], *, sent: bool) -> dict[str, Any]:
    unwanted = "readOnly" if sent else "writeOnly"
    return {
        attribute["name"]: _schema(attribute, sent=sent)
        for attribute in attributes
        if attribute.get("mutability") != unwanted and (sent or attribute.get("returned") != "never")
    }


def _required(attributes: Sequence[Mapping[str, Any]]) -> list[str]:
    return [each["name"] for each in attributes if each.get("required") and each.get("mutability") != "readOnly"]


def _schema(attribute: Mapping[str, Any], *, sent: bool) -> dict[str, Any]:
    if attribute["type"] == "complex":
        subs = attribute.get("subAttributes", ())
        schema = _object(_properties(subs, sent=sent), _required(subs) if sent else ())
    else:
        schema = dict(_TYPES[attribute["type"]])
        if attribute.get("canonicalValues"):
            schema["examples"] = list(attribute["canonicalValues"])  # suggestions (RFC 7643 7), so no enumeration
    if attribute.get("multiValued"):
        schema = {"type": "array", "items": schema}
    if attribute.get("description"):
        schema["description"] = attribute["description"]
    return schema


def _object(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    if required:
        schema["required"] = list(required)
    return schema


def _message(urn: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "contains": {"const": urn}}


_NAMES = {"type": "array", "items": {"type": "string"}}
_COUNT = {"type": "integer", "minimum": 0}
_LIST_PROPERTIES: dict[str, Any] = {
    "schemas": _message(urns.LIST_RESPONSE),
    "totalResults": _COUNT,
    "startIndex": {"type": "integer", "minimum": 1},
    "itemsPerPage": _COUNT,
    "nextCursor": {"type": "string"},
    "previousCursor": {"type": "string"},
}

MESSAGES: dict[str, Any] = {
    "Error": _object(
        {
            "schemas": _message(urns.ERROR),
            "status": {"type": "string", "pattern": "^[1-5][0-9]{2}$"},
            "scimType": {"type": "string"},
            "detail": {"type": "string"},
        },
        ("schemas", "status"),
    ),
    "ListResponse": _object(
        {**_LIST_PROPERTIES, "Resources": {"type": "array", "items": {"type": "object"}}},
        ("schemas", "totalResults", "Resources"),
    ),
    "PatchOp": _object(
        {
            "schemas": _message(urns.PATCH_OP),
            "Operations": {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {
                        "op": {"type": "string", "enum": ["add", "remove", "replace"]},
                        "path": {"type": "string"},
                        "value": {},
                    },
                    ("op",),
                ),
            },
        },
        ("schemas", "Operations"),
    ),
    "SearchRequest": _object(
        {
            "schemas": _message(urns.SEARCH_REQUEST),
            "attributes": _NAMES,
            "excludedAttributes": _NAMES,
            "filter": {"type": "string"},
            "sortBy": {"type": "string"},
            "sortOrder": {"type": "string", "enum": ["ascending", "descending"]},
            "startIndex": {"type": "integer"},
            "count": {"type": "integer"},
            "cursor": {"type": "string"},
        },
        ("schemas",),
    ),
    "BulkRequest": _object(
        {
            "schemas": _message(urns.BULK_REQUEST),
            "failOnErrors": {"type": "integer", "minimum": 1},
            "Operations": {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {
                        "method": {"type": "string", "enum": list(METHODS)},
                        "path": {"type": "string"},
                        "bulkId": {"type": "string", "minLength": 1},
                        "version": {"type": "string"},
                        "data": {"type": "object"},
                    },
                    ("method", "path"),
                ),
            },
        },
        ("schemas", "Operations"),
    ),
    "BulkResponse": _object(
        {
            "schemas": _message(urns.BULK_RESPONSE),
            "Operations": {
                "type": "array",
                "items": _object(
                    {
                        "location": {"type": "string"},
                        "method": {"type": "string", "enum": list(METHODS)},
                        "bulkId": {"type": "string"},
                        "version": {"type": "string"},
                        "status": {"type": "string"},
                        "response": ref("Error"),
                    },
                    ("method", "status"),
                ),
            },
        },
        ("schemas", "Operations"),
    ),
}
"""The messages of the protocol (RFC 7644 8.2), by the name of their schema in the document."""
