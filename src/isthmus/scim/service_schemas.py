"""The schemas of the discovery endpoints (RFC 7643 5 to 7; characteristics from 8.7.2, descriptions ours)."""

from __future__ import annotations

from dataclasses import replace

from isthmus.scim import urns
from isthmus.scim.schema import ScimAttribute, ScimSchema


def _fact(
    name: str, description: str, *subs: ScimAttribute, required: bool = True, multi_valued: bool = False
) -> ScimAttribute:
    return ScimAttribute(
        name=name,
        type="complex",
        multi_valued=multi_valued,
        description=description,
        required=required,
        mutability="readOnly",
        sub_attributes=subs,
    )


def _text(
    name: str, description: str, *, required: bool = False, case_exact: bool = False, canonical: tuple[str, ...] = ()
) -> ScimAttribute:
    return ScimAttribute(
        name=name,
        description=description,
        required=required,
        case_exact=case_exact,
        mutability="readOnly",
        canonical_values=canonical,
    )


def _flag(name: str, description: str, *, required: bool = True) -> ScimAttribute:
    return ScimAttribute(name=name, type="boolean", description=description, required=required, mutability="readOnly")


def _number(name: str, description: str) -> ScimAttribute:
    return ScimAttribute(name=name, type="integer", description=description, required=True, mutability="readOnly")


def _link(
    name: str, description: str, kind: str = "external", *, required: bool = False, case_exact: bool = False
) -> ScimAttribute:
    return ScimAttribute(
        name=name,
        type="reference",
        description=description,
        required=required,
        case_exact=case_exact,
        mutability="readOnly",
        reference_types=(kind,),
    )


_SUPPORTED = _flag("supported", "Whether it is offered.")

SERVICE_PROVIDER_CONFIG = ScimSchema(
    id=urns.SERVICE_PROVIDER_CONFIG,
    name="Service Provider Configuration",
    description="What this service offers",
    attributes=(
        _link("documentationUri", "Documentation for people."),
        _fact("patch", "PATCH.", _SUPPORTED),
        _fact(
            "bulk",
            "Many operations in one request.",
            _SUPPORTED,
            _number("maxOperations", "Operations in one request at most."),
            _number("maxPayloadSize", "Bytes in one request at most."),
        ),
        _fact("filter", "Filters.", _SUPPORTED, _number("maxResults", "Resources in one answer at most.")),
        _fact("changePassword", "Changing passwords.", _SUPPORTED),
        _fact("sort", "Sorting.", _SUPPORTED),
        _fact("etag", "Entity tags.", _SUPPORTED),
        _fact(
            "pagination",
            "Pages of lists (RFC 9865).",
            _flag("cursor", "Whether pages can be followed by cursor."),
            _flag("index", "Whether pages can be counted by index."),
            _text("defaultPaginationMethod", "What a list without either has.", canonical=("cursor", "index")),
            replace(_number("defaultPageSize", "Resources in a page if none are named."), required=False),
            replace(_number("maxPageSize", "Resources in a page at most."), required=False),
            replace(_number("cursorTimeout", "Seconds that a cursor is good for at least."), required=False),
            required=False,
        ),
        _fact(
            "authenticationSchemes",
            "Ways to authenticate.",
            _text(
                "type",
                "Kind of authentication.",
                required=True,
                canonical=("oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"),
            ),
            _text("name", "Name to show.", required=True),
            _text("description", "What it is.", required=True),
            _link("specUri", "Its specification."),
            _link("documentationUri", "Documentation for people."),
            _flag("primary", "True for the preferred one.", required=False),
            multi_valued=True,
        ),
    ),
)

RESOURCE_TYPE = ScimSchema(
    id=urns.RESOURCE_TYPE,
    name="ResourceType",
    description="A kind of resource this service has",
    attributes=(
        _text("id", "Identifier of the resource type, its name."),
        replace(_text("name", "Name of the resource type.", required=True, case_exact=True), uniqueness="server"),
        _text("description", "What it is."),
        replace(_link("endpoint", "Path below the base URL.", "uri", required=True), uniqueness="server"),
        _link("schema", "URN of its schema.", "uri", required=True, case_exact=True),
        _fact(
            "schemaExtensions",
            "Further schemas its resources use.",
            _link("schema", "URN of the extension.", "uri", required=True, case_exact=True),
            _flag("required", "Whether every resource must have the extension."),
            required=False,
            multi_valued=True,
        ),
    ),
)

_TYPES = ("string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary")


def _characteristics() -> tuple[ScimAttribute, ...]:
    return (
        _text("name", "Name of the attribute.", required=True, case_exact=True),
        _text("type", "Type of its values.", required=True, canonical=_TYPES),
        _flag("multiValued", "Whether it has many values."),
        _text("description", "What it is.", case_exact=True),
        _flag("required", "Whether it must have a value.", required=False),
        replace(_text("canonicalValues", "Values that are suggested.", case_exact=True), multi_valued=True),
        _flag("caseExact", "Whether upper and lower case differ.", required=False),
        _text(
            "mutability",
            "Who may change it and when.",
            case_exact=True,
            canonical=("readOnly", "readWrite", "immutable", "writeOnly"),
        ),
        _text(
            "returned",
            "When it is in an answer.",
            case_exact=True,
            canonical=("always", "never", "default", "request"),
        ),
        _text("uniqueness", "Where a value is unique.", case_exact=True, canonical=("none", "server", "global")),
        replace(_text("referenceTypes", "What a reference may point at.", case_exact=True), multi_valued=True),
    )


SCHEMA = ScimSchema(
    id=urns.SCHEMA,
    name="Schema",
    description="A set of attributes",
    attributes=(
        _text("id", "URN of the schema.", required=True),
        _text("name", "Name of the schema.", required=True),
        _text("description", "What it is."),
        _fact(
            "attributes",
            "Its attributes.",
            *_characteristics(),
            _fact(
                "subAttributes",
                "The parts of a complex attribute.",
                *_characteristics(),
                required=False,
                multi_valued=True,
            ),
            multi_valued=True,
        ),
    ),
)

SERVICE_SCHEMAS: tuple[ScimSchema, ...] = (SERVICE_PROVIDER_CONFIG, RESOURCE_TYPE, SCHEMA)
